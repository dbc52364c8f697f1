"""The health document, short enough for a message and a shadow, and when to tell it."""

import json
import os
import platform
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import vedette
from vedette.application.desired import state_bytes
from vedette.health import HealthDocument
from vedette.health.document import Part

TOPIC: Final = "vedette/health"
SHADOW: Final = "vedette:health"
MAX_BYTES: Final = 5_500
"""What nucleus lite passes on to the cloud in one message, with room for its envelope."""
REPEAT_S: Final = 5.0
"""On the topic."""
LEAST_S: Final = 5.0
"""Between two updates of the shadow."""
_AGES: Final = re.compile(r"\b\d+ (?:s|min)\b")
_LISTS: Final = ("components", "problems", "applications", "cameras", "models")
HEARTBEAT_S: Final = 900.0
"""The shadow is updated so often when nothing changes."""


def device_facts(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the device is: model, serial number, architecture, system, versions."""
    facts = {
        "model": _first("/proc/device-tree/model", "/sys/class/dmi/id/product_name"),
        "serial": _first("/proc/device-tree/serial-number", "/sys/class/dmi/id/product_serial"),
        "architecture": platform.machine(),
        "system": _system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "vedette": vedette.__version__,
        "nucleus": environ.get("GGC_VERSION", ""),
    }
    return {key: value for key, value in facts.items() if value}


def condensed(
    document: HealthDocument, device: Mapping[str, str], network: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the document without figures that change all the time, in at most MAX_BYTES: the worst first."""
    short: dict[str, Any] = {
        "schema": "vedette.health/1",
        "device": dict(device),
        **({"network": dict(network)} if network else {}),
        "summary": document.summary.model_dump(mode="json"),
        "problems": [
            {"kind": each.kind, "subject": each.subject, "title": each.title, "detail": each.detail[:200]}
            for each in document.problems
        ],
        "applications": [
            {
                "instance": each.instance,
                "health": each.health,
                "nodes": {node.name: node.health for node in each.nodes},
                "restarts": each.restarts,
                **_state(each),
            }
            for each in document.applications
        ],
        "cameras": [{"name": each.name, "reconnects": each.reconnects, **_state(each)} for each in document.cameras],
        "models": [{"name": each.name, **_state(each)} for each in document.models],
        "uploads": [{"what": each.what, "where": each.where, **_state(each)} for each in document.uploads],
    }
    if document.components:
        short["components"] = [{"name": c.name, "state": c.state, "version": c.version} for c in document.components]
    if (deployment := document.deployment) is not None:
        short["deployment"] = {
            "id": deployment.deployment_id,
            **({"name": deployment.name} if deployment.name else {}),
            "state": deployment.state,
            "words": deployment.words,
            **({"detail": deployment.detail[:300]} if deployment.state == "failed" else {}),
        }
    while state_bytes(short) > MAX_BYTES:
        longest = max(_LISTS, key=lambda key: len(short.get(key, ())))
        if not short.get(longest):
            break
        # The end goes: problems come the cause first, the rest by name.
        short[longest] = short[longest][: len(short[longest]) * 3 // 4]
        short["left_out"] = True
    return short


class Telling:
    """Decides when the document goes where. Times are of a monotonic clock, s."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._published: tuple[dict[str, Any], float] | None = None
        self._reported: tuple[str, float] | None = None

    def publish_due(self, short: dict[str, Any]) -> bool:
        """Tell whether it is to be published on the local topic now."""
        now = self._clock()
        if self._published is not None and self._published[0] == short and now - self._published[1] < REPEAT_S:
            return False
        self._published = (short, now)
        return True

    def report_due(self, short: dict[str, Any]) -> bool:
        """Tell whether the shadow is to be updated now."""
        now = self._clock()
        # "No new picture for 7 s" is no news five seconds later: each update of a shadow costs.
        news = _AGES.sub("", json.dumps(short))
        if self._reported is not None:
            wait = HEARTBEAT_S if self._reported[0] == news else LEAST_S
            if now - self._reported[1] < wait:
                return False
        self._reported = (news, now)
        return True


def _state(part: Part) -> dict[str, str]:
    return {"state": part.state, "words": part.words, **({"detail": part.detail[:160]} if part.detail else {})}


def _first(*paths: str) -> str:
    for path in paths:
        try:
            text = Path(path).read_bytes().decode(errors="replace").strip("\0\n ")
        except OSError:
            continue  # not there, or root's alone
        if text:
            return text[:100]
    return ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return platform.system()
