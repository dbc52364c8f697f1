"""node.call: argument orders, inputs, errors, waiting, restarts."""

import contextlib
import threading
import time
from functools import partial
from typing import Any

import numpy as np
import panoramasdk
import pytest
from vedette_app_runtime import protocol

from vedette.rings import BGR24, I420, connect
from vedette.rings.calls import FrameView, TensorSpec

from .conftest import Host
from .interruption import interrupted_at


def lost_at_least(host: Host, count: int) -> bool:
    return host.heard.count(protocol.ModelLost("m")) >= count


IMAGE = TensorSpec("data", "float32", (1, 3, 4, 4))


def sums(arrays: dict[str, Any]) -> list[Any]:
    return [np.array([array.sum() for array in arrays.values()], np.float32)]


@pytest.fixture
def node(host: Host) -> Any:
    host.models = ["model_node"]
    host.attach()
    host.serve_model("model_node", [IMAGE], sums)
    return panoramasdk.node()


def test_an_order_of_arguments_is_refused(node: Any) -> None:
    data = {"data": np.ones((1, 3, 4, 4), np.float32)}
    for outputs in (
        node.call(data, "model_node"),
        node.call("model_node", data),
        node.call(input=data, name="model_node"),
        node.call(data, name="model_node", time_out=5),
        node.call("model_node", data, 5),
    ):
        assert isinstance(outputs, tuple)
        assert len(outputs) == 1
        assert outputs[0].tolist() == [48.0]


@pytest.mark.parametrize(
    "array",
    [
        np.ones((1, 3, 4, 4), np.float64),
        np.ones((3, 4, 4), np.float32),
        np.ones((3, 4, 4), np.uint8),
        np.ones((1, 48), np.float32),
        np.asfortranarray(np.ones((1, 3, 4, 4), np.float32)),
        np.ones((1, 4, 4, 3), np.float32).transpose(0, 3, 1, 2),
        np.ones((1, 3, 4, 4), bool),
        np.ones((1, 3, 4, 4), ">f4"),
    ],
    ids=["float64", "no batch", "uint8 no batch", "flat", "fortran", "transposed", "bool", "big-endian"],
)
def test_an_array_that_could_be_brought_into_form_is_refused(node: Any, array: Any) -> None:
    assert node.call({"data": array}, "model_node", 5)[0].tolist() == [48.0]
    assert node.call(array, "model_node", 5)[0].tolist() == [48.0]


def test_the_values_are_cast_wrongly(host: Host) -> None:
    host.models = ["m"]
    host.attach()
    host.serve_model("m", [TensorSpec("x", "float32", (-1,))], lambda arrays: [arrays["x"]])
    node = panoramasdk.node()
    values = np.array([-1.5, 0, 1e-3, 300.25])
    assert node.call({"x": values}, "m", 5)[0].tolist() == values.astype(np.float32).tolist()
    [result] = node.call({"x": values}, "m", 5)
    kept = result.copy()
    node.call({"x": values * 2}, "m", 5)
    assert (result == kept).all(), "a result changed with the next call"
    assert result.flags.writeable


def test_a_media_is_no_input(host: Host) -> None:
    host.models = ["m"]
    node, [camera] = host.started("door")
    host.serve_model("m", [TensorSpec("x", "uint8", (1, -1, -1, 3))], lambda arrays: [np.float32(arrays["x"].shape)])
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    assert node.call(media, "m", 5)[0].tolist() == [1, 48, 64, 3]
    assert node.call({"x": media}, "m", 5)[0].tolist() == [1, 48, 64, 3]


def test_several_inputs_are_mixed_up(host: Host) -> None:
    host.models = ["m"]
    host.attach()
    specs = [TensorSpec("a", "float32", (2,)), TensorSpec("b", "int64", (1,))]
    host.serve_model("m", specs, lambda arrays: [arrays["a"], arrays["b"].astype(np.float32)])
    node = panoramasdk.node()
    outputs = node.call({"b": np.array([7]), "a": np.array([1, 2])}, "m", 5)
    assert [each.tolist() for each in outputs] == [[1.0, 2.0], [7.0]]
    with pytest.raises(ValueError, match=r"has 2 inputs \('a', 'b'\): pass a dictionary"):
        node.call(np.zeros(2), "m", 5)
    with pytest.raises(ValueError, match="there is no 'c' and the call lacks 'b'"):
        node.call({"a": np.zeros(2), "c": np.zeros(1)}, "m", 5)


def test_an_unknown_model_is_called(node: Any) -> None:
    with pytest.raises(KeyError, match="'other' is no model node of this application; its models: model_node"):
        node.call({"data": np.zeros(1)}, "other")


@pytest.mark.parametrize("arguments", [(), ({"data": 1},), (1, 2), ("model_node", 7), (["data"], "model_node")])
def test_arguments_that_make_no_sense_are_taken(node: Any, arguments: Any) -> None:
    with pytest.raises(TypeError, match=r"call\(\) takes"):
        node.call(*arguments)


def test_a_shape_that_does_not_fit_is_sent(node: Any) -> None:
    with pytest.raises(ValueError, match=r"has the shape \(1, 3, 5, 5\), the model takes \(1, 3, 4, 4\)"):
        node.call({"data": np.zeros((1, 3, 5, 5))}, "model_node")
    with pytest.raises(TypeError, match="holds <U1, expected numbers"):
        node.call({"data": np.array(["x"])}, "model_node")


def test_an_error_of_the_model_is_lost(host: Host) -> None:
    def fails(_arrays: dict[str, Any]) -> list[Any]:
        raise ZeroDivisionError("inside the model")

    host.models = ["m"]
    host.attach()
    host.serve_model("m", [TensorSpec("x", "float32", (1,))], fails)
    with pytest.raises(RuntimeError, match="model 'm'"):
        panoramasdk.node().call(np.zeros(1), "m", 5)


def test_a_model_that_loads_is_not_waited_for(host: Host) -> None:
    host.models = ["m"]
    host.attach()
    host.send(protocol.ModelState("m", "loading", "13 of 45 s"))
    node = panoramasdk.node()
    host.said(lambda p: isinstance(p, protocol.Report))
    with pytest.raises(TimeoutError, match="model 'm' is not ready: loading, 13 of 45 s"):
        node.call(np.zeros(1), "m", 0.05)
    results: list[Any] = []
    waiting = threading.Thread(target=lambda: results.append(node.call(np.zeros(1), "m")))
    waiting.start()
    counted = sum(1 for _ in range(1000))  # this thread runs while that one waits
    host.serve_model("m", [TensorSpec("x", "float32", (1,))], sums)
    waiting.join(10)
    assert counted == 1000
    assert results


def test_a_model_that_failed_is_waited_for(host: Host) -> None:
    host.models = ["m"]
    host.attach()
    host.send(protocol.ModelState("m", "failed", "opset 99 is not known"))
    with pytest.raises(RuntimeError, match="model 'm' cannot be used: opset 99 is not known"):
        panoramasdk.node().call(np.zeros(1), "m")


def test_a_slow_model_is_waited_for_too_long(host: Host) -> None:
    free = threading.Event()

    def slow(arrays: dict[str, Any]) -> list[Any]:
        free.wait(60)
        return sums(arrays)

    host.models = ["m"]
    host.attach()
    host.serve_model("m", [TensorSpec("x", "float32", (1,))], slow)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"model 'm' gave no answer within 0\.2 s"):
        panoramasdk.node().call(np.zeros(1), "m", time_out=0.2)
    assert time.monotonic() - start < 30
    free.set()
    assert panoramasdk.node().call(np.ones(1), "m", 30)[0].tolist() == [1.0], "the late answer went to the next call"


def test_the_server_is_restarted_during_a_call(host: Host) -> None:
    def dies(_arrays: dict[str, Any]) -> list[Any]:
        raise SystemExit

    host.models = ["m"]
    host.attach()
    host.serve_model("m", [TensorSpec("x", "float32", (1,))], dies)
    results: list[Any] = []
    calling = threading.Thread(target=lambda: results.append(panoramasdk.node().call(np.ones(1), "m", 20)))
    calling.start()
    host.said(lambda p: p == protocol.ModelLost("m"))
    assert not results
    host.serve_model("m", [TensorSpec("x", "float32", (1,))], sums)
    calling.join(20)
    assert results[0][0].tolist() == [1.0]


def test_a_call_that_ends_its_server_goes_on_for_ever(host: Host) -> None:
    ends: list[Any] = []

    def dies(_arrays: dict[str, Any]) -> list[Any]:
        raise SystemExit

    host.models = ["m"]
    host.attach()
    ends.append(host.serve_model("m", [TensorSpec("x", "float32", (1,))], dies))
    failed: list[BaseException] = []

    def call() -> None:
        try:
            panoramasdk.node().call(np.ones(1), "m")
        except BaseException as error:  # noqa: BLE001 - looked at below
            failed.append(error)

    calling = threading.Thread(target=call)
    calling.start()
    for count in range(1, 4):
        with host._changed:
            assert host._changed.wait_for(partial(lost_at_least, host, count), 10)
        host.serve_model("m", [TensorSpec("x", "float32", (1,))], dies)
    calling.join(10)
    assert "ended 3 times during this call" in str(failed[0])


def test_threads_that_call_get_each_others_answers(node: Any, host: Host) -> None:
    wrong: list[Any] = []

    def call(value: int) -> None:
        for _ in range(20):
            data = np.full((1, 3, 4, 4), value)
            if node.call({"data": data}, "model_node", 20)[0].tolist() != [48.0 * value]:
                wrong.append(value)

    threads = [threading.Thread(target=call, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    report = host.said(lambda p: isinstance(p, protocol.Report) and p.calls == 160)
    assert report.call_ms > 0


def test_a_frame_is_sent_as_an_array_to_a_model_that_takes_frames(host: Host) -> None:
    seen: list[FrameView] = []

    def looks(frame: FrameView) -> list[Any]:
        seen.append(frame._replace(buffer=memoryview(bytes(frame.buffer))))
        return [np.array([len(seen)], np.float32)]

    host.models = ["m"]
    node, [camera] = host.started("door")
    host.serve_model("m", [TensorSpec("x", "float32", (1, 3, 8, 8))], lambda arrays: [arrays["x"]], looks)
    # GIVEN a frame that nobody looked at: it is shown where it lies
    camera.show(77)
    [media] = node.inputs.video_in.get(timeout=20)
    assert node.call(media, "m", 20)[0].tolist() == [1.0]
    assert node.call({"x": media}, "m", 20)[0].tolist() == [2.0]
    assert (seen[0].width, seen[0].height, seen[0].pixel_format) == (64, 48, I420)
    pixels = bytes(seen[0].buffer)
    # AND one whose image was drawn on: that is what the model sees
    media.image[:] = 9
    node.call(media, "m", 20)
    assert (seen[2].pixel_format, set(bytes(seen[2].buffer))) == (BGR24, {9})
    # AND one kept over the next get(): the same pixels as before
    camera.show(78)
    [kept] = node.inputs.video_in.get(timeout=20)
    camera.show(79)
    node.inputs.video_in.get(timeout=20)
    node.call(kept, "m", 20)
    assert seen[3].pixel_format == I420
    assert bytes(seen[3].buffer) != pixels
    # AND arrays as ever
    assert node.call(np.ones((1, 3, 8, 8)), "m", 20)[0].sum() == 192


def test_a_leased_frame_is_given_back_while_a_model_looks_at_it(host: Host) -> None:
    looking, go_on = threading.Event(), threading.Event()
    seen: list[bytes] = []

    def looks(frame: FrameView) -> list[Any]:
        looking.set()
        assert go_on.wait(30)
        seen.append(bytes(frame.buffer))
        return [np.array([1], np.float32)]

    host.models = ["m"]
    node, [camera] = host.started("door")
    host.serve_model("m", [TensorSpec("x", "float32", (1, 3, 8, 8))], lambda arrays: [arrays["x"]], looks)
    camera.show(10)
    [media] = node.inputs.video_in.get(timeout=20)
    calling = threading.Thread(target=lambda: node.call(media, "m", 30))
    calling.start()
    assert looking.wait(20)
    # WHEN another thread asks for the next frame, which ends the lease of this one
    getting = threading.Thread(target=lambda: node.inputs.video_in.get(timeout=30))
    getting.start()
    for number in range(11, 19):
        camera.show(number)
    getting.join(0.3)
    go_on.set()
    calling.join(30)
    getting.join(30)
    # THEN the model saw one frame, not parts of others
    assert len(set(seen[0][: 64 * 48])) == 1


@pytest.mark.parametrize("kinds", ["the same", "changing"])
def test_an_alarm_or_ctrl_c_in_call_stops_the_model_for_ever(host: Host, kinds: str) -> None:
    # GIVEN an application that bounds call() by an alarm, or a notebook whose cell is stopped: it may hit anywhere
    host.models = ["m"]
    host.attach()
    host.serve_model("m", [TensorSpec("x", "float32", (-1,))], sums)
    [path] = [str(path) for path in host.folder.glob("m.*.sock")]
    node = panoramasdk.node()
    node.call({"x": np.ones(2, np.float32)}, "m", 20)
    lost = 0
    for place in range(1, 1000):
        length = 2 if kinds == "the same" else 3 + place % 2
        given = {"x": np.full(length, place, np.float32)}
        if not interrupted_at(place, partial(node.call, given, "m", 20)):
            break
        # THEN calls are answered again, rightly, if need be over another connection
        answered = threading.Event()
        outputs: list[Any] = []

        def call(given: Any = given, outputs: list[Any] = outputs, answered: threading.Event = answered) -> None:
            with contextlib.suppress(TimeoutError):
                outputs.append(node.call(given, "m", 20)[0].tolist())
            answered.set()

        threading.Thread(target=call, daemon=True).start()
        while not answered.wait(0.01):
            said = host.heard.count(protocol.ModelLost("m"))
            if said > lost:
                lost = said
                host.send(protocol.ModelSocket("m"), connect(path))
        assert outputs == [[float(length * place)]], f"interrupted at place {place}"
    assert place > 20
    assert lost
