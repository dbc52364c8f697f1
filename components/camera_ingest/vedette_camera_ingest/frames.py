"""Decoded frames into the ring: I420 without padding, at most 2 megapixels."""

from typing import Final

import av
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from vedette.rings import I420, FrameHeader, RingWriter, frame_bytes
from vedette_camera_ingest.scaling import delivered_size

_PLAIN: Final = "yuv420p"


class FrameWriter:
    """Writes frames into ``ring``, converting and scaling in one pass where one is needed at all."""

    def __init__(self, ring: RingWriter) -> None:
        self._ring = ring
        self._reformatter = VideoReformatter()

    def write(self, frame: av.VideoFrame, wall_ns: int, mono_ns: int) -> tuple[int, int]:
        """Lease the frame to the readers and return its size there; it is dropped when every slot is leased.

        :param wall_ns: Unix time at which its packet was received, ns
        :param mono_ns: the same moment by CLOCK_MONOTONIC, ns
        :raises ValueError: when the picture is too small to be one.
        """
        width, height = delivered_size(frame.width, frame.height)
        slot = self._ring.reserve(frame_bytes(I420, width, height))
        if slot is None:
            return width, height
        try:
            _pack(self._plain(frame, width, height), slot.buffer)
        except BaseException:
            self._ring.cancel(slot)
            raise
        self._ring.publish(slot, FrameHeader(0, wall_ns, mono_ns, width, height, I420))
        return width, height

    def _plain(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        """Return the frame as yuv420p of the size wanted, in video range (16-235), which is what readers expect."""
        full_range = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        if frame.format.name == _PLAIN and (frame.width, frame.height) == (width, height) and not full_range:
            return frame
        return self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=_PLAIN,
            interpolation=Interpolation.BILINEAR,
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            # Several cameras share the device's cores; threads would only add their own cost.
            threads=1,
        )


def _pack(frame: av.VideoFrame, target: memoryview) -> None:
    """Copy the three planes behind one another, leaving out the padding at the end of their lines."""
    offset = 0
    for plane in frame.planes:
        source = memoryview(plane)
        line, width, height = plane.line_size, plane.width, plane.height
        if line == width:
            target[offset : offset + width * height] = source[: width * height]
        else:
            for row in range(height):
                start = offset + row * width
                target[start : start + width] = source[row * line : row * line + width]
        offset += width * height
