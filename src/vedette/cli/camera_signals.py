"""``vedette camera pause|resume``: Panorama's signal, to a camera of a running application.

Through the instance's shadow, as from the page and from the cloud: docs/ref/shadow.md.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from vedette.application.shadow import shadow_name
from vedette.cli.failure import Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.terminal import Terminal
from vedette.documents.suggestions import did_you_mean
from vedette.nucleus.instances import Instance

Signal = Literal["PAUSE", "RESUME"]
EFFECT_S: Final = 5.0
_LOOK_S: Final = 0.1


def signal_camera(
    instance: str, camera: str | None, signal: Signal, terminal: Terminal, *, root: Path | None, as_json: bool
) -> int:
    """Pause or resume a camera of an application and wait until its host says so; the exit code.

    ``camera``: its name, or that of the camera node it is on; None where the application has only one.
    """
    with answering("signal", as_json=as_json):
        nucleus = chosen(root)
        name = _camera(ask(nucleus, "health") or {}, instance, camera)
        shadow = shadow_name(instance)
        document = {"state": {"desired": {"cameras": {name: signal}}}}
        ask(nucleus, "shadow-set", thing=None, shadow=shadow, document=document)
        taken = _taken(nucleus, shadow, name, signal)
    if as_json:
        print_json("signal", instance=instance, camera=name, signal=signal, taken=taken)
    elif taken:
        terminal.done("camera", f"{name} is paused for {instance}" if signal == "PAUSE" else f"{name} goes on")
    else:
        terminal.warn("camera", f"the signal is noted, but {instance} has not taken it within {EFFECT_S:.0f} s")
    return 0


def _camera(health: Mapping[str, Any], instance: str, camera: str | None) -> str:
    applications = {a["instance"]: a for a in health.get("applications", ())}
    if instance not in applications:
        known = ", ".join(applications) or "none"
        raise Failure(f"no application is called `{instance}` here", hint=f"applications now: {known}")
    application = applications[instance]
    names = {c["camera_id"]: c["name"] for c in health.get("cameras", ())}
    paused = application.get("paused", ())
    # Cameras that nobody has heard of yet are known by their id, which begins with the name.
    own = {
        names.get(camera_id, camera_id.rpartition("-")[0]): camera_id in paused
        for ids in application.get("cameras", {}).values()
        for camera_id in ids
    }
    listed = ", ".join(f"{name} (paused)" if is_paused else name for name, is_paused in own.items()) or "none"
    if camera is None:
        if len(own) == 1:
            return str(next(iter(own)))
        raise Failure(f"`{instance}` has {len(own)} cameras: name one", hint=f"its cameras: {listed}")
    if camera not in own:
        raise Failure(
            f"`{instance}` has no camera `{camera}`", hint=did_you_mean(camera, own) or f"its cameras: {listed}"
        )
    return camera


def _taken(nucleus: Instance, shadow: str, camera: str, signal: Signal) -> bool:
    deadline = time.monotonic() + EFFECT_S
    while True:
        document = ask(nucleus, "shadow-get", thing=None, shadow=shadow) or {}
        reported = document.get("state", {}).get("reported", {})
        if reported.get("cameras", {}).get(camera) == signal:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
