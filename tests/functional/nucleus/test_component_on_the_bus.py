"""A component with the real SDK client under the whole nucleus: token, policies, topics, configuration, reports."""

import sys
import threading

from .conftest import Bench

COMPONENT = """
import sys, threading
from vedette.bus import Unauthorized, connect
bus = connect()
changed = threading.Event()
bus.watch_configuration(changed.set)
bus.subscribe("test/ask", lambda topic, payload: bus.publish("test/answer", payload[::-1]))
try:
    bus.publish("test/forbidden", b"x")
except Unauthorized:
    bus.publish("test/refused", b"x")
bus.report_running()
bus.publish("test/up", str(bus.get_configuration()["level"]).encode())
changed.wait(30)
bus.publish("test/changed", str(bus.get_configuration()["level"]).encode())
bus.lost.wait(60)
sys.exit(3)
"""
POLICY = {
    "aws.greengrass.ipc.pubsub": {
        "a:pubsub:1": {
            "operations": ["aws.greengrass#PublishToTopic"],
            "resources": ["test/answer", "test/refused", "test/up", "test/changed", "test/{iot:thingName}"],
        },
        "a:pubsub:2": {"operations": ["aws.greengrass#SubscribeToTopic"], "resources": ["test/ask"]},
    }
}


class Heard:
    """Messages on ``test/#``, by topic."""

    def __init__(self) -> None:
        self._messages: dict[str, bytes] = {}
        self._arrived = threading.Condition()

    def __call__(self, topic: str, payload: bytes, source: str) -> None:
        with self._arrived:
            self._messages[topic] = payload
            self._arrived.notify_all()

    def wait(self, topic: str) -> bytes:
        with self._arrived:
            assert self._arrived.wait_for(lambda: topic in self._messages, 20), f"{topic} not in {self._messages}"
            return self._messages[topic]


def test_a_component_and_the_nucleus_do_not_understand_one_another(bench: Bench) -> None:
    script = bench.root / "component.py"
    script.write_text(COMPONENT)
    bench.recipe(
        "a",
        {"run": f"exec {sys.executable} {script}"},
        configuration={"level": "INFO", "accessControl": POLICY},
    )
    heard = Heard()
    bench.nucleus.broker.subscribe("test/#", heard)
    bench.deploy("a")
    assert heard.wait("test/up") == b"INFO"
    assert heard.wait("test/refused") == b"x"
    bench.nucleus.broker.publish("test/ask", b"hello", "bench")
    assert heard.wait("test/answer") == b"olleh"
    bench.deploy("a", a={"level": "DEBUG"})
    assert heard.wait("test/changed") == b"DEBUG"
    assert bench.heard.states("a") == ["INSTALLED", "STARTING", "RUNNING"]
