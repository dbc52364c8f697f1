"""An encoder in a pipeline of GStreamer, run by its own command: raw frames in, H.264 as framed RTP out.

RTP, because its marker says where a picture ends: a byte stream would tell that only when the next one begins.
"""

from typing import Final

from vedette.hardware_encoding.coded import Coded
from vedette.hardware_encoding.ways import GST_LAUNCH
from vedette.rtsp.assembly import H264Assembly
from vedette.rtsp.rtp import parse

_MTU: Final = 60_000


class FramedRtp:
    """RTP packets with their length in two bytes before each (RFC 4571) -> coded pictures. A codec: no I/O."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._assembly = H264Assembly()
        self.ready = True
        """A pipeline does not say when it is open: its first picture does."""

    @staticmethod
    def frame(planes: memoryview, *, key: bool) -> tuple[bytes | memoryview, ...]:  # noqa: ARG004
        """Return what is written for one picture. A key frame cannot be asked for: they come every second."""
        return (planes,)

    def receive_data(self, data: bytes) -> list[Coded]:
        """Add received bytes; return the pictures that are whole."""
        self._buffer += data
        found = []
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                break
            packet = parse(memoryview(bytes(self._buffer[2:end])))
            del self._buffer[:end]
            if packet is not None:
                found += [Coded(whole.data, whole.key) for whole in self._assembly.add(packet, lost=False)]
        return found


def command(element: str, width: int, height: int, fps: int, gop: int, bits: int) -> list[str]:
    """Return what runs the pipeline."""
    encoder = element.format(bits=bits, kilobits=bits // 1000, gop=gop)
    pipeline = (
        f"fdsrc fd=0 blocksize={width * height * 3 // 2} !"
        f" rawvideoparse format=i420 width={width} height={height} framerate={fps}/1 ! {encoder} !"
        f" rtph264pay mtu={_MTU} config-interval=-1 ! rtpstreampay ! fdsink fd=1 sync=false async=false"
    )
    return [GST_LAUNCH, "--quiet", "--no-fault", *pipeline.split()]
