"""The last frame of each camera as JPEG, for a bundle of diagnostics of a device that allows it.

In a process of its own (``python -m vedette_device_monitor.pictures``), since OpenCV takes as much memory as the whole
monitor may: names and sockets come in as JSON, one line of JSON a camera goes out.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from vedette.rings import I420, RingError, RingReader, connect

MOST: Final = 16
"""Cameras of one bundle."""
_WIDTH: Final = 1280
_QUALITY: Final = 80
_WAIT_S: Final = 2.0
_ALL_S: Final = 60.0


def take_pictures(sockets: Mapping[str, str]) -> dict[str, bytes | str]:
    """Return camera -> JPEG, or why there is none.

    :param sockets: name of a camera -> path of its ring's socket
    :raises OSError: when the process cannot be started
    :raises subprocess.TimeoutExpired: when it does not end
    """
    done = subprocess.run(
        [sys.executable, "-m", "vedette_device_monitor.pictures"],
        check=False,
        capture_output=True,
        input=json.dumps(dict(list(sockets.items())[:MOST])).encode(),
        timeout=_ALL_S,
    )
    found: dict[str, bytes | str] = {}
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        found[answer["name"]] = base64.b64decode(answer["jpeg"]) if "jpeg" in answer else str(answer["why"])
    return found


def last_frame(path: str) -> bytes:
    """Return the newest frame of a ring as JPEG.

    :raises RingError: when its owner is gone or has none
    :raises ValueError: when the frame cannot be encoded
    """
    import cv2
    import numpy as np

    reader = RingReader(connect(path, _WAIT_S))
    try:
        lease = reader.receive(_WAIT_S)
        if lease is None:
            raise RingError(f"no picture within {_WAIT_S:g} s")
        width, height = lease.header.width, lease.header.height
        if lease.header.pixel_format != I420:
            raise ValueError(f"pixel format {lease.header.pixel_format} is not I420")
        planes = np.frombuffer(lease.buffer, np.uint8, width * height * 3 // 2).reshape(height * 3 // 2, width)
        image = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    finally:
        reader.close()
    if width > _WIDTH:
        image = cv2.resize(image, (_WIDTH, height * _WIDTH // width), interpolation=cv2.INTER_AREA)
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError("it cannot be encoded")
    return bytes(jpeg.tobytes())


def main() -> None:
    """Answer the one request on standard input."""
    for name, path in json.load(sys.stdin).items():
        answer = {"name": name}
        try:
            answer["jpeg"] = base64.b64encode(last_frame(path)).decode()
        except (RingError, ValueError, OSError) as error:
            answer["why"] = str(error) or type(error).__name__
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
