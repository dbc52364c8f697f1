"""Errors of the IPC server::

NucleusError
├── IpcError                 the server cannot be started
└── ProtocolError            bytes or messages that break the protocol: the connection ends
IpcRefusal                   a request that is answered with an error; the connection goes on
├── ServiceError, InvalidArgumentsError, UnauthorizedError, ResourceNotFoundError, ConflictError,
│   FailedUpdateConditionCheckError, InvalidTokenError, InvalidRecipeDirectoryPathError,
│   InvalidArtifactsDirectoryPathError
│                            shapes of the service model, named as there
├── UnparsableRequest        a payload that is not the operation's request
└── UnknownOperation         an operation that the service model does not have
"""

from collections.abc import Mapping
from typing import ClassVar

from vedette.nucleus.errors import NucleusError

__all__ = [
    "ConflictError",
    "FailedUpdateConditionCheckError",
    "InvalidArgumentsError",
    "InvalidArtifactsDirectoryPathError",
    "InvalidRecipeDirectoryPathError",
    "InvalidTokenError",
    "IpcError",
    "IpcRefusal",
    "ModeledError",
    "ProtocolError",
    "ResourceNotFoundError",
    "ServiceError",
    "UnauthorizedError",
    "UnknownOperation",
    "UnparsableRequest",
]

_SERVICE = "aws.greengrass#GreengrassCoreIPC"


class IpcError(NucleusError):
    """The IPC server cannot be started."""


class ProtocolError(NucleusError):
    """Bytes or messages that break the protocol; only the connection they came on ends."""


class IpcRefusal(Exception):
    """A request that is answered with an error frame."""


class ModeledError(IpcRefusal):
    """An error shape of the service model; ``fields`` go into its body beside the message."""

    code: ClassVar[str]

    def __init__(self, message: str, **fields: str) -> None:
        super().__init__(message)
        self.message = message
        self.fields: Mapping[str, str] = fields

    def body(self) -> dict[str, object]:
        """Return the JSON body as the Java nucleus sends it: ``message`` is what SDK clients read.

        An error that it raises without words (a null) has no message at all.
        """
        if not self.message:
            return {"_service": _SERVICE, "_errorCode": self.code, **self.fields}
        return {
            "_service": _SERVICE,
            "_message": self.message,
            "_errorCode": self.code,
            "message": self.message,
            **self.fields,
        }


class ServiceError(ModeledError):
    """The service cannot do what was asked."""

    code = "ServiceError"


class InvalidArgumentsError(ModeledError):
    """The request's values make no sense."""

    code = "InvalidArgumentsError"


class UnauthorizedError(ModeledError):
    """No policy of the component allows it."""

    code = "UnauthorizedError"


class ResourceNotFoundError(ModeledError):
    """What was asked for does not exist."""

    code = "ResourceNotFoundError"


class ConflictError(ModeledError):
    """The shadow has another version than the request says."""

    code = "ConflictError"


class FailedUpdateConditionCheckError(ModeledError):
    """The configuration is newer than the request's timestamp."""

    code = "FailedUpdateConditionCheckError"


class InvalidTokenError(ModeledError):
    """A token that is asked about belongs to nobody."""

    code = "InvalidTokenError"


class InvalidRecipeDirectoryPathError(ModeledError):
    """A local deployment's folder of recipes cannot be used."""

    code = "InvalidRecipeDirectoryPathError"


class InvalidArtifactsDirectoryPathError(ModeledError):
    """A local deployment's folder of artifacts cannot be used."""

    code = "InvalidArtifactsDirectoryPathError"


class UnparsableRequest(IpcRefusal):
    """A payload that is not JSON, or not of the operation's request shape."""


class UnknownOperation(IpcRefusal):
    """An operation that is not in the service model."""
