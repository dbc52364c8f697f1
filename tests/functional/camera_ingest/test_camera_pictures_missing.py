"""Streams that send packets and no pictures: no key frame for long, and packets that cannot be decoded."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from vedette_camera_ingest.board import StatusBoard
from vedette_camera_ingest.capture import Capture
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.events import Event, Opened, Received
from vedette_camera_ingest.session import Session

from vedette.messages import CameraSource, CameraState
from vedette.rings import RingReader, RingWriter, connect, listen

SOURCE = CameraSource(name="dock", url="rtsp://10.0.0.21/s")
HOLD_BACK_S = 3.6


class Replay(Session):
    """Gives a file's packets at 25 a second, the key frames among them only after a while."""

    def __init__(self, path: Path) -> None:
        super().__init__(SOURCE, Credentials(SOURCE.url))
        self._container = av.open(str(path))
        self._events_to_come = self._replay()

    def start(self) -> None:
        self._started = time.monotonic()

    def close(self) -> None:
        self._container.close()

    def next(self, timeout_s: float) -> Event | None:
        return next(self._events_to_come)

    def _replay(self) -> Iterator[Event | None]:
        stream = self._container.streams.video[0]
        yield Opened(stream.codec_context, "H.264", "10.0.0.21 port 554")
        while True:
            self._container.seek(0)
            # Whole rounds: with a slow machine's pace, the first key frame would be one from the middle of the clip.
            holds_back = time.monotonic() - self._started < HOLD_BACK_S
            for packet in self._container.demux(stream):
                if packet.size and not (packet.is_keyframe and holds_back):
                    threading.Event().wait(0.04)
                    yield Received(packet, time.monotonic_ns(), time.time_ns())


@pytest.fixture
def replayed(clips: dict[str, Path], tmp_path: Path) -> Iterator[tuple[RingReader, StatusBoard, list[CameraState]]]:
    stop = threading.Event()
    path = str(tmp_path / "dock.sock")
    ring = RingWriter(listen(path))
    states: list[CameraState] = []
    board = StatusBoard(SOURCE, path, changed=lambda: states.append(board.state))
    capture = Capture(
        SOURCE, lambda: Credentials(SOURCE.url), ring, board, stop, open_session=lambda *_: Replay(clips["h264"])
    )
    thread = threading.Thread(target=capture.run)
    thread.start()
    reader = RingReader(connect(path))
    yield reader, board, states
    stop.set()
    thread.join(3)
    reader.close()
    ring.close()
    assert not thread.is_alive()


def test_missing_key_frame_is_told_and_the_first_picture_is_a_whole_one(
    replayed: tuple[RingReader, StatusBoard, list[CameraState]],
) -> None:
    reader, board, states = replayed
    lease = reader.receive(10.0)
    assert lease is not None
    assert CameraState.NO_KEY_FRAME in states
    assert CameraState.STALLED not in states
    # The clip's first picture: the ramp as it was before it began to move.
    assert abs(lease.buffer[0] - 20) <= 6
    lease.release()
    # The picture is handed over before it is counted.
    for _ in range(100):
        if board.status().state is CameraState.LIVE:
            break
        threading.Event().wait(0.05)
    assert board.status().state is CameraState.LIVE
    assert board.status().decode_errors == 0
