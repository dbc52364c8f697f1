"""What the page may change: parameters, cameras on and off, a fresh start. All of it through the instance's shadow.

The shadow is written here and read by the application's host (docs/ref/shadow.md), so what the page changes is seen in
the cloud, survives restarts, and takes the same way as a change made there. Blocking: to be called off the event loop.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple

from vedette.application.parameter import ParameterType, ParameterValue, ParameterValueError, coerce_parameter
from vedette.application.shadow import shadow_name
from vedette.bus import Bus, BusError
from vedette.health import ApplicationHealth, HealthDocument
from vedette_display.wire import Command

logger = logging.getLogger(__name__)

EFFECT_S: Final = 3.0
"""How long an answer waits for the host to say what became of the change."""
SETTLE_S: Final = 1.0
"""A rejection that stood there before the change is taken for an answer to it only after so long."""
_LOOK_S: Final = 0.1
_TYPES: Final[Mapping[str, ParameterType]] = {
    "string": "string", "int32": "int32", "float32": "float32", "boolean": "boolean",
}  # fmt: skip
_NOT_YET: Final = "Saved, but its host has not taken it yet; it will when it reads its shadow"


class Answer(NamedTuple):
    """What became of a command, in a sentence."""

    done: bool
    words: str


class Controls:
    """Carries out the page's commands on one thing's shadows. ``document`` tells the present."""

    def __init__(
        self,
        bus: Bus,
        document: Callable[[], HealthDocument],
        thing: str,
        *,
        effect_s: float = EFFECT_S,
        stop: threading.Event | None = None,
    ) -> None:
        self._bus = bus
        self._document = document
        self._thing = thing
        self._effect_s = effect_s
        self._stop = stop or threading.Event()

    def carry_out(self, command: Command) -> Answer:
        """Write the change and wait for its effect, ``effect_s`` at most."""
        document = self._document()
        application = next((a for a in document.applications if a.instance == command.instance), None)
        if application is None:
            return Answer(False, f"There is no application {command.instance!r} here now")
        try:
            if command.action == "set":
                return self._set(application, command)
            if command.action == "restart":
                return self._restart(application)
            return self._signal(application, document, command)
        except BusError as error:
            logger.warning("a change of %s was not made: %s", command.instance, error)
            return Answer(False, f"The nucleus did not take the change: {error}")

    def _set(self, application: ApplicationHealth, command: Command) -> Answer:
        parameter = next((p for p in application.parameters if command.node in (p.node, p.name) and p.node), None)
        if parameter is None:
            return Answer(False, f"{application.instance} has no parameter {command.node!r} that can be set")
        value: ParameterValue | None = command.value
        if value is not None and parameter.type in _TYPES:
            try:
                value = coerce_parameter(_TYPES[parameter.type], value)
            except ParameterValueError as error:
                return Answer(False, f"{parameter.title or parameter.name} {error}")
        logger.info("the page sets parameter %s of %s", parameter.node, application.instance)
        name = parameter.title or parameter.name
        return self._change(
            application.instance,
            {"parameters": {parameter.node: value}},
            f"parameters.{parameter.node}",
            lambda reported: _took(reported, parameter.node, value),
            f"{name} is set" if value is not None else f"{name} is the deployment's own again",
        )

    def _restart(self, application: ApplicationHealth) -> Answer:
        asked = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        logger.info("the page restarts %s", application.instance)
        return self._change(
            application.instance,
            {"restart": asked},
            "restart",
            lambda reported: reported.get("restart") == asked,
            f"{application.instance} starts anew",
        )

    def _signal(self, application: ApplicationHealth, document: HealthDocument, command: Command) -> Answer:
        camera = next((c for c in document.cameras if c.camera_id == command.camera_id), None)
        used = {camera_id for ids in application.cameras.values() for camera_id in ids}
        if camera is None or camera.camera_id not in used:
            return Answer(False, f"{application.instance} has no camera {command.camera_id!r}")
        signal = "PAUSE" if command.action == "pause" else "RESUME"
        logger.info("the page signals %s to camera %s of %s", signal, camera.name, application.instance)
        return self._change(
            application.instance,
            {"cameras": {camera.name: signal}},
            f"cameras.{camera.name}",
            lambda reported: (reported.get("cameras") or {}).get(camera.name) == signal,
            f"{camera.name} is paused for {application.instance}" if signal == "PAUSE" else f"{camera.name} goes on",
        )

    def _reported(self, instance: str) -> Mapping[str, Any]:
        shadow = self._bus.get_shadow(self._thing, shadow_name(instance)) or {}
        return (shadow.get("state") or {}).get("reported") or {}

    def _change(
        self,
        instance: str,
        desired: Mapping[str, Any],
        entry: str,
        took: Callable[[Mapping[str, Any]], bool],
        done: str,
    ) -> Answer:
        """Write to the shadow and wait until the host reports the entry as taken or rejected."""
        before = _rejection(self._reported(instance), entry)
        self._bus.update_shadow(self._thing, shadow_name(instance), {"state": {"desired": dict(desired)}})
        began = time.monotonic()
        while True:
            reported = self._reported(instance)
            passed_s = time.monotonic() - began
            reason = _rejection(reported, entry)
            if reason and (reason != before or passed_s >= SETTLE_S):
                return Answer(False, f"{instance} does not take it: {reason}")
            if not reason and took(reported):
                return Answer(True, done)
            if passed_s >= self._effect_s or self._stop.wait(_LOOK_S):
                return Answer(True, f"{_NOT_YET} ({instance})")


def _rejection(reported: Mapping[str, Any], entry: str) -> str:
    return str((reported.get("rejected") or {}).get(entry) or "")


def _took(reported: Mapping[str, Any], node: str, value: ParameterValue | None) -> bool:
    if value is None:
        return bool((reported.get("origins") or {}).get(node, "shadow") != "shadow")
    known = (reported.get("parameters") or {}).get(node)
    # Equal and of one kind: True == 1 in Python, but not for an application.
    return bool(known == value) and isinstance(known, bool) == isinstance(value, bool)
