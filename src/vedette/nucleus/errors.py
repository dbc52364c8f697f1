"""Errors of the local nucleus::

NucleusError                 anything the nucleus refuses; ``findings`` lists every reason
├── RecipeError              a recipe that cannot be read or does not fit this machine
├── StoreError               a recipe or artifact that is missing or cannot be unpacked
├── ResolutionError          dependencies or versions that do not fit together
├── LifecycleError           a component that broke or did not come up in time
├── ConfigurationRejectedError  a component that does not take its new configuration
├── NucleusStoppedError      something that the end of the nucleus interrupted
├── DeploymentCancelledError a deployment that was taken back before it changed anything
├── RootInUseError           another nucleus runs on the same root folder
└── ControlError             a running instance that could not be asked
"""

from collections.abc import Sequence

__all__ = [
    "ConfigurationRejectedError",
    "ControlError",
    "DeploymentCancelledError",
    "LifecycleError",
    "NucleusError",
    "NucleusStoppedError",
    "RecipeError",
    "ResolutionError",
    "RootInUseError",
    "StoreError",
]


class NucleusError(Exception):
    """What the local nucleus refuses; ``findings`` has one sentence for each reason, ``str()`` has all of them."""

    def __init__(self, *findings: str) -> None:
        super().__init__("; ".join(findings))
        self.findings: Sequence[str] = findings


class RecipeError(NucleusError):
    """A recipe that cannot be read, breaks a rule, or has no manifest for this machine."""


class StoreError(NucleusError):
    """A recipe or artifact that is missing from the component store or cannot be unpacked."""


class ResolutionError(NucleusError):
    """Components whose dependencies cannot be satisfied together."""


class LifecycleError(NucleusError):
    """Components that broke, or did not come up in time."""


class ConfigurationRejectedError(NucleusError):
    """A component rejects the configuration that a deployment has for it, or does not say in time."""


class NucleusStoppedError(NucleusError):
    """The nucleus was stopped before something was done."""


class DeploymentCancelledError(NucleusError):
    """A deployment that was taken back before it changed anything."""


class RootInUseError(NucleusError):
    """Another nucleus runs on the same root folder."""


class ControlError(NucleusError):
    """A running instance that cannot be reached or refused a request."""
