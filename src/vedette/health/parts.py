"""One status -> one part of the health document: words filled in, times turned into ages."""

from typing import Protocol, TypedDict
from urllib.parse import urlsplit

from vedette.health.conditions import (
    APPLICATION_ENDED,
    APPLICATION_SILENT,
    APPLICATIONS,
    CAMERA_SILENT,
    CAMERAS,
    DEPLOYMENTS,
    MAIN_BARRED,
    MAIN_CLOSED,
    MODEL_SILENT,
    MODELS,
    OUTPUTS,
    UPLOAD_WAITS,
    UPLOADED,
    VIDEO_WAITS,
    Condition,
    OutputState,
    Severity,
    Words,
    describe,
)
from vedette.health.document import (
    ApplicationHealth,
    CameraHealth,
    DeploymentHealth,
    MainStreamHealth,
    ModelHealth,
    OutputHealth,
    UploadHealth,
)
from vedette.messages import (
    TTL_S,
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DeploymentStatus,
    MainStreamStatus,
    ModelStatus,
    OutputStatus,
)
from vedette.messages.display import ShownOutput
from vedette.messages.monitor import UploadStatus

SILENT = "not-reporting"
STALLED_S = 3.0
"""A stream is stalled after this long without a picture, or after five of its intervals where that is longer."""


class HeardCamera(Protocol):
    """A camera's newest status."""

    message: CameraStatus


class HeardModel(Protocol):
    """A model's newest status."""

    message: ModelStatus


class HeardApplication(Protocol):
    """An application's newest status."""

    message: ApplicationStatus


class HeardOutput(Protocol):
    """An output's newest status, and its last frame rate that was not zero."""

    message: OutputStatus
    usual_fps: float | None


class _Said(TypedDict):
    words: str
    title: str
    detail: str
    severity: Severity
    action: str
    hint: str


def _said(words: Words) -> _Said:
    return {
        "words": words.short,
        "title": words.title,
        "detail": words.detail,
        "severity": words.severity,
        "action": words.action,
        "hint": words.hint,
    }


def _age(at: float | None, wall: float) -> float | None:
    return None if at is None else round(max(0.0, wall - at), 1)


def _left(next_try_s: float | None, silence_s: float) -> float | None:
    return None if next_try_s is None else round(max(0.0, next_try_s - silence_s), 1)


def camera_part(heard: HeardCamera, *, silence_s: float, wall: float) -> CameraHealth:
    """A camera whose ingest reports. ``silence_s``: age of its status."""
    status = heard.message
    age_s = max(0.0, wall - status.since)
    picture_age_s = _age(status.last_frame_at, wall)
    facts = _stream_facts(status.name, status, age_s if picture_age_s is None else picture_age_s)
    next_try_s = _left(status.next_try_s, silence_s)
    words = describe(CAMERAS[status.state], facts, age_s=age_s, detail=status.detail, retry_s=next_try_s)
    return CameraHealth(
        **_said(words),
        state=status.state.value,
        state_age_s=round(age_s, 1),
        next_try_s=next_try_s,
        last_frame_age_s=picture_age_s,
        **status.model_dump(
            include={
                "camera_id", "name", "url", "width", "height", "source_width", "source_height", "codec", "fps",
                "frames", "dropped", "decode_errors", "reconnects", "users", "stream", "warning",
            }
        ),
        main=None if status.main is None else _main_part(status.name, status.main, silence_s=silence_s, wall=wall),
    )  # fmt: skip


def _stream_facts(camera: str, status: CameraStatus | MainStreamStatus, picture_age_s: float) -> dict[str, object]:
    facts: dict[str, object] = {"camera": camera, "picture_age_s": round(picture_age_s)}
    if status.codec:
        facts["codec"] = status.codec
    if path := urlsplit(status.url).path:
        facts["path"] = path
    return facts


def _main_part(camera: str, status: MainStreamStatus, *, silence_s: float, wall: float) -> MainStreamHealth:
    """Return how the main stream does. Whatever is wrong with it costs applications nothing: a warning at most."""
    age_s = max(0.0, wall - status.since)
    picture_age_s = _age(status.last_frame_at, wall)
    facts = _stream_facts(camera, status, age_s if picture_age_s is None else picture_age_s)
    next_try_s = _left(status.next_try_s, silence_s)
    barred = status.state is CameraState.PAUSED and bool(status.detail)
    condition = MAIN_BARRED if barred else MAIN_CLOSED if status.state is CameraState.PAUSED else CAMERAS[status.state]
    words = describe(condition, facts, age_s=age_s, detail=status.detail, retry_s=next_try_s)
    if words.severity is Severity.ERROR:
        words = words._replace(severity=Severity.WARNING)
    return MainStreamHealth(
        **_said(words),
        state=status.state.value,
        state_age_s=round(age_s, 1),
        next_try_s=next_try_s,
        last_frame_age_s=picture_age_s,
        **status.model_dump(
            include={"url", "width", "height", "source_width", "source_height", "codec", "fps", "wanted_for", "opened"}
        ),
    )


def silent_camera(
    camera_id: str, heard: HeardCamera | None, name: str | None, users: list[str], *, silence_s: float
) -> CameraHealth:
    """A camera that others speak of, but its ingest does not."""
    if name is None:
        # The id ends in "-" and 8 hex digits.
        name = heard.message.name if heard is not None else camera_id[:-9] or camera_id
    words = describe(CAMERA_SILENT, {"camera": name}, age_s=silence_s)
    url = "" if heard is None else heard.message.url
    return CameraHealth(
        **_said(words),
        state=SILENT,
        state_age_s=round(silence_s, 1),
        camera_id=camera_id,
        name=name,
        url=url,
        users=users,
    )


def paused_camera(
    camera_id: str, heard: HeardCamera | None, name: str | None, users: list[str], *, silence_s: float
) -> CameraHealth:
    """A camera that every application using it has paused: its ingest need not know it."""
    if name is None:
        name = heard.message.name if heard is not None else camera_id[:-9] or camera_id
    words = describe(CAMERAS[CameraState.PAUSED], {"camera": name}, age_s=silence_s)
    return CameraHealth(
        **_said(words),
        state=CameraState.PAUSED.value,
        state_age_s=round(silence_s, 1),
        camera_id=camera_id,
        name=name,
        url="" if heard is None else heard.message.url,
        users=users,
    )


def model_part(heard: HeardModel, *, wall: float) -> ModelHealth:
    """A model whose server reports."""
    status = heard.message
    age_s = max(0.0, wall - status.since)
    words = describe(MODELS[status.state], {"model": status.name}, age_s=age_s, detail=status.detail)
    return ModelHealth(
        **_said(words),
        state=status.state.value,
        state_age_s=round(age_s, 1),
        **status.model_dump(
            include={
                "model_id", "name", "provider", "load_s", "calls", "errors", "latency_ms", "calls_per_s", "users",
            }
        ),
    )  # fmt: skip


def silent_model(model_id: str, heard: HeardModel | None, name: str | None, *, silence_s: float) -> ModelHealth:
    """A model that others speak of, but its server does not."""
    if name is None:
        name = heard.message.name if heard is not None else model_id
    words = describe(MODEL_SILENT, {"model": name}, age_s=silence_s)
    return ModelHealth(
        **_said(words), state=SILENT, state_age_s=round(silence_s, 1), model_id=model_id, name=name
    )  # fmt: skip


def application_part(heard: HeardApplication, *, silence_s: float, wall: float) -> ApplicationHealth:
    """An application whose host reports. ``silence_s``: age of its status."""
    status = heard.message
    age_s = max(0.0, wall - status.since)
    condition: Condition = APPLICATIONS[status.state]
    if status.state is ApplicationState.CRASHED and status.exit_code == 0:
        condition = APPLICATION_ENDED
    next_try_s = _left(status.next_try_s, silence_s)
    facts = {"application": status.instance, "instance": status.instance}
    words = describe(condition, facts, age_s=age_s, detail=status.detail, retry_s=next_try_s)
    return ApplicationHealth(
        **_said(words),
        state=status.state.value,
        state_age_s=round(age_s, 1),
        next_try_s=next_try_s,
        last_activity_age_s=_age(status.last_activity_at, wall),
        parameters=status.parameters,
        **status.model_dump(
            include={
                "instance", "application", "restarts", "errors", "exit_code", "last_error", "sandbox", "environment",
                "fps", "model_ms", "waiting", "cameras", "paused", "models", "outputs", "ports",
            }
        ),
    )  # fmt: skip


def silent_application(instance: str, heard: HeardApplication | None, *, silence_s: float) -> ApplicationHealth:
    """An application that has fallen silent without saying that it stops, or that only others speak of."""
    words = describe(APPLICATION_SILENT, {"application": instance, "instance": instance}, age_s=silence_s)
    known = heard.message if heard is not None else None
    return ApplicationHealth(
        **_said(words),
        state=SILENT,
        state_age_s=round(silence_s, 1),
        instance=instance,
        application=known.application if known else instance,
        restarts=known.restarts if known else 0,
        cameras=known.cameras if known else {},
        paused=known.paused if known else [],
        models=known.models if known else {},
        outputs=known.outputs if known else [],
        parameters=known.parameters if known else [],
    )


def output_part(heard: HeardOutput, shown: ShownOutput | None, *, silence_s: float, wall: float) -> OutputHealth:
    """An output stream, judged by its pictures. ``silence_s``: age of its status."""
    status = heard.message
    age_s = max(0.0, wall - status.since)
    picture_age_s = _age(status.last_frame_at, wall)
    patience_s = max(STALLED_S, 5.0 / heard.usual_fps if heard.usual_fps else 0.0)
    if silence_s > TTL_S:
        state, age_s = OutputState.SILENT, silence_s
    elif picture_age_s is None:
        state = OutputState.WAITING
    elif picture_age_s > patience_s:
        state, age_s = OutputState.STALLED, picture_age_s
    else:
        state = OutputState.LIVE
    facts = {
        "application": status.instance,
        "instance": status.instance,
        "port": status.port,
        "picture_age_s": round(picture_age_s or 0.0),
    }
    words = describe(OUTPUTS[state], facts, age_s=age_s)
    return OutputHealth(
        **_said(words),
        state=state.value,
        state_age_s=round(age_s, 1),
        last_frame_age_s=picture_age_s,
        shown_fps=shown.fps if shown else None,
        latency_ms=shown.latency_ms if shown else None,
        viewers=shown.viewers if shown else 0,
        **status.model_dump(
            include={
                "output_id", "instance", "application", "port", "stream", "camera_id", "width", "height", "fps",
            }
        ),
    )  # fmt: skip


def deployment_part(status: DeploymentStatus, *, wall: float) -> DeploymentHealth:
    """A deployment that is under way, or the last one."""
    age_s = max(0.0, wall - status.since)
    facts = {"deployment": status.name or status.deployment_id}
    words = describe(DEPLOYMENTS[status.state], facts, age_s=age_s)
    if status.detail:
        words = words._replace(detail=f"{words.detail}: {status.detail}")
    return DeploymentHealth(
        **_said(words),
        state=status.state.value,
        state_age_s=round(age_s, 1),
        deployment_id=status.deployment_id,
        name=status.name,
    )


def upload_part(status: UploadStatus, *, wall: float) -> UploadHealth:
    """One kind of what is sent to AWS."""
    age_s = max(0.0, wall - status.since)
    waits = UPLOAD_WAITS if status.service == "CloudWatch" else VIDEO_WAITS
    facts = {"what": status.what[:1].upper() + status.what[1:], "service": status.service}
    words = describe(waits if status.last_error else UPLOADED, facts, age_s=age_s, detail=status.last_error)
    return UploadHealth(
        **_said(words),
        state="waiting" if status.last_error else "sent",
        state_age_s=round(age_s, 1),
        what=status.what,
        where=status.where,
        last_success_age_s=_age(status.last_success_at, wall),
        waiting=status.waiting,
        lost=status.lost,
        acknowledged=status.acknowledged,
    )
