"""What a server says about a stream: the Session Description Protocol (RFC 8866), the part that RTSP uses."""

import base64
import contextlib
import re
from dataclasses import dataclass, field
from typing import Final

# RFC 3551: payload types that need no rtpmap.
_STATIC: Final = {0: "PCMU", 8: "PCMA", 14: "MPA", 26: "JPEG", 32: "MPV", 33: "MP2T", 34: "H263"}
# GStreamer's and QuickTime's servers, and those of mobile telephony (3GPP TS 26.234), tell how large pictures are.
_SIZES: Final = {
    "x-dimensions": re.compile(r"(?P<w>[1-9]\d{0,4}),\s*(?P<h>[1-9]\d{0,4})"),
    "framesize": re.compile(r"\d{1,3} (?P<w>[1-9]\d{0,4})-(?P<h>[1-9]\d{0,4})"),
}
_NAMES: Final = {
    "H264": "H.264",
    "H265": "H.265",
    "JPEG": "MJPEG",
    "MP4V-ES": "MPEG-4 Part 2",
    "H263": "H.263",
    "H263-1998": "H.263",
    "H263-2000": "H.263",
    "H266": "H.266",
    "VP8": "VP8",
    "VP9": "VP9",
    "AV1": "AV1",
    "MPV": "MPEG-1/2",
    "MP2T": "MPEG transport stream",
}


@dataclass(frozen=True)
class Media:
    """One ``m=`` section.

    ``codec`` is the RTP name in capitals (``H264``), empty when it is not said; ``clock_hz`` counts its time stamps.
    """

    kind: str
    payload_type: int | None
    codec: str
    parameters: dict[str, str] = field(default_factory=dict)
    control: str | None = None
    frame_rate: float | None = None
    clock_hz: int = 90_000
    size: tuple[int, int] | None = None
    """Width and height in pixels, where they are told beside the codec's own parameters."""

    @property
    def codec_name(self) -> str:
        """The codec for people: ``H.264``, ``MPEG-4 Part 2``."""
        return _NAMES.get(self.codec, self.codec or "an unnamed codec")

    @property
    def parameter_sets(self) -> bytes:
        """The parameter sets of H.264 or H.265 as NAL units with start codes; empty when they are not told here."""
        units = b""
        for name in ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"):
            for coded in self.parameters.get(name, "").split(","):
                with contextlib.suppress(ValueError):
                    unit = base64.b64decode(coded, validate=True)
                    units += b"\x00\x00\x00\x01" + unit if unit else b""
        return units


@dataclass(frozen=True)
class Session:
    """A description; ``media`` in the order of the text, ``control`` the address of all of them, if it is said."""

    name: str
    media: tuple[Media, ...]
    control: str | None = None

    @property
    def video(self) -> Media | None:
        """The first video, or None."""
        return next((media for media in self.media if media.kind == "video"), None)


@dataclass
class _Section:
    kind: str
    formats: list[str]
    attributes: list[tuple[str, str]] = field(default_factory=list)


def parse(text: str) -> Session:
    """Read a description; lines that mean nothing here, or nothing at all, are skipped, as players do."""
    name = ""
    control: str | None = None
    sections: list[_Section] = []
    for raw in text.splitlines():
        line = raw.strip()
        kind, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=":
            continue
        if kind == "s" and not sections:
            name = value.strip()
        elif kind == "m":
            words = value.split()
            sections.append(_Section(words[0].lower() if words else "", words[3:]))
        elif kind == "a":
            key, _, rest = value.partition(":")
            if sections:
                sections[-1].attributes.append((key.strip().lower(), rest.strip()))
            elif key.strip().lower() == "control":
                control = rest.strip()
    return Session(name, tuple(_media(section) for section in sections), control)


def _media(section: _Section) -> Media:
    payload = int(section.formats[0]) if section.formats and re.fullmatch(r"\d{1,3}", section.formats[0]) else None
    codec = _STATIC.get(payload, "") if payload is not None else ""
    parameters: dict[str, str] = {}
    control: str | None = None
    frame_rate: float | None = None
    clock_hz = 90_000
    size: tuple[int, int] | None = None
    for key, value in section.attributes:
        number, _, rest = value.partition(" ")
        if key == "rtpmap" and number == str(payload):
            codec, _, clock = rest.strip().upper().partition("/")
            clock_hz = int(clock) if re.fullmatch(r"[1-9]\d{2,8}", clock) else clock_hz
        elif key == "fmtp" and number == str(payload):
            parameters.update(_format_parameters(rest))
        elif key == "control":
            control = value
        elif key in _SIZES and (found := _SIZES[key].fullmatch(value)):
            size = int(found["w"]), int(found["h"])
        elif key == "framerate" and re.fullmatch(r"\d+(\.\d+)?", value):
            frame_rate = float(value)
    return Media(section.kind, payload, codec, parameters, control, frame_rate, clock_hz, size)


def _format_parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
