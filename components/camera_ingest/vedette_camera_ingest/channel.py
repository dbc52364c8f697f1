"""What main process and worker say to each other over their socket pair: one JSON document a packet.

| kind | from | carries |
|---|---|---|
| start | main | the source, the path of the ring's socket, whether hardware may decode; first packet |
| credentials | main | url, user, password: the answer to wanted |
| denied | main | state and detail: the other answer to wanted |
| stop | main | nothing |
| wanted | worker | nothing: the credentials, read afresh |
| status | worker | a Report: the fields of a CameraStatus |

The password travels here and nowhere else. The end of the socket is the death of the other side.
"""

import json
import socket
from dataclasses import asdict, fields
from typing import Any, Final, NamedTuple

from vedette.messages import CameraState
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.report import Report
from vedette_camera_ingest.source import PlainSource, Source, document_of

MAX_PACKET_BYTES: Final = 64 * 1024
Document = dict[str, Any]


def encode(document: Document) -> bytes:
    """Return the packet."""
    return json.dumps(document).encode()


def decode(packet: bytes) -> Document:
    """Return the document in a packet.

    :raises ValueError: when it is not one.
    """
    document = json.loads(packet)
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise ValueError("packet without a kind")  # noqa: TRY004 - one error for every bad packet
    return document


class Start(NamedTuple):
    """What a worker is told at its start."""

    source: PlainSource
    socket_path: str
    hardware: bool


def start(source: Source, socket_path: str, *, hardware: bool = True) -> Document:
    """First packet to a worker."""
    return {"kind": "start", "source": document_of(source), "socket": socket_path, "hardware": hardware}


def credentials(given: Credentials) -> Document:
    """The login that the worker wanted."""
    return {"kind": "credentials", **asdict(given)}


def denied(error: CaptureError) -> Document:
    """Why there is no login."""
    return {"kind": "denied", "state": error.state.value, "detail": error.detail}


def status(current: Report) -> Document:
    """The camera's status as its worker knows it."""
    return {"kind": "status", "status": current.document()}


def coded_socket(socket_path: str) -> str:
    """Return where the worker offers the camera's coded pictures: beside its ring's socket."""
    return f"{socket_path.removesuffix('.sock')}.coded.sock"


STOP: Final[Document] = {"kind": "stop"}
WANTED: Final[Document] = {"kind": "wanted"}


def read_start(document: Document) -> Start:
    """Return what the worker is told."""
    return Start(PlainSource(**document["source"]), str(document["socket"]), bool(document["hardware"]))


def read_answer(document: Document) -> Credentials:
    """Return the login out of a ``credentials`` packet.

    :raises CaptureError: out of a ``denied`` packet.
    """
    if document["kind"] == "denied":
        raise CaptureError(CameraState(document["state"]), str(document["detail"]))
    return Credentials(**{each.name: document[each.name] for each in fields(Credentials)})


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
