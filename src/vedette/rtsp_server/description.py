"""What a server says about a stream: its Session Description (RFC 8866). A codec: no I/O."""

from dataclasses import dataclass

from vedette.rtsp_server.codecs import Codec
from vedette.rtsp_server.rtp import CLOCK_HZ

CONTROL = "trackID=0"


@dataclass(frozen=True)
class Description:
    """A stream; ``sets`` are its parameter sets, ``fps`` None when it is not known."""

    codec: Codec
    sets: tuple[bytes, ...] = ()
    fps: float | None = None


def encode(description: Description, *, name: str, host: str, session: int) -> bytes:
    """Return the document. ``host`` is the server's own IP address, ``session`` any number."""
    codec = description.codec
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- {session} 1 IN {family} {host}",
        f"s={name}",
        f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}",  # noqa: S104 - no address to listen at
        "t=0 0",
        "a=tool:Vedette",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {codec.payload_type}",
        f"a=rtpmap:{codec.payload_type} {codec.name}/{CLOCK_HZ}",
    ]
    parameters = codec.format_parameters(description.sets) if description.sets else ""
    if parameters:
        lines.append(f"a=fmtp:{codec.payload_type} {parameters}")
    if description.fps:
        lines.append(f"a=framerate:{description.fps:g}")
    lines.append(f"a=control:{CONTROL}")
    return "\r\n".join([*lines, ""]).encode()
