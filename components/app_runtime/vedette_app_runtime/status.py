"""The application's status message, put together."""

import os

from vedette.messages import ApplicationStatus, ParameterStatus, PortStatus
from vedette_app_runtime import protocol
from vedette_app_runtime.condition import Condition
from vedette_app_runtime.network.rules import Opened
from vedette_app_runtime.wiring import Wiring


def application_status(
    wiring: Wiring,
    condition: Condition,
    *,
    since: float,
    next_try_s: float | None,
    restarts: int,
    errors: int,
    exit_code: int | None,
    last_error: str,
    pid: int | None,
    sandbox: str,
    environment: str,
    outputs: list[str],
    report: protocol.Report | None,
    fps: float | None,
    ports: list[Opened],
) -> ApplicationStatus:
    """Return the message; ``report`` is what the application's processes have reported, None when none runs."""
    reads = {} if report is None else report.reads
    cameras: dict[str, list[str]] = {port: [] for port in wiring.media_inputs}
    camera_nodes: dict[str, list[str]] = {}
    for camera in wiring.cameras:
        cameras[camera.port].append(camera.camera_id)
        camera_nodes.setdefault(camera.node, []).append(camera.camera_id)
    return ApplicationStatus(
        instance=wiring.instance,
        application=wiring.application,
        state=condition.state,
        detail=condition.detail,
        since=since,
        next_try_s=next_try_s,
        restarts=restarts,
        errors=errors,
        exit_code=exit_code,
        last_error=last_error,
        pid=pid,
        sandbox=sandbox,
        environment=environment,
        cameras=cameras,
        paused=[camera.camera_id for camera in wiring.cameras if camera.paused],
        models={model.node: model.model_id for model in wiring.models},
        code_node=wiring.code_node,
        camera_nodes=camera_nodes,
        output_nodes={port: node for port, node in wiring.outputs if node is not None},
        outputs=outputs,
        parameters=[
            ParameterStatus(
                name=each.port,
                node=each.node or "",
                value=each.value,
                origin=each.origin,
                reads=reads.get(each.port, 0),
                type=each.type,
                title=each.title,
                help=each.help,
            )
            for each in wiring.parameters
        ],
        fps=fps,
        ports=[
            PortStatus(
                container_port=each.container_port,
                host_port=each.host_port,
                detail=os.strerror(each.error) if each.error else "",
            )
            for each in ports
        ],
        model_ms=report.call_ms if report is not None and report.call_ms >= 0 else None,
        last_activity_at=report.last_activity if report is not None and report.last_activity > 0 else None,
        waiting=report is not None and report.waiting > 0,
    )
