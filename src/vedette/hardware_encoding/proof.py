"""Whether a way to encode really does: frames go in, and what comes out is decoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from vedette.hardware_encoding.process import EncoderFailed, EncoderProcess
from vedette.hardware_encoding.ways import Way

# Not a whole number of macroblocks high: encoders have to cut what they add.
_WIDTH, _HEIGHT, _FPS, _FRAMES = 640, 360, 15, 12
_BITS: Final = 1_000_000


@dataclass(frozen=True)
class Finding:
    """What came of a try; ``refusal`` is empty where the encoder works."""

    way: Way
    refusal: str = ""


def prove(way: Way) -> Finding:
    """Encode some moving grey, decode it, and compare."""
    try:
        encoder = EncoderProcess(way, _WIDTH, _HEIGHT, fps=_FPS, gop=_FPS, bits=_BITS)
        try:
            pictures = []
            for number in range(_FRAMES):
                pictures += encoder.encode(_grey(number), number, key=number == 0)
        finally:
            encoder.close()
    except EncoderFailed as error:
        return Finding(way, str(error))
    return Finding(
        way, _judge([coded.data for _, coded in pictures], first_is_key=bool(pictures) and pictures[0][1].key)
    )


def find(ways: Iterable[Way]) -> tuple[Way | None, list[Finding]]:
    """Return the first that works, and what came of each that was tried before it."""
    tried = []
    for way in ways:
        finding = prove(way)
        tried.append(finding)
        if not finding.refusal:
            return way, tried
    return None, tried


def _grey(number: int) -> memoryview:
    """Return a frame whose brightness tells its number."""
    luma = _WIDTH * _HEIGHT
    return memoryview(bytes([_brightness(number)]) * luma + b"\x80" * (luma // 2))


def _brightness(number: int) -> int:
    return 60 + 8 * number


def _judge(pictures: list[bytes], *, first_is_key: bool) -> str:
    if len(pictures) < _FRAMES // 2:
        return f"{len(pictures)} pictures came of {_FRAMES} frames"
    if not first_is_key:
        return "its first picture is no key frame"
    import av

    decoder: Any = av.CodecContext.create("h264", "r")
    try:
        frames = [frame for data in pictures for frame in decoder.decode(av.Packet(data))]
        frames += decoder.decode(None)
    except av.FFmpegError:
        return "what it encodes cannot be decoded"
    if len(frames) < len(pictures):
        return f"{len(frames)} of {len(pictures)} pictures can be decoded"
    if (frames[0].width, frames[0].height) != (_WIDTH, _HEIGHT):
        return f"its pictures are {frames[0].width}x{frames[0].height}, expected {_WIDTH}x{_HEIGHT}"
    for number, frame in enumerate(frames):
        if abs(bytes(frame.planes[0])[1000] - _brightness(number)) > 8:
            return f"picture {number} shows something else than what was given"
    return ""
