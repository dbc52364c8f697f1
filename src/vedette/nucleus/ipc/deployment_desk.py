"""What the operations on local deployments need of the nucleus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vedette.nucleus.configuration_tree import merged, parse_pointer, without
from vedette.nucleus.run_with import RunWithChange

__all__ = ["ConfigurationChange", "DeploymentDesk", "DeploymentRecord", "LocalDeploymentRequest"]


@dataclass(frozen=True)
class ConfigurationChange:
    """What a deployment changes in one component's configuration: JSON pointers to reset, then values to merge."""

    merge: Mapping[str, Any] = field(default_factory=dict)
    reset: Sequence[str] = ()

    def then(self, later: "ConfigurationChange") -> "ConfigurationChange":
        """Return the one change that does what this and then ``later`` do.

        :raises ValueError: if what ``later`` resets is no JSON pointer
        """
        merge = self.merge
        for pointer in later.reset:
            merge = without(merge, parse_pointer(pointer))
        return ConfigurationChange(merged(merge, later.merge), (*self.reset, *later.reset))


@dataclass(frozen=True)
class LocalDeploymentRequest:
    """A change of the root components of one group, as ``CreateLocalDeployment`` asks for it; not checked yet."""

    add: Mapping[str, str] = field(default_factory=dict)
    """Root components to add or change -> their version or range."""
    remove: Sequence[str] = ()
    configuration: Mapping[str, ConfigurationChange] = field(default_factory=dict)
    group: str = ""
    """A thing group's name; "" is the target of local deployments."""
    target: str = ""
    """``thinggroup/NAME`` or ``thing/NAME``, where a document names it; goes before ``group``."""
    whole: bool = False
    """Whether ``add`` is all that the target has: what else it had goes."""
    recipe_folder: str | None = None
    artifact_folder: str | None = None
    roll_back: bool = True
    """Whether a failure brings back what ran before."""
    notify_s: float | None = None
    """How long components may take to answer the update notice; None: they get none, as with the Java nucleus."""
    run_with: Mapping[str, RunWithChange] = field(default_factory=dict)
    """As which user and within which limits components are to run."""
    validation_s: float = 20.0
    """How long components may take to validate their new configuration."""


@dataclass(frozen=True)
class DeploymentRecord:
    """A local deployment and what has become of it. ``created_ms``: Unix time in ms."""

    deployment_id: str
    created_ms: int
    status: str = "QUEUED"
    """QUEUED, IN_PROGRESS, SUCCEEDED, FAILED or CANCELED."""
    detail: str | None = None
    """SUCCESSFUL, FAILED_NO_STATE_CHANGE, FAILED_ROLLBACK_NOT_REQUESTED, FAILED_ROLLBACK_COMPLETE, ..."""
    cause: str | None = None
    error_stack: Sequence[str] = ()
    error_types: Sequence[str] = ()


class DeploymentDesk(Protocol):
    """Takes local deployments; the methods may be called from any thread and return at once."""

    def create(self, request: LocalDeploymentRequest) -> str:
        """Queue a deployment and return its id."""

    def find(self, deployment_id: str) -> DeploymentRecord | None:
        """Return a deployment, None when there is none of that id."""

    def records(self) -> Sequence[DeploymentRecord]:
        """Return every deployment, oldest first."""

    def cancel(self, deployment_id: str) -> bool:
        """Ask for a deployment to be cancelled; False when it has finished. LookupError when there is none."""

    def artifacts_inside(self, folder: str) -> bool:
        """Tell whether the store of artifacts lies in ``folder``, which then cannot be copied into it."""
