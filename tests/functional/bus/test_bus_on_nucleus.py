"""The components' client over the real SDK, against the local nucleus in another process."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vedette.bus import Bus, BusError, BusLost, NotFound, NotSupported, Refused, Unauthorized
from vedette.bus.greengrass import connect_to_nucleus


def record(bus: Bus, topic_filter: str) -> "queue.SimpleQueue[tuple[str, bytes]]":
    heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    bus.subscribe(topic_filter, lambda topic, payload: heard.put((topic, payload)))
    return heard


def test_message_is_lost_or_changed_on_the_way(buses: dict[str, Bus]) -> None:
    heard, own = record(buses["two"], "vedette/+/status"), record(buses["one"], "vedette/+/status")
    buses["one"].publish("vedette/x/status", b"\x00\xff{}")
    assert heard.get(timeout=20) == ("vedette/x/status", b"\x00\xff{}")
    assert own.get(timeout=20) == ("vedette/x/status", b"\x00\xff{}")


def test_handlers_run_in_parallel_or_out_of_order(buses: dict[str, Bus]) -> None:
    threads: set[int] = set()
    numbers: list[int] = []
    done = threading.Event()

    def handle(_topic: str, payload: bytes) -> None:
        threads.add(threading.get_ident())
        numbers.append(int(payload))
        if payload == b"199":
            done.set()

    buses["two"].subscribe("n/+", handle)
    for number in range(200):
        buses["one"].publish("n/x", str(number).encode())
    assert done.wait(10)
    assert numbers == list(range(200))
    assert len(threads) == 1


def test_handler_cannot_call_the_bus(buses: dict[str, Bus]) -> None:
    answers = record(buses["one"], "answer")
    buses["two"].subscribe("question", lambda _topic, payload: buses["two"].publish("answer", payload * 2))
    buses["one"].publish("question", b"x")
    assert answers.get(timeout=20) == ("answer", b"xx")


def test_closed_subscription_loses_the_bus(buses: dict[str, Bus]) -> None:
    subscription = buses["one"].subscribe("t", lambda _topic, _payload: None)
    subscription.close()
    buses["one"].publish("t", b"")
    assert not buses["one"].lost.is_set()


def test_missing_policy_is_not_told(buses: dict[str, Bus]) -> None:
    bus = buses["narrow"]
    asks: list[Callable[[], object]] = [
        lambda: bus.publish("t", b""),
        lambda: bus.subscribe("t", lambda _topic, _payload: None),
        lambda: bus.get_secret("cam"),
        lambda: bus.get_shadow("bench-1", "s"),
    ]
    for ask in asks:
        with pytest.raises(Unauthorized, match="Principal narrow is not authorized to perform"):
            ask()
    assert not bus.lost.is_set()


def test_wildcard_topic_is_published(buses: dict[str, Bus]) -> None:
    with pytest.raises(Refused, match="must not contain a wildcard"):
        buses["one"].publish("a/+", b"")


def test_secret_is_not_found_by_name(buses: dict[str, Bus]) -> None:
    assert buses["one"].get_secret("cam") == "hunter2"
    with pytest.raises(NotFound, match="Secret not configured other"):
        buses["one"].get_secret("other")


def test_shadow_comes_back_otherwise(buses: dict[str, Bus]) -> None:
    bus = buses["one"]
    assert bus.get_shadow("bench-1", "s") is None
    deltas = record(buses["two"], "$aws/things/bench-1/shadow/name/s/update/delta")
    accepted = bus.update_shadow("bench-1", "s", {"state": {"desired": {"fps": 5}}})
    assert accepted["version"] == 1
    assert b'"state":{"fps":5}' in deltas.get(timeout=20)[1]
    bus.update_shadow("bench-1", "s", {"state": {"reported": {"fps": 4}}})
    shadow = bus.get_shadow("bench-1", "s")
    assert shadow is not None
    assert shadow["state"] == {"desired": {"fps": 5}, "reported": {"fps": 4}, "delta": {"fps": 5}}


def test_configuration_change_goes_unnoticed(buses: dict[str, Bus], nucleus_process: Any) -> None:
    bus = buses["one"]
    assert bus.get_configuration(["camera"]) == {"fps": 5}
    assert bus.get_configuration(["camera", "fps"], "two") == {"fps": 5}
    with pytest.raises(NotFound):
        bus.get_configuration(["nothing"])
    changed: queue.SimpleQueue[object] = queue.SimpleQueue()
    bus.watch_configuration(lambda: changed.put(bus.get_configuration(["logLevel"])))
    nucleus_process.ask("configure one logLevel DEBUG")
    assert changed.get(timeout=20) == {"logLevel": "DEBUG"}


def test_report_does_not_reach_the_nucleus(buses: dict[str, Bus], nucleus_process: Any) -> None:
    buses["two"].report_running()
    assert nucleus_process.ask("states") == '[["two", "RUNNING"]]'


def test_killed_nucleus_is_not_noticed(buses: dict[str, Bus], nucleus_process: Any) -> None:
    record(buses["one"], "t")
    nucleus_process.kill()
    assert buses["one"].lost.wait(20)
    with pytest.raises(BusLost):
        buses["one"].publish("t", b"")


def test_revoked_token_keeps_its_connection(buses: dict[str, Bus], nucleus_process: Any) -> None:
    nucleus_process.ask("revoke one")
    assert buses["one"].lost.wait(20)
    assert not buses["two"].lost.is_set()
    with pytest.raises(Unauthorized, match="must be started anew"):
        connect_to_nucleus(5, nucleus_process.environments["one"])


def test_closing_counts_as_losing(nucleus_process: Any) -> None:
    bus = connect_to_nucleus(5, nucleus_process.environments["one"])
    record(bus, "t")
    bus.close()
    assert not bus.lost.is_set()
    with pytest.raises(BusLost):
        bus.publish("t", b"")


def test_process_started_by_hand_gets_a_riddle(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="SVCUID not set: components are started by a Greengrass nucleus"):
        connect_to_nucleus(1, {})
    environment = {"SVCUID": "X", "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(tmp_path / "no.socket")}
    with pytest.raises(BusLost, match="no nucleus at"):
        connect_to_nucleus(1, environment)


def test_operation_that_the_nucleus_lacks_looks_like_a_failure(buses: dict[str, Bus]) -> None:
    from awsiot.greengrasscoreipc import model

    from vedette.bus.greengrass import GreengrassBus

    bus = buses["one"]
    assert isinstance(bus, GreengrassBus)
    with pytest.raises(NotSupported, match="does not offer it: the list"):
        bus._call(bus._client.new_list_components, model.ListComponentsRequest(), "the list")


COMPONENT = """
import sys, threading
from vedette.bus.component import run_component

def main(bus, stop):
    bus.subscribe("ping", lambda topic, payload: bus.publish("pong", payload))
    print("ready", flush=True)
    stop.wait(30)

sys.exit(run_component(main, name="one"))
"""


def start_component(nucleus_process: Any, folder: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, **nucleus_process.environments["one"]}
    process = subprocess.Popen(
        [sys.executable, "-c", COMPONENT], env=environment, stdout=subprocess.PIPE, text=True, cwd=folder
    )
    assert process.stdout is not None
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    return process


def test_component_process_does_not_answer_or_stop(nucleus_process: Any, tmp_path: Path) -> None:
    process = start_component(nucleus_process, tmp_path)
    bus = connect_to_nucleus(5, nucleus_process.environments["two"])
    heard = record(bus, "pong")
    bus.publish("ping", b"1")
    assert heard.get(timeout=20) == ("pong", b"1")
    bus.close()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert "was asked to stop (SIGTERM)" in out


def test_component_outlives_its_nucleus(nucleus_process: Any, tmp_path: Path) -> None:
    process = start_component(nucleus_process, tmp_path)
    nucleus_process.kill()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 3, out
    assert "Traceback" not in out
