"""Names, units and dimensions of every metric."""

from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["device", "cameras", "models", "applications", "video"]
GROUPS: Final[tuple[Group, ...]] = ("device", "cameras", "models", "applications", "video")
DEFAULT_GROUPS: Final[tuple[Group, ...]] = ("device", "applications")
"""Enough for every alarm and graph of infra/ but that of one model; those of cameras cost most and are asked for."""

PANORAMA_NAMESPACE: Final = "PanoramaDeviceMetrics"
"""AWS Panorama's own: alarms and dashboards made for it go on working."""
NAMESPACE: Final = "Vedette"


@dataclass(frozen=True)
class Metric:
    """One metric; a device sends it once for each camera, model, application or stream of its group."""

    name: str
    unit: str
    """As CloudWatch spells it."""
    dimensions: tuple[str, ...]
    meaning: str
    group: Group | None = None
    """None: always sent."""

    @property
    def namespace(self) -> str:
        """The metric's namespace."""
        return PANORAMA_NAMESPACE if self.group is None else NAMESPACE


DEVICE_ACTIVE: Final = Metric(
    "DeviceActive", "None", ("DeviceId", "DeviceName"), "1 every minute while the device works"
)
APPLICATION_ERRORS: Final = Metric(
    "ApplicationErrors",
    "Count",
    ("ApplicationInstanceName", "ApplicationInstanceId"),
    "exits of the application in this minute, 0 while it runs; nothing while it cannot be started",
)


def _of(group: Group, dimensions: tuple[str, ...], *rows: tuple[str, str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(name, unit, dimensions, meaning, group) for name, unit, meaning in rows)


METRICS: Final[tuple[Metric, ...]] = (
    DEVICE_ACTIVE,
    APPLICATION_ERRORS,
    *_of(
        "device",
        ("DeviceName",),
        ("CPUUtilization", "Percent", "of all cores since the last value"),
        ("MemoryUtilization", "Percent", "of the memory, without what the kernel would give up"),
        ("MemoryUsed", "Bytes", "the same in bytes"),
        ("DiskUtilization", "Percent", "of the file system that holds Greengrass's root folder"),
        ("DiskFree", "Bytes", "left there for unprivileged users"),
        ("Temperature", "None", "degrees Celsius of the hottest sensor; missing where there is none"),
        ("CamerasDown", "Count", "cameras that applications want and that give no picture"),
        ("ApplicationsDown", "Count", "application instances that do not run"),
    ),
    *_of(
        "cameras",
        ("DeviceName", "Camera"),
        ("CameraUp", "None", "1 while pictures come, 0 otherwise; missing while it is paused"),
        ("FramesIn", "Count", "frames decoded since the last value"),
        ("FramesDropped", "Count", "frames that no reader had room for since the last value"),
        ("DecodeErrors", "Count", "since the last value"),
        ("Reconnects", "Count", "since the last value"),
        ("LastFrameAge", "Seconds", "age of the newest frame"),
    ),
    *_of(
        "models",
        ("DeviceName", "Model"),
        ("ModelCalls", "Count", "since the last value"),
        ("ModelErrors", "Count", "since the last value"),
        ("ModelLatency", "Milliseconds", "median of the run, once a second: percentiles are of those"),
        ("ModelQueue", "Count", "calls that wait, once a second"),
    ),
    *_of(
        "applications",
        ("DeviceName", "ApplicationInstanceName"),
        ("ApplicationUp", "None", "1 while it runs, 0 otherwise"),
        ("FramesPerSecond", "Count/Second", "put() a second"),
        ("CallLatency", "Milliseconds", "median of node.call as the application sees it, once a second"),
        ("Restarts", "Count", "since the last value"),
    ),
    *_of(
        "video",
        ("DeviceName", "StreamName"),
        ("VideoUp", "None", "1 while nothing keeps video from the stream in Kinesis Video Streams, 0 otherwise"),
        ("VideoFragments", "Count", "fragments that AWS has acknowledged since the last value"),
        ("VideoBytes", "Bytes", "of these"),
        ("VideoFragmentsLost", "Count", "that made room or that AWS does not take, since the last value"),
        ("VideoErrors", "Count", "requests that failed since the last value"),
    ),
)
