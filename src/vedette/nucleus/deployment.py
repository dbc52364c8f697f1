"""A deployment: which components in which versions, and what changes in their configuration."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vedette.nucleus.recipe import VersionRequirement, check_name


def _requirement(text: str) -> str:
    VersionRequirement.parse(text)
    return text


def _pointer(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer: expected '' or a text that begins with '/'")
    return text


class ComponentDeployment(BaseModel):
    """One component of a deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, AfterValidator(_requirement)] = Field(
        default="*", description="a version or an npm-style range; the newest that fits is taken"
    )
    merge: Mapping[str, Any] = Field(
        default_factory=dict, description="merged into the configuration; lists replaced whole"
    )
    reset: Sequence[Annotated[str, AfterValidator(_pointer)]] = Field(
        default=(), description="JSON pointers set back to the recipe's defaults; '' is everything"
    )


class Deployment(BaseModel):
    """The components that run after it, with whatever they depend on. Components left out are removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: Mapping[Annotated[str, AfterValidator(check_name)], ComponentDeployment]
