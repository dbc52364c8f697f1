"""Who wants which model, which are loaded, and what the bus is told of them."""

import logging
import queue
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from vedette.bus import Bus, BusError, BusLost
from vedette.messages import MAX_BYTES, REPEAT_S, ModelDemand, ModelState, ModelStatus
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.demands import DemandTable
from vedette_model_inference.loading import Loader
from vedette_model_inference.run_gate import RunGate
from vedette_model_inference.served_model import ServedModel

logger = logging.getLogger(__name__)

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""A model's id is the name of its socket, too."""
_INBOX_MESSAGES = 256
_STOP_S = 1.5
_STEP_S = 0.25

MakeModel = Callable[[ModelDemand, list[Path], Path, Callable[[], None]], ServedModel]


class ModelService:
    """Keeps a model loaded for as long as somebody wants it. Demands come in on any thread, the rest happens on one.

    ``rejected`` demands were not understood; ``publish_errors`` statuses did not go out.
    """

    def __init__(
        self,
        bus: Bus,
        sockets: Path,
        configuration: Configuration,
        loader: Loader,
        *,
        make_model: MakeModel | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._sockets = sockets
        self._configuration = configuration
        self._loader = loader
        self._make_model = make_model or self._load_model
        self._clock = clock
        self._gate = RunGate(configuration.runs_at_once())
        self._demands = DemandTable(clock)
        self._inbox: queue.Queue[ModelDemand | None] = queue.Queue(_INBOX_MESSAGES)
        self._models: dict[str, ServedModel] = {}
        self._idle_since: dict[str, float] = {}
        self._stopping: list[ServedModel] = []
        self._told_users: dict[str, tuple[str, ...]] = {}
        self._last_states: dict[str, tuple[ModelState, str]] = {}
        self._last_publish = float("-inf")
        self.rejected = 0
        self.publish_errors = 0

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a demand from the bus; handler of ``vedette/model/+/demand``."""
        try:
            demand = ModelDemand.model_validate_json(payload)
        except ValidationError as error:
            self._reject(topic, f"{error.error_count()} fields are wrong")
            return
        if not _MODEL_ID.fullmatch(demand.model_id) or topic != ModelDemand.topic(demand.model_id):
            self._reject(topic, "its model_id is not the topic's")
            return
        if not Path(demand.path).is_absolute():
            self._reject(topic, "its path is not absolute")
            return
        try:
            self._inbox.put_nowait(demand)
        except queue.Full:
            # It will be repeated.
            self._reject(topic, "too many demands at once")

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; then unload everything.

        :raises BusLost: when the connection to the nucleus ended.
        """
        try:
            while not stop.is_set():
                self._wait()
                self.step()
        finally:
            self.close()

    def step(self) -> None:
        """Do what is to be done now: load, retry, unload, tell."""
        self._demands.expire()
        for model_id in self._demands.models():
            self._keep(model_id)
        for model_id in list(self._models):
            self._unload_if_idle(model_id)
        self._stopping = [model for model in self._stopping if not model.join(0)]
        self._publish()

    def close(self) -> None:
        """Unload everything, within 1.5 s."""
        models = [*self._models.values(), *self._stopping]
        self._models.clear()
        for model in models:
            model.stop()
        until = self._clock() + _STOP_S
        for model in models:
            if not model.join(max(0.0, until - self._clock())):
                logger.warning("model %s did not end in time", model.demand.model_id)

    def _wait(self) -> None:
        """Take in demands; wait for the first of them until the next step is due."""
        timeout_s: float | None = _STEP_S
        while True:
            try:
                demand = self._inbox.get(timeout=timeout_s) if timeout_s else self._inbox.get_nowait()
            except queue.Empty:
                return
            timeout_s = None
            if demand is not None and not self._demands.hear(demand):
                self._reject(ModelDemand.topic(demand.model_id), "too many users")

    def _keep(self, model_id: str) -> None:
        """Have a model that somebody wants."""
        self._idle_since.pop(model_id, None)
        demands = self._demands.demands(model_id)
        paths = [Path(path) for path in dict.fromkeys(demand.path for demand in demands)]
        model = self._models.get(model_id)
        users = tuple(self._demands.users(model_id))
        if users != self._told_users.get(model_id):
            self._told_users[model_id] = users
            logger.info("model %s (%s): wanted by %s", paths[0].name, model_id, ", ".join(users))
        if model is None:
            if any(old.demand.model_id == model_id for old in self._stopping):
                # Its socket is still there; the next step finds it gone.
                return
            socket_path = self._sockets / f"{model_id}.sock"
            self._models[model_id] = self._make_model(demands[0], paths, socket_path, self._wake)
        elif model.due(paths):
            model.retry(demands[0], paths)

    def _unload_if_idle(self, model_id: str) -> None:
        model = self._models[model_id]
        if self._demands.users(model_id):
            return
        since = self._idle_since.setdefault(model_id, self._clock())
        if model.state is ModelState.FAILED or self._clock() - since >= self._configuration.unload_after_s:
            model.stop()
            self._stopping.append(self._models.pop(model_id))
            self._idle_since.pop(model_id, None)
            self._last_states.pop(model_id, None)
            self._told_users.pop(model_id, None)

    def _publish(self) -> None:
        """Tell every model's status when it is time to, and at once those whose state changed."""
        now = self._clock()
        all_due = now - self._last_publish >= REPEAT_S
        if all_due:
            self._last_publish = now
        for model_id, model in self._models.items():
            status = model.status(self._demands.users(model_id))
            seen = (status.state, status.detail)
            if all_due or self._last_states.get(model_id) != seen:
                self._last_states[model_id] = seen
                self._send(status)

    def _send(self, status: ModelStatus) -> None:
        try:
            self._bus.publish(ModelStatus.topic(status.model_id), fitted(status))
        except BusLost:
            raise
        except BusError as error:
            self.publish_errors += 1
            logger.warning("status of model %s was not sent: %s", status.model_id, error)

    def _load_model(
        self, demand: ModelDemand, paths: list[Path], socket_path: Path, changed: Callable[[], None]
    ) -> ServedModel:
        return ServedModel(demand, paths, self._loader, self._configuration, socket_path, changed, gate=self._gate)

    def _wake(self) -> None:
        try:
            self._inbox.put_nowait(None)
        except queue.Full:
            # Then the main thread has no need to be woken.
            return

    def _reject(self, topic: str, reason: str) -> None:
        self.rejected += 1
        logger.warning("demand on %s ignored: %s", topic, reason)


def fitted(status: ModelStatus) -> bytes:
    """Return a status as it fits a message: of too many tensors none, of too many users the first."""
    payload = status.encode()
    if len(payload) > MAX_BYTES:
        payload = status.model_copy(update={"inputs": [], "outputs": []}).encode()
    if len(payload) > MAX_BYTES:
        short = {"inputs": [], "outputs": [], "users": status.users[:20], "detail": status.detail[:1000]}
        payload = status.model_copy(update=short).encode()
    return payload
