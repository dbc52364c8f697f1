"""A model server for tests: answers calls by a function of the test's."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vedette.bus.memory import MemoryBus
from vedette.messages import ModelState, ModelStatus
from vedette.rings import listen
from vedette.rings.calls import CallHandler, CallServer, Description, TensorBuffer, TensorSpec, TensorView

Answer = Callable[[dict[str, Any]], list[Any]]


class _Handler(CallHandler):
    def __init__(self, description: Description, answer: Answer) -> None:
        self._description = description
        self._answer = answer

    @property
    def description(self) -> Description:
        return self._description

    @property
    def output_bytes(self) -> int:
        return 1 << 16

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        arrays = {view.name: np.frombuffer(view.buffer, view.dtype).reshape(view.shape).copy() for view in inputs}
        names = [spec.name for spec in self._description.outputs]
        outputs = [np.ascontiguousarray(array) for array in self._answer(arrays)]
        return [
            TensorBuffer(name, str(array.dtype), array.shape, array) for name, array in zip(names, outputs, strict=True)
        ]


class StandInModel:
    """Loads until :meth:`start`; :meth:`stop` ends its server, as a restart of vedette.ModelInference does."""

    def __init__(
        self, name: str, bus: MemoryBus, folder: Path, answer: Answer, inputs: Sequence[TensorSpec], outputs: int = 1
    ) -> None:
        self.model_id = hashlib.sha256(name.encode()).hexdigest()[:16]
        self.state = ModelState.LOADING
        self.detail = ""
        self._name = name
        self._bus = bus
        self._socket = str(folder / f"{name}.sock")
        specs = tuple(TensorSpec(f"output{index}", "float32", (-1,)) for index in range(outputs))
        self._handler = _Handler(Description(tuple(inputs), specs), answer)
        self._server: CallServer | None = None
        self._serving: threading.Thread | None = None
        self._ended = threading.Event()
        self._telling = threading.Thread(target=self._live, name=f"model-{name}")
        self._telling.start()

    def start(self) -> None:
        """Serve calls."""
        self._server = CallServer(listen(self._socket), self._handler)
        self._serving = threading.Thread(target=self._server.serve, name="serve")
        self._serving.start()
        self.state = ModelState.READY
        self._tell()

    def stop(self) -> None:
        """End the server."""
        self.state = ModelState.LOADING
        if self._server is not None and self._serving is not None:
            self._server.close()
            self._serving.join(5)
            self._server = None

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._telling.join(5)
        self.stop()

    def _live(self) -> None:
        while not self._ended.wait(0.2):
            self._tell()

    def _tell(self) -> None:
        status = ModelStatus(
            model_id=self.model_id,
            name=self._name,
            state=self.state,
            detail=self.detail,
            since=time.time(),
            socket=self._socket if self.state == ModelState.READY else None,
        )
        self._bus.publish(ModelStatus.topic(self.model_id), status.encode())
