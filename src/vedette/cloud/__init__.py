"""AWS's side of a fleet: the only part of Vedette that speaks to AWS from an operator's machine.

``access`` is the one module that imports boto3; every other module here works on plain data and takes a ``Cloud``.
"""

from vedette.cloud.access import Cloud, Identity
from vedette.cloud.errors import (
    AccessDeniedError,
    AlreadyThereError,
    CloudError,
    CredentialsError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    QuotaError,
    UnreachableError,
)

__all__ = [
    "AccessDeniedError",
    "AlreadyThereError",
    "Cloud",
    "CloudError",
    "CredentialsError",
    "Identity",
    "InvalidRequestError",
    "NotFoundError",
    "PreconditionError",
    "QuotaError",
    "UnreachableError",
]
