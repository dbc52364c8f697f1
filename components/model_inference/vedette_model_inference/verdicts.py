"""What is remembered of model files over restarts: which were proved harmless, and which ended the process.

A file that crashes the engine must not take the component down for ever: the nucleus gives a component up for broken
after three errors in an hour, and with it every other model of the device. So a file never seen before is first loaded
in a process of its own (``verification``), and a load in this process is noted down before it begins.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vedette.whole_files import write_whole
from vedette_model_inference.errors import LoadError

logger = logging.getLogger(__name__)

_MAX_ATTEMPTS = 2
_FORGIVEN_AFTER_S = 3600.0
_MAX_REMEMBERED = 256


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="ignore")

    verified: bool = False
    attempts: int = 0
    at: float = 0.0


class Verdicts:
    """Verdicts by key (hash of the files, engine and its version), kept in ``path``; a file that is lost is no harm.

    ``wall``: seconds since 1970; attempts are forgiven after an hour, since whoever kills the process in the middle
    of a load, or pulls the plug, is not the model's fault.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall = wall
        self._lock = threading.Lock()
        self._verdicts = self._read()

    def verified(self, key: str) -> bool:
        """Tell whether the files were loaded without harm before."""
        return self._get(key).verified

    def mark_verified(self, key: str) -> None:
        """Note that the files do no harm."""
        self._note(key, verified=True, at=self._wall())

    @contextmanager
    def attempt(self, key: str) -> Iterator[None]:
        """Load inside of this: only the end of the whole process leaves the attempt in the books.

        :raises LoadError: when two attempts within the last hour ended the process.
        """
        verdict = self._get(key)
        attempts = verdict.attempts if abs(self._wall() - verdict.at) < _FORGIVEN_AFTER_S else 0
        if attempts >= _MAX_ATTEMPTS:
            raise LoadError(
                f"loading this file ended the process {attempts} times within an hour: replace the file",
                retry_after_s=_FORGIVEN_AFTER_S,
            )
        self._note(key, attempts=attempts + 1, at=self._wall())
        try:
            yield
        finally:
            self._note(key, attempts=0)

    def _get(self, key: str) -> _Verdict:
        return self._verdicts.get(key, _Verdict())

    def _note(self, key: str, **changes: float) -> None:
        with self._lock:
            self._verdicts[key] = self._get(key).model_copy(update=changes)
            self._write()

    def _read(self) -> dict[str, _Verdict]:
        try:
            document = json.loads(self._path.read_text())
            return {key: _Verdict.model_validate(value) for key, value in document.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, ValidationError) as error:
            logger.warning("cannot use %s, starting without it: %s", self._path.name, type(error).__name__)
            return {}

    def _write(self) -> None:
        newest = sorted(self._verdicts.items(), key=lambda item: item[1].at)[-_MAX_REMEMBERED:]
        self._verdicts = dict(newest)
        try:
            write_whole(self._path, json.dumps({key: verdict.model_dump() for key, verdict in newest}).encode())
        except OSError as error:
            logger.warning("cannot write %s: %s", self._path, error.strerror)
