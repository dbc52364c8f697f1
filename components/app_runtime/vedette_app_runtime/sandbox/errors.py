"""Errors of the sandbox.

``SandboxError``
├── ``SandboxUnavailable``  the sandbox is required and this machine cannot give it
└── ``SandboxMisuse``       what was asked for cannot be mounted: a folder that is not there, a root as a prefix
"""


class SandboxError(Exception):
    """Base of everything that the sandbox raises."""


class SandboxUnavailable(SandboxError):
    """The sandbox is required and this machine cannot give it.

    :ivar remedy: what to do about it, a sentence or a command.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class SandboxMisuse(SandboxError):
    """What was asked for cannot be mounted."""
