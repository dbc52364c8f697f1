"""What a server has to know of H.264 (RFC 6184) and H.265 (RFC 7798): key frames, parameter sets, RTP payloads.

No I/O. A payload is what stands behind the RTP header of one packet.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vedette.rtsp_server import jpeg
from vedette.rtsp_server.access_unit import AccessUnit, split_annex_b


class Codec(Protocol):
    """One coding. ``name`` is what RTP calls it, ``payload_type`` the number in its packets."""

    @property
    def name(self) -> str:
        """``H264``."""

    @property
    def payload_type(self) -> int:
        """96 to 127, or the one that RFC 3551 gives."""

    @property
    def in_sets(self) -> bool:
        """Whether a description needs parameter sets."""

    def key(self, nals: Sequence[bytes]) -> bool:
        """Tell whether decoding can start here."""

    def parameter_sets(self, nals: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return those NAL units that describe the stream; empty when there is not a whole set of them."""

    def format_parameters(self, sets: Sequence[bytes]) -> str:
        """Return what stands behind ``a=fmtp:96``; empty when there is nothing to say."""

    def payloads(self, nals: Sequence[bytes], most: int) -> Iterator[bytes]:
        """Yield the payloads of one picture, none longer than ``most`` bytes."""


@dataclass(frozen=True)
class _H264:
    name: str = "H264"
    payload_type: int = 96
    in_sets: bool = True

    def key(self, nals: Sequence[bytes]) -> bool:
        return any(nal[0] & 0x1F == 5 for nal in nals)

    def parameter_sets(self, nals: Sequence[bytes]) -> tuple[bytes, ...]:
        found = tuple(nal for nal in nals if nal[0] & 0x1F in (7, 8) and len(nal) > 3)
        return found if {nal[0] & 0x1F for nal in found} == {7, 8} else ()

    def format_parameters(self, sets: Sequence[bytes]) -> str:
        profile = next(nal for nal in sets if nal[0] & 0x1F == 7)[1:4].hex().upper()
        coded = ",".join(_base64(nal) for nal in sets)
        return f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={coded}"

    def payloads(self, nals: Sequence[bytes], most: int) -> Iterator[bytes]:
        for nal in nals:
            if len(nal) <= most:
                yield nal
                continue
            indicator, kind = nal[0] & 0xE0 | 28, nal[0] & 0x1F
            yield from _fragments(bytes([indicator]), kind, memoryview(nal)[1:], most)


@dataclass(frozen=True)
class _H265:
    name: str = "H265"
    payload_type: int = 96
    in_sets: bool = True

    def key(self, nals: Sequence[bytes]) -> bool:
        return any(16 <= _kind_h265(nal) <= 23 for nal in nals)

    def parameter_sets(self, nals: Sequence[bytes]) -> tuple[bytes, ...]:
        found = tuple(nal for nal in nals if _kind_h265(nal) in (32, 33, 34))
        return found if {_kind_h265(nal) for nal in found} == {32, 33, 34} else ()

    def format_parameters(self, sets: Sequence[bytes]) -> str:
        names = ((32, "sprop-vps"), (33, "sprop-sps"), (34, "sprop-pps"))
        return ";".join(
            f"{name}={','.join(_base64(nal) for nal in sets if _kind_h265(nal) == kind)}" for kind, name in names
        )

    def payloads(self, nals: Sequence[bytes], most: int) -> Iterator[bytes]:
        for nal in nals:
            if len(nal) <= most or len(nal) < 3:
                yield nal
                continue
            header = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
            yield from _fragments(header, _kind_h265(nal), memoryview(nal)[2:], most)


@dataclass(frozen=True)
class _Jpeg:
    name: str = "JPEG"
    payload_type: int = 26
    in_sets: bool = False

    def key(self, nals: Sequence[bytes]) -> bool:  # noqa: ARG002 - every image stands alone
        return True

    def parameter_sets(self, nals: Sequence[bytes]) -> tuple[bytes, ...]:  # noqa: ARG002
        return ()

    def format_parameters(self, sets: Sequence[bytes]) -> str:  # noqa: ARG002
        return ""

    def payloads(self, nals: Sequence[bytes], most: int) -> Iterator[bytes]:
        for image in nals:
            yield from jpeg.payloads(image, most)


H264: Final[Codec] = _H264()
H265: Final[Codec] = _H265()
JPEG: Final[Codec] = _Jpeg()
CODECS: Final = {codec.name: codec for codec in (H264, H265, JPEG)}


def access_unit(codec: Codec, data: bytes, *, pts_ns: int, wall_ns: int) -> AccessUnit:
    """Return what an encoder gave as one packet: Annex B with start codes, for MJPEG the image."""
    nals = split_annex_b(data) if codec.in_sets else (data,)
    return AccessUnit(nals, pts_ns, wall_ns, key=codec.key(nals))


def _kind_h265(nal: bytes) -> int:
    return nal[0] >> 1 & 0x3F


def _fragments(header: bytes, kind: int, body: memoryview, most: int) -> Iterator[bytes]:
    """Yield the fragmentation units of one NAL unit; ``body`` is the unit without its header."""
    room = most - len(header) - 1
    for start in range(0, len(body), room):
        first, last = start == 0, start + room >= len(body)
        yield header + bytes([first << 7 | last << 6 | kind]) + body[start : start + room]


def _base64(nal: bytes) -> str:
    return base64.b64encode(nal).decode()
