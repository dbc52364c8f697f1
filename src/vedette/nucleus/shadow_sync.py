"""Keeps shadows of this machine and of AWS IoT the same, over the shadow's MQTT topics.

Whatever happens on either side asks for the same thing: read the cloud's shadow, merge it with ours and with what both
had when they last agreed, write to each side what it lacks. A conflict is the cloud's in ``desired`` and the device's
in ``reported``, as in AWS's shadow manager. While there is no connection both sides go on; they are merged afterwards.
"""

import asyncio
import itertools
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.errors import IpcRefusal
from vedette.nucleus.ipc.iot_core import CarrierError, IotCore, IotMessage
from vedette.nucleus.ipc.shadow_service import ShadowService, topic_prefix
from vedette.nucleus.shadow_document import SECTIONS
from vedette.nucleus.shadow_merge import ABSENT, merged, patch
from vedette.nucleus.shadows import ShadowStore
from vedette.whole_files import write_whole

__all__ = ["ShadowSync"]

_log = logging.getLogger(__name__)

CLASSIC: Final = "classic"
"""How the shadow without a name is called in options."""
_ANSWER_S: Final = 15.0
_RETRY_S: Final = 5.0
_MISSING: Final = 404
_CONFLICT: Final = 409
_SECTION_OWNER: Final = {"desired": True, "reported": False}


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class ShadowSync:
    """Synchronises some shadows of one thing. Belongs to the event loop's thread."""

    def __init__(
        self,
        thing: str,
        names: Sequence[str],
        *,
        store: ShadowStore,
        shadows: ShadowService,
        broker: Broker,
        iot_core: IotCore,
        path: Path | None = None,
    ) -> None:
        """Prepare; ``start`` begins.

        :param names: names of shadows; ``classic`` or an empty text is the one without a name
        :param path: file that keeps what both sides last agreed on
        """
        self._thing = thing
        self._shadows = [_One(self, "" if name == CLASSIC else name) for name in dict.fromkeys(names)]
        self.store = store
        self.service = shadows
        self.connected = False
        self._broker = broker
        self.iot_core = iot_core
        self._path = path
        self.agreed: dict[str, Any] = {} if path is None else _read(path)
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], None]] = []

    @property
    def thing(self) -> str:
        """Return the thing's name."""
        return self._thing

    def start(self) -> None:
        """Begin; the first synchronisation comes with the first connection."""
        loop = asyncio.get_running_loop()
        for shadow in self._shadows:
            prefix = topic_prefix(self._thing, shadow.name)

            def changed(_topic: str, _payload: bytes, _source: str, wake: Callable[[], None] = shadow.wake) -> None:
                loop.call_soon_threadsafe(wake)

            for suffix in ("update/accepted", "delete/accepted"):
                self._closers.append(self._broker.subscribe(f"{prefix}/{suffix}", changed))
            self._tasks.append(loop.create_task(shadow.run()))

    def connection_changed(self, *, connected: bool) -> None:
        """Look at everything when a connection is there again; wait for nothing when it has gone."""
        self.connected = connected
        for shadow in self._shadows:
            if connected:
                shadow.wake()
            else:
                shadow.give_up()

    def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        for close in self._closers:
            close()

    def agree(self, name: str, state: Mapping[str, Any] | None) -> None:
        """Keep what both sides have now; None: neither has the shadow."""
        if state is None:
            self.agreed.pop(name, None)
        else:
            self.agreed[name] = state
        if self._path is not None:
            _write(self._path, self.agreed)


class _One:
    """One shadow."""

    def __init__(self, sync: ShadowSync, name: str) -> None:
        self.name = name
        self._sync = sync
        self._woken = asyncio.Event()
        self._woken.set()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._token = os.urandom(6).hex()

    def wake(self) -> None:
        """Synchronise soon."""
        self._woken.set()

    def give_up(self) -> None:
        """Wait no more for answers that cannot come."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(CarrierError("the connection has gone"))

    async def run(self) -> None:
        """Synchronise whenever something happened, until this is cancelled."""
        closers: list[Callable[[], None]] = []
        prefix = topic_prefix(self._sync.thing, self.name)
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                if not self._sync.connected:
                    continue  # the connection wakes it
                try:
                    for outcome in ("accepted", "rejected")[len(closers) :]:
                        closers.append(await self._sync.iot_core.listen(f"{prefix}/+/{outcome}", self._hear))  # noqa: PERF401
                    await self.run_once()
                except _Refused as refusal:
                    if refusal.code == _CONFLICT:
                        self._woken.set()
                    else:
                        _log.warning("shadow %s: the cloud refuses: %s", self.name or CLASSIC, refusal)
                except (CarrierError, asyncio.TimeoutError) as error:
                    _log.info("shadow %s is not synchronised yet: %s", self.name or CLASSIC, error or "no answer")
                    if self._sync.connected:
                        await asyncio.sleep(_RETRY_S)
                        self._woken.set()
                except IpcRefusal as refusal:
                    _log.warning("shadow %s: what the cloud has is refused here: %s", self.name or CLASSIC, refusal)
        finally:
            for close in closers:
                close()

    async def run_once(self) -> None:
        """Make both sides the same.

        :raises CarrierError, TimeoutError: if the cloud cannot be reached
        :raises _Refused: if the cloud refuses
        """
        cloud, version = await self._cloud()
        local = self._local()
        base = self._sync.agreed.get(self.name)
        if base is not None and (cloud is None) != (local is None):
            left = local if cloud is None else cloud
            wanted = None if left == base else left
        else:
            wanted = _merge(base, local, cloud)
        await self._to_cloud(cloud, wanted, version)
        now = self._local()
        if now != local:
            # Something changed here while the cloud answered: it stays, and goes out with the next round.
            target = _merge(local, now, wanted)
            self._woken.set()
        else:
            target = wanted
        self._to_local(now, target)
        self._sync.agree(self.name, wanted)

    def _local(self) -> dict[str, Any] | None:
        document = self._sync.store.get(self._sync.thing, self.name)
        return None if document is None else {key: document.state[key] for key in SECTIONS if document.state.get(key)}

    async def _cloud(self) -> tuple[dict[str, Any] | None, int | None]:
        try:
            document = await self._ask("get", {})
        except _Refused as refusal:
            if refusal.code != _MISSING:
                raise
            return None, None
        state = document.get("state") or {}
        return {key: state[key] for key in SECTIONS if state.get(key)}, document.get("version")

    async def _to_cloud(
        self, cloud: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None, version: int | None
    ) -> None:
        if wanted is None:
            if cloud is not None:
                await self._ask("delete", {})
            return
        change = patch(cloud, wanted)
        if change is not None or cloud is None:
            body: dict[str, Any] = {"state": change or {}}
            if version is not None:
                body["version"] = version
            await self._ask("update", body)

    def _to_local(self, local: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> None:
        service, thing = self._sync.service, self._sync.thing
        if wanted is None:
            if local is not None:
                service.delete(thing, self.name)
            return
        change = patch(local, wanted)
        if change is not None or local is None:
            service.update(thing, self.name, json.dumps({"state": change or {}}).encode())

    async def _ask(self, request: str, body: Mapping[str, Any]) -> dict[str, Any]:
        token = f"vedette-{self._token}-{next(self._numbers)}"
        answer = self._answers[token] = asyncio.get_running_loop().create_future()
        topic = f"{topic_prefix(self._sync.thing, self.name)}/{request}"
        try:
            self._sync.iot_core.carrier.publish(
                IotMessage(topic, json.dumps({**body, "clientToken": token}).encode(), qos=1)
            )
            return await asyncio.wait_for(answer, _ANSWER_S)
        finally:
            self._answers.pop(token, None)

    def _hear(self, message: IotMessage) -> None:
        try:
            document = json.loads(message.payload)
        except ValueError:
            return
        token = document.get("clientToken") if isinstance(document, dict) else None
        what, _, outcome = message.topic.rpartition("/shadow")[2].rpartition("/")
        answer = self._answers.get(str(token))
        if answer is not None and not answer.done():
            if outcome == "accepted":
                answer.set_result(document)
            else:
                answer.set_exception(_Refused(int(document.get("code") or 500), str(document.get("message"))))
        elif outcome == "accepted" and not what.endswith("/get"):
            self.wake()


def _merge(base: Any, local: Any, cloud: Any) -> dict[str, Any] | None:
    """Return the state that both sides should have, None when neither has the shadow."""
    if local is None and cloud is None:
        return None
    sides = [side or {} for side in (base, local, cloud)]
    values = {
        section: merged(*(side.get(section, ABSENT) for side in sides), cloud_wins=_SECTION_OWNER[section])
        for section in SECTIONS
    }
    return {section: value for section, value in values.items() if value is not ABSENT}


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        return document if isinstance(document, dict) else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.warning("%s cannot be read (%s): shadows are merged as if they had never agreed", path, error)
        return {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, json.dumps(document).encode())
    except OSError as error:
        _log.warning("%s cannot be written: %s", path, error.strerror)
