"""What a session's reading thread tells the capture, in this order: Opened, Received ..., then Over."""

from dataclasses import dataclass
from typing import Any

from vedette_camera_ingest.failure import CaptureError


@dataclass(frozen=True)
class Opened:
    """The stream plays. ``decoder`` is libav's codec context, not opened yet; ``where`` names the camera for people."""

    decoder: Any
    codec: str
    where: str


@dataclass(frozen=True)
class Received:
    """A packet of video and the moment it was received: monotonic and Unix time, ns.

    ``pts_ns`` is its time stamp, ``camera_ns`` the camera's own Unix time for it; None where the stream does not tell.
    """

    packet: Any
    mono_ns: int
    wall_ns: int
    pts_ns: int | None = None
    camera_ns: int | None = None


@dataclass(frozen=True)
class Over:
    """The stream is over, for this reason."""

    error: CaptureError


Event = Opened | Received | Over
