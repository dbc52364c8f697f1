"""Recordings to S3, while there is a connection: each once, the oldest first; the shelf's quota is the spool's.

What was uploaded says so in the JSON beside it (``uploaded``), so that a process that was started again goes on where
this one was. An upload of which no answer came is made again: the same object under the same name.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from vedette.aws_calls import AwsError
from vedette_display.recordings import Recording, Shelf

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
FIRST_WAIT_S: Final = 10.0
LONGEST_WAIT_S: Final = 300.0
_ACTION: Final = "s3:PutObject"
_KINDS: Final = {".mp4": "video/mp4", ".json": "application/json"}


class Caller(Protocol):
    """Signed calls of S3; :class:`vedette.aws_calls.AwsCaller`."""

    def call(self, action: str, body: bytes, headers: Mapping[str, str], *, method: str, path: str) -> Any:
        """Make one call."""


class RecordingUploader:
    """Puts what is on ``shelf`` into ``bucket``, as ``<prefix>/<device>/<name>.mp4`` and ``.json``.

    ``connect()`` returns a caller of S3 with the device's credentials; called with the first recording.
    """

    def __init__(self, shelf: Shelf, bucket: str, prefix: str, device: str, connect: Callable[[], Caller]) -> None:
        self._shelf = shelf
        self._bucket = bucket
        self._folder = "/".join(part for part in (prefix.strip("/"), device) if part)
        self._connect = connect
        self._caller: Caller | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="recordings-upload", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being sent is sent again next time."""
        self._stop.set()
        self._thread.join(0.5)

    def run(self) -> None:
        """Upload what there is, until stopped; wait ever longer while it fails."""
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                self.run_once()
            except (AwsError, OSError) as error:
                reason = str(error) if isinstance(error, AwsError) else error.strerror or type(error).__name__
                logger.warning("recordings wait for their upload: %s; next try in %.0f s", reason, wait_s)
                self._stop.wait(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 2)
            else:
                wait_s = FIRST_WAIT_S
                self._stop.wait(LOOK_S)

    def run_once(self) -> None:
        """Upload everything that has not been.

        :raises AwsError: what went wrong; the others wait
        :raises OSError: when a recording cannot be read
        """
        for recording in reversed(self._shelf.list()):
            if self._stop.is_set():
                return
            if not recording.uploaded:
                self._upload(recording)

    def _upload(self, recording: Recording) -> None:
        facts = self._shelf.folder / f"{recording.name}.json"
        # The facts come last: whoever finds them finds the movie.
        for suffix in (".mp4", ".json"):
            path = facts.with_suffix(suffix)
            try:
                body = path.read_bytes()
            except FileNotFoundError:
                logger.warning("recording %s made room before it was uploaded", recording.name)
                return
            self._put(path, body)
        self._shelf.note(recording.name, uploaded=f"s3://{self._bucket}/{self._folder}/{recording.name}.mp4")
        logger.info("recording %s is in %s", recording.name, self._bucket)

    def _put(self, path: Path, body: bytes) -> None:
        if self._caller is None:
            self._caller = self._connect()
        # By path, as every name of a bucket bears it, dots too.
        key = quote(f"/{self._bucket}/{self._folder}/{path.name}")
        self._caller.call(_ACTION, body, {"Content-Type": _KINDS[path.suffix]}, method="PUT", path=key)
