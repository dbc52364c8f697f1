"""One model: a thread that loads it and then serves its calls."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from vedette.log_events import MODEL, speaking_of
from vedette.messages import ModelDemand, ModelState, ModelStatus, Tensor
from vedette.rings import RingError, listen
from vedette.rings.calls import CallServer, TensorSpec
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError, LoadStopped
from vedette_model_inference.handler import ModelHandler
from vedette_model_inference.loading import Loader
from vedette_model_inference.model_file import Fingerprint, fingerprint
from vedette_model_inference.run_gate import RunGate
from vedette_model_inference.states import check_move

logger = logging.getLogger(__name__)

_LISTEN_RETRY_S = 10.0
_CRASH_RETRY_S = 30.0


class ServedModel:
    """A model from its first demand to its unloading.

    ``changed`` is called, on any thread, after each change of state. A failed model has no thread; :meth:`retry` gives
    it a new one.
    """

    def __init__(
        self,
        demand: ModelDemand,
        paths: Sequence[Path],
        loader: Loader,
        configuration: Configuration,
        socket_path: Path,
        changed: Callable[[], None],
        *,
        gate: RunGate | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.demand = demand
        self._paths = tuple(paths)
        self._loader = loader
        self._configuration = configuration
        self._socket_path = socket_path
        self._changed = changed
        self._gate = gate
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._state = ModelState.LOADING
        self._detail = ""
        self._since = wall()
        self._load_s: float | None = None
        self._server: CallServer | None = None
        self._handler: ModelHandler | None = None
        self._provider: str | None = None
        self._seen: Fingerprint = ()
        self._retry_at: float | None = None
        self._thread = self._start()

    @property
    def state(self) -> ModelState:
        """Where it stands."""
        return self._state

    def due(self, paths: Sequence[Path]) -> bool:
        """Tell whether a failed model should be tried again: another file, or the time has come."""
        if self._state is not ModelState.FAILED or self._thread.is_alive():
            return False
        return self._watched(paths) != self._seen or (self._retry_at is not None and self._clock() >= self._retry_at)

    def retry(self, demand: ModelDemand, paths: Sequence[Path]) -> None:
        """Load a failed model anew."""
        self.demand, self._paths = demand, tuple(paths)
        self._move(ModelState.LOADING, "")
        self._thread = self._start()

    def stop(self) -> None:
        """Ask its thread to end; does not wait."""
        self._cancelled.set()
        with self._lock:
            server, handler = self._server, self._handler
        if server is not None:
            server.close()
        if handler is not None:
            handler.interrupt()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; False when it is not there in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self, users: Sequence[str]) -> ModelStatus:
        """Return what the bus is told."""
        with self._lock:
            server, handler, ready = self._server, self._handler, self._state is ModelState.READY
            base = ModelStatus(
                model_id=self.demand.model_id,
                name=Path(self.demand.path).name,
                state=self._state,
                detail=self._detail,
                since=self._since,
                pid=os.getpid(),
                load_s=self._load_s,
                users=list(users),
            )
        if not ready or server is None or handler is None:
            return base
        stats = server.stats
        return base.model_copy(
            update={
                "socket": str(self._socket_path),
                "provider": self._provider,
                "inputs": _tensors(handler.description.inputs),
                "outputs": _tensors(handler.description.outputs),
                "calls": stats.calls,
                "errors": stats.errors + stats.expired,
                "latency_ms": handler.times.median_ms(),
                "calls_per_s": handler.times.calls_per_s(self._clock(), stats.calls),
                "queue": stats.queued,
                "batch": handler.times.calls_per_run(),
            }
        )

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=f"model-{self.demand.model_id}", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        with speaking_of(MODEL, self.demand.model_id):
            self._run_guarded()

    def _run_guarded(self) -> None:
        try:
            self._run_once()
        except LoadStopped:
            logger.info("model %s: load stopped", self._name)
        except LoadError as error:
            self._fail(str(error), error.retry_after_s)
        except RingError as error:
            self._fail(str(error), _LISTEN_RETRY_S)
        except Exception as error:
            logger.exception("model %s: unexpected", self._name)
            self._fail(f"unexpected {type(error).__name__}, see the log", _CRASH_RETRY_S)

    def _run_once(self) -> None:
        """Load and serve until stopped; raises what keeps the model from being served."""
        # Looked at first: a file that is replaced during the load is another one afterwards.
        self._seen = self._watched(self._paths)
        logger.info("model %s: loading for %s", self._name, self.demand.instance)
        model = self._loader.load(self.demand, self._paths, self._cancelled)
        handler = ModelHandler(model, gate=self._gate, lanes=self._configuration.lanes())
        listener = listen(str(self._socket_path))
        try:
            server = CallServer(
                listener,
                handler,
                slots=self._configuration.slots,
                max_bytes=self._configuration.max_call_megabytes << 20,
                name=self._name,
                batch_wait_s=self._configuration.batch_wait_ms / 1000,
            )
        except RingError:
            listener.close()
            raise
        with self._lock:
            self._server, self._handler = server, handler
            self._load_s, self._provider = model.load_s, model.session.provider
        if self._cancelled.is_set():
            server.close()
        self._move(ModelState.READY, model.note)
        logger.info("model %s: ready after %.2f s at %s", self._name, model.load_s, self._socket_path.name)
        try:
            server.serve()
        finally:
            self._socket_path.unlink(missing_ok=True)
            with self._lock:
                self._server = self._handler = None
        logger.info("model %s: unloaded", self._name)

    def _fail(self, reason: str, retry_after_s: float | None) -> None:
        logger.error("model %s: %s", self._name, reason)
        self._retry_at = None if retry_after_s is None else self._clock() + retry_after_s
        self._move(ModelState.FAILED, reason)

    def _move(self, state: ModelState, detail: str) -> None:
        with self._lock:
            check_move(self._state, state)
            self._state, self._detail, self._since = state, detail, self._wall()
        self._changed()

    @property
    def _name(self) -> str:
        """What the log calls it: the node that asked first, which people know, then the file and the id."""
        return f"{self.demand.instance}/{self.demand.node} ({Path(self.demand.path).name}, {self.demand.model_id})"

    @staticmethod
    def _watched(paths: Sequence[Path]) -> Fingerprint:
        # The folders, too: weights in a file beside the model may be what was missing.
        return fingerprint([*paths, *dict.fromkeys(path.parent for path in paths)])


def _tensors(specs: Sequence[TensorSpec]) -> list[Tensor]:
    return [Tensor(name=spec.name, dtype=spec.dtype, shape=list(spec.shape)) for spec in specs]
