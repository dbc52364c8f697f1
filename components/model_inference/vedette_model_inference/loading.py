"""From a demand to a model that can be called."""

import ctypes
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vedette.messages import ModelDemand, Tensor
from vedette.rings.calls.tensors import lay_out
from vedette_model_inference.batching import best_batch
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.engines import engine_version, open_session
from vedette_model_inference.errors import LoadError, LoadStopped
from vedette_model_inference.model_file import Fingerprint, digest, find, fingerprint, model_files
from vedette_model_inference.session import RunError, Session, zeros
from vedette_model_inference.verdicts import Verdicts
from vedette_model_inference.verification import verify

if TYPE_CHECKING:
    from vedette_model_inference.frame_path import FramePath

logger = logging.getLogger(__name__)

_GATE_POLL_S = 0.1
_VERIFICATIONS_AT_ONCE = 2
"""Two, so that one file that hangs its verification does not keep all others waiting."""
_CHANGED_RETRY_S = 1.0

OpenSession = Callable[[Path, str, Configuration], Session]
Verify = Callable[[Path, str, Sequence[Tensor], Configuration, threading.Event], None]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be called: it ran once. ``output_bytes``: room its outputs take in a slot."""

    session: Session
    declared: tuple[Tensor, ...]
    output_bytes: int
    load_s: float
    note: str
    batch: int = 1
    """So many calls are answered by one run, where as many wait."""
    frames: "FramePath | None" = None


class Loader:
    """Loads models, one at a time: two at once would need the memory of both loads together."""

    def __init__(
        self,
        configuration: Configuration,
        verdicts: Verdicts,
        stop: threading.Event,
        *,
        open_session: OpenSession = open_session,
        verify: Verify = verify,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._configuration = configuration
        self._verdicts = verdicts
        self._stop = stop
        self._open_session = open_session
        self._verify = verify
        self._clock = clock
        self._loading = threading.Semaphore(1)
        self._verifying = threading.Semaphore(_VERIFICATIONS_AT_ONCE)
        self._loaded: dict[str, weakref.WeakSet[Session]] = {}

    def load(self, demand: ModelDemand, paths: Sequence[Path], cancelled: threading.Event) -> LoadedModel:
        """Return the model that ``demand`` describes, from the first of ``paths`` that is there.

        :raises LoadError: why it cannot be served.
        :raises LoadStopped: when ``cancelled`` or the component's stop was set.
        """
        begin = self._clock()
        path = find(paths)
        files = model_files(path, demand.format)
        before = fingerprint(files)
        key = f"{digest(files)} {engine_version(demand.format)}"
        if self._configuration.verify and not self._verdicts.verified(key):
            with self._turn(self._verifying, cancelled):
                self._verify(path, demand.format, demand.inputs, self._configuration, cancelled)
            self._check_unchanged(files, before)
            self._verdicts.mark_verified(key)
        with self._turn(self._loading, cancelled), self._verdicts.attempt(key):
            loaded = self._loaded.setdefault(key, weakref.WeakSet())
            session = _shared(loaded) or self._open_session(path, demand.format, self._configuration)
            self._check_unchanged(files, before)
            loaded.add(session)
            output_bytes, note = _first_run(session, demand.inputs)
            batch = 1 if note else best_batch(session, demand.inputs, self._configuration.max_batch)
            frames = _frame_path(demand, session)
            give_memory_back()
        self._check(cancelled)
        load_s = round(self._clock() - begin, 3)
        return LoadedModel(session, tuple(demand.inputs), output_bytes, load_s, note, batch, frames)

    @contextmanager
    def _turn(self, gate: threading.Semaphore, cancelled: threading.Event) -> Iterator[None]:
        while not gate.acquire(timeout=_GATE_POLL_S):
            self._check(cancelled)
        try:
            self._check(cancelled)
            yield
        finally:
            gate.release()

    def _check(self, cancelled: threading.Event) -> None:
        if cancelled.is_set() or self._stop.is_set():
            raise LoadStopped("stopped before the model was loaded")

    @staticmethod
    def _check_unchanged(files: Sequence[Path], before: Fingerprint) -> None:
        if fingerprint(files) != before:
            raise LoadError(f"{files[0].name} changed while it was loaded", retry_after_s=_CHANGED_RETRY_S)


def _shared(loaded: "weakref.WeakSet[Session]") -> Session | None:
    """Return another user's hold of a model that is loaded: its files are the same, its preprocess.json may differ."""
    return next((other for other in (each.share() for each in list(loaded)) if other is not None), None)


def _frame_path(demand: ModelDemand, session: Session) -> "FramePath | None":
    if demand.frames is None:
        return None
    # OpenCV is loaded for the models that need it only.
    from vedette_model_inference.frame_path import FramePath

    return FramePath(demand, session)


def _first_run(session: Session, declared: Sequence[Tensor]) -> tuple[int, str]:
    """Run once on zeros, which allocates and prepares; return the bytes of the outputs and what is to be said of it."""
    try:
        outputs = session.run(zeros(session.inputs, declared))
    except RunError as error:
        # Zeros in the dimensions of the descriptor may be what this one model cannot take; the calls will tell.
        logger.warning("the first run, on zeros, failed: %s", error)
        return 0, f"first run, on zeros, failed: {error}"
    _, output_bytes = lay_out([(str(index), array.dtype.name, array.shape) for index, array in enumerate(outputs)])
    return output_bytes, ""


def give_memory_back() -> None:
    """Return what the C library keeps free to the system: 2 MB after NanoDet's load, and most of an unloaded model."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
