"""Keeps what was heard on the bus and makes the health document of it. No I/O; the clocks are passed in."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from vedette.health.document import (
    ApplicationHealth,
    CameraHealth,
    ComponentHealth,
    DisplayHealth,
    HealthDocument,
    ModelHealth,
)
from vedette.health.nodes import with_nodes
from vedette.health.parts import (
    application_part,
    camera_part,
    deployment_part,
    model_part,
    output_part,
    paused_camera,
    silent_application,
    silent_camera,
    silent_model,
    upload_part,
)
from vedette.health.problems import find_problems, summarize
from vedette.messages import (
    TTL_S,
    ApplicationState,
    ApplicationStatus,
    CameraDemand,
    CameraSource,
    CameraStatus,
    DeploymentStatus,
    DisplayStatus,
    Message,
    ModelDemand,
    ModelStatus,
    MonitorStatus,
    OutputStatus,
    UploadStatus,
)

logger = logging.getLogger(__name__)

TOPIC_FILTERS: Final = (
    CameraDemand.topic("+"),
    CameraStatus.topic("+"),
    ModelDemand.topic("+"),
    ModelStatus.topic("+"),
    ApplicationStatus.topic("+"),
    OutputStatus.topic("+"),
    DisplayStatus.topic(),
    DeploymentStatus.topic(),
    MonitorStatus.topic(),
)
"""What to subscribe to in order to fill a book."""

LINGER_S: Final = 60.0
"""How long an application that fell silent without saying that it stops is still told of."""

_USES_ITS_NODES: Final = (ApplicationState.WAITING, ApplicationState.RUNNING)

M = TypeVar("M", bound=Message)


@dataclass
class Heard(Generic[M]):
    """The newest message of one sender on one subject. ``at``: monotonic time of its arrival, s."""

    message: M
    at: float
    usual_fps: float | None = None


@dataclass
class _Shelf(Generic[M]):
    """All messages of one kind, and since when others speak of a subject."""

    heard: dict[str, Heard[M]] = field(default_factory=dict)
    known_since: dict[str, float] = field(default_factory=dict)

    def put(self, key: str, message: M, now: float) -> Heard[M]:
        entry = self.heard.get(key)
        if entry is None:
            entry = self.heard[key] = Heard(message, now)
        entry.message, entry.at = message, now
        return entry

    def fresh(self, key: str, now: float) -> bool:
        entry = self.heard.get(key)
        return entry is not None and now - entry.at <= TTL_S

    def know(self, keys: set[str], now: float) -> None:
        self.known_since = {key: self.known_since.get(key, now) for key in keys}

    def silence_s(self, key: str, now: float) -> float:
        entry = self.heard.get(key)
        return now - (entry.at if entry is not None else self.known_since.get(key, now))


class HealthBook:
    """What every component has said lately.

    ``apply`` takes the messages of the architecture's topic table; ``document`` tells the present. Not thread-safe.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._cameras: _Shelf[CameraStatus] = _Shelf()
        self._models: _Shelf[ModelStatus] = _Shelf()
        self._applications: _Shelf[ApplicationStatus] = _Shelf()
        self._outputs: _Shelf[OutputStatus] = _Shelf()
        self._camera_demands: _Shelf[CameraDemand] = _Shelf()
        self._model_demands: _Shelf[ModelDemand] = _Shelf()
        self._display: Heard[DisplayStatus] | None = None
        self._deployment: Heard[DeploymentStatus] | None = None
        self._monitor: Heard[MonitorStatus] | None = None
        self.rejected = 0
        """Messages that could not be read."""
        self.changes = 0
        """How often a subject came up or changed its state; ages and figures do not count."""

    def apply(self, topic: str, payload: bytes) -> bool:
        """Take in one message; False when it could not be read (counted in ``rejected``) or is of no known topic."""
        parts = topic.split("/")
        if parts[0] != "vedette":
            return False
        try:
            return self._apply(tuple(parts[1:2] + parts[-1:]), payload)
        except ValidationError as error:
            self.rejected += 1
            logger.warning("message on %s was left out: %d of its fields are wrong", topic, error.error_count())
            return False

    def document(self, components: Iterable[ComponentHealth] = ()) -> HealthDocument:
        """Return the present; ``components`` are the nucleus's states, where somebody knows them."""
        now, wall = self._monotonic(), self._wall()
        self._forget(now)
        applications = self._application_parts(now, wall)
        cameras = self._camera_parts(now, wall)
        models = self._model_parts(now, wall)
        shown = {} if self._display is None else {s.output_id: s for s in self._display.message.outputs}
        outputs = [
            output_part(entry, shown.get(key), silence_s=self._outputs.silence_s(key, now), wall=wall)
            for key, entry in sorted(self._outputs.heard.items())
        ]
        heard = self._applications.heard
        by_id = {camera.camera_id: camera for camera in cameras}
        by_model = {model.model_id: model for model in models}
        applications = [
            with_nodes(a, heard[a.instance].message if a.instance in heard else None, by_id, by_model, outputs)
            for a in applications
        ]
        listed = sorted(components, key=lambda component: component.name)
        deployment = None if self._deployment is None else deployment_part(self._deployment.message, wall=wall)
        told = [] if self._monitor is None else list(self._monitor.message.uploads)
        told += [] if self._display is None else self._display.message.uploads
        uploads = [upload_part(upload, wall=wall) for upload in told]
        problems = find_problems(cameras, models, applications, outputs, listed, deployment, uploads)
        return HealthDocument(
            at=datetime.fromtimestamp(wall, timezone.utc),
            summary=summarize(problems, [*cameras, *models, *applications], deployment),
            problems=problems,
            cameras=cameras,
            models=models,
            applications=applications,
            outputs=outputs,
            display=self._display_part(),
            components=listed,
            deployment=deployment,
            uploads=uploads,
            network=None if self._monitor is None else self._monitor.message.network,
        )

    def camera(self, camera_id: str) -> CameraStatus | None:
        """Return the newest status of a camera, or None when none is fresh."""
        now = self._monotonic()
        return self._cameras.heard[camera_id].message if self._cameras.fresh(camera_id, now) else None

    def source(self, camera_id: str) -> CameraSource | None:
        """Return where a camera's video comes from, as somebody demands it; None when nobody does."""
        found = (e.message.source for e in self._camera_demands.heard.values())
        return next((source for source in found if source.camera_id == camera_id), None)

    def output(self, output_id: str) -> OutputStatus | None:
        """Return the newest status of an output, or None when it is forgotten."""
        entry = self._outputs.heard.get(output_id)
        return None if entry is None else entry.message

    @property
    def page_address(self) -> str | None:
        """Address of the page with its access key, if it has one: for the person at the terminal, never for a log."""
        self._forget(self._monotonic())
        return None if self._display is None else self._display.message.page

    def _apply(self, kind: tuple[str, ...], payload: bytes) -> bool:
        now = self._monotonic()
        match kind:
            case ("camera", "status"):
                camera = CameraStatus.model_validate_json(payload)
                self._note(self._cameras.heard.get(camera.camera_id), camera.state)
                self._cameras.put(camera.camera_id, camera, now)
            case ("camera", "demand"):
                demand = CameraDemand.model_validate_json(payload)
                key = f"{demand.source.camera_id} {demand.instance} {demand.node} {demand.main}"
                self._camera_demands.put(key, demand, now)
            case ("model", "status"):
                model = ModelStatus.model_validate_json(payload)
                self._note(self._models.heard.get(model.model_id), model.state)
                self._models.put(model.model_id, model, now)
            case ("model", "demand"):
                wish = ModelDemand.model_validate_json(payload)
                self._model_demands.put(f"{wish.model_id} {wish.instance} {wish.node}", wish, now)
            case ("application", "status"):
                application = ApplicationStatus.model_validate_json(payload)
                self._note(self._applications.heard.get(application.instance), application.state)
                self._applications.put(application.instance, application, now)
            case ("output", "status"):
                output = OutputStatus.model_validate_json(payload)
                self._note(self._outputs.heard.get(output.output_id), None)
                entry = self._outputs.put(output.output_id, output, now)
                entry.usual_fps = output.fps or entry.usual_fps
            case ("display", "status"):
                self._hear_display(DisplayStatus.model_validate_json(payload), now)
            case ("deployment", "status"):
                deployment = DeploymentStatus.model_validate_json(payload)
                self._note(self._deployment, deployment.state)
                self._deployment = Heard(deployment, now)
            case ("monitor", "status"):
                self._hear_monitor(MonitorStatus.model_validate_json(payload), now)
            case _:
                return False
        return True

    def _hear_display(self, status: DisplayStatus, now: float) -> None:
        self._note_uploads([] if self._display is None else self._display.message.uploads, status.uploads)
        self._display = Heard(status, now)

    def _hear_monitor(self, status: MonitorStatus, now: float) -> None:
        self._note_uploads([] if self._monitor is None else self._monitor.message.uploads, status.uploads)
        self._monitor = Heard(status, now)

    def _note_uploads(self, before: Iterable[UploadStatus], now: Iterable[UploadStatus]) -> None:
        if [(each.what, each.last_error) for each in before] != [(each.what, each.last_error) for each in now]:
            self.changes += 1

    def _note(self, before: "Heard[Any] | None", state: Enum | None) -> None:
        if before is None or (state is not None and before.message.state is not state):
            self.changes += 1

    def _forget(self, now: float) -> None:
        """Drop what is silent and nobody else speaks of; remember since when others speak of the rest."""
        _keep(self._camera_demands, {k for k in self._camera_demands.heard if self._camera_demands.fresh(k, now)})
        _keep(self._model_demands, {k for k in self._model_demands.heard if self._model_demands.fresh(k, now)})
        if self._display is not None and now - self._display.at > TTL_S:
            self._display = None
        if self._deployment is not None and now - self._deployment.at > TTL_S:
            self._deployment = None
        if self._monitor is not None and now - self._monitor.at > TTL_S:
            self._monitor = None
        demands = [e.message for e in self._camera_demands.heard.values() if e.message.wanted]
        wishes = [e.message for e in self._model_demands.heard.values() if e.message.wanted]

        # Who wants a main stream only looks: that is no application, or one that wants the other stream as well.
        spoken = {d.instance for d in demands if not d.main} | {w.instance for w in wishes}
        spoken |= {e.message.instance for k, e in self._outputs.heard.items() if self._outputs.fresh(k, now)}
        self._applications.know(spoken, now)
        _keep(self._applications, {k for k in self._applications.heard if self._keep_application(k, spoken, now)})

        # Others may or may not demand their cameras: the host of a crashed application withdraws its demands.
        running = [
            e.message
            for k, e in self._applications.heard.items()
            if self._applications.fresh(k, now) and e.message.state in _USES_ITS_NODES
        ]
        cameras = {d.source.camera_id for d in demands}
        cameras |= {camera for a in running for ids in a.cameras.values() for camera in ids}
        self._cameras.know(cameras, now)
        _keep(self._cameras, {k for k in self._cameras.heard if k in cameras or self._cameras.fresh(k, now)})
        models = {w.model_id for w in wishes} | {model for a in running for model in a.models.values()}
        self._models.know(models, now)
        _keep(self._models, {k for k in self._models.heard if k in models or self._models.fresh(k, now)})
        _keep(self._outputs, {k for k in self._outputs.heard if self._keep_output(k, now)})

    def _keep_application(self, key: str, spoken: set[str], now: float) -> bool:
        if self._applications.fresh(key, now):
            return True
        if self._applications.heard[key].message.state is ApplicationState.STOPPED:
            return False
        return key in spoken or self._applications.silence_s(key, now) <= LINGER_S

    def _keep_output(self, key: str, now: float) -> bool:
        if self._outputs.fresh(key, now):
            return True
        owner = self._applications.heard.get(self._outputs.heard[key].message.instance)
        if owner is None:
            return False
        # An application that crashed keeps its last picture on the page; one that runs on and puts on other streams
        # does not.
        running = owner.message.state is ApplicationState.RUNNING and now - owner.at <= TTL_S
        return not running or key in owner.message.outputs

    def _camera_parts(self, now: float, wall: float) -> list[CameraHealth]:
        names = {e.message.source.camera_id: e.message.source.name for e in self._camera_demands.heard.values()}
        parts = []
        for key in sorted({*self._cameras.heard, *self._cameras.known_since}):
            entry = self._cameras.heard.get(key)
            silence_s = self._cameras.silence_s(key, now)
            users = [
                a.message
                for a in self._applications.heard.values()
                if any(key in ids for ids in a.message.cameras.values())
            ]
            instances = sorted(user.instance for user in users)
            if entry is not None and silence_s <= TTL_S:
                parts.append(camera_part(entry, silence_s=silence_s, wall=wall))
            elif users and all(key in user.paused for user in users):
                parts.append(paused_camera(key, entry, names.get(key), instances, silence_s=silence_s))
            elif silence_s > TTL_S:
                parts.append(silent_camera(key, entry, names.get(key), instances, silence_s=silence_s))
        return parts

    def _model_parts(self, now: float, wall: float) -> list[ModelHealth]:
        names = {e.message.model_id: e.message.path.rpartition("/")[2] for e in self._model_demands.heard.values()}
        parts = []
        for key in sorted({*self._models.heard, *self._models.known_since}):
            entry = self._models.heard.get(key)
            silence_s = self._models.silence_s(key, now)
            if entry is not None and silence_s <= TTL_S:
                parts.append(model_part(entry, wall=wall))
            elif silence_s > TTL_S:
                parts.append(silent_model(key, entry, names.get(key), silence_s=silence_s))
        return parts

    def _application_parts(self, now: float, wall: float) -> list[ApplicationHealth]:
        parts = []
        for key in sorted({*self._applications.heard, *self._applications.known_since}):
            entry = self._applications.heard.get(key)
            silence_s = self._applications.silence_s(key, now)
            if entry is not None and silence_s <= TTL_S:
                parts.append(application_part(entry, silence_s=silence_s, wall=wall))
            elif silence_s > TTL_S:
                parts.append(silent_application(key, entry, silence_s=silence_s))
        return parts

    def _display_part(self) -> DisplayHealth | None:
        if self._display is None:
            return None
        status = self._display.message
        return DisplayHealth(
            page=status.page.partition("?")[0],
            viewers=status.viewers,
            encoded=status.encoded,
            screen=status.screen,
            encoder=status.encoder,
        )


def _keep(shelf: _Shelf[M], keys: set[str]) -> None:
    shelf.heard = {key: entry for key, entry in shelf.heard.items() if key in keys}
