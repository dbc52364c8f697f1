"""What becomes of the ports that an application wants to be reached at, in words."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from vedette.application import InboundPort, PortRoute

_FIRST_UNPRIVILEGED: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def first_unprivileged_port(setting: Path = _FIRST_UNPRIVILEGED) -> int:
    """Return the lowest port that a program without root's rights may open."""
    try:
        return int(setting.read_text())
    except (OSError, ValueError):
        return 1024


def port_notes(ports: Sequence[InboundPort], routes: Sequence[PortRoute], first: int) -> Iterator[tuple[bool, str]]:
    """Yield (worth a warning, sentence) about each declared port and each route to another one.

    Applications share the machine's network: each listens on the machine's own port of the number its code has.
    """
    for port in ports:
        name = f"port {port.port}{f' ({port.description})' if port.description else ''}"
        if port.port < first:
            yield (
                True,
                f"the application cannot open {name}: without root's rights ports begin at {first} "
                "(sysctl net.ipv4.ip_unprivileged_port_start)",
            )
        else:
            yield False, f"the application opens {name} on this machine itself"
    for route in routes:
        if route.host_port != route.container_port:
            yield (
                True,
                f"port {route.host_port} does not lead to the application's port {route.container_port}: "
                "routing rules are not applied",
            )
