"""The alarms of infra/ on what a device sends: they fire when something is wrong, and only then.

No emulator knows CloudWatch's rule for missing data: it is played (benchmarks/alarms.py plays it on real processes).
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from vedette_device_monitor.collection import Collection, Identity
from vedette_device_monitor.counters import Counters
from vedette_device_monitor.machine import Figures

from vedette.cloud_stand_in.alarms import AlarmRule
from vedette.messages import ApplicationState, ApplicationStatus, CameraState, CameraStatus
from vedette.metrics import GROUPS

INFRA = Path(__file__).parents[3] / "infra"
Values = dict[tuple[str, int], float]
"""(metric, minute) -> value."""


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
    """Return the minutes at whose end the alarm of a metric is in ALARM."""
    given = rules()[metric]
    rule = AlarmRule.of(given if limit is None else {**given, "Threshold": limit})
    at = []
    for now in range(rule.looks_at - 1, minutes):
        window = [values.get((metric, minute)) for minute in range(now - rule.looks_at + 1, now + 1)]
        if rule.state(window) == "ALARM":
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
    device.minutes(8, sends=False)
    device.minutes(10)
    # CloudWatch looks back two minutes more than the alarm's five before it calls anything missing.
    assert device.alarms() == {"DeviceActive": [16, 17], "ApplicationErrors": [16, 17]}


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
    device.minutes(8, application=state)
    assert device.alarms() == {"ApplicationErrors": [16, 17], "ApplicationsDown": [14, 15, 16, 17]}


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


@pytest.mark.parametrize(
    ("values", "breaching", "not_breaching"),
    [
        # The user guide's own examples, an alarm of three periods: 0 is well, 1 is wrong, None is missing.
        ([0, None, 1, None, 1], "OK", "OK"),
        ([0, None, None, None, None], "OK", "OK"),
        ([None, None, None, None, None], "ALARM", "OK"),
        ([0, 1, 1, None, 1], "ALARM", "ALARM"),
        ([None, None, 1, None, None], "ALARM", "OK"),
    ],
)
def test_missing_data_are_judged_otherwise_than_by_cloudwatch(
    values: list[float | None], breaching: str, not_breaching: str
) -> None:
    for missing, state in (("breaching", breaching), ("notBreaching", not_breaching)):
        assert AlarmRule(1, "GreaterThanOrEqualToThreshold", 3, 3, missing).state(values) == state
