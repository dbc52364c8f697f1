"""What a camera's coded pictures are decoded with: libav, in software. CameraIngest and ``camera test`` ask here."""

from fractions import Fraction
from typing import Any, Final

from vedette.rtsp import CodedPicture, Media

DECODERS: Final = {"H264": "h264", "H265": "hevc", "JPEG": "mjpeg"}
"""RTP's name of each codec that can be decoded, and libav's."""
NAMES: Final = {"h264": "H.264", "hevc": "H.265", "mjpeg": "MJPEG"}
"""libav's name of each, and people's."""


def decoder_for(media: Media) -> Any:
    """Return libav's context of a decoder, which has not been opened yet. The codec is one of ``DECODERS``."""
    from av import CodecContext

    decoder: Any = CodecContext.create(DECODERS[media.codec], "r")
    if media.parameter_sets:
        decoder.extradata = media.parameter_sets
    return decoder


def packet_of(picture: CodedPicture, base: Fraction) -> Any:
    """Return libav's packet; ``base`` is the length of a tick of the stream's clock, s."""
    from av import Packet

    packet: Any = Packet(picture.data)
    packet.pts, packet.time_base, packet.is_keyframe = picture.ticks, base, picture.key
    return packet
