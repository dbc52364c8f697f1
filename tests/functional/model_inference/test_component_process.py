"""``python -m vedette_model_inference`` as the nucleus starts it: the real bus, the recipe's policies, signals."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedette.bus.component import EXIT_BUS_LOST, EXIT_STOPPED
from vedette.bus.greengrass import connect_to_nucleus
from vedette.large_pages import with_large_pages
from vedette.messages import ModelDemand, ModelState, ModelStatus
from vedette.rings import connect
from vedette.rings.calls import CallClient, TensorBuffer

ROOT = Path(__file__).parents[3]
MEMORY_LIMIT_KB = 130_000


class Component:
    """The component's process, its nucleus, and the bus of a host."""

    def __init__(self, folder: Path) -> None:
        recipe = ROOT / "recipes" / "vedette.ModelInference.yaml"
        script = Path(__file__).with_name("model_nucleus.py")
        self.nucleus = subprocess.Popen(
            [sys.executable, str(script), str(folder), str(recipe)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.nucleus.stdout is not None
        environments = json.loads(self.nucleus.stdout.readline())
        self.host = connect_to_nucleus(5, environments["host"])
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.host.subscribe("vedette/model/+/status", lambda _, payload: self.heard.put(payload))
        (folder / "work").mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vedette_model_inference"],
            cwd=folder / "work",
            stdout=subprocess.PIPE,
            text=True,
            env=with_large_pages(
                {
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'components' / 'model_inference'}",
                    **environments["vedette.ModelInference"],
                }
            ),
        )

    def ready(self, path: Path) -> ModelStatus:
        demand = ModelDemand(model_id="0123456789abcdef", path=str(path), instance="lobby", node="model_node")
        for _ in range(100):
            self.host.publish(ModelDemand.topic(demand.model_id), demand.encode())
            try:
                status = ModelStatus.model_validate_json(self.heard.get(timeout=0.3))
            except queue.Empty:
                continue
            assert status.state is not ModelState.FAILED, status.detail
            if status.state is ModelState.READY:
                return status
        raise AssertionError("the model did not become ready")

    def close(self) -> None:
        self.host.close()
        for process in (self.process, self.nucleus):
            process.kill()
            process.communicate(timeout=10.0)


@pytest.fixture
def component() -> Iterator[Component]:
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        made = Component(Path(folder))
        yield made
        made.close()


def test_a_model_is_served_in_little_memory_until_the_nucleus_says_stop(
    component: Component, tmp_path: Path, onnx: Any
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    status = component.ready(path)
    assert status.socket is not None
    assert status.pid == component.process.pid
    client = CallClient(connect(status.socket))
    image = np.ones((1, 3, 4, 5), np.float32)
    with client.call([TensorBuffer("x", "float32", image.shape, image)], 10.0) as result:
        assert [output.name for output in result.outputs] == ["y", "n"]
    client.close()
    memory = Path(f"/proc/{component.process.pid}/status").read_text()
    assert int(memory.partition("VmHWM:")[2].split()[0]) < MEMORY_LIMIT_KB
    component.process.send_signal(signal.SIGTERM)
    assert component.process.wait(20.0) == EXIT_STOPPED
    assert not Path(status.socket).exists()


def test_the_end_of_the_nucleus_ends_the_component(component: Component, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.scaled())
    component.ready(path)
    component.nucleus.kill()
    assert component.process.wait(10.0) == EXIT_BUS_LOST
