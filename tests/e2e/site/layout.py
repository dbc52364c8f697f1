"""Who lives where in the private site, and by which names: those of docs/guide/deploy.md, with an account put in."""

import hashlib
from typing import Final

from vedette.cloud.endpoints import DEVICE, OPERATOR, Endpoint

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-west-1"
PREFIX: Final = hashlib.sha256(ACCOUNT.encode()).hexdigest()[:14]
BUCKET: Final = f"vedette-components-{REGION}-{ACCOUNT}"
GATEWAY_PORT: Final = 4566
GROUP: Final = "site"
GROUP_ARN: Final = f"arn:aws:iot:{REGION}:{ACCOUNT}:thinggroup/{GROUP}"
THING: Final = "site-01"
AWS_ADDRESS: Final = "10.77.0.1"
"""The site's name server, and its time server."""
DEVICE_ADDRESS: Final = "10.77.0.100"
OPERATOR_ADDRESS: Final = "10.77.0.101"
CAMERA_ADDRESS: Final = "10.78.0.2"
DEVICE_ON_CAMERAS: Final = "10.78.0.1"


def _known() -> dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]]:
    merged: dict[str, Endpoint] = {}
    for item in (*OPERATOR.values(), *DEVICE.values()):
        merged[item.service] = item  # a device reaches the same hosts by more ports
    found = {}
    for number, (service, item) in enumerate(sorted(merged.items()), 11):
        put = {"<region>": REGION, "<prefix>": PREFIX, "<bucket>": BUCKET}
        named = []
        for host in item.hosts:
            for word, value in put.items():
                host = host.replace(word, value)  # noqa: PLW2901 - the same name, less open
            named.append(host)
        found[service] = (f"10.77.0.{number}", item.ports, tuple(named))
    return found


_ENDPOINTS: Final = _known()
ADDRESSES: Final = {service: [(address, ports)] for service, (address, ports, _) in _ENDPOINTS.items()}


def hosts(service: str) -> tuple[str, ...]:
    """Return the names of an endpoint."""
    return _ENDPOINTS[service][2]


def address(service: str) -> str:
    """Return the address of an endpoint."""
    return _ENDPOINTS[service][0]


def ports(service: str) -> tuple[int, ...]:
    """Return the ports of an endpoint."""
    return _ENDPOINTS[service][1]
