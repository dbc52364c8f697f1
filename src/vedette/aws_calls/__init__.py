"""Signed calls of AWS services from a device.

boto3 would take more memory than all else a component needs (45 MB); the AWS SDK that every component has loaded for
the bus signs requests, and the standard library sends them.
"""

from vedette.aws_calls.caller import AwsCaller
from vedette.aws_calls.credentials import Credentials, CredentialsSource
from vedette.aws_calls.errors import AwsError, Denied, NoCredentials, OutcomeUnknown, Rejected, Unreachable
from vedette.aws_calls.transport import Response

__all__ = [
    "AwsCaller",
    "AwsError",
    "Credentials",
    "CredentialsSource",
    "Denied",
    "NoCredentials",
    "OutcomeUnknown",
    "Rejected",
    "Response",
    "Unreachable",
]
