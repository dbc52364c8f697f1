"""Socket addresses of IPv4 and IPv6 as the kernel has them in a process's memory (``struct sockaddr_in``, ``_in6``)."""

import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass, replace
from typing import Final

MAX_BYTES: Final = 128
"""Size of ``struct sockaddr_storage``: no socket address is longer."""
_SHORT: Final = sys.byteorder


@dataclass(frozen=True)
class Address:
    """An address and a port. ``host`` is the text of the address, ``flow`` and ``scope`` are IPv6's."""

    family: int
    host: str
    port: int
    flow: int = 0
    scope: int = 0

    @property
    def plain(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The address; an IPv4 one in IPv6's clothes (``::ffff:127.0.0.1``) is IPv4's."""
        address = ipaddress.ip_address(self.host)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address

    @property
    def is_any(self) -> bool:
        """Whether it stands for every address of the machine."""
        return self.plain.is_unspecified

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to the machine itself."""
        return self.plain.is_loopback

    def at(self, host: str, port: int) -> "Address":
        """Return another address for a socket of the same family; an IPv4 ``host`` is clothed for IPv6."""
        if self.family == socket.AF_INET6 and ":" not in host:
            host = f"::ffff:{host}"
        return replace(self, host=host, port=port, flow=0, scope=0)

    def for_python(self) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return it as Python's sockets take it."""
        if self.family == socket.AF_INET:
            return self.host, self.port
        return self.host, self.port, self.flow, self.scope


def decode(data: bytes) -> Address | None:
    """Return the address in ``data``; None when it is of another family, or too short to be one."""
    if len(data) < 2:
        return None
    family = int.from_bytes(data[:2], _SHORT)
    if family == socket.AF_INET and len(data) >= 8:
        port, packed = struct.unpack_from("!H4s", data, 2)
        return Address(family, socket.inet_ntop(socket.AF_INET, packed), port)
    if family == socket.AF_INET6 and len(data) >= 24:
        port, flow, packed = struct.unpack_from("!HI16s", data, 2)
        scope = struct.unpack_from("=I", data, 24)[0] if len(data) >= 28 else 0
        return Address(family, socket.inet_ntop(socket.AF_INET6, packed), port, flow, scope)
    return None
