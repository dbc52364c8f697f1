"""Refusals in the service's own shapes."""

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """What the service answers instead of a result: an error name and an HTTP status."""

    status = 500
    code = "InternalServerException"
    facts: Mapping[str, Any] = {}
    """What the service says besides its message: resourceId, quotaCode, fields."""


class ValidationError(ServiceError):
    """The request, a recipe or an artifact is not as it must be."""

    status = 400
    code = "ValidationException"


class InvalidRequestError(ValidationError):
    """The same in the words of AWS IoT."""

    code = "InvalidRequestException"


class NotFoundError(ServiceError):
    """What was asked for is not there."""

    status = 404
    code = "ResourceNotFoundException"


class ConflictError(ServiceError):
    """Something of that name is there already."""

    status = 409
    code = "ConflictException"


class AlreadyExistsError(ConflictError):
    """The same in the words of AWS IoT."""

    code = "ResourceAlreadyExistsException"


class NotEmulatedError(ServiceError):
    """This stand-in does not have the operation."""

    status = 501
    code = "NotEmulated"
