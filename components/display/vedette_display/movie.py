"""Access units -> MP4."""

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from vedette_display.encoders import CLOCK_HZ, AccessUnit

_SPS, _PPS = 7, 8
_LAST_FRAME_S: Final = 1 / 15


class _Pipe(io.RawIOBase):
    """Takes what the muxer writes until somebody fetches it. It cannot be sought in: the muxer then never goes back."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def fetch(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


class MovieStream:
    """An MP4 that can be sent while it is being made: a fragment for each key frame.

    The first unit given has to be a key frame. Memory: one fragment.
    """

    def __init__(self) -> None:
        self._pipe = _Pipe()
        self._muxer: _Muxer | None = None
        self._first: AccessUnit | None = None

    @property
    def duration_s(self) -> float:
        """How long the movie is by now."""
        return 0.0 if self._muxer is None else self._muxer.duration_s

    def add(self, unit: AccessUnit) -> bytes:
        """Take in a unit; return the bytes that are ready. A unit of another size is left out."""
        if self._first is None:
            self._first = unit
            self._muxer = _Muxer(self._pipe, unit, "frag_keyframe+empty_moov+delay_moov+default_base_moof")
        if self._muxer is not None and (unit.width, unit.height) == (self._first.width, self._first.height):
            self._muxer.add(unit)
        return self._pipe.fetch()

    def end(self) -> bytes:
        """Return the last bytes."""
        if self._muxer is not None:
            self._muxer.close()
            self._muxer = None
        return self._pipe.fetch()


def write_movie(path: Path, units: Iterable[AccessUnit]) -> float:
    """Write an MP4 that players can seek in; return its length in seconds.

    Units before the first key frame are lost.
    """
    muxer: _Muxer | None = None
    with path.open("wb") as file:
        for unit in units:
            if muxer is None:
                if not unit.key:
                    continue
                muxer = _Muxer(file, unit, "faststart")
            if (unit.width, unit.height) == muxer.size:
                muxer.add(unit)
        if muxer is None:
            return 0.0
        muxer.close()
        return muxer.duration_s


class _Muxer:
    def __init__(self, file: Any, first: AccessUnit, flags: str) -> None:
        import av

        self.size = (first.width, first.height)
        self.duration_s = 0.0
        self._start = first.pts
        self._packet_type: Any = av.Packet
        self._container: Any = av.open(file, "w", format="mp4", options={"movflags": flags})
        self._stream: Any = self._container.add_mux_stream(
            "h264", width=first.width, height=first.height, time_base=Fraction(1, CLOCK_HZ)
        )
        self._waiting: AccessUnit | None = None

    def add(self, unit: AccessUnit) -> None:
        # One behind, so that each frame's duration is known.
        if self._waiting is not None:
            self._mux(self._waiting, max(1, unit.pts - self._waiting.pts))
        self._waiting = unit

    def close(self) -> None:
        if self._waiting is not None:
            self._mux(self._waiting, round(_LAST_FRAME_S * CLOCK_HZ))
            self._waiting = None
        self._container.close()

    def _mux(self, unit: AccessUnit, duration: int) -> None:
        packet = self._packet_type(unit.data)
        packet.stream = self._stream
        packet.time_base = Fraction(1, CLOCK_HZ)
        packet.pts = packet.dts = unit.pts - self._start
        packet.duration = duration
        packet.is_keyframe = unit.key
        self._container.mux(packet)
        self.duration_s = (unit.pts - self._start + duration) / CLOCK_HZ


def nal_units(data: bytes) -> list[bytes]:
    """Return the NAL units of an access unit with start codes."""
    units = []
    for part in data.split(b"\x00\x00\x01"):
        unit = part.rstrip(b"\x00")
        if unit:
            units.append(unit)
    return units


def parameter_sets(data: bytes) -> bytes:
    """Return the sequence and picture parameter sets of a key frame, with start codes."""
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in nal_units(data) if unit[0] & 0x1F in (_SPS, _PPS))
