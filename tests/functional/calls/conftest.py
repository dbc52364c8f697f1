"""Call servers in this process, and the channel's ends in other processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from vedette.rings import connect, listen
from vedette.rings.calls import (
    CallClient,
    CallHandler,
    CallServer,
    Description,
    TensorBuffer,
    TensorSpec,
    TensorView,
)

Run = Callable[[Sequence[TensorView]], Sequence[TensorBuffer]]
SPEC = TensorSpec("x", "uint8", (-1,))


def echo(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
    return [TensorBuffer(name, dtype, shape, bytes(buffer)) for name, dtype, shape, buffer in inputs]


class FunctionHandler(CallHandler):
    """Runs a function; what it wants to know of the calls it keeps itself."""

    def __init__(self, run: Run, output_bytes: int, lanes: int = 1) -> None:
        self.lanes = lanes
        self._run = run
        self._output_bytes = output_bytes

    @property
    def description(self) -> Description:
        return Description((SPEC,), (SPEC,))

    @property
    def output_bytes(self) -> int:
        return self._output_bytes

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        return self._run(inputs)


class Served:
    """A call server on a thread, and the clients made of it."""

    def __init__(self, path: str, run: Run, slots: int, max_bytes: int, output_bytes: int, lanes: int) -> None:
        self.path = path
        handler = FunctionHandler(run, output_bytes, lanes)
        self.server = CallServer(listen(path), handler, slots=slots, max_bytes=max_bytes)
        self._thread = threading.Thread(target=self.server.serve)
        self._thread.start()
        self._clients: list[CallClient] = []

    def client(self) -> CallClient:
        client = CallClient(connect(self.path))
        self._clients.append(client)
        return client

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()
        self._thread.join(10.0)
        assert not self._thread.is_alive()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a call server: ``serve(run=echo, slots=4, max_bytes=..., output_bytes=..., lanes=1)``."""
    started: list[Served] = []

    def start(
        run: Run = echo, slots: int = 4, max_bytes: int = 1 << 28, output_bytes: int = 4096, lanes: int = 1
    ) -> Served:
        path = str(tmp_path / f"model{len(started)}.sock")
        started.append(Served(path, run, slots, max_bytes, output_bytes, lanes))
        return started[-1]

    yield start
    for served in started:
        served.stop()


Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def call_process() -> Iterator[Process]:
    """Start ``call_process.py`` with the given arguments; killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []
    source = Path(__file__).parents[3] / "src"

    def start(*arguments: str, python: str = sys.executable) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [python, str(Path(__file__).with_name("call_process.py")), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(source), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10.0)
