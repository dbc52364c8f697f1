"""The application's state in one word and one sentence, out of what the host knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vedette.messages import ApplicationState, CameraState, CameraStatus, ModelState, ModelStatus
from vedette_app_runtime import protocol
from vedette_app_runtime.reports import frames_got
from vedette_app_runtime.wiring import Wiring

SILENT_START_S: Final = 10.0
"""An application that runs for so long without panoramasdk does not need it."""


@dataclass(frozen=True)
class Condition:
    """State and detail of an application."""

    state: ApplicationState
    detail: str = ""


def of_running(
    wiring: Wiring,
    *,
    attached: bool,
    running_s: float,
    report: protocol.Report,
    camera: Callable[[str], CameraStatus | None],
    model: Callable[[str], ModelStatus | None],
    silent_s: float = 0.0,
    held: str | None = None,
) -> Condition:
    """Judge an application whose process runs; ``camera`` and ``model`` give a status by id, or None.

    :param silent_s: how long its working loop has given no sign; 0: not for too long
    :param held: why it cannot write at present
    """
    if silent_s:
        return Condition(ApplicationState.HUNG, f"its working loop has given no sign for {silent_s:.0f} s")
    if not attached:
        if running_s < SILENT_START_S:
            return Condition(ApplicationState.STARTING)
        return Condition(ApplicationState.RUNNING, "it has not used panoramasdk yet")
    if wiring.cameras and not sum(frames_got(report).values()):
        awaited = _awaited_camera(wiring, camera)
        if awaited is not None:
            return Condition(ApplicationState.WAITING, awaited)
    if not report.calls:
        awaited = _awaited_model(wiring, model)
        if awaited is not None:
            return Condition(ApplicationState.WAITING, awaited)
    return Condition(ApplicationState.RUNNING, held or "")


def _awaited_camera(wiring: Wiring, camera: Callable[[str], CameraStatus | None]) -> str | None:
    """Return what the first picture waits for; None when it is the application itself that has not asked for one."""
    running = [each for each in wiring.cameras if not each.paused]
    if not running:
        return "every camera is paused"
    for each in running:
        status = camera(each.camera_id)
        if status is not None and status.state == CameraState.LIVE:
            return f"camera {each.source.name} is live; the application has not asked for a picture yet"
    status = camera(running[0].camera_id)
    if status is None:
        known = "vedette.CameraIngest does not answer yet"
    else:
        known = f"{status.state.value}{': ' if status.detail else ''}{status.detail}"
    return f"waiting for the first picture of camera {running[0].source.name} ({known})"


def _awaited_model(wiring: Wiring, model: Callable[[str], ModelStatus | None]) -> str | None:
    for each in wiring.models:
        status = model(each.model_id)
        if status is None:
            return f"waiting for model {each.node} (vedette.ModelInference does not answer yet)"
        if status.state != ModelState.READY:
            known = f"{status.state.value}{': ' if status.detail else ''}{status.detail}"
            return f"waiting for model {each.node} ({known})"
    return None
