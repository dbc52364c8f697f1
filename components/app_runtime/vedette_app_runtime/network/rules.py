"""Where the ports of one application lead: decisions alone, nothing is opened here.

An appliance ran each application in a network of its own: its ports met no other application's, and only those of a
confirmed routing rule could be reached from outside. Applications here share the machine's network, so

| a TCP socket of the application | is |
|---|---|
| bound to a port with a rule, at any address but loopback | bound to the rule's port of the device |
| bound to any other port | bound to the application's own loopback address, 127.x.y.z |
| connected to 127.0.0.1 (``localhost``) | connected to what the application itself listens on |
| connected to another application's loopback address | refused: that one's network was its own |
| connected to where a cloud's machine finds its credentials | unreachable: they are the device's |
| connected to anything else | left alone |

Everything but TCP is left alone.
"""

import errno
import hashlib
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vedette.application import PortRoute
from vedette_app_runtime.network.addresses import Address

_LOCAL: Final = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104 - what applications write for themselves

_APPLICATIONS: Final = (ipaddress.ip_network("127.64.0.0/10"), ipaddress.ip_network("127.128.0.0/10"))
"""What :func:`own_loopback` gives out."""
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        # Of EC2, as of other clouds, and its IPv6; of ECS's tasks; of EKS's pods, both.
        ("169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"),
    )
)
"""Whoever asks there has the rights of the machine."""


def own_loopback(instance: str) -> str:
    """Return the loopback address of an instance: always the same one, and hardly ever another's.

    All of 127.0.0.0/8 is the machine itself. 127.0 and 127.1 are left to others (systemd-resolved has 127.0.0.53).
    """
    digest = hashlib.sha256(instance.encode()).digest()
    return f"127.{64 + digest[0] % 128}.{digest[1]}.{1 + digest[2] % 254}"


@dataclass(frozen=True)
class Opened:
    """A rule that the application has made use of."""

    container_port: int
    host_port: int
    error: int = 0
    """Error number, when the device's port could not be had."""


class PortRules:
    """Rules of one run of an application, and what it listens on. One thread uses it; ``opened`` may be read by any."""

    def __init__(self, routes: Iterable[PortRoute], loopback: str) -> None:
        self.loopback = loopback
        self.opened: dict[int, Opened] = {}
        self._routes = {route.container_port: route for route in routes}
        self._listens: dict[int, tuple[str, int]] = {}
        self._listens_v6: dict[int, tuple[str, int]] = {}

    def lead_to_machine(self, port: int) -> None:
        """Let the application connect to this port of the machine's own loopback, which the host serves for it."""
        self._listens[port] = ("127.0.0.1", port)

    def bind_places(self, asked: Address, *, v6_only: bool = False) -> list[Address]:
        """Return where to bind a TCP socket that asked for ``asked``: the first place that can be had.

        :param v6_only: whether the socket is closed to IPv4; servers often have two, one for each, at one port
        """
        if asked.port == 0 and not asked.is_loopback:
            return [asked]  # the near end of a connection to somewhere
        route = None if asked.is_loopback else self._routes.get(asked.port)
        if route is not None and not (v6_only and route.address):
            place = asked.at(route.address, route.host_port) if route.address else asked.at(asked.host, route.host_port)
            return [place]
        own = asked.at(self.loopback, asked.port)
        if v6_only:
            # There is one loopback address of IPv6 alone, and the place at IPv4's is the other socket's.
            return [own.at(self.loopback, 0)]
        # Ports below 1024 are not for everybody: any other one serves as well, since who connects is led there.
        return [own, own.at(self.loopback, 0)] if asked.port else [own]

    def bound(self, asked: Address, place: Address, *, v6_only: bool = False) -> None:
        """Note that a socket that asked for ``asked`` was bound to ``place``, with its final port."""
        host = "127.0.0.1" if place.is_any else str(place.plain)
        if v6_only and place.is_any:
            host = "::1"
        if not v6_only:
            self._listens[asked.port or place.port] = (host, place.port)
        if asked.family == socket.AF_INET6:
            self._listens_v6[asked.port or place.port] = (host, place.port)
        if asked.port in self._routes and not asked.is_loopback:
            self.opened[asked.port] = Opened(asked.port, place.port)

    def refused(self, asked: Address, error: int) -> Opened | None:
        """Note that no place could be had; return the rule that this concerns, if there is one."""
        route = None if asked.is_loopback else self._routes.get(asked.port)
        if route is None:
            return None
        self.opened[asked.port] = Opened(asked.port, route.host_port, error)
        return self.opened[asked.port]

    def may_listen(self, at: Address) -> bool:
        """Tell whether a TCP socket that is bound to ``at`` may be listened on."""
        return at.is_loopback or any(at.port == route.host_port for route in self._routes.values())

    def connect_place(self, asked: Address) -> Address | None:
        """Return where to connect a TCP socket in place of ``asked``; None when it is to be left alone."""
        if str(asked.plain) not in _LOCAL and str(asked.plain) != self.loopback:
            return None
        listens = {**self._listens, **self._listens_v6} if asked.family == socket.AF_INET6 else self._listens
        host, port = listens.get(asked.port, (self.loopback, asked.port))
        return asked.at(host, port)

    def connect_error(self, asked: Address) -> int:
        """Return the error number that connecting a TCP socket to ``asked`` ends with; 0: it is not refused."""
        plain = asked.plain
        if plain in _METADATA:
            return errno.ENETUNREACH
        if str(plain) != self.loopback and any(plain in network for network in _APPLICATIONS):
            return errno.ECONNREFUSED
        return 0
