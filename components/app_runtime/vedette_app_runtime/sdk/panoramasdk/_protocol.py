# Python 3.7 reads this file, under whichever of its two names it is checked.
# ruff: noqa: RUF100, UP006, UP007, UP032, UP035
"""Packets between panoramasdk and the application's host. A codec: no I/O.

Each SOCK_SEQPACKET packet is one JSON object; its key ``packet`` names the kind, the other keys are the fields of the
class of that name below. Descriptors travel beside a packet (SCM_RIGHTS); which packets carry one is said there.

The application inherits one socket; a process that it starts with its descriptors closed (subprocess, a notebook's
kernel) connects to a path instead, for as long as it takes to attach. Every process that uses panoramasdk (the
application's first, and those it forks or starts) makes a pair of sockets and sends one of them over it with Attach;
all else goes over that pair, begun by the host's Hello. Both sides come from one component, so another version means a
broken installation and is refused.

This file is read by the host, too (a link), and by Python 3.7 in the application: standard library only.
"""

import json
from typing import Any, Dict, List, NamedTuple, Type, Union

VERSION = 4
FD_VARIABLE = "VEDETTE_HOST_FD"
"""Environment variable that holds the number of the inherited socket."""
SOCKET_VARIABLE = "VEDETTE_HOST_SOCKET"
"""Environment variable that holds the path of a socket for processes that did not inherit that one."""
MAX_PACKET_BYTES = 192 * 1024
"""A graph has at most 51,200 characters of at most three bytes, so all its parameters fit into one Hello. The kernel
takes 208 kB where nobody has set it otherwise (net.core.wmem_default)."""


class ProtocolError(Exception):
    """A packet that cannot be: malformed, of an unknown kind, or too large."""


class Attach(NamedTuple):
    """From the application, over the inherited socket, with a descriptor: a process wants to talk over it."""

    version: int
    pid: int


class Hello(NamedTuple):
    """From the host: what the application's ports and models are. Camera ``i`` is ``cameras[i]``."""

    version: int
    instance: str
    media_inputs: List[str]
    """Names of the video input ports."""
    cameras: List[List[str]]
    """[port, stream id, stream URI without credentials], in the order that get() returns them."""
    parameters: Dict[str, Any]
    """Value of each parameter port."""
    outputs: Dict[str, bool]
    """For each output port whether an edge leads from it."""
    models: List[str]
    """Names of the model nodes."""
    record: bool
    """Whether the application's process is to send Record packets."""


class Parameter(NamedTuple):
    """From the host: a parameter has a new value."""

    port: str
    value: Any


class CameraSocket(NamedTuple):
    """From the host, with a descriptor: a connection to the camera's ring; it replaces an earlier one."""

    camera: int
    ahead: bool
    """Whether its frames may be fetched before they are asked for: those of a file that goes as fast as it is read."""


class CameraState(NamedTuple):
    """From the host: whether the camera is paused, and what is known of it, for people."""

    camera: int
    paused: bool
    detail: str
    uri: str
    """Address without credentials; empty while it is not known (it may come out of a secret)."""


class CameraLost(NamedTuple):
    """From the application: the connection to the camera is gone."""

    camera: int


class MainState(NamedTuple):
    """From the host: whether the camera has a main stream beside the one that the application gets."""

    camera: int
    apart: bool


class MainWanted(NamedTuple):
    """From the application: it wants frames of the camera's main stream now; repeated while it waits for them."""

    camera: int


class MainSocket(NamedTuple):
    """From the host, with a descriptor: a connection to the ring of the main stream; it replaces an earlier one."""

    camera: int


class MainLost(NamedTuple):
    """From the application: the connection to the main stream is gone."""

    camera: int


class ModelSocket(NamedTuple):
    """From the host, with a descriptor: a connection to the model's server; it replaces an earlier one."""

    model: str


class ModelState(NamedTuple):
    """From the host: state of a model that cannot be called at present (``loading``, ``failed``, ...), for people."""

    model: str
    state: str
    detail: str


class ModelLost(NamedTuple):
    """From the application: the connection to the model's server is gone."""

    model: str


class OutputWanted(NamedTuple):
    """From the application: it puts frames of this stream on this port, and wants a socket to offer them at."""

    port: str
    stream: str


class OutputSocket(NamedTuple):
    """From the host, with a descriptor: a listening socket for the ring of one stream of an output port."""

    port: str
    stream: str


class Record(NamedTuple):
    """From the application, where Hello asks for it: a frame that was put, or a parameter that was read."""

    fields: Dict[str, Any]


class Report(NamedTuple):
    """From the application, every second: what it has done since its process attached."""

    gets: int
    puts: int
    calls: int
    call_ms: float
    """Median of the last calls; -1 when there was none."""
    last_activity: float
    """Unix time of the last get, call or put, s; 0 when there was none."""
    waiting: int
    """Threads that wait in get() or call() at present."""
    inputs: List[List[Any]]
    """[camera, frames got] per camera."""
    outputs: List[List[Any]]
    """[port, stream, frames put, width, height, labels and rectangles left out] per stream."""
    reads: Dict[str, int]
    """How often each parameter was read."""


Packet = Union[
    Attach, Hello, Parameter, CameraSocket, CameraState, CameraLost, MainState, MainWanted, MainSocket, MainLost,
    ModelSocket, ModelState, ModelLost, OutputWanted, OutputSocket, Record, Report,
]  # fmt: skip

KINDS: Dict[str, Type[Any]] = {
    "attach": Attach,
    "hello": Hello,
    "parameter": Parameter,
    "camera-socket": CameraSocket,
    "camera-state": CameraState,
    "camera-lost": CameraLost,
    "main-state": MainState,
    "main-wanted": MainWanted,
    "main-socket": MainSocket,
    "main-lost": MainLost,
    "model-socket": ModelSocket,
    "model-state": ModelState,
    "model-lost": ModelLost,
    "output-wanted": OutputWanted,
    "output-socket": OutputSocket,
    "record": Record,
    "report": Report,
}
_NAMES = {kind: name for name, kind in KINDS.items()}
WITH_DESCRIPTOR = (Attach, CameraSocket, MainSocket, ModelSocket, OutputSocket)
"""Kinds that come with exactly one descriptor; the others come with none."""


def encode(packet: Packet) -> bytes:
    """Return the packet's bytes.

    :raises ProtocolError: when they are more than MAX_PACKET_BYTES.
    """
    fields = dict(packet._asdict())
    fields["packet"] = _NAMES[type(packet)]
    try:
        data = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, as in the name of a file that is not UTF-8
        data = json.dumps(fields, separators=(",", ":")).encode()
    if len(data) > MAX_PACKET_BYTES:
        raise ProtocolError(
            "packet {!r} has {} bytes, at most {} fit".format(fields["packet"], len(data), MAX_PACKET_BYTES)
        )
    return data


def decode(data: bytes) -> Packet:
    """Return the packet in ``data``.

    :raises ProtocolError: unless it is a JSON object of a known kind with exactly that kind's fields and types.
    """
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError) as error:  # the latter: lists in lists in lists
        raise ProtocolError("packet of {} bytes is not JSON".format(len(data))) from error
    kind = KINDS.get(str(fields.pop("packet", ""))) if isinstance(fields, dict) else None
    if kind is None:
        raise ProtocolError("packet of an unknown kind: {:.80}".format(repr(data)))
    expected = kind.__annotations__
    if set(fields) != set(expected):
        raise ProtocolError(
            "packet {!r} has the fields {}, expected {}".format(_NAMES[kind], sorted(fields), sorted(expected))
        )
    for name, annotation in expected.items():
        _check(_NAMES[kind], name, annotation, fields[name])
    packet: Packet = kind(**fields)
    return packet


def _check(kind: str, name: str, annotation: Any, value: Any) -> None:
    if annotation is Any:
        return
    wanted = getattr(annotation, "__origin__", annotation)
    # JSON writes 2.0 as 2.0 and 2 as 2, and True is an int to Python but not here.
    good = isinstance(value, (int, float)) if wanted is float else isinstance(value, wanted)
    if not good or (isinstance(value, bool) and wanted is not bool):
        raise ProtocolError(
            "packet {!r}: {} is {}, expected {}".format(kind, name, type(value).__name__, wanted.__name__)
        )
