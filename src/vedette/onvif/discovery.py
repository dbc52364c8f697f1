"""Asks the networks of this machine for cameras, over UDP multicast."""

import contextlib
import fcntl
import selectors
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Final

from vedette.onvif.matches import Found, decode_matches, encode_probe

GROUP: Final = ("239.255.255.250", 3702)
_SIOCGIFADDR: Final = 0x8915
_MAX_ANSWER_BYTES: Final = 65_535
_MOST_ANSWERS: Final = 2000
# UDP is lost now and then; a camera answers a repeated question again, which does no harm.
_REPEATS: Final = 3
_REPEAT_S: Final = 0.4


def local_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine's network interfaces."""
    addresses = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # an interface without an address
                addresses.append(socket.inet_ntoa(fcntl.ioctl(sock.fileno(), _SIOCGIFADDR, request)[20:24]))
    return addresses


def discover(
    timeout_s: float = 4.0,
    *,
    addresses: Iterable[str] | None = None,
    group: tuple[str, int] = GROUP,
    clock: Callable[[], float] = time.monotonic,
) -> list[Found]:
    """Ask in every network of this machine and return who answers within ``timeout_s``, each camera once.

    ``addresses`` are the interfaces' own; None takes all. A network that cannot be asked is passed over.
    """
    found: dict[str, Found] = {}
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        sockets = []
        for address in local_addresses() if addresses is None else addresses:
            with contextlib.suppress(OSError):
                sock = stack.enter_context(_socket_at(address))
                selector.register(sock, selectors.EVENT_READ)
                sockets.append(sock)
        if not sockets:
            return []
        until, next_at, asked, heard = clock() + timeout_s, clock(), 0, 0
        while (left_s := until - clock()) > 0 and heard < _MOST_ANSWERS:
            if asked < _REPEATS and clock() >= next_at:
                asked, next_at = asked + 1, next_at + _REPEAT_S
                for sock in sockets:
                    with contextlib.suppress(OSError):
                        sock.sendto(encode_probe(str(uuid.uuid4())), group)
            pause_s = min(left_s, max(0.0, next_at - clock())) if asked < _REPEATS else left_s
            for key, _ in selector.select(pause_s):
                heard += 1
                for camera in _answer(key.fileobj):  # type: ignore[arg-type]
                    found.setdefault(camera.identity, camera)
    return sorted(found.values(), key=lambda camera: tuple(map(int, camera.host.split("."))))


def _socket_at(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        # Cameras are in the same network: beyond a router nobody shall be asked.
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sock.bind((address, 0))
    except OSError:
        sock.close()
        raise
    return sock


def _answer(sock: socket.socket) -> list[Found]:
    try:
        document, sender = sock.recvfrom(_MAX_ANSWER_BYTES)
    except OSError:
        return []
    return decode_matches(document, sender[0])
