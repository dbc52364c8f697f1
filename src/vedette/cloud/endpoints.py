"""Endpoints of AWS that a fleet needs, for firewalls and for sites without internet (VPC endpoints).

Operators need what ``operations`` calls; devices need what the nucleus and Vedette's components call.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vedette.cloud.operations import OPERATIONS, OPTIONAL


@dataclass(frozen=True)
class Endpoint:
    """One endpoint."""

    service: str
    """Last part of the VPC endpoint service's name: ``com.amazonaws.<region>.<service>``."""
    hosts: tuple[str, ...]
    """Host names, with ``<region>``, ``<prefix>`` (of the account's IoT endpoint) and ``<bucket>`` left open."""
    ports: tuple[int, ...] = (443,)
    why: str = ""
    breaks: tuple[str, ...] = ()
    """What a device cannot do without it, and nothing else: functions of FUNCTIONS."""


FUNCTIONS: Final[Mapping[str, str]] = {
    "online": "connection to AWS IoT: status, jobs, shadows from the cloud",
    "health": "health in the cloud",
    "document": "new deployments",
    "artifacts": "what a new deployment installs",
    "credentials": "fresh credentials of the device",
    "secret": "new and changed logins of cameras",
    "metrics": "metrics (they wait on the disk)",
    "logs": "logs in CloudWatch (they wait on the disk)",
    "roles": "fresh credentials of applications with a role",
    "video": "video in Kinesis Video Streams (the last seconds wait in memory)",
}
"""What a device does with AWS. Video, models and applications are not among it: what was installed runs on."""

OPERATOR: Final[Mapping[str, Endpoint]] = {
    "sts": Endpoint("sts", ("sts.<region>.amazonaws.com",), why="who calls, in which account"),
    "s3": Endpoint(
        "s3", ("s3.<region>.amazonaws.com", "<bucket>.s3.<region>.amazonaws.com"), why="artifacts and records"
    ),
    "greengrassv2": Endpoint(
        "greengrass", ("greengrass.<region>.amazonaws.com",), why="component versions and deployments"
    ),
    "iot": Endpoint("iot.api", ("iot.<region>.amazonaws.com",), why="things, groups, certificates, jobs"),
    "logs": Endpoint("logs", ("logs.<region>.amazonaws.com",), why="`vedette logs --cloud`"),
    "iot-data": Endpoint("iot.data", ("<prefix>-ats.iot.<region>.amazonaws.com",), why="device shadows"),
    "secretsmanager": Endpoint(
        "secretsmanager", ("secretsmanager.<region>.amazonaws.com",), why="users and passwords of cameras"
    ),
}
"""boto3's name of a service -> its endpoint, for a machine that runs ``vedette``."""

DEVICE: Final[Mapping[str, Endpoint]] = {
    "iot.data": Endpoint(
        "iot.data",
        ("<prefix>-ats.iot.<region>.amazonaws.com", "greengrass-ats.iot.<region>.amazonaws.com"),
        (443, 8443, 8883),
        "deployments, jobs, shadows; configuration of large deployments",
        ("online", "health", "document"),
    ),
    "iot.credentials": Endpoint(
        "iot.credentials",
        ("<prefix>.credentials.iot.<region>.amazonaws.com",),
        why="the device's credentials",
        breaks=("credentials", "artifacts", "secret", "metrics", "logs", "roles"),
    ),
    "s3": Endpoint(
        "s3",
        ("s3.<region>.amazonaws.com", "<bucket>.s3.<region>.amazonaws.com"),
        why="artifacts",
        breaks=("artifacts",),
    ),
    "secretsmanager": Endpoint(
        "secretsmanager",
        ("secretsmanager.<region>.amazonaws.com",),
        why="users and passwords of cameras",
        breaks=("secret",),
    ),
    "logs": Endpoint("logs", ("logs.<region>.amazonaws.com",), why="uploaded logs", breaks=("logs",)),
    "cloudwatch": Endpoint("monitoring", ("monitoring.<region>.amazonaws.com",), why="metrics", breaks=("metrics",)),
    "sts": Endpoint("sts", ("sts.<region>.amazonaws.com",), why="roles of applications", breaks=("roles",)),
}
"""What a core device reaches, and why; nothing else but what DEVICE_OPTIONAL has."""

DEVICE_OPTIONAL: Final[Mapping[str, Endpoint]] = {
    # Private DNS (`*.kinesisvideo.<region>.amazonaws.com`) covers both; no other name of the endpoint is served.
    "kinesisvideo": Endpoint(
        "kinesisvideo",
        ("kinesisvideo.<region>.amazonaws.com", "s-<id>.kinesisvideo.<region>.amazonaws.com"),
        why="video of outputs and cameras",
        breaks=("video",),
    ),
}
"""What a core device reaches only where its configuration asks for it."""


def needed_by_operators() -> list[Endpoint]:
    """Return the endpoints of all operations that this package calls, by service.

    :raises KeyError: if a service has no endpoint here
    """
    return [OPERATOR[service] for service in sorted(OPERATIONS.keys() - OPTIONAL)]


def missing_endpoints(services: Iterable[str], have: Iterable[str]) -> set[str]:
    """Return which of boto3's services have no endpoint among ``have``, which are names of VPC endpoint services."""
    known = set(have)
    table = {**{key: item.service for key, item in DEVICE.items()}, **{key: e.service for key, e in OPERATOR.items()}}
    return {service for service in services if table.get(service, service) not in known}
