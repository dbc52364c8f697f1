"""A camera's own coded pictures, read from its worker while they are uploaded: nothing is decoded or encoded."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from vedette.coded_video import Coded, CodedReader, CodedVideoError
from vedette.log_events import CAMERA, about

logger = logging.getLogger(__name__)

POLL_S: Final = 0.5
RETRY_S: Final = 1.0


class CameraPictures:
    """Gives a camera's pictures to ``sink``, on a thread of its own.

    ``locate`` tells the socket of its coded pictures, None while nobody wants the camera.
    """

    def __init__(self, camera_id: str, locate: Callable[[], str | None], sink: Callable[[Coded], None]) -> None:
        self._camera_id = camera_id
        self._locate = locate
        self._sink = sink
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"coded-{camera_id}"[:40], daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Take no more; does not wait."""
        self._stop.set()

    def run(self) -> None:
        """Read until stopped, from one worker after the other."""
        while not self._stop.is_set():
            try:
                self.run_once()
            except CodedVideoError as error:
                logger.debug("camera %s: %s", self._camera_id, error, extra=about(CAMERA, self._camera_id))
            self._stop.wait(RETRY_S)

    def run_once(self) -> None:
        """Read from the present worker until it is gone.

        :raises CodedVideoError: when it is, or there is none
        """
        path = self._locate()
        if path is None:
            return
        with CodedReader(path) as reader:
            while not self._stop.is_set():
                picture = reader.receive(POLL_S)
                if picture is not None:
                    self._sink(picture)
