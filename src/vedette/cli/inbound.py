"""Ports that an application wants to be reached at: ``--open``, and what becomes of them, in words."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final

from vedette.application import InboundPort, PortRoute
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.documents.resolution import OpenedPort

_OPENED: Final = re.compile(
    r"(?:(?P<address>[0-9]+(?:\.[0-9]+){3}):)?(?P<host>[0-9]{1,5})(?::(?P<container>[0-9]{1,5}))?"
)


def read_opened(values: Sequence[str]) -> tuple[OpenedPort, ...]:
    """Read each ``[ADDRESS:]HOST[:CONTAINER]`` of ``--open``.

    :raises Failure: for what is none
    """
    return tuple(_read(value) for value in values)


def _read(value: str) -> OpenedPort:
    match = _OPENED.fullmatch(value)
    if match is not None:
        host, container = int(match["host"]), int(match["container"] or match["host"])
        if 0 < host < 65536 and 0 < container < 65536 and _is_address(match["address"]):
            return OpenedPort(host, container if match["container"] else None, match["address"] or "")
    raise Failure(
        f"--open takes [ADDRESS:]HOST[:CONTAINER], got `{value}`",
        hint="--open 8080:80 opens port 80 of the application at port 8080 of this machine",
        exit_code=EXIT_USAGE,
    )


def _is_address(text: str | None) -> bool:
    try:
        return text is None or bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def port_notes(ports: Sequence[InboundPort], routes: Sequence[PortRoute]) -> Iterator[tuple[bool, str]]:
    """Yield (worth a warning, sentence) about each confirmed route, and each declared port that stays closed."""
    names = {port.port: f" ({port.description})" if port.description else "" for port in ports}
    for route in routes:
        at = f" of {route.address}" if route.address else " of this machine"
        name = names.get(route.container_port, "")
        yield False, f"port {route.container_port}{name} of the application is port {route.host_port}{at}"
    for port in names.keys() - {route.container_port for route in routes}:
        yield False, f"port {port}{names[port]} of the application stays closed; --open 8080:{port} opens it"
