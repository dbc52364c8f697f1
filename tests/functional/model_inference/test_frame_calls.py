"""Frames handed to a model by reference, and boxes that come back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vedette.messages import ModelDemand, ModelState
from vedette.rings import BGR24, I420, FrameHeader, Lease, RingReader, RingWriter, connect, listen
from vedette.rings.calls import CallClient, CallError, CallLost, FrameSource, wire

WIDTH, HEIGHT = 320, 240
FRAMES = {"preprocess": {"colorOrder": "BGR", "scale": 1 / 255}}


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Callable[[np.ndarray], Lease]]:
    """Return a function that puts an I420 frame into a camera's ring and gives the reader's lease on it."""
    path = str(tmp_path / "camera.sock")
    writer = RingWriter(listen(path))
    reader = RingReader(connect(path))
    assert writer.wait_for_reader(20.0)

    def show(i420: np.ndarray) -> Lease:
        slot = writer.reserve(i420.nbytes)
        assert slot is not None
        slot.buffer[:] = i420.tobytes()
        writer.publish(slot, FrameHeader(0, 1, 1, WIDTH, HEIGHT, I420))
        lease = reader.receive(20.0)
        assert lease is not None
        return lease

    yield show
    reader.close()
    writer.close()


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Return a smooth frame as I420 and as BGR."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    bgr = np.stack([40 + 150 * x / WIDTH, 30 + 170 * y / HEIGHT, 200 - 90 * x / WIDTH], 2).astype(np.uint8)
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    return i420, cv2.cvtColor(i420.reshape(-1, WIDTH), cv2.COLOR_YUV2BGR_I420)


def expected(bgr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(bgr, size).transpose(2, 0, 1)[None].astype(np.float32) / 255


def outputs(client: CallClient, frame: FrameSource) -> list[np.ndarray]:
    with client.call_frame(frame, 30.0) as result:
        return [np.frombuffer(bytes(o.buffer), o.dtype).reshape(o.shape) for o in result.outputs]


def served(world: Any, path: Path, frames: dict[str, Any] | None) -> CallClient:
    each = world(maxBatch=1)
    demand = ModelDemand(model_id="m1", path=str(path), instance="i", node="n", frames=frames)
    each._demands[("m1", "i")] = demand
    each.host.publish(ModelDemand.topic("m1"), demand.encode())
    client: CallClient = each.ready()
    return client


def test_a_frame_by_reference_is_another_input(
    world: Any, tmp_path: Path, onnx: Any, ring: Callable[[np.ndarray], Lease]
) -> None:
    # GIVEN a model that gives its input back, and a frame in a camera's ring
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(2.0, (1, 3, 60, 80)))
    client = served(world, path, FRAMES)
    i420, bgr = picture()
    lease = ring(i420)
    # WHEN it is called with the frame where it lies, copied, and as BGR
    there = FrameSource(WIDTH, HEIGHT, I420, lease.memory, lease.offset)
    results = [
        outputs(client, there),
        outputs(client, FrameSource(WIDTH, HEIGHT, I420, buffer=i420)),
        outputs(client, FrameSource(WIDTH, HEIGHT, BGR24, buffer=bgr)),
        outputs(client, there),
    ]
    # THEN the input was what the application would have computed
    for doubled, negative in results:
        assert np.abs(doubled / 2 - expected(bgr, (80, 60))).max() < 7 / 255
        np.testing.assert_allclose(negative, -doubled / 2, atol=1e-6)
    np.testing.assert_array_equal(results[0][0], results[1][0])


def test_a_model_without_the_block_takes_frames(world: Any, tmp_path: Path, onnx: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled())
    client = served(world, path, None)
    with pytest.raises(CallError, match=r"no preprocess\.json"):
        client.call_frame(FrameSource(WIDTH, HEIGHT, I420, buffer=picture()[0]), 30.0)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ({"preprocess": {"input": "image"}}, "a frame needs a model with one input, this one has x"),
        ({"preprocess": {"colorOrder": "GRAY"}}, "has 5 channels, colorOrder GRAY 1"),
        ({"preprocess": {"zoom": 1}}, "preprocess.zoom"),
    ],
)
def test_a_block_that_does_not_fit_is_found_at_the_first_call(
    world: Any, tmp_path: Path, onnx: Any, frames: dict[str, Any], said: str
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled())
    each = world()
    demand = ModelDemand(model_id="m1", path=str(path), instance="i", node="n", frames=frames)
    each._demands[("m1", "i")] = demand
    each.host.publish(ModelDemand.topic("m1"), demand.encode())
    status = each.wait(ModelState.FAILED)
    assert "preprocess.json does not fit the model" in status.detail
    assert said in status.detail


def test_boxes_are_not_those_of_the_frame(world: Any, tmp_path: Path, onnx: Any) -> None:
    # GIVEN a "detector" whose outputs do not depend on the picture: one box at 0.25..0.75 of the input, score 0.9
    boxes = np.array([[[0.25, 0.25, 0.75, 0.75]]], np.float32)
    nodes = [
        onnx.node("ReduceMean", ["x"], ["mean"]),
        onnx.node("Mul", ["mean", "zero"], ["none"]),
        onnx.node("Add", ["boxes", "none"], ["b"]),
        onnx.node("Add", ["scores", "none"], ["s"]),
    ]
    constants = [
        onnx.tensor("zero", np.array([0], np.float32)),
        onnx.tensor("boxes", boxes),
        onnx.tensor("scores", np.array([[[0.1, 0.9]]], np.float32)),
    ]
    values = [("b", "float32", (1, 1, 4)), ("s", "float32", (1, 1, 2))]
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.model(nodes, [("x", "float32", (1, 3, 100, 100))], values, constants))
    frames = {"preprocess": {"resize": "letterbox"}, "postprocess": {"type": "ssd"}}
    client = served(world, path, frames)
    # WHEN it is called with a frame of 320x240, letterboxed to 100x75
    got = outputs(client, FrameSource(WIDTH, HEIGHT, I420, buffer=picture()[0]))
    # THEN the box is the frame's: the border is counted out
    assert [list(value.shape) for value in got] == [[1, 4], [1], [1]]
    np.testing.assert_allclose(got[0][0], [0.25, 1 / 6, 0.75, 5 / 6], atol=0.01)
    assert (got[1][0], got[2][0]) == (pytest.approx(0.9), 1)


@pytest.mark.parametrize(
    "packet",
    [
        wire.Frame(1, 1, 0, 0, 7, 0, WIDTH, HEIGHT, I420),
        wire.Frame(1, 1, 0, 0, 0, 0, 60000, 60000, I420),
        wire.Frame(1, 1, 0, 0, 0, 1 << 40, 2, 2, I420),
        wire.Frame(1, 1, 0, 0, 0, 0, 3, 3, I420),
        wire.Frame(1, 1, 0, 0, 0, 0, 4, 4, 99),
        wire.Share(1, 4096),
        wire.Unshare(5),
    ],
    ids=[
        "memory never shared",
        "larger than the slot",
        "beyond the slot",
        "odd",
        "no such format",
        "no descriptor",
        "unknown",
    ],
)
def test_a_frame_outside_of_its_memory_is_looked_at(world: Any, tmp_path: Path, onnx: Any, packet: wire.Packet) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.scaled(2.0, (1, 3, 60, 80)))
    client = served(world, path, FRAMES)
    frame = FrameSource(WIDTH, HEIGHT, I420, buffer=picture()[0])
    assert outputs(client, frame)
    with client._exchange.changed:
        client._exchange.send(wire.encode(packet), None)
    with pytest.raises(CallLost):
        # The server hung up on this client, at once or before its next answer.
        for _ in range(50):
            outputs(client, frame)
