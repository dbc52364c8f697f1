"""A deployment: which components in which versions, and what changes in their configuration."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vedette.nucleus.recipe import VersionRequirement, check_name
from vedette.nucleus.run_with import RunWithChange


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
    run_with: RunWithChange | None = Field(default=None, description="as whom and within which limits it runs")
    root: bool = Field(default=True, description="False: only changes the configuration of somebody's dependency")
    reset: Sequence[Annotated[str, AfterValidator(_pointer)]] = Field(
        default=(), description="JSON pointers set back to the recipe's defaults; '' is everything"
    )


class Deployment(BaseModel):
    """The components of one target, with whatever they depend on. What the target had before and is left out goes.

    Several targets (``group``) are combined: what any of them wants runs, in a version that suits all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: Mapping[Annotated[str, AfterValidator(check_name)], ComponentDeployment]
    group: str = Field(default="", description="the target; '' is what the owner of the nucleus deploys")
    deployment_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    notify_s: float | None = Field(
        default=60.0, ge=0, description="how long components may take to answer the update notice; None: no notice"
    )
    validation_s: float = Field(
        default=20.0, ge=0, description="how long components may take to validate their new configuration"
    )
