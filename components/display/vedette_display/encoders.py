"""Which encoder makes the H.264 of outputs: hardware that was seen to work, libx264 otherwise.

Software is tuned for no delay: no B frames, no look-ahead, every access unit leaves as soon as its frame has come.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from vedette.hardware_encoding import EncoderFailed, EncoderProcess, Finding, Way, candidates, find, way_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

CLOCK_HZ: Final = 90_000
"""Of time stamps: what RTP has for video."""
KEY_EVERY_S: Final = 2.0
CRF: Final = 23
SOFTWARE: Final = "software"
AUTO: Final = "auto"
USUAL_FPS: Final = 15.0
AGAIN_S: Final = 300.0
"""After hardware has failed, everybody encodes in software for so long."""


class AccessUnit(NamedTuple):
    """One coded picture: NAL units with start codes; key frames carry the parameter sets.

    ``pts``: in 1/90,000 s. ``meta``: what the application put beside the frame.
    """

    data: bytes
    pts: int
    key: bool
    width: int
    height: int
    capture_wall_ns: int
    meta: bytes = b""


class Shot(NamedTuple):
    """What belongs to a frame and goes along with its picture."""

    pts: int
    capture_wall_ns: int
    meta: bytes = b""


class Encoder(Protocol):
    """H.264 of one size."""

    name: str
    width: int
    height: int

    def encode(self, planes: "NDArray[np.uint8]", shot: Shot, *, key: bool) -> list[AccessUnit]:
        """Encode one I420 picture (height * 3 / 2, width); hardware may hand it out with a later one.

        :raises EncoderFailed: when hardware cannot go on; what it held is lost.
        """

    def close(self) -> None:
        """Let go of it."""


class SoftwareEncoder:
    """libx264, as PyAV carries it."""

    name = SOFTWARE

    def __init__(self, width: int, height: int, fps: float = USUAL_FPS) -> None:
        import av

        self.width, self.height = width, height
        context: Any = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, CLOCK_HZ)
        context.framerate = Fraction(max(1, round(fps)))
        # One thread: the device has other things to do, and slices in parallel cost bits.
        context.thread_count = 1
        keyint = max(2, round(fps * KEY_EVERY_S))
        context.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "main",
            "crf": str(CRF),
            "maxrate": str(most_bits(width, height)),
            "bufsize": str(most_bits(width, height)),
            "x264-params": f"keyint={keyint}:min-keyint=1:scenecut=0:repeat-headers=1:annexb=1:sliced-threads=0",
        }
        context.open()
        self._context = context
        self._frame_type: Any = av.VideoFrame
        self._intra: Any = av.video.frame.PictureType.I
        self._none: Any = av.video.frame.PictureType.NONE

    def encode(self, planes: "NDArray[np.uint8]", shot: Shot, *, key: bool) -> list[AccessUnit]:
        """Encode one picture; it comes at once."""
        frame = self._frame_type.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = shot.pts, Fraction(1, CLOCK_HZ)
        frame.pict_type = self._intra if key else self._none
        return [
            AccessUnit(
                bytes(packet),
                int(packet.pts),
                bool(packet.is_keyframe),
                self.width,
                self.height,
                shot.capture_wall_ns,
                shot.meta,
            )
            for packet in self._context.encode(frame)
        ]

    def close(self) -> None:
        """Nothing: libav lets go by itself."""


class HardwareEncoder:
    """An encoder in hardware, in a process of its own.

    :raises EncoderFailed: when its program is not there.
    """

    def __init__(self, way: Way, width: int, height: int, fps: float = USUAL_FPS) -> None:
        self.name = way.name
        self.width, self.height = width, height
        frames = max(1, round(fps))
        # Half of what is plenty: these keep to a rate where libx264 keeps to a quality. A key frame each second, since
        # one cannot be asked of every encoder when somebody comes.
        self._process = EncoderProcess(way, width, height, fps=frames, gop=frames, bits=most_bits(width, height) // 2)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def encode(self, planes: "NDArray[np.uint8]", shot: Shot, *, key: bool) -> list[AccessUnit]:
        """Encode one picture; what comes may be an earlier one."""
        return [
            AccessUnit(coded.data, own.pts, coded.key, self.width, self.height, own.capture_wall_ns, own.meta)
            for own, coded in self._process.encode(planes.data, shot, key=key)
        ]

    def close(self) -> None:
        """End its process."""
        self._process.close()


class Encoders:
    """Opens encoders; finds out, once, what hardware there is.

    ``wanted``: ``auto``, ``software``, or a :class:`~vedette.hardware_encoding.Way`'s key. ``search`` and ``seeming``
    are :func:`vedette.hardware_encoding.find` and ``candidates``; ``open_hardware`` is :class:`HardwareEncoder`.
    Used from many threads.
    """

    def __init__(
        self,
        wanted: str = AUTO,
        *,
        seeming: Callable[[], Sequence[Way]] = candidates,
        search: Callable[[Sequence[Way]], tuple[Way | None, list[Finding]]] = find,
        open_hardware: Callable[[Way, int, int], Encoder] = HardwareEncoder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted = wanted
        self._seeming = seeming
        self._search = search
        self._open_hardware = open_hardware
        self._clock = clock
        self._way: Way | None = None
        self._not_before = float("-inf")

    @property
    def name(self) -> str:
        """What new streams are encoded by."""
        way = self._usable()
        return SOFTWARE if way is None else way.name

    def start(self) -> None:
        """Look for hardware, aside: a driver may take seconds to open, and until then software encodes."""
        if self._wanted != SOFTWARE:
            threading.Thread(target=self.look, name="encoders", daemon=True).start()

    def look(self) -> None:
        """Find out what works here, and remember the best."""
        forced = None if self._wanted == AUTO else way_of(self._wanted)
        ways = self._seeming() if forced is None else [forced]
        if not ways:
            return
        self._way, tried = self._search(ways)
        for finding in tried:
            if finding.refusal:
                # Asked for by name it is a fault; found by looking around it is a fact.
                level = logging.ERROR if forced is not None else logging.INFO
                logger.log(level, "%s cannot encode: %s", finding.way.name, finding.refusal)
        logger.info("outputs are encoded by %s", SOFTWARE if self._way is None else self._way.name)

    def open(self, width: int, height: int) -> Encoder:
        """Return an encoder of that size; hardware where it works."""
        way = self._usable()
        if way is not None:
            try:
                return self._open_hardware(way, width, height)
            except EncoderFailed as error:
                self.failed(way.name, str(error))
        return SoftwareEncoder(width, height)

    def failed(self, name: str, reason: str) -> None:
        """Take in that hardware has failed in the middle of a stream."""
        self._not_before = self._clock() + AGAIN_S
        logger.warning("%s has failed (%s): outputs are encoded in software for %.0f s", name, reason, AGAIN_S)

    def _usable(self) -> Way | None:
        return self._way if self._clock() >= self._not_before else None


def most_bits(width: int, height: int) -> int:
    """Return bits a second that are plenty: 8 Mb/s for 1920x1080."""
    return max(1_000_000, round(8_000_000 * width * height / (1920 * 1080)))
