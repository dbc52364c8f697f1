"""Endpoints of AWS that applications need besides their device's: by their sources, and by what their role allows."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from vedette.cloud.endpoints import DEVICE, OPERATOR, Endpoint
from vedette.cloud.errors import CloudError

_SHARED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "iot": {
        "iot-data": frozenset(
            {"Connect", "Publish", "Subscribe", "Receive", "RetainPublish", "GetRetainedMessage"}
            | {"ListRetainedMessages", "GetThingShadow", "UpdateThingShadow", "DeleteThingShadow"}
            | {"ListNamedShadowsForThing"}
        )
    },
    "sagemaker": {
        "sagemaker-runtime": frozenset({"InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"})
    },
    "bedrock": {"bedrock-runtime": frozenset({"InvokeModel", "InvokeModelWithResponseStream", "ApplyGuardrail"})},
    "appconfig": {"appconfigdata": frozenset({"GetLatestConfiguration", "StartConfigurationSession"})},
}
"""Prefix of IAM actions -> boto3's services besides the one of that name, and their actions.

From AWS's service authorization reference: these services have hosts of their own, and no prefix of their own.
"""

_PREFIXES: Final[Mapping[str, str]] = {
    "aoss": "opensearchserverless",
    "aps": "amp",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "elasticmapreduce": "emr",
    "geo": "location",
    "greengrass": "greengrassv2",
    "mobiletargeting": "pinpoint",
    "states": "stepfunctions",
}
"""Prefix of IAM actions -> boto3's name of the service, where they differ."""

_ENDPOINT_SERVICES: Final[Mapping[str, str]] = {
    **{service: item.service for service, item in OPERATOR.items()},
    "bedrock": "bedrock",
    "bedrock-runtime": "bedrock-runtime",
    "cloudwatch": "monitoring",
    "comprehend": "comprehend",
    "dynamodb": "dynamodb",
    "ecr": "ecr.api",
    "events": "events",
    "firehose": "kinesis-firehose",
    "kinesis": "kinesis-streams",
    "kms": "kms",
    "lambda": "lambda",
    "iotsitewise": "iotsitewise.api",
    "polly": "polly",
    "rds-data": "rds-data",
    "rekognition": "rekognition",
    "sagemaker": "sagemaker.api",
    "sagemaker-runtime": "sagemaker.runtime",
    "ses": "email",
    "sesv2": "email",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "stepfunctions": "states",
    "textract": "textract",
    "transcribe": "transcribe",
    "translate": "translate",
    "xray": "xray",
}
"""boto3's name of a service -> its VPC endpoint service, of those that applications with cameras call.

From AWS's list "services that integrate with AWS PrivateLink", where the others stand.
"""


def services_of(action: str) -> list[str]:
    """Return boto3's names of the services that an IAM action belongs to.

    :param action: as policies have it, ``sns:Publish`` or ``iot:*``; ``*`` belongs to no service in particular
    """
    prefix, colon, name = action.lower().partition(":")
    if not colon or prefix == "*":
        return []
    others = _SHARED.get(prefix, {})
    wildcard = "*" in name or "?" in name
    found = [service for service, names in others.items() if wildcard or name in {known.lower() for known in names}]
    return found if found and not wildcard else [*found, _PREFIXES.get(prefix, prefix)]


def application_endpoints(services: Mapping[str, Iterable[str]], region: str) -> list[Endpoint]:
    """Return the endpoints of services that applications call, by host.

    :param services: boto3's name of a service -> why it is listed
    :param region: of the account
    :raises CloudError: if boto3 is not installed, which knows the hosts
    """
    known = _boto3(region)
    found: dict[tuple[str, ...], Endpoint] = {}
    for service in sorted(services):
        hosts = _hosts(known, service, region)
        before = found[hosts].why if hosts in found else ""
        why = "; ".join(filter(None, [before, *services[service]]))
        found[hosts] = Endpoint(_ENDPOINT_SERVICES.get(service, ""), hosts, why=why)
    return sorted(found.values(), key=lambda item: item.hosts)


def device_endpoints(region: str) -> list[Endpoint]:
    """Return the endpoints of every device, with the region put in."""
    tail = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return [
        Endpoint(
            item.service,
            tuple(host.replace("<region>.amazonaws.com", f"{region}.{tail}") for host in item.hosts),
            item.ports,
            item.why,
            item.breaks,
        )
        for item in DEVICE.values()
    ]


@lru_cache(maxsize=4)
def _boto3(region: str) -> Any:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise CloudError(
            "the hosts of AWS's services are boto3's, and boto3 is not installed", hint="pip install 'vedette[aws]'"
        ) from error
    try:
        # Nothing is called: clients are asked for their host.
        return boto3.Session("none", "none", region_name=region)
    except BotoCoreError as error:
        raise CloudError(f"boto3 cannot be used: {error}", hint="see AWS_CONFIG_FILE and AWS_PROFILE") from error


def known_services(region: str) -> frozenset[str]:
    """Return boto3's names of all services.

    :raises CloudError: if boto3 is not installed
    """
    return frozenset(_boto3(region).get_available_services())


def _hosts(session: Any, service: str, region: str) -> tuple[str, ...]:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    tail = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if service in {"iot-data", "iot-jobs-data"}:
        return (f"<prefix>-ats.iot.{region}.{tail}",)
    try:
        config = Config(ignore_configured_endpoint_urls=True)
        url = session.client(service, config=config).meta.endpoint_url
    except (BotoCoreError, ValueError):
        return (f"{service}.{region}.{tail}",)
    host = url.removeprefix("https://")
    return (host, f"<bucket>.{host}") if service == "s3" else (host,)
