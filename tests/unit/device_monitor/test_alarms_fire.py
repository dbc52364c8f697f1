"""The alarms of infra/ on what a device sends: they fire when something is wrong, and only then.

CloudWatch's rule (M of N periods, missing data) is played here, since no emulator knows missing data.
"""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from vedette_device_monitor.collection import Collection, Identity
from vedette_device_monitor.counters import Counters
from vedette_device_monitor.machine import Figures

from vedette.messages import ApplicationState, ApplicationStatus, CameraState, CameraStatus
from vedette.metrics import GROUPS

INFRA = Path(__file__).parents[3] / "infra"
Values = dict[tuple[str, int], float]
"""(metric, minute) -> value."""
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "LessThanThreshold": operator.lt,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}


class _Loader(yaml.SafeLoader):
    pass


def _short_form(_loader: _Loader, _tag: str, node: Any) -> str:
    return "5" if node.value == "Minutes" else "x"


_Loader.add_multi_constructor("!", _short_form)


def rules() -> dict[str, Any]:
    found = {}
    for path in INFRA.glob("alarms-*.yaml"):
        for resource in yaml.load(path.read_text(), _Loader)["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                found[resource["Properties"]["MetricName"]] = resource["Properties"]
    return found


def fires_at(metric: str, values: Values, minutes: int, limit: float | None = None) -> list[int]:
    """Return the minutes at which the alarm of a metric is in ALARM; its five minutes are all over then."""
    rule = rules()[metric]
    compare, limit = _COMPARE[rule["ComparisonOperator"]], float(rule["Threshold"]) if limit is None else limit
    at = []
    for now in range(4, minutes):
        window = [values.get((metric, minute)) for minute in range(now - 4, now + 1)]
        missing = rule["TreatMissingData"] == "breaching"
        if all(missing if value is None else compare(value, limit) for value in window):
            at.append(now)
    return at


class Device:
    def __init__(self) -> None:
        self.now = 0.0
        self.minute = 0
        self.values: Values = {}
        self.collection = Collection(Identity("d", "d"), Counters(), lambda: self.now)
        self._counters = self.collection._counters
        self.errors = 0
        self.disk = 50.0

    def minutes(
        self,
        count: int,
        application: ApplicationState | None = ApplicationState.RUNNING,
        camera: CameraState = CameraState.LIVE,
        errors: int = 0,
        sends: bool = True,
    ) -> None:
        for _ in range(count):
            self.errors += errors
            if application is not None:
                self.collection.hear_application(
                    ApplicationStatus(instance="i", application="a", state=application, since=0.0, errors=self.errors)
                )
            self.collection.hear_camera(CameraStatus(camera_id="c", name="c", state=camera, since=0.0, pid=1))
            if sends:
                figures = Figures(1.0, 1.0, 1, self.disk, 1, None)
                for datum in [*self.collection.panorama(), *self.collection.own(GROUPS, figures, 0.0)]:
                    self.values[datum.name, self.minute] = datum.values[0]
                self._counters.to_note()
            self.minute += 1
            self.now += 60.0

    def alarms(self) -> dict[str, list[int]]:
        limits = {"DiskUtilization": 90.0}
        metrics = ("DeviceActive", "ApplicationErrors", "CamerasDown", "ApplicationsDown", "DiskUtilization")
        fired = {metric: fires_at(metric, self.values, self.minute, limits.get(metric)) for metric in metrics}
        return {metric: at for metric, at in fired.items() if at}


def test_an_alarm_fires_although_all_is_well() -> None:
    device = Device()
    device.minutes(60)
    device.minutes(3, camera=CameraState.LOST)  # shorter than five minutes
    device.minutes(20)
    device.minutes(1, application=ApplicationState.CRASHED, errors=2)
    device.minutes(10)
    assert device.alarms() == {}


def test_a_device_that_is_silent_wakes_nobody() -> None:
    device = Device()
    device.minutes(10)
    device.minutes(7, sends=False)
    device.minutes(10)
    assert device.alarms() == {"DeviceActive": [14, 15, 16], "ApplicationErrors": [14, 15, 16]}


@pytest.mark.parametrize("state", [ApplicationState.CRASHED, ApplicationState.HELD_BACK])
def test_an_application_that_crashes_wakes_nobody(state: ApplicationState) -> None:
    device = Device()
    device.minutes(10)
    device.minutes(6, application=state, errors=1)
    device.minutes(5)
    assert device.alarms() == {"ApplicationErrors": [14, 15], "ApplicationsDown": [14, 15]}


@pytest.mark.parametrize("state", [None, ApplicationState.FAILED])
def test_an_application_that_is_gone_or_cannot_start_wakes_nobody(state: ApplicationState | None) -> None:
    device = Device()
    device.minutes(10)
    device.minutes(6, application=state)
    assert device.alarms() == {"ApplicationErrors": [14, 15], "ApplicationsDown": [14, 15]}


def test_a_dead_camera_or_a_full_disk_wakes_nobody() -> None:
    device = Device()
    device.minutes(5)
    device.minutes(5, camera=CameraState.UNREACHABLE)
    device.disk = 95.0
    device.minutes(5)
    assert device.alarms() == {"CamerasDown": [9], "DiskUtilization": [14]}


def test_a_paused_camera_wakes_somebody() -> None:
    device = Device()
    device.minutes(20, camera=CameraState.PAUSED)
    assert device.alarms() == {}
