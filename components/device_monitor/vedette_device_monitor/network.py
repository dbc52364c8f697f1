"""The device's network as it is: interfaces with their addresses, the way out, and whether its clock is set.

What Panorama's DescribeDevice told as ``currentNetworkingStatus``, in its words CONNECTED and NOT_CONNECTED.
"""

import ctypes
import ipaddress
import logging
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger(__name__)

LOOK_S: Final = 30.0
"""How often the network is looked at."""
_MAX_INTERFACES: Final = 8
_MAX_ADDRESSES: Final = 4
_COMMAND_S: Final = 5.0
_RTM_GETADDR: Final = 22
_RTM_NEWADDR: Final = 20
_NLMSG_DONE: Final = 3
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_LINK_LOCAL: Final = 253  # RT_SCOPE_LINK
_STA_UNSYNC: Final = 0x40
_TIMEX_BYTES: Final = 512
_OF_CONTAINERS: Final = ("docker", "br-", "veth", "virbr", "cni", "flannel")
_NO_HARDWARE: Final = frozenset({"00:00:00:00:00:00", ""})
Run = Callable[[Sequence[str]], str]


def run_command(command: Sequence[str]) -> str:
    """Return what a command says; nothing if it is not there, fails or does not end."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_COMMAND_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


class NetworkWatch:
    """Looks at the network from time to time, on a thread of its own: time services may take seconds to answer."""

    def __init__(self, look: Callable[[], dict[str, Any]] | None = None) -> None:
        self._look = look or network_facts
        self._facts: dict[str, Any] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """Return what was seen last; nothing before the first look."""
        return self._facts

    def run(self, stop: threading.Event) -> None:
        """Look until ``stop`` is set."""
        while True:
            self.run_once()
            if stop.wait(LOOK_S):
                return

    def run_once(self) -> None:
        """Look once; what cannot be seen stays as it was."""
        try:
            self._facts = self._look()
        except (OSError, ValueError, IndexError, struct.error) as error:
            logger.warning("the network cannot be looked at: %s", type(error).__name__)


def network_facts(
    proc: Path = Path("/proc"), sys: Path = Path("/sys"), run: Run = run_command, *, unsynchronised: bool | None = None
) -> dict[str, Any]:
    """Return ``{"interfaces": [...], "uplink": NAME, "time": {...}}`` for the health document.

    :param unsynchronised: what the kernel's clock says; None asks it
    """
    addresses = _addresses()
    interfaces = []
    for folder in sorted((sys / "class/net").glob("*")):
        mac, own = _read(folder / "address"), addresses.get(folder.name, [])
        # Ports, and what has an address of its own (a bond, a virtual machine's cable); not loopback and containers.
        if mac in _NO_HARDWARE or folder.name.startswith(_OF_CONTAINERS):
            continue
        if not own and not (folder / "device").exists():
            continue
        found: dict[str, Any] = {
            "name": folder.name,
            "mac": mac,
            "state": "CONNECTED" if _read(folder / "carrier") == "1" else "NOT_CONNECTED",
            "addresses": own[:_MAX_ADDRESSES],
        }
        speed = _read(folder / "speed")
        if speed.isdigit() and speed != "0":
            found["mbps"] = int(speed)
        interfaces.append(found)
    facts: dict[str, Any] = {"interfaces": interfaces[:_MAX_INTERFACES], "time": time_facts(run, unsynchronised)}
    uplink = _uplink(proc)
    return {**facts, "uplink": uplink} if uplink else facts


def time_facts(run: Run = run_command, unsynchronised: bool | None = None) -> dict[str, Any]:
    """Return ``{"state": CONNECTED or NOT_CONNECTED, "server": NAME or ADDRESS}`` of the time service.

    The state is the kernel's: every time service, whichever it is, tells it there.
    """
    unset = clock_unsynchronised() if unsynchronised is None else unsynchronised
    facts: dict[str, Any] = {"state": "NOT_CONNECTED" if unset else "CONNECTED"}
    server = _time_server(run)
    return {**facts, "server": server} if server else facts


def clock_unsynchronised() -> bool:
    """Tell whether the kernel holds its clock for not set by anybody (adjtimex(2), STA_UNSYNC)."""
    # struct timex: modes, then five longs (offset, freq, maxerror, esterror, ... ), status behind four of them.
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    long = struct.calcsize("l")
    (status,) = struct.unpack_from("i", buffer, long * 5)
    return answer < 0 or bool(status & _STA_UNSYNC)


def _time_server(run: Run) -> str:
    for line in run(("chronyc", "-n", "-c", "sources")).splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[1] == "*":
            return fields[2][:100]
    said = dict(
        line.partition("=")[::2]
        for line in run(("timedatectl", "show-timesync", "-p", "ServerName", "-p", "ServerAddress")).splitlines()
    )
    name = said.get("ServerName") or said.get("ServerAddress") or ""
    if name:
        return name[:100]
    for line in run(("ntpq", "-pn")).splitlines():
        if line.startswith("*"):
            return line[1:].split()[0][:100]
    return ""


def _uplink(proc: Path) -> str:
    """Return the interface of the default route with the smallest metric, IPv4 before IPv6."""
    found = []
    for line in _read(proc / "net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000" and int(fields[3], 16) & 1:
            found.append((int(fields[6]), fields[0]))
    if not found:
        for line in _read(proc / "net/ipv6_route").splitlines():
            fields = line.split()
            if len(fields) > 9 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
                found.append((int(fields[5], 16), fields[9]))
    return min(found)[1] if found else ""


def _addresses() -> dict[str, list[str]]:
    """Return the addresses of every interface, ``192.0.2.7/24``; those of the link alone are left out."""
    found: dict[str, list[str]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.settimeout(_COMMAND_S)
        sock.bind((0, 0))
        sock.send(struct.pack("=LHHLL", 24, _RTM_GETADDR, _DUMP, 1, 0) + struct.pack("=BBBBi", 0, 0, 0, 0, 0))
        while True:
            try:
                data = sock.recv(65_536)
            except OSError:
                return found
            for kind, body in _messages(data):
                if kind == _RTM_NEWADDR:
                    _take(body, found)
                elif kind == _NLMSG_DONE or kind < _RTM_NEWADDR:
                    return found


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 16:
        length, kind = struct.unpack_from("=LH", data)
        if length < 16:
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def _take(body: bytes, found: dict[str, list[str]]) -> None:
    _, prefix, _, scope, index = struct.unpack_from("=BBBBi", body)
    if scope >= _LINK_LOCAL:
        return
    attributes, rest = {}, body[8:]
    while len(rest) >= 4:
        length, kind = struct.unpack_from("=HH", rest)
        if length < 4:
            break
        attributes[kind] = rest[4:length]
        rest = rest[(length + 3) & ~3 :]
    packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
    if packed is None or len(packed) not in {4, 16}:
        return
    try:
        name = socket.if_indextoname(index)
    except OSError:
        return  # gone meanwhile
    found.setdefault(name, []).append(f"{ipaddress.ip_address(packed)}/{prefix}")


def _read(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).strip()
    except OSError:
        return ""  # a port that is switched off has no carrier to tell of
