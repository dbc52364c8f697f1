"""Recipes as frozen models. Keys are read without regard to case, as the Java nucleus does (nucleus lite does not)."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from vedette.nucleus.recipe.versions import Version, VersionRequirement

MAX_RECIPE_BYTES: Final = 16_000
"""Largest recipe that AWS and nucleus lite take, bytes."""
MAX_NAME_LENGTH: Final = 128
_NAME: Final = re.compile(r"[a-zA-Z0-9\-_.]+")
DEFAULT_TIMEOUTS_S: Final[Mapping[str, float]] = {
    "bootstrap": 120.0,
    "install": 120.0,
    "startup": 120.0,
    "shutdown": 15.0,
    "recover": 60.0,
    "uninstall": 120.0,
}
"""Time limits of lifecycle steps without a ``Timeout``; ``run`` has none."""


def check_name(name: str) -> str:
    """Return ``name`` if Greengrass takes it as a component's name.

    :raises ValueError: if it does not
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH or name in {".", ".."}:
        raise ValueError(f"{name!r} is not a component name: expected at most 128 letters, digits, '-', '_' or '.'")
    return name


def _check_version(text: str) -> str:
    Version.parse(text)
    return text


def _check_requirement(text: str) -> str:
    VersionRequirement.parse(text)
    return text


def _scalar_text(value: object) -> object:
    """Return numbers and booleans as text: recipes mix ``'1.0'`` and ``1.0``, which YAML reads differently."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


VersionText = Annotated[str, BeforeValidator(_scalar_text), AfterValidator(_check_version)]
RequirementText = Annotated[str, BeforeValidator(_scalar_text), AfterValidator(_check_requirement)]
ScalarText = Annotated[str, BeforeValidator(_scalar_text)]


class _RecipeModel(BaseModel):
    """Reads its keys without regard to case; unknown keys are refused by name."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, alias_generator=lambda name: name.replace("_", "")
    )

    @model_validator(mode="before")
    @classmethod
    def _fold_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        folded: dict[str, Any] = {}
        for key, value in data.items():
            lower = str(key).lower()
            if lower in folded:
                raise ValueError(f"key {key!r} is given twice (keys are read without regard to case)")
            folded[lower] = value
        return folded


class Step(_RecipeModel):
    """One lifecycle step: the script, or an object with the script and how to run it."""

    script: str
    requires_privilege: bool = False
    skip_if: str | None = Field(default=None, description="'onpath X' or 'exists FILE'; '!' negates")
    timeout: float | None = Field(default=None, gt=0, description="seconds")
    set_env: dict[str, ScalarText] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"script": data} if isinstance(data, str) else data

    @field_validator("skip_if")
    @classmethod
    def _known_condition(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"!?\s*(?i:onpath|exists)\s+\S.*", value):
            raise ValueError(f"Skipif {value!r} is not understood: expected 'onpath PROGRAM' or 'exists FILE'")
        return value


class Lifecycle(_RecipeModel):
    """The steps of one manifest."""

    set_env: dict[str, ScalarText] = Field(default_factory=dict)
    bootstrap: Step | None = None
    install: Step | None = None
    startup: Step | None = None
    run: Step | None = None
    shutdown: Step | None = None
    recover: Step | None = None
    uninstall: Step | None = None

    @model_validator(mode="after")
    def _one_main_step(self) -> "Lifecycle":
        if self.startup is not None and self.run is not None:
            raise ValueError("a lifecycle has either 'startup' or 'run', not both")
        return self

    def steps(self) -> dict[str, Step]:
        """Return the steps that are there, by name."""
        named = ((name, getattr(self, name)) for name in (*DEFAULT_TIMEOUTS_S, "run"))
        return {name: step for name, step in named if step is not None}


class Permission(_RecipeModel):
    """Who may read and execute an artifact."""

    read: Literal["NONE", "OWNER", "ALL"] = "OWNER"
    execute: Literal["NONE", "OWNER", "ALL"] = "NONE"


class Artifact(_RecipeModel):
    """A file of the component."""

    uri: str
    unarchive: Literal["NONE", "ZIP"] = "NONE"
    permission: Permission = Permission()
    digest: str | None = None
    algorithm: str | None = None

    @field_validator("unarchive", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @property
    def file_name(self) -> str:
        """Return the last part of the URI: the file's name in the component store."""
        return self.uri.rstrip("/").rpartition("/")[2]


class Manifest(_RecipeModel):
    """What a component does on one kind of platform."""

    name: str | None = None
    platform: dict[str, ScalarText] = Field(default_factory=dict)
    lifecycle: Lifecycle | None = None
    selections: list[str] | None = None
    artifacts: list[Artifact] = Field(default_factory=list)


class DependencyType(str, Enum):
    """HARD: the dependent starts after it and restarts with it. SOFT: only has to be there."""

    HARD = "HARD"
    SOFT = "SOFT"


class Dependency(_RecipeModel):
    """A component that this one needs."""

    version_requirement: RequirementText = "*"
    dependency_type: DependencyType = DependencyType.HARD

    @field_validator("dependency_type", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


class ComponentConfiguration(_RecipeModel):
    """The configuration a component starts with; its own keys keep their case."""

    default_configuration: dict[str, Any] = Field(default_factory=dict)


class Recipe(_RecipeModel):
    """A component recipe, format 2020-01-25."""

    recipe_format_version: Literal["2020-01-25"]
    component_name: Annotated[str, AfterValidator(check_name)]
    component_version: VersionText
    component_type: str = "aws.greengrass.generic"
    component_description: str = ""
    component_publisher: str = ""
    component_source: str | None = None
    component_configuration: ComponentConfiguration = ComponentConfiguration()
    component_dependencies: dict[str, Dependency] = Field(default_factory=dict)
    manifests: list[Manifest] = Field(default_factory=list)
    lifecycle: dict[str, Any] = Field(default_factory=dict, description="global lifecycle, picked by Selections")

    @field_validator("recipe_format_version", mode="before")
    @classmethod
    def _date_text(cls, value: Any) -> Any:
        return str(value)  # YAML reads an unquoted 2020-01-25 as a date

    @property
    def version(self) -> Version:
        """Return the parsed version."""
        return Version.parse(self.component_version)
