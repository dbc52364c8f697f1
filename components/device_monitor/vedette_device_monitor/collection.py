"""What is heard on the bus, turned into the metrics of an interval. No I/O; clocks are passed in."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vedette.messages import (
    TTL_S,
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DisplayStatus,
    ModelStatus,
)
from vedette.metrics import APPLICATION_ERRORS, DEVICE_ACTIVE, METRICS, Group
from vedette_device_monitor.counters import Counters
from vedette_device_monitor.datum import Datum, of_samples
from vedette_device_monitor.machine import Figures

Dimensions = tuple[tuple[str, str], ...]
_UNITS = {metric.name: metric.unit for metric in METRICS}
_WORKS = frozenset(
    {
        ApplicationState.PREPARING,
        ApplicationState.STARTING,
        ApplicationState.WAITING,
        ApplicationState.RUNNING,
        ApplicationState.HUNG,
        ApplicationState.CRASHED,
        ApplicationState.HELD_BACK,
    }
)
"""States in which ApplicationErrors are told; in the others the missing value makes the alarm."""
_UP = frozenset({ApplicationState.STARTING, ApplicationState.WAITING, ApplicationState.RUNNING, ApplicationState.HUNG})
_MOST_SAMPLES = 150
"""Values that CloudWatch takes in one datum."""
_AWAITED_S = 3600.0


StatusT = TypeVar("StatusT", CameraStatus, ModelStatus, ApplicationStatus, DisplayStatus)


@dataclass
class _Heard(Generic[StatusT]):
    status: StatusT
    at: float
    samples: dict[str, list[float]] = field(default_factory=dict)

    def sample(self, name: str, value: float | None) -> None:
        if value is not None:
            values = self.samples.setdefault(name, [])
            if len(values) >= _MOST_SAMPLES:
                del values[::2]
            values.append(value)


@dataclass(frozen=True)
class Identity:
    """What the device is called in metrics."""

    device_id: str
    device_name: str
    application_ids: dict[str, str] = field(default_factory=dict)
    """Instance -> id that an alarm of old knows it by; the instance itself where there is none."""


class Collection:
    """The newest status of everything, and samples since the last interval. Not thread-safe."""

    def __init__(self, identity: Identity, counters: Counters, clock: Callable[[], float]) -> None:
        self._identity = identity
        self._counters = counters
        self._clock = clock
        self._cameras: dict[str, _Heard[CameraStatus]] = {}
        self._models: dict[str, _Heard[ModelStatus]] = {}
        self._applications: dict[str, _Heard[ApplicationStatus]] = {}
        self._displays: dict[str, _Heard[DisplayStatus]] = {}

    def hear_camera(self, status: CameraStatus) -> None:
        """Take in the state of a camera."""
        self._put(self._cameras, status.camera_id, status)

    def hear_model(self, status: ModelStatus) -> None:
        """Take in the state of a model."""
        heard = self._put(self._models, status.model_id, status)
        heard.sample("ModelLatency", status.latency_ms)
        heard.sample("ModelQueue", status.queue)

    def hear_application(self, status: ApplicationStatus) -> None:
        """Take in the state of an application."""
        heard = self._put(self._applications, status.instance, status)
        heard.sample("CallLatency", status.model_ms)
        heard.sample("FramesPerSecond", status.fps)

    def hear_display(self, status: DisplayStatus) -> None:
        """Take in the state of the display, which uploads video."""
        self._put(self._displays, "", status)

    def panorama(self) -> list[Datum]:
        """Return Panorama's two metrics for the minute that ends now."""
        identity = self._identity
        data = [
            Datum(
                DEVICE_ACTIVE.name,
                DEVICE_ACTIVE.unit,
                (("DeviceId", identity.device_id), ("DeviceName", identity.device_name)),
                (1.0,),
            )
        ]
        for instance, heard in self._fresh(self._applications):
            status = heard.status
            if status.state not in _WORKS:
                continue
            errors = self._counters.added(f"errors {instance}", "", status.errors)
            data.append(
                Datum(
                    APPLICATION_ERRORS.name,
                    APPLICATION_ERRORS.unit,
                    (
                        ("ApplicationInstanceName", instance),
                        ("ApplicationInstanceId", identity.application_ids.get(instance, instance)),
                    ),
                    (float(errors),),
                )
            )
        return data

    def own(self, groups: tuple[Group, ...], figures: Figures, wall: float) -> list[Datum]:
        """Return Vedette's metrics of these groups since the last call; ``wall`` is the Unix time."""
        data: list[Datum] = []
        if "device" in groups:
            data += self._device(figures)
        if "cameras" in groups:
            data += self._camera_data(wall)
        if "models" in groups:
            data += self._model_data()
        if "applications" in groups:
            data += self._application_data()
        if "video" in groups:
            data += self._video_data()
        for model in self._models.values():
            model.samples.clear()
        for application in self._applications.values():
            application.samples.clear()
        self._forget()
        return data

    def camera_sockets(self) -> dict[str, str]:
        """Return name -> socket of the cameras that are wanted and have one."""
        return {name: status.socket for name, status in self._camera_states() if status.socket}

    def cameras_down(self) -> list[str]:
        """Return the names of cameras that are wanted and give no picture."""
        return [name for name, status in self._camera_states() if status.state != CameraState.LIVE]

    def applications_down(self) -> list[str]:
        """Return the instances that do not run."""
        down = []
        for instance, heard in self._applications.items():
            status = heard.status
            if status.state != ApplicationState.STOPPED and (not self._is_fresh(heard) or status.state not in _UP):
                down.append(instance)
        return down

    def _device(self, figures: Figures) -> list[Datum]:
        values = {
            "CPUUtilization": figures.cpu,
            "MemoryUtilization": figures.memory,
            "MemoryUsed": figures.memory_used,
            "DiskUtilization": figures.disk,
            "DiskFree": figures.disk_free,
            "Temperature": figures.temperature,
            "CamerasDown": len(self.cameras_down()),
            "ApplicationsDown": len(self.applications_down()),
        }
        return [self._datum(name, (), value) for name, value in values.items() if value is not None]

    def _camera_data(self, wall: float) -> list[Datum]:
        data: list[Datum] = []
        for name, status in self._camera_states():
            at = (("Camera", name),)
            data.append(self._datum("CameraUp", at, status.state == CameraState.LIVE))
            for metric, count in (
                ("FramesIn", status.frames),
                ("FramesDropped", status.dropped),
                ("DecodeErrors", status.decode_errors),
                ("Reconnects", status.reconnects),
            ):
                added = self._counters.added(f"{metric} {status.camera_id}", status.pid, count)
                data.append(self._datum(metric, at, added))
            if status.last_frame_at is not None:
                data.append(self._datum("LastFrameAge", at, max(0.0, wall - status.last_frame_at)))
        return data

    def _camera_states(self) -> list[tuple[str, CameraStatus]]:
        """Return (name in metrics, status) of every camera that is wanted; two of one name go by their ids."""
        found = []
        for _, heard in self._fresh(self._cameras):
            if heard.status.state != CameraState.PAUSED:
                found.append(heard.status)
        names = Counter(status.name for status in found)
        return [(status.name if names[status.name] == 1 else status.camera_id, status) for status in found]

    def _model_data(self) -> list[Datum]:
        fresh = [heard for _, heard in self._fresh(self._models)]
        names = Counter(heard.status.name for heard in fresh)
        data: list[Datum] = []
        for heard in fresh:
            status = heard.status
            name = status.name if names[status.name] == 1 else f"{status.name} {status.model_id}"
            at = (("Model", name),)
            for metric, count in (("ModelCalls", status.calls), ("ModelErrors", status.errors)):
                added = self._counters.added(f"{metric} {status.model_id}", status.pid, count)
                data.append(self._datum(metric, at, added))
            data += self._sampled(heard, at, "ModelLatency", "ModelQueue")
        return data

    def _application_data(self) -> list[Datum]:
        data: list[Datum] = []
        for instance, heard in self._applications.items():
            status = heard.status
            if status.state == ApplicationState.STOPPED:
                continue
            at = (("ApplicationInstanceName", instance),)
            data.append(self._datum("ApplicationUp", at, self._is_fresh(heard) and status.state in _UP))
            restarts = self._counters.added(f"restarts {instance}", "", status.restarts)
            data.append(self._datum("Restarts", at, restarts))
            data += self._sampled(heard, at, "FramesPerSecond", "CallLatency")
        return data

    def _video_data(self) -> list[Datum]:
        data: list[Datum] = []
        for _, heard in self._fresh(self._displays):
            status = heard.status
            for upload in status.uploads:
                if not upload.stream:
                    continue  # not begun, as another one has its stream
                at = (("StreamName", upload.stream),)
                data.append(self._datum("VideoUp", at, not upload.last_error))
                for metric, count in (
                    ("VideoFragments", upload.acknowledged),
                    ("VideoBytes", upload.acknowledged_bytes),
                    ("VideoFragmentsLost", upload.lost),
                    ("VideoErrors", upload.errors),
                ):
                    # Of one process, an upload ends and begins anew with the application that it is for.
                    owner = f"{status.pid} {upload.began_at}"
                    added = self._counters.added(f"{metric} {upload.stream}", owner, count or 0)
                    data.append(self._datum(metric, at, added))
        return data

    def _sampled(
        self, heard: "_Heard[ModelStatus] | _Heard[ApplicationStatus]", at: Dimensions, *names: str
    ) -> list[Datum]:
        return [
            of_samples(name, _UNITS[name], self._dimensions(at), heard.samples[name])
            for name in names
            if heard.samples.get(name)
        ]

    def _datum(self, name: str, at: Dimensions, value: float) -> Datum:
        return Datum(name, _UNITS[name], self._dimensions(at), (float(value),))

    def _dimensions(self, at: Dimensions) -> Dimensions:
        return (("DeviceName", self._identity.device_name), *at)

    def _put(self, shelf: "dict[str, _Heard[StatusT]]", key: str, status: StatusT) -> "_Heard[StatusT]":
        heard = shelf.setdefault(key, _Heard(status, 0.0))
        heard.status, heard.at = status, self._clock()
        return heard

    def _is_fresh(self, heard: "_Heard[StatusT]") -> bool:
        return self._clock() - heard.at <= TTL_S

    def _fresh(self, shelf: "dict[str, _Heard[StatusT]]") -> "list[tuple[str, _Heard[StatusT]]]":
        return [(key, heard) for key, heard in sorted(shelf.items()) if self._is_fresh(heard)]

    def _forget(self) -> None:
        """Drop what is silent: at once for cameras and models, after an hour for an application that should run."""
        self._drop_silent(self._cameras, TTL_S)
        self._drop_silent(self._models, TTL_S)
        self._drop_silent(self._displays, TTL_S)
        self._drop_silent(self._applications, _AWAITED_S)

    def _drop_silent(self, shelf: "dict[str, _Heard[StatusT]]", after_s: float) -> None:
        for key in [key for key, heard in shelf.items() if self._clock() - heard.at > after_s]:
            del shelf[key]
