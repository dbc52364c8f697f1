"""Every operation of AWS that this package calls: what policies must allow and private sites must reach.

``Cloud.call`` takes no other, so this table is complete; a test finds entries that nothing calls.
"""

from collections.abc import Mapping
from typing import Final

OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "s3": frozenset({"get_object"}),
    "secretsmanager": frozenset(
        {
            "create_secret",
            "delete_secret",
            "describe_secret",
            "get_secret_value",
            "list_secrets",
            "update_secret",
        }
    ),
    "sts": frozenset({"get_caller_identity"}),
}
"""boto3's name of a service -> operations, in boto3's spelling."""

IAM_PREFIXES: Final[Mapping[str, str]] = {"greengrassv2": "greengrass", "iot-data": "iot"}
"""boto3's name of a service -> its prefix in IAM actions, where they differ."""

NOT_REPEATABLE: Final = frozenset({("iot", "create_keys_and_certificate")})
"""Operations whose repetition makes a second thing: they are repeated only when AWS surely did not carry them out."""


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action of an operation: ``greengrass:CreateDeployment``."""
    name = "".join(part.capitalize() for part in operation.split("_"))
    return f"{IAM_PREFIXES.get(service, service)}:{name}"
