"""The health of an instance and of each node of its graph, in the words of Panorama's API.

RUNNING, ERROR, NOT_AVAILABLE, and PAUSED for cameras. What is on its way is NOT_AVAILABLE; what needs somebody, or has
fallen silent although it is wanted, is ERROR. Source: AWS Panorama's ``HealthStatus`` and ``NodeInstanceStatus``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vedette.health.conditions import OutputState, Severity
from vedette.health.document import (
    ApplicationHealth,
    CameraHealth,
    InstanceState,
    ModelHealth,
    NodeHealth,
    NodeState,
    OutputHealth,
    Part,
)
from vedette.messages import ApplicationState, ApplicationStatus, CameraState

_UP: Final = frozenset({ApplicationState.WAITING.value, ApplicationState.RUNNING.value})


def with_nodes(
    application: ApplicationHealth,
    status: ApplicationStatus | None,
    cameras: Mapping[str, CameraHealth],
    models: Mapping[str, ModelHealth],
    outputs: Sequence[OutputHealth],
) -> ApplicationHealth:
    """Return the application with the health of its nodes and its own.

    :param status: what its host said last; None: others speak of it, it has said nothing
    :param cameras: by camera id
    :param models: by model id
    :param outputs: of all applications
    """
    if status is None or not status.code_node:
        return application.model_copy(update={"health": _code(application)})
    nodes = [NodeHealth(name=status.code_node, kind="code", health=_code(application))]
    for name, ids in status.camera_nodes.items():
        health = _camera([camera for camera in ids if camera not in application.paused], cameras)
        nodes.append(NodeHealth(name=name, kind="camera", health=health))
    for name, model in status.models.items():
        nodes.append(NodeHealth(name=name, kind="model", health=_wanted(models.get(model))))
    for port, name in status.output_nodes.items():
        streams = [each for each in outputs if each.instance == application.instance and each.port == port]
        health = _output(streams) if streams else _output_as_told(application, port)
        nodes.append(NodeHealth(name=name, kind="output", health=health))
    return application.model_copy(update={"nodes": nodes, "health": _whole(nodes)})


def _whole(nodes: Iterable[NodeHealth]) -> InstanceState:
    states = [node.health for node in nodes]
    if "ERROR" in states:
        return "ERROR"
    return "NOT_AVAILABLE" if "NOT_AVAILABLE" in states else "RUNNING"


def _code(application: ApplicationHealth) -> InstanceState:
    if application.severity is Severity.ERROR:
        return "ERROR"
    return "RUNNING" if application.state in _UP else "NOT_AVAILABLE"


def _camera(ids: Sequence[str], cameras: Mapping[str, CameraHealth]) -> NodeState:
    """Return the health of a camera node: of the worst of those of its cameras that are not paused."""
    if not ids:
        return "PAUSED"
    states = [_one_camera(cameras.get(camera)) for camera in ids]
    return next((state for state in ("ERROR", "NOT_AVAILABLE") if state in states), "RUNNING")


def _one_camera(camera: CameraHealth | None) -> NodeState:
    if camera is not None and camera.state == CameraState.ENDED.value:
        return "NOT_AVAILABLE"
    return _wanted(camera)


def _wanted(part: Part | None) -> NodeState:
    if part is None:
        return "NOT_AVAILABLE"
    if part.severity.rank >= Severity.WARNING.rank:
        return "ERROR"
    return "RUNNING" if part.severity is Severity.OK else "NOT_AVAILABLE"


def _output(streams: Sequence[OutputHealth]) -> NodeState:
    """Return the health of an output node: an application may put on some of its streams only."""
    if any(stream.state == OutputState.LIVE.value for stream in streams):
        return "RUNNING"
    return "ERROR" if any(stream.state == OutputState.STALLED.value for stream in streams) else "NOT_AVAILABLE"


def _output_as_told(application: ApplicationHealth, port: str) -> NodeState:
    """Return the health of an output node for who does not hear of streams: by what the application tells of itself."""
    puts = any(output.startswith(f"{application.instance}.{port}.") for output in application.outputs)
    return "RUNNING" if puts and application.fps else "NOT_AVAILABLE"
