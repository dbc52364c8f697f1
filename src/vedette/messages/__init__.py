"""What components say to one another on the bus: topics and the documents sent on them.

Every message is JSON under 7 kB, sent as ``binaryMessage`` (the reasons: docs/design/architecture.md). Demands and
statuses are soft state: their sender repeats them every ``REPEAT_S``; who has not heard one for ``TTL_S`` forgets it.
Readers ignore keys they do not know (a newer sender), so models here ignore extra keys; configuration forbids them.
"""

from vedette.messages.application import ApplicationState, ApplicationStatus, OutputStatus, ParameterStatus
from vedette.messages.camera import CameraDemand, CameraSource, CameraState, CameraStatus
from vedette.messages.display import DisplayStatus
from vedette.messages.message import MAX_BYTES, REPEAT_S, TTL_S, Message
from vedette.messages.model import ModelDemand, ModelState, ModelStatus, Tensor

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
    "DisplayStatus",
    "Message",
    "ModelDemand",
    "ModelState",
    "ModelStatus",
    "OutputStatus",
    "ParameterStatus",
    "Tensor",
]
