"""Streams that break the rules, and a good one after each: what a camera with a fault, or a stranger, may send."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vedette.rtsp_server import H264, AccessUnit, LiveMount, split_annex_b
from vedette.rtsp_server.codecs import Codec
from vedette.rtsp_server.description import Description
from vedette.rtsp_server.viewer import Viewer

WIDTH, HEIGHT = 320, 240
GOOD_GREYS = range(40, 200, 10)
_PICTURE_NS = 40_000_000


def encoded(pictures: Iterator[Any], *, width: int = WIDTH, height: int = HEIGHT, codec: str = "libx264") -> list[Any]:
    """Encode pictures (arrays in yuv420p) and return the NAL units of each, the first one a key frame."""
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1000"}
    if codec == "libx265":
        context.options = {**context.options, "x265-params": "log-level=none"}
    units = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        units += [split_annex_b(bytes(packet)) for packet in context.encode(frame)]
    return units + [split_annex_b(bytes(packet)) for packet in context.encode(None)]


def noise(count: int, *, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Any]:
    """Yield pictures full of detail: their packets are many."""
    base = np.random.default_rng(1).integers(16, 235, (height * 3 // 2, width), dtype="uint8")
    for number in range(count):
        yield np.roll(base, number * 7, 1)


def grey(level: int) -> Any:
    """Return a picture of one grey."""
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, "uint8")
    picture[:HEIGHT] = level
    return picture


class Material:
    """Everything that is sent, encoded once."""

    def __init__(self) -> None:
        self.noise = encoded(noise(12))
        self.other_size = encoded(noise(6, width=176, height=144), width=176, height=144)
        self.h265 = encoded(noise(4), codec="libx265")
        self.good = {level: encoded(iter([grey(level)]))[0] for level in GOOD_GREYS}


class Fault:
    """What is done to the packets of a viewer while the fault lasts. The base does nothing."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def pictures(self, material: Material) -> list[Any]:
        return list(material.noise)

    def stamp(self, pts_ns: int) -> int:
        return pts_ns

    def packets(self, packets: list[bytes]) -> list[bytes]:
        return packets

    def raw(self) -> bytes:
        """Return bytes that are written between the packets, without any frame around them."""
        return b""

    def hangs_up(self) -> bool:
        return False


class BitFlips(Fault):
    def packets(self, packets: list[bytes]) -> list[bytes]:
        out = []
        for packet in packets:
            data = bytearray(packet)
            for _ in range(self.chance.choice((0, 1, 1, 8, 64))):
                # The header too, now and then.
                at = self.chance.randrange(0 if self.chance.random() < 0.2 else 12, len(data))
                data[at] ^= 1 << self.chance.randrange(8)
            out.append(bytes(data))
        return out


class Truncation(Fault):
    def packets(self, packets: list[bytes]) -> list[bytes]:
        return [p if self.chance.random() < 0.6 else p[: self.chance.randrange(len(p))] for p in packets]


class Loss(Fault):
    def packets(self, packets: list[bytes]) -> list[bytes]:
        return [packet for packet in packets if self.chance.random() < 0.7]


class Disorder(Fault):
    def packets(self, packets: list[bytes]) -> list[bytes]:
        mixed = [packet for packet in packets for _ in range(self.chance.choice((1, 1, 2)))]
        self.chance.shuffle(mixed)
        return mixed


class NoKeyFrame(Fault):
    def pictures(self, material: Material) -> list[Any]:
        return material.noise[1:]


class OtherSize(Fault):
    def pictures(self, material: Material) -> list[Any]:
        return [*material.noise[:2], *material.other_size]


class SwappedSets(Fault):
    def pictures(self, material: Material) -> list[Any]:
        sets = [nal for nal in material.other_size[0] if nal[0] & 0x1F in (7, 8)]
        self.chance.shuffle(sets)
        return [(*sets, *picture) for picture in material.noise[1:]]


class OtherCodec(Fault):
    def pictures(self, material: Material) -> list[Any]:
        return list(material.h265)


class LeapingTimes(Fault):
    def stamp(self, pts_ns: int) -> int:
        return pts_ns + self.chance.choice((0, 1, -1)) * self.chance.randrange(1 << 40)


class EndlessPicture(Fault):
    """One picture that never ends: fragments without a last one, and no mark."""

    def packets(self, packets: list[bytes]) -> list[bytes]:
        middle = bytes([0x7C, 0x05]) + bytes(1300)
        return [packet[:1] + bytes([packet[1] & 0x7F]) + packet[2:12] + middle for packet in packets for _ in range(8)]


class Garbage(Fault):
    def packets(self, packets: list[bytes]) -> list[bytes]:
        return [self.chance.randbytes(self.chance.randrange(1, 1400)) for _ in packets]


class BrokenFraming(Fault):
    def raw(self) -> bytes:
        return self.chance.choice((b"$\x00\xff\xff", b"$", b"RTSP/1.0 200 OK\r\n\r\n", b"")) + self.chance.randbytes(64)


class HangUp(Fault):
    def hangs_up(self) -> bool:
        return self.chance.random() < 0.3


FAULTS: tuple[type[Fault], ...] = (
    BitFlips,
    Truncation,
    Loss,
    Disorder,
    NoKeyFrame,
    OtherSize,
    SwappedSets,
    OtherCodec,
    LeapingTimes,
    EndlessPicture,
    Garbage,
    BrokenFraming,
    HangUp,
)


class _FaultyWire:
    """Stands between a viewer and its connection."""

    def __init__(self, wire: Any, mount: "HostileMount") -> None:
        self._wire = wire
        self._mount = mount

    @property
    def waiting_bytes(self) -> int:
        return int(self._wire.waiting_bytes)

    def send(self, packets: list[bytes]) -> None:
        fault = self._mount.fault
        if fault is None:
            self._wire.send(packets)
            return
        transport = getattr(self._wire, "_transport", None)
        self._wire.send([packet[:65_000] for packet in fault.packets(packets)])
        if transport is not None:
            transport.write(fault.raw())
            if fault.hangs_up():
                transport.abort()

    def send_control(self, packet: bytes) -> None:
        self._wire.send_control(packet)

    def close(self) -> None:
        self._wire.close()


class HostileMount(LiveMount):
    """Sends one fault after another, and what is good in between, to whoever looks."""

    def __init__(self, codec: Codec = H264) -> None:
        super().__init__(codec, linger_s=3600.0)
        self.fault: Fault | None = None
        self._pts_ns = 0
        self._material = Material()

    async def describe(self, timeout_s: float) -> Description | None:
        sets = H264.parameter_sets(self._material.noise[0])
        if isinstance(self.fault, BitFlips | SwappedSets):
            # Its description lies, too.
            sets = H264.parameter_sets(self._material.other_size[0])
        return Description(H264, sets)

    def join(self, viewer: Viewer) -> None:
        viewer._wire = _FaultyWire(viewer._wire, self)
        super().join(viewer)

    def misbehave(self, fault: Fault, pause: Callable[[float], object]) -> None:
        """Send one fault's pictures."""
        self.fault = fault
        for nals in fault.pictures(self._material):
            self._send(nals, fault.stamp(self._pts_ns))
            pause(0.002)

    def behave(self, level: int) -> None:
        """Send a good picture of one grey."""
        self.fault = None
        self._send(self._material.good[level], self._pts_ns)

    def _send(self, nals: tuple[bytes, ...], pts_ns: int) -> None:
        self._pts_ns += _PICTURE_NS
        self.publish(AccessUnit(tuple(nals), max(0, pts_ns), time.time_ns(), key=H264.key(nals)))


def resident_mib(pid: int) -> float:
    """Return a process's resident memory, MiB; 0 for one that is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    return 0.0


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)
