"""The agreement on component updates: who wants to be told of a deployment, and who asks for it to wait.

A deployment that notifies sends ``preUpdateEvent`` to every subscriber and waits for their answers
(DeferComponentUpdate), at most the policy's time. The longest deferral is waited for, then all are asked again.
Source: the Java nucleus's ``UpdateSystemPolicyService.java`` and ``LifecycleIPCEventStreamAgent.java``.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from vedette.nucleus.ipc.call import Call, EventStream, Operation
from vedette.nucleus.ipc.errors import InvalidArgumentsError, ServiceError
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import integer, text

__all__ = ["ComponentUpdates"]

_log = logging.getLogger(__name__)


class ComponentUpdates:
    """Subscriptions to component updates and the answers to them. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._streams: dict[EventStream, str] = {}
        self._answers: dict[tuple[str, str], asyncio.Future[int]] = {}

    def operations(self) -> Mapping[str, Operation]:
        """Return SubscribeToComponentUpdates and DeferComponentUpdate."""
        return {
            "SubscribeToComponentUpdates": Operation(self._subscribe, event_shape="ComponentUpdatePolicyEvents"),
            "DeferComponentUpdate": Operation(self._defer),
        }

    async def agree(self, deployment_id: str, timeout_s: float) -> None:
        """Return when no subscriber asks for more time; at once when there are none."""
        while self._streams:
            pause_ms = await self._ask(deployment_id, timeout_s)
            if pause_ms <= 0:
                break
            _log.info("deployment %s waits %d ms: a component asked for it", deployment_id, pause_ms)
            await asyncio.sleep(pause_ms / 1000)

    def done(self, deployment_id: str) -> None:
        """Tell every subscriber that the update is over, or that it will not come."""
        self._tell({"postUpdateEvent": {"deploymentId": deployment_id}})

    async def _ask(self, deployment_id: str, timeout_s: float) -> int:
        """Return the longest time, in ms, that a subscriber asks for."""
        loop = asyncio.get_running_loop()
        self._answers = {(name, deployment_id): loop.create_future() for name in self._streams.values()}
        waiting = list(self._answers.values())
        self._tell({"preUpdateEvent": {"deploymentId": deployment_id, "isGgcRestarting": False}})
        try:
            done, late = await asyncio.wait(waiting, timeout=timeout_s)
        finally:
            self._answers = {}
        if late:
            _log.warning("deployment %s goes on: %d components did not answer in time", deployment_id, len(late))
        return max((future.result() for future in done if not future.cancelled()), default=0)

    def _tell(self, event: dict[str, Any]) -> None:
        payload = to_json(event)
        for stream in list(self._streams):
            stream.send(payload)

    def _subscribe(self, call: Call) -> dict[str, Any]:
        self._streams[call.stream] = call.component
        call.stream.on_close(lambda: self._unsubscribe(call.stream))
        return {}

    def _unsubscribe(self, stream: EventStream) -> None:
        name = self._streams.pop(stream, None)
        if name is not None and name not in self._streams.values():
            # Nobody is left who could answer.
            for (asked, _), answer in self._answers.items():
                if asked == name:
                    answer.cancel()

    def _defer(self, call: Call) -> dict[str, Any]:
        if call.component not in self._streams.values():
            raise InvalidArgumentsError("Component is not subscribed to component update events")
        deployment_id = text(call.request, "deploymentId")
        if deployment_id is None:
            raise InvalidArgumentsError("Cannot defer the update, the deployment ID provided was null")
        answer = self._answers.get((call.component, deployment_id))
        if answer is None or answer.done():
            raise ServiceError("Time limit to respond to PreComponentUpdateEvent exceeded")
        message = text(call.request, "message")
        pause_ms = integer(call.request, "recheckAfterMs")
        if pause_ms:
            _log.info("%s asks deployment %s to wait %d ms: %s", call.component, deployment_id, pause_ms, message)
        answer.set_result(pause_ms or 0)
        return {}
