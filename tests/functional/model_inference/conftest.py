"""Small ONNX models written by hand, and the component as a thread or a process."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from vedette_model_inference.main import main

from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import ModelDemand, ModelState, ModelStatus, Tensor
from vedette.rings import connect
from vedette.rings.calls import CallClient, TensorBuffer

ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "string": 8, "float16": 10, "float64": 11}


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One protobuf field: a number as a varint, anything else by its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def tensor(name: str, array: np.ndarray, location: str | None = None) -> bytes:
    """TensorProto; with ``location`` its bytes lie in that file."""
    head = b"".join(field(1, size) for size in array.shape) + field(2, ELEMENT_TYPES[array.dtype.name])
    head += field(8, name)
    if location is None:
        return head + field(9, array.tobytes())
    return head + field(13, field(1, "location") + field(2, location)) + field(14, 1)


def value_info(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(field(1, field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, ELEMENT_TYPES[dtype]) + field(2, dims)))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: bytes = b"") -> bytes:
    named = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    return named + field(4, operator) + attributes


def attribute(name: str, number: int, value: int | bytes, kind: int) -> bytes:
    return field(5, field(1, name) + field(number, value) + field(20, kind))


Value = tuple[str, str, Sequence[int | str]]


def model(
    nodes: Sequence[bytes], inputs: Sequence[Value], outputs: Sequence[Value], initializers: Sequence[bytes] = ()
) -> bytes:
    graph = b"".join(field(1, each) for each in nodes) + field(2, "g")
    graph += b"".join(field(5, each) for each in initializers)
    graph += b"".join(field(11, value_info(*each)) for each in inputs)
    graph += b"".join(field(12, value_info(*each)) for each in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def scaled(factor: float = 2.0, shape: Sequence[int | str] = (1, 3, 4, 5)) -> bytes:
    """y = x * factor, and n = -x: two outputs."""
    weights = tensor("w", np.array([factor], np.float32))
    nodes = [node("Mul", ["x", "w"], ["y"]), node("Neg", ["x"], ["n"])]
    return model(nodes, [("x", "float32", shape)], [("y", "float32", shape), ("n", "float32", shape)], [weights])


def gather() -> bytes:
    """picked = table[indices]"""
    nodes = [node("Gather", ["table", "indices"], ["picked"])]
    inputs: list[Value] = [("table", "float32", ["rows"]), ("indices", "int64", ["n"])]
    return model(nodes, inputs, [("picked", "float32", ["n"])])


def slow(products: int = 600) -> bytes:
    """A chain of matrix products: about 20 ms each on one core, so it runs for longer than any test waits."""
    side = 1024
    names = [f"x{n}" for n in range(products + 1)]
    nodes = [node("MatMul", [names[n], "w"], [names[n + 1]]) for n in range(products)]
    weights = tensor("w", np.eye(side, dtype=np.float32))
    # Rows are free: the first run, on one row, is quick.
    shape: list[int | str] = ["rows", side]
    return model(nodes, [("x0", "float32", shape)], [(names[-1], "float32", shape)], [weights])


@pytest.fixture
def onnx() -> SimpleNamespace:
    """The parts above, for tests to make models of."""
    return SimpleNamespace(
        field=field, tensor=tensor, node=node, attribute=attribute, model=model, scaled=scaled, gather=gather, slow=slow
    )


class World:
    """The component on a thread, and an application's host on the same bus."""

    def __init__(self, work: Path, configuration: dict[str, Any]) -> None:
        broker = MemoryBroker()
        self.bus = MemoryBus(broker, "vedette.ModelInference", configuration=configuration)
        self.host = MemoryBus(broker, "host")
        self.heard = self.host.record("vedette/model/+/status")
        self.work = work
        self.stop = threading.Event()
        self._ended: list[BaseException | None] = []
        self._quiet = threading.Event()
        self._demands: dict[tuple[str, str], ModelDemand] = {}
        self._clients: list[CallClient] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._repeater = threading.Thread(target=self._repeat)
        self._repeater.start()

    def _run(self) -> None:
        try:
            main(self.bus, self.stop, self.work)
            self._ended.append(None)
        except BaseException as error:  # noqa: BLE001
            self._ended.append(error)

    def _repeat(self) -> None:
        while not self._quiet.wait(0.3):
            for demand in list(self._demands.values()):
                self.host.publish(ModelDemand.topic(demand.model_id), demand.encode())

    def want(
        self,
        path: Path,
        model_id: str = "m1",
        instance: str = "lobby",
        inputs: Sequence[Tensor] = (),
        model_format: str = "onnx",
    ) -> None:
        """Want a model from now on, as a host repeats it."""
        demand = ModelDemand(
            model_id=model_id,
            path=str(path),
            instance=instance,
            node="model_node",
            inputs=list(inputs),
            format=model_format,
        )
        self._demands[(model_id, instance)] = demand
        self.host.publish(ModelDemand.topic(model_id), demand.encode())

    def want_no_more(self, model_id: str = "m1", instance: str = "lobby") -> None:
        demand = self._demands.pop((model_id, instance)).model_copy(update={"wanted": False})
        self.host.publish(ModelDemand.topic(model_id), demand.encode())

    def wait(
        self, state: ModelState, model_id: str = "m1", such: Callable[[ModelStatus], bool] = lambda _: True
    ) -> ModelStatus:
        """Return the next status of the model in that state."""
        for _ in range(400):
            _, payload = self.heard.get(timeout=20.0)
            status = ModelStatus.model_validate_json(payload)
            if (status.model_id, status.state) == (model_id, state) and such(status):
                return status
        raise AssertionError(f"{model_id} did not become {state.value}")

    def ready(self, model_id: str = "m1") -> CallClient:
        """Return a client of the model, once it is ready."""
        status = self.wait(ModelState.READY, model_id)
        assert status.socket is not None
        return self.client(status.socket)

    def client(self, path: str) -> CallClient:
        self._clients.append(CallClient(connect(path)))
        return self._clients[-1]

    def end(self) -> BaseException | None:
        """Stop the component; return what its main raised."""
        self.stop.set()
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        return self._ended[0]

    def close(self) -> None:
        self._quiet.set()
        self._repeater.join(5.0)
        for client in self._clients:
            client.close()
        self.end()
        self.bus.close()
        self.host.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Start the component: ``world(threads=1, ...)`` with keys of its configuration."""
    started: list[World] = []

    def start(**configuration: Any) -> World:
        work = tmp_path / f"work{len(started)}"
        work.mkdir()
        started.append(World(work, {"threads": 1, "verify": False, **configuration}))
        return started[-1]

    yield start
    for each in started:
        each.close()


def arrays(client: CallClient, timeout_s: float = 30.0, **inputs: np.ndarray) -> list[np.ndarray]:
    """Call with arrays and return copies of the outputs."""
    buffers = [TensorBuffer(n, a.dtype.name, a.shape, np.ascontiguousarray(a)) for n, a in inputs.items()]
    with client.call(buffers, timeout_s) as result:
        return [np.frombuffer(bytes(o.buffer), o.dtype).reshape(o.shape) for o in result.outputs]


@pytest.fixture
def call() -> Callable[..., list[np.ndarray]]:
    """Call a model with numpy arrays by name."""
    return arrays


SERVER = """
import queue, sys, threading
from pathlib import Path
from vedette.bus.memory import MemoryBus
from vedette.messages import ModelDemand
from vedette_model_inference.main import main

work, model = Path(sys.argv[1]), sys.argv[2]
bus = MemoryBus(component="vedette.ModelInference", configuration={"threads": 1, "verify": False})
heard = bus.record("vedette/model/+/status")

def host():
    demand = ModelDemand(model_id="m1", path=model, instance="i", node="n")
    while True:
        bus.publish(ModelDemand.topic("m1"), demand.encode())
        try:
            print(heard.get(timeout=0.3)[1].decode(), flush=True)
        except queue.Empty:
            continue

threading.Thread(target=host, daemon=True).start()
main(bus, threading.Event(), work)
"""


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[Callable[[Path], Any]]:
    """Start the component in a process of its own that serves the given file as ``m1``; it prints its statuses."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> "subprocess.Popen[str]":
        work = tmp_path / "process"
        work.mkdir(exist_ok=True)
        source = Path(__file__).parents[3]
        folders = [source / "src", source / "components" / "model_inference"]
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(work), str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, folders))},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10.0)
