"""A shadow on a nucleus without shadows (over MQTT) and on one with: converges, works offline, does not loop."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually
from vedette.application.desired import merged
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.shadows import ShadowKeeper, ShadowState

THING = "core-1"
NAME = "vedette-app"
TOPIC = f"$aws/things/{THING}/shadow/name/{NAME}"


class IotShadow:
    """AWS IoT's side of one shadow over MQTT."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.state: dict[str, Any] | None = None
        self.version = 0
        self.online = True
        self.updates = 0
        self._broker = broker
        broker.cloud = self._serve

    def desire(self, **desired: Any) -> None:
        """Edit it, as boto3 does; a device that is offline does not hear of it."""
        self._update({"desired": desired})

    def delete(self) -> None:
        self.state = None
        self._tell("delete/accepted", {"version": self.version})

    def _serve(self, topic: str, payload: bytes) -> None:
        if not self.online:
            return
        if topic == f"{TOPIC}/update":
            self.updates += 1
            self._update(json.loads(payload)["state"])
        elif self.state is None:
            self._tell("get/rejected", {"code": 404, "message": "No shadow exists with name"})
        else:
            self._tell("get/accepted", {"state": self.state, "version": self.version})

    def _update(self, state: dict[str, Any]) -> None:
        self.state = merged(self.state or {}, state)
        self.version += 1
        reported = self.state.get("reported", {})
        desired = self.state.get("desired", {})
        delta = {key: value for key, value in desired.items() if reported.get(key) != value}
        if delta:
            self._tell("update/delta", {"state": delta, "version": self.version})
        self._tell("update/accepted", {"state": state, "version": self.version})

    def _tell(self, what: str, document: dict[str, Any]) -> None:
        if self.online:
            self._broker.deliver_from_cloud(f"{TOPIC}/{what}", json.dumps(document).encode())


class Rig:
    def __init__(self, folder: Path) -> None:
        self.broker = MemoryBroker()
        self.broker.has_shadows = False
        self.iot = IotShadow(self.broker)
        self.bus = MemoryBus(self.broker, "host")
        self.cache = folder / "shadow.json"
        self.heard: list[ShadowState | None] = []
        self.keeper: ShadowKeeper | None = None

    def start(self, refresh_s: float = 60.0) -> ShadowKeeper:
        self.stop()
        self.keeper = ShadowKeeper(
            self.bus, THING, NAME, on_state=self.heard.append, cache=self.cache, refresh_s=refresh_s
        )
        self.keeper.start()
        return self.keeper

    def stop(self) -> None:
        if self.keeper is not None:
            self.keeper.close()
        self.heard.clear()

    @property
    def desired(self) -> object:
        state = self.heard[-1] if self.heard else None
        return None if state is None else state.desired


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.stop()
    made.bus.close()


def test_an_edit_in_the_cloud_is_not_heard(rig: Rig) -> None:
    rig.iot.desire(limit=3)
    keeper = rig.start()
    eventually(lambda: rig.desired == {"limit": 3}, "what stands there at the start")
    keeper.report({"limit": 3})
    eventually(lambda: (rig.iot.state or {}).get("reported") == {"limit": 3}, "the report")
    rig.iot.desire(limit=5, zone="A")
    eventually(lambda: rig.desired == {"limit": 5, "zone": "A"}, "the edit")
    rig.iot.desire(zone=None)
    eventually(lambda: rig.desired == {"limit": 5}, "an entry that is taken away makes no delta")


def test_a_start_without_a_connection_forgets_the_settings(rig: Rig) -> None:
    rig.iot.desire(limit=3)
    rig.start()
    eventually(lambda: rig.desired == {"limit": 3}, "the first start")
    eventually(rig.cache.exists, "the copy")
    assert rig.cache.stat().st_mode & 0o777 == 0o600
    rig.iot.online = False
    rig.start()
    eventually(lambda: rig.desired == {"limit": 3}, "the start without a connection")


def test_edits_made_while_offline_are_lost(rig: Rig) -> None:
    rig.iot.desire(limit=1)
    keeper = rig.start(refresh_s=0.2)
    eventually(lambda: rig.desired == {"limit": 1}, "the start")
    rig.iot.online = False
    rig.iot.desire(limit=2)
    rig.iot.desire(limit=3)
    keeper.report({"limit": 1})
    rig.iot.online = True
    eventually(lambda: rig.desired == {"limit": 3}, "the newest edit counts after the connection is back")
    keeper.report({"limit": 3})
    eventually(lambda: (rig.iot.state or {}).get("reported") == {"limit": 3}, "the report after it")


def test_a_deleted_shadow_counts_on(rig: Rig) -> None:
    rig.iot.desire(limit=1)
    keeper = rig.start()
    eventually(lambda: rig.desired == {"limit": 1}, "the start")
    keeper.report({"limit": 1})
    eventually(lambda: rig.iot.updates == 1, "the first report")
    rig.iot.delete()
    eventually(lambda: None in rig.heard, "the deletion")
    eventually(lambda: (rig.iot.state or {}).get("reported") == {"limit": 1}, "a new shadow with the report")


def test_the_keeper_and_the_shadow_go_round_in_circles(rig: Rig) -> None:
    rig.iot.desire(limit="wrong")
    keeper = rig.start()
    eventually(lambda: rig.heard, "the start")
    for _ in range(20):
        keeper.report({"limit": 1, "rejected": {"limit": "takes a number"}})
        rig.iot.desire(limit="wrong")
    keeper.report({"limit": 2, "rejected": {}})
    eventually(lambda: (rig.iot.state or {}).get("reported", {}).get("limit") == 2, "the last report")
    updates = rig.iot.updates
    threading.Event().wait(0.3)
    assert rig.iot.updates == updates
    assert updates <= 4


def test_a_message_that_was_overtaken_brings_the_old_value_back(rig: Rig) -> None:
    rig.iot.desire(limit=1)
    rig.start()
    eventually(lambda: rig.desired == {"limit": 1}, "the start")
    rig.iot.desire(limit=2)
    rig.iot.desire(limit=3)
    eventually(lambda: rig.desired == {"limit": 3}, "the edits")
    late = {"state": {"desired": {"limit": 2}}, "version": rig.iot.version - 1}
    rig.broker.deliver_from_cloud(f"{TOPIC}/get/accepted", json.dumps(late).encode())
    marker = threading.Event()
    rig.bus.subscribe("marker", lambda _topic, _payload: marker.set())
    rig.bus.publish("marker", b"")
    assert marker.wait(20)
    assert rig.desired == {"limit": 3}


def test_what_cannot_be_read_ends_the_keeper(rig: Rig) -> None:
    rig.iot.desire(limit=1)
    rig.start()
    eventually(lambda: rig.desired == {"limit": 1}, "the start")
    for what in ("get/accepted", "update/accepted", "update/delta", "update/rejected", "get/rejected"):
        for payload in (b"", b"[]", b"{}", b'{"state": 5}', b'{"state": {"desired": 7}, "version": "x"}'):
            rig.broker.deliver_from_cloud(f"{TOPIC}/{what}", payload)
    rig.iot.desire(limit=9)
    eventually(lambda: isinstance(rig.desired, dict) and rig.desired.get("limit") == 9, "the next edit")


def test_the_shadow_manager_is_passed_by(rig: Rig) -> None:
    rig.broker.has_shadows = True
    with MemoryBus(rig.broker, "page") as page:
        page.update_shadow(THING, NAME, {"state": {"desired": {"limit": 4}}})
        keeper = rig.start()
        eventually(lambda: rig.desired == {"limit": 4}, "the start")
        keeper.report({"limit": 4})
        page.update_shadow(THING, NAME, {"state": {"desired": {"limit": 6}}})
        eventually(lambda: rig.desired == {"limit": 6}, "the edit of the page")
        shadow: Callable[[], Any] = lambda: page.get_shadow(THING, NAME)  # noqa: E731
        eventually(lambda: shadow()["state"].get("reported") == {"limit": 4}, "the report")
        page.delete_shadow(THING, NAME)
        eventually(lambda: None in rig.heard, "the deletion")
        eventually(lambda: (shadow() or {"state": {}})["state"].get("reported") == {"limit": 4}, "the report again")
    assert rig.iot.updates == 0
