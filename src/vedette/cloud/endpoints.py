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
    ),
    "iot.credentials": Endpoint(
        "iot.credentials", ("<prefix>.credentials.iot.<region>.amazonaws.com",), why="the device's credentials"
    ),
    "s3": Endpoint("s3", ("s3.<region>.amazonaws.com", "<bucket>.s3.<region>.amazonaws.com"), why="artifacts"),
    "secretsmanager": Endpoint(
        "secretsmanager", ("secretsmanager.<region>.amazonaws.com",), why="users and passwords of cameras"
    ),
    "logs": Endpoint("logs", ("logs.<region>.amazonaws.com",), why="uploaded logs"),
    "cloudwatch": Endpoint("monitoring", ("monitoring.<region>.amazonaws.com",), why="metrics"),
    "sts": Endpoint("sts", ("sts.<region>.amazonaws.com",), why="roles of applications"),
}
"""What a core device reaches, and why; nothing else."""


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
