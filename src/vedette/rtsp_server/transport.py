"""The Transport header of SETUP: how a viewer wants its packets. A codec: no I/O."""

from dataclasses import dataclass

from vedette.rtsp.transport import pair


@dataclass(frozen=True)
class Interleaved:
    """In the RTSP connection itself, on two channels."""

    rtp: int
    rtcp: int


@dataclass(frozen=True)
class Datagrams:
    """Over UDP, to two ports of the viewer."""

    rtp: int
    rtcp: int


def parse(value: str) -> list[Interleaved | Datagrams]:
    """Return the transports that are offered and known here, in the viewer's order of preference."""
    found = (_parse_one(part) for part in value.split(","))
    return [transport for transport in found if transport is not None]


def _parse_one(text: str) -> Interleaved | Datagrams | None:
    words = [word.strip() for word in text.split(";")]
    protocol = words[0].upper()
    options = {name.lower(): value for name, _, value in (word.partition("=") for word in words[1:])}
    if "multicast" in options:
        return None
    if protocol == "RTP/AVP/TCP":
        # A viewer that names no channels gets the usual ones.
        channels = pair(options.get("interleaved", "0-1"), 255)
        return None if channels is None else Interleaved(*channels)
    if protocol in ("RTP/AVP", "RTP/AVP/UDP"):
        ports = pair(options.get("client_port", ""), 65535)
        return None if ports is None or min(ports) < 1024 else Datagrams(*ports)
    return None
