"""The camera's own coded pictures for whoever passes them on: with their parameter sets, and the time of capture."""

from typing import Final

from vedette.coded_video import CODECS, Coded, CodedOffer
from vedette_camera_ingest.events import Opened, Received
from vedette_camera_ingest.timing import CaptureClock

_RTP_NAMES: Final = {"h264": "H264", "hevc": "H265", "mjpeg": "JPEG"}
_START: Final = b"\x00\x00\x01"


class PassingOn:
    """Gives the pictures of one connection to ``offer``; does nothing while nobody takes them."""

    def __init__(self, offer: CodedOffer, opened: Opened) -> None:
        self._offer = offer
        self._codec = _RTP_NAMES.get(opened.decoder.name, "")
        self._sets = bytes(opened.decoder.extradata or b"")
        self._clock = CaptureClock()

    def take(self, event: Received) -> None:
        """Take in a picture."""
        if not self._offer.wanted or self._codec not in CODECS:
            return
        self._clock.arrived(event.pts_ns, event.camera_ns, event.mono_ns, event.wall_ns)
        mono_ns, wall_ns = self._clock.captured(event.pts_ns, event.mono_ns, event.wall_ns)
        data, key = bytes(event.packet), bool(event.packet.is_keyframe)
        if key and not _has_sets(self._codec, data):
            # Some cameras tell their parameter sets in the description alone.
            data = self._sets + data
        self._offer.publish(Coded(self._codec, data, key, wall_ns, mono_ns))


def _has_sets(codec: str, data: bytes) -> bool:
    """Tell whether a picture carries parameter sets: they come before its slices, at its very beginning."""
    position, head = data.find(_START), data[:512]
    while 0 <= position < len(head) - 3:
        kind = head[position + 3]
        if (codec == "H264" and kind & 0x1F == 7) or (codec == "H265" and kind >> 1 & 0x3F == 33):
            return True
        position = head.find(_START, position + 3)
    return codec == "JPEG"
