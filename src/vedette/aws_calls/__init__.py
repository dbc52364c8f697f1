"""Signed calls of AWS services from a device.

boto3 would take more memory than all else a component needs (45 MB); the AWS SDK that every component has loaded for
the bus signs requests, and the standard library sends them.
"""

from vedette.aws_calls.caller import AwsCaller
from vedette.aws_calls.credentials import Credentials, CredentialsSource
from vedette.aws_calls.endpoint import known_region
from vedette.aws_calls.errors import AwsError, Denied, NoCredentials, OutcomeUnknown, Rejected, Unreachable
from vedette.aws_calls.transport import KeptConnection, Response

__all__ = [
    "AwsCaller",
    "AwsError",
    "Credentials",
    "CredentialsSource",
    "Denied",
    "KeptConnection",
    "NoCredentials",
    "OutcomeUnknown",
    "Rejected",
    "Response",
    "Unreachable",
    "known_region",
]
