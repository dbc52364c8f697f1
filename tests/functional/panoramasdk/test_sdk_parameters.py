"""Parameter ports: types, changes while the application runs."""

import threading

import panoramasdk
import pytest
from vedette_app_runtime import protocol

from .conftest import Host


@pytest.mark.parametrize("value", ["text", "", 7, 20.0, 0.1, True, False], ids=repr)
def test_a_value_changes_its_type_on_the_way(host: Host, value: object) -> None:
    host.parameters = {"p": value}
    host.attach()
    got = panoramasdk.node().inputs.p.get()
    assert got == value
    assert type(got) is type(value)


def test_a_changed_value_is_not_seen(host: Host) -> None:
    host.parameters = {"p": 1}
    runtime = host.attach()
    port = panoramasdk.node().inputs.p
    assert (port.get(), port.get(timeout=1)) == (1, 1)
    host.send(protocol.Parameter("p", 2))
    waited = threading.Event()
    for _ in range(500):
        if port.get() == 2 or waited.wait(0.01):
            break
    assert port.get() == 2
    assert runtime.activity.reads["p"] >= 3
    assert host.said(lambda p: isinstance(p, protocol.Report) and p.reads.get("p", 0) >= 3)


@pytest.mark.parametrize("text", ["ü" * 20_000, "人" * 50_000, "a\udc80" * 1000], ids=["long", "longest", "no UTF-8"])
def test_a_long_text_does_not_fit_into_the_hello(host: Host, text: str) -> None:
    host.parameters = {"p": text}
    host.attach()
    assert panoramasdk.node().inputs.p.get() == text
