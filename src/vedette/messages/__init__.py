"""What components say to one another on the bus: topics and the documents sent on them.

Every message is JSON under 7 kB, sent as ``binaryMessage`` (the reasons: docs/design/architecture.md). Demands and
statuses are soft state: their sender repeats them every ``REPEAT_S``; who has not heard one for ``TTL_S`` forgets it.
Readers ignore keys they do not know (a newer sender), so models here ignore extra keys; configuration forbids them.

A name is loaded when it is first asked for: a camera's worker needs the states and the times, but not pydantic, which
takes 17 MB in every process.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from vedette.messages.application import (
        ApplicationState,
        ApplicationStatus,
        OutputStatus,
        ParameterStatus,
        PortStatus,
    )
    from vedette.messages.camera import CameraDemand, CameraSource, CameraStatus, MainStreamStatus
    from vedette.messages.camera_state import CameraState
    from vedette.messages.deployment import DeploymentState, DeploymentStatus
    from vedette.messages.display import DisplayStatus, ScreenStatus
    from vedette.messages.limits import MAX_BYTES, REPEAT_S, TTL_S
    from vedette.messages.message import Message
    from vedette.messages.model import ModelDemand, ModelState, ModelStatus, Tensor
    from vedette.messages.monitor import MonitorStatus, NetworkStatus, UploadStatus

__all__ = [
    "MAX_BYTES",
    "REPEAT_S",
    "TTL_S",
    "ApplicationState",
    "ApplicationStatus",
    "CameraDemand",
    "CameraSource",
    "CameraState",
    "CameraStatus",
    "DeploymentState",
    "DeploymentStatus",
    "DisplayStatus",
    "MainStreamStatus",
    "Message",
    "ModelDemand",
    "ModelState",
    "ModelStatus",
    "MonitorStatus",
    "NetworkStatus",
    "OutputStatus",
    "ParameterStatus",
    "PortStatus",
    "ScreenStatus",
    "Tensor",
    "UploadStatus",
]

_MODULES: Final = {
    "application": ("ApplicationState", "ApplicationStatus", "OutputStatus", "ParameterStatus", "PortStatus"),
    "camera": ("CameraDemand", "CameraSource", "CameraStatus", "MainStreamStatus"),
    "camera_state": ("CameraState",),
    "deployment": ("DeploymentState", "DeploymentStatus"),
    "display": ("DisplayStatus", "ScreenStatus"),
    "limits": ("MAX_BYTES", "REPEAT_S", "TTL_S"),
    "message": ("Message",),
    "model": ("ModelDemand", "ModelState", "ModelStatus", "Tensor"),
    "monitor": ("MonitorStatus", "NetworkStatus", "UploadStatus"),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value
