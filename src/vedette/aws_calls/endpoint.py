"""Where a service is."""

import os
import re
from collections.abc import Mapping
from typing import Final

_ENDPOINT_VARIABLES: Final[Mapping[str, str]] = {
    "monitoring": "AWS_ENDPOINT_URL_CLOUDWATCH",
    "logs": "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "kinesisvideo": "AWS_ENDPOINT_URL_KINESIS_VIDEO",
    "s3": "AWS_ENDPOINT_URL_S3",
    "sts": "AWS_ENDPOINT_URL_STS",
}
"""The variables that boto3 and the AWS command line read, for private endpoints and stand-ins."""

_REGION: Final = re.compile(
    r"(?:us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|eu-isoe)"
    r"-(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-\d"
)


def known_region(region: str) -> bool:
    """Tell whether a region is named as AWS names regions."""
    return _REGION.fullmatch(region) is not None


def endpoint(service: str, region: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL of a service (its name in signatures) in a region, without a slash at the end."""
    for variable in (_ENDPOINT_VARIABLES.get(service, ""), "AWS_ENDPOINT_URL"):
        if environ.get(variable):
            return environ[variable].rstrip("/")
    fips = "-fips" if environ.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" else ""
    tail = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}{fips}.{region}.{tail}"
