"""The streams of a camera: what is played of it, and where the address of each comes from."""

from typing import Final, NamedTuple

from vedette.messages import CameraSource, CameraState
from vedette_camera_ingest.source import PlainSource, document_of

NO_SUCH_STREAM: Final = frozenset({CameraState.NOT_FOUND, CameraState.NO_VIDEO, CameraState.UNSUPPORTED_CODEC})
"""What a camera answers that has no stream at the address, or none that can be played."""
MAIN: Final = "main stream"


class Stream(NamedTuple):
    """One stream as a worker plays it. ``address_key``: where the secret has its address, when ``source`` has none."""

    source: PlainSource
    address_key: str = "StreamUrl"


def delivered(source: CameraSource) -> Stream:
    """Return the stream that applications get: the small one, where the camera has one."""
    plain = PlainSource(**document_of(source))
    if source.sub is None:
        return Stream(plain)
    return Stream(plain._replace(url=source.sub), "SubStreamUrl")


def main_of(source: CameraSource) -> Stream:
    """Return the main stream of a camera with a small one; ``max_fps`` is said of what applications get, not of it."""
    return Stream(PlainSource(**document_of(source))._replace(name=f"{source.name}, {MAIN}", max_fps=None))
