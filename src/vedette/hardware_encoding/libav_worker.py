"""The process around one of libav's encoders, started by ``process`` with what ``libav.command`` says.

Frames come on standard input, pictures go out on standard output, as ``libav`` says. A driver that crashes or hangs
takes this process along and nobody else.
"""

import signal
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO, Final

from vedette.hardware_encoding.coded import Coded
from vedette.hardware_encoding.libav import Messages
from vedette.parent_process import end_with_parent

_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "h264_nvenc": {
        "preset": "p2",
        "tune": "ull",
        "rc": "vbr",
        "cq": "23",
        "zerolatency": "1",
        "delay": "0",
        "forced-idr": "1",
        "profile": "main",
    },
    "h264_qsv": {"preset": "veryfast", "async_depth": "1", "forced_idr": "1", "look_ahead": "0", "profile": "main"},
    "h264_amf": {"usage": "lowlatency", "quality": "speed", "forced_idr": "1", "header_spacing": "0"},
    # What tests try the process with where there is no hardware.
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "main", "forced-idr": "1"},
}
_NV12: Final = frozenset({"h264_qsv", "h264_amf"})


def _open(element: str, width: int, height: int, fps: int, gop: int, bits: int) -> Any:
    import av

    context: Any = av.CodecContext.create(element, "w")
    context.width, context.height = width, height
    context.pix_fmt = "nv12" if element in _NV12 else "yuv420p"
    context.time_base, context.framerate = Fraction(1, fps), Fraction(fps)
    context.gop_size, context.max_b_frames = gop, 0
    if element != "h264_nvenc":  # which keeps to a quality, below maxrate
        context.bit_rate = bits
    context.options = {**_OPTIONS.get(element, {}), "maxrate": str(bits), "bufsize": str(bits)}
    context.open()
    return context


def _pictures(file: BinaryIO, size: int) -> Iterator[tuple[bool, bytes]]:
    while len(whole := file.read(1 + size)) == 1 + size:
        yield bool(whole[0]), whole[1:]


def main() -> int:
    """Encode until standard input ends."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import av
    import numpy as np
    from av.video.frame import PictureType

    element, *numbers = sys.argv[1:]
    width, height, fps, gop, bits = map(int, numbers)
    # What libav says of a driver stands in its log, not in its errors.
    av.logging.set_level(av.logging.ERROR)
    try:
        context = _open(element, width, height, fps, gop, bits)
        sys.stdout.buffer.write(Messages.encode(None))
        sys.stdout.buffer.flush()
        for number, (key, planes) in enumerate(_pictures(sys.stdin.buffer, width * height * 3 // 2)):
            array = np.frombuffer(planes, np.uint8).reshape(height * 3 // 2, width)
            frame: Any = av.VideoFrame.from_ndarray(array, format="yuv420p")
            if context.pix_fmt != "yuv420p":
                frame = frame.reformat(format=context.pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            frame.pict_type = PictureType.I if key else PictureType.NONE
            for packet in context.encode(frame):
                sys.stdout.buffer.write(Messages.encode(Coded(bytes(packet), bool(packet.is_keyframe))))
            sys.stdout.buffer.flush()
    except (av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        sys.stderr.write(f"\n{text}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
