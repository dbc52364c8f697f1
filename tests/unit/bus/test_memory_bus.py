"""The bus for tests of components behaves as the real one does."""

import queue
import threading

import pytest

from vedette.bus import MAX_BYTES, Bus, BusLost, NotFound, Refused
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.bus.topics import matches
from vedette.messages import MAX_BYTES as MESSAGE_MAX_BYTES


def test_buses_of_one_broker_do_not_hear_each_other() -> None:
    broker = MemoryBroker()
    with MemoryBus(broker, "camera") as camera, MemoryBus(broker, "host") as host:
        bus: Bus = camera
        heard, own = host.record("vedette/camera/+/status"), camera.record("vedette/camera/#")
        bus.publish("vedette/camera/front/status", b"1")
        bus.publish("vedette/camera/front/demand", b"2")
        bus.publish("vedette/camera/back/status", b"3")
        assert [heard.get(timeout=20) for _ in range(2)] == [
            ("vedette/camera/front/status", b"1"),
            ("vedette/camera/back/status", b"3"),
        ]
        assert [own.get(timeout=20)[1] for _ in range(3)] == [b"1", b"2", b"3"]
        assert camera.published[1] == ("vedette/camera/front/demand", b"2")


def test_buses_of_two_brokers_hear_each_other() -> None:
    with MemoryBus() as one, MemoryBus() as other:
        heard = other.record("t")
        one.publish("t", b"one")
        other.publish("t", b"other")
        assert heard.get(timeout=20) == ("t", b"other")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("+/b", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", False),
        ("#", "a/b", True),
        ("a/+/c/#", "a/b/c/d", True),
        ("a/+/c/#", "a/b/x/d", False),
    ],
)
def test_filter_matches_wrong_topic(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_slow_handler_gets_the_oldest_message_or_loses_count() -> None:
    inside, go_on = threading.Event(), threading.Event()
    handled: list[bytes] = []
    done: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def slow(_topic: str, payload: bytes) -> None:
        inside.set()
        assert go_on.wait(20)
        handled.append(payload)
        if payload == b"9":
            done.put(payload)

    with MemoryBus(queue_messages=3) as bus:
        subscription = bus.subscribe("t", slow)
        bus.publish("t", b"0")
        assert inside.wait(20)
        for number in range(1, 10):
            bus.publish("t", str(number).encode())
        go_on.set()
        done.get(timeout=5)
        assert handled == [b"0", b"7", b"8", b"9"]
        assert subscription.dropped == 6


def read_number(_topic: str, payload: bytes) -> None:
    int(payload)


def test_failing_handler_ends_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    with MemoryBus() as bus:
        bus.subscribe("t", read_number)
        heard = bus.record("t")
        bus.publish("t", b"no number")
        bus.publish("t", b"1")
        assert [heard.get(timeout=20)[1] for _ in range(2)] == [b"no number", b"1"]
    assert "handler of t failed" in caplog.text


def test_handler_may_not_publish_or_close() -> None:
    with MemoryBus() as bus:
        answers = bus.record("answer")

        def echo(_topic: str, payload: bytes) -> None:
            subscription.close()
            bus.publish("answer", payload)

        subscription = bus.subscribe("question", echo)
        bus.publish("question", b"1")
        assert answers.get(timeout=20) == ("answer", b"1")
        bus.publish("question", b"2")
        bus.publish("answer", b"end")
        assert answers.get(timeout=20) == ("answer", b"end")


def test_message_over_the_limit_is_sent() -> None:
    assert MAX_BYTES == MESSAGE_MAX_BYTES
    with MemoryBus() as bus:
        bus.publish("t", bytes(MAX_BYTES))
        with pytest.raises(ValueError, match="7001 bytes, the limit is 7000"):
            bus.publish("t", bytes(MAX_BYTES + 1))
        with pytest.raises(Refused, match="wildcard"):
            bus.publish("t/+", b"")


def test_configuration_of_another_component_cannot_be_read() -> None:
    broker = MemoryBroker()
    with (
        MemoryBus(broker, "a", configuration={"camera": {"fps": 5, "list": [1]}}) as bus,
        MemoryBus(broker, "b") as other,
    ):
        assert bus.get_configuration() == {"camera": {"fps": 5, "list": [1]}}
        assert bus.get_configuration(["camera", "fps"]) == {"fps": 5}
        assert other.get_configuration(["camera"], "a") == {"fps": 5, "list": [1]}
        with pytest.raises(NotFound):
            other.get_configuration(["camera"])
        with pytest.raises(NotFound):
            bus.get_configuration([], "nobody")


def test_change_of_configuration_goes_unnoticed() -> None:
    with MemoryBus(configuration={"fps": 5}) as bus:
        changed: queue.SimpleQueue[object] = queue.SimpleQueue()
        subscription = bus.watch_configuration(lambda: changed.put(bus.get_configuration(["fps"])["fps"]))
        bus.set_configuration({"fps": 6})
        assert changed.get(timeout=20) == 6
        subscription.close()
        bus.set_configuration({"fps": 7})
        probe = bus.record("probe")
        bus.publish("probe", b"")
        probe.get(timeout=5)
        assert changed.empty()


def test_secret_or_shadow_comes_out_wrong() -> None:
    with MemoryBus(secrets={"cam": "pw"}, shadows={("thing", "s"): {"desired": {"a": 1}}}) as bus:
        assert bus.get_secret("cam") == "pw"
        with pytest.raises(NotFound):
            bus.get_secret("other")
        assert bus.get_shadow("thing", "none") is None
        bus.update_shadow("thing", "s", {"state": {"reported": {"a": 1, "b": {"c": 2}}, "desired": {"a": None}}})
        shadow = bus.get_shadow("thing", "s")
        assert shadow == {"state": {"desired": {}, "reported": {"a": 1, "b": {"c": 2}}}, "version": 2}


def test_lost_bus_still_works() -> None:
    with MemoryBus() as bus:
        bus.report_running()
        assert bus.running_reports == 1
        bus.lose()
        assert bus.lost.is_set()
        with pytest.raises(BusLost):
            bus.publish("t", b"")
        with pytest.raises(BusLost):
            bus.report_running()
