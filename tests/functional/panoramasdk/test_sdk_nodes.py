"""The ways in which applications make their node."""

from typing import Any

import panoramasdk
import pytest

from .conftest import Host


class Silent(panoramasdk.node):  # type: ignore[misc]
    def __init__(self) -> None:
        self.threshold = self.inputs.threshold.get()


class Polite(panoramasdk.node):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.threshold = self.inputs.threshold.get()


class WithArguments(panoramasdk.node):  # type: ignore[misc]
    def __init__(self, logger: object, *, verbose: bool) -> None:
        self.threshold = self.inputs.threshold.get()


class PassingOn(panoramasdk.node):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.threshold = self.inputs.threshold.get()


@pytest.mark.parametrize(
    "make",
    [Silent, Polite, lambda: WithArguments(object(), verbose=True), lambda: PassingOn(1, key=2)],
    ids=["no super", "super", "arguments", "arguments passed on"],
)
def test_ports_are_missing_in_a_subclass(host: Host, make: Any) -> None:
    host.parameters = {"threshold": 12.5}
    host.attach()
    assert make().threshold == 12.5


def test_a_second_node_has_other_ports(host: Host) -> None:
    host.attach()
    first, second = panoramasdk.node(), panoramasdk.node()
    assert first.inputs.video_in is second.inputs.video_in
    assert first.outputs.video_out is second.outputs.video_out


def test_a_port_without_an_edge_is_not_there(host: Host) -> None:
    host.outputs = {"video_out": False}
    host.attach()
    node = panoramasdk.node()
    assert hasattr(node.inputs, "video_in")
    assert hasattr(node.outputs, "video_out")


def test_a_port_that_is_not_declared_seems_to_be_there(host: Host) -> None:
    host.parameters = {"threshold": 1}
    host.attach()
    node = panoramasdk.node()
    assert not hasattr(node.inputs, "thresh")
    with pytest.raises(AttributeError, match="no input port 'thresh'; it has: threshold, video_in"):
        _ = node.inputs.thresh


def test_a_process_that_vedette_did_not_start_gets_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VEDETTE_HOST_FD", raising=False)
    with pytest.raises(RuntimeError, match="vedette run"):
        panoramasdk.node()


def test_the_public_names_differ_from_the_appliances() -> None:
    assert panoramasdk.__all__ == ["TimeoutException", "media", "node", "port"]
    assert issubclass(panoramasdk.TimeoutException, TimeoutError)


def test_wrong_direction_is_accepted(host: Host) -> None:
    host.parameters = {"threshold": 1}
    host.attach()
    node = panoramasdk.node()
    with pytest.raises(ValueError, match="'video_out' is an output port"):
        node.outputs.video_out.get()
    for port in (node.inputs.video_in, node.inputs.threshold):
        with pytest.raises(ValueError, match="is an input port"):
            port.put([])
