"""A frame from a ring -> an annotated JPEG of the size somebody looks at.

Loaded when somebody looks for the first time: OpenCV and numpy take 29 MB.
"""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vedette.rings import BGR24, I420, FrameHeader, frame_bytes
from vedette_display.overlay import Image, Overlays, draw
from vedette_display.picture import PictureError, Variant

# One picture is small work: more threads cost more than they bring, and the device has other things to do.
cv2.setNumThreads(1)


def to_bgr(header: FrameHeader, buffer: memoryview, most_width: int) -> Image:
    """Return the frame as BGR, scaled down to ``most_width``; it may still be the ring's own memory: do not draw on it.

    I420 is scaled plane by plane before it is converted: 1.2 ms for 1920x1080 to 640x360, against 3.2 ms the other way
    round.

    :raises PictureError: for a pixel format or a length that cannot be.
    """
    width, height = header.width, header.height
    if header.pixel_format not in (BGR24, I420):
        raise PictureError(f"pixel format {header.pixel_format} is unknown, expected {I420} (I420) or {BGR24} (BGR24)")
    expected = frame_bytes(header.pixel_format, width, height)
    if len(buffer) != expected:
        raise PictureError(f"a frame of {width}x{height} has {len(buffer)} bytes, expected {expected}")
    flat = np.frombuffer(buffer, np.uint8)
    new_width, new_height = _scaled(width, height, most_width)
    if header.pixel_format == BGR24:
        return _resize(flat.reshape(height, width, 3), new_width, new_height)
    if (new_width, new_height) == (width, height):
        return cast("Image", cv2.cvtColor(flat.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420))
    luma, chroma = width * height, width * height // 4
    small = np.empty(new_width * new_height * 3 // 2, np.uint8)
    new_luma, new_chroma = new_width * new_height, new_width * new_height // 4
    _resize(flat[:luma].reshape(height, width), new_width, new_height, small[:new_luma].reshape(new_height, new_width))
    for plane in (0, 1):
        source = flat[luma + plane * chroma :][:chroma].reshape(height // 2, width // 2)
        target = small[new_luma + plane * new_chroma :][:new_chroma].reshape(new_height // 2, new_width // 2)
        _resize(source, new_width // 2, new_height // 2, target)
    return cast("Image", cv2.cvtColor(small.reshape(new_height * 3 // 2, new_width), cv2.COLOR_YUV2BGR_I420))


def to_i420(header: FrameHeader, buffer: memoryview, overlays: Overlays, most_width: int) -> NDArray[np.uint8]:
    """Return the frame with its overlays as I420 planes (height * 3 / 2, width); may still be the ring's own memory.

    :raises PictureError: for a pixel format or a length that cannot be.
    """
    width, height = header.width, header.height
    plain = header.pixel_format == I420 and width <= most_width and not overlays.labels and not overlays.rects
    if plain and len(buffer) == frame_bytes(I420, width, height):
        return np.frombuffer(buffer, np.uint8).reshape(height * 3 // 2, width)
    image = to_bgr(header, buffer, most_width)
    if overlays.labels or overlays.rects:
        if not image.flags.owndata:
            image = image.copy()
        draw(image, overlays)
    return cast("NDArray[np.uint8]", cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420))


def encode(header: FrameHeader, buffer: memoryview, overlays: Overlays, variant: Variant) -> tuple[bytes, int, int]:
    """Return (JPEG, width, height) of the frame with its overlays.

    :raises PictureError: when the frame cannot be read or encoded.
    """
    image = to_bgr(header, buffer, variant.width)
    if variant.overlays and (overlays.labels or overlays.rects):
        if not image.flags.owndata:
            image = image.copy()
        draw(image, overlays)
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, variant.quality])
    if not done:
        raise PictureError(f"a picture of {image.shape[1]}x{image.shape[0]} was not encoded")
    return jpeg.tobytes(), image.shape[1], image.shape[0]


def _scaled(width: int, height: int, most_width: int) -> tuple[int, int]:
    if width <= most_width:
        return width, height
    # Even, for the chroma planes of I420.
    return most_width // 2 * 2, max(2, round(height * most_width / width / 2) * 2)


def _resize(
    image: NDArray[np.uint8], width: int, height: int, target: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    if image.shape[1] == width and image.shape[0] == height:
        if target is not None:
            target[:] = image
        return image
    # Area averaging between whole ratios costs 4 ms for 1080p to 720p; below a ratio of 2, linear looks the same.
    whole = image.shape[1] % width == 0 and image.shape[0] % height == 0
    method = cv2.INTER_AREA if whole or image.shape[1] >= 2 * width else cv2.INTER_LINEAR
    return cast("Image", cv2.resize(image, (width, height), dst=target, interpolation=method))
