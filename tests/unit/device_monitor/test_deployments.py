"""What is known of a deployment: from the nucleus's announcements, from AWS IoT's jobs, and from both at once."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.deployments import LINGER_S, Deployments
from vedette_device_monitor.main import Clocks, Monitor

from vedette.bus import BusTimeout
from vedette.bus.interface import InstalledComponent
from vedette.bus.memory import MemoryBroker, MemoryBus
from vedette.messages import DeploymentState, DeploymentStatus

DOCUMENT = {"configurationArn": "arn:aws:greengrass:eu-west-1:1:configuration:x:1", "deploymentName": "shops"}


def job(status: str, document: object = DOCUMENT, **details: str) -> dict[str, Any]:
    found: dict[str, Any] = {"jobId": "job-1", "status": status, "statusDetails": details}
    return found if document is None else {**found, "jobDocument": document}


class Known:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.deployments = Deployments(lambda: self.now)

    @property
    def state(self) -> str:
        return "" if self.deployments.status is None else self.deployments.status.state.value

    def shown(self) -> bool:
        return self.deployments.to_tell is not None


def test_an_announced_update_is_not_known() -> None:
    known = Known()
    known.deployments.announced("d", begins=True)
    assert known.state == "in-progress"
    known.deployments.announced("d", begins=False)
    assert known.state == "done"


def test_the_log_does_not_tell_start_and_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    known = Known()
    for status in ("QUEUED", "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED"):
        known.deployments.job(job(status))
    known.deployments.announced("d-2", begins=True)
    known.deployments.job(job("FAILED", {**DOCUMENT, "deploymentName": "more"}, **{"deployment-failure-cause": "disk"}))
    assert [(getattr(record, "about", ""), record.message) for record in caplog.records] == [
        ("stream:occ_log", "deployment shops job-1: queued"),
        ("stream:occ_log", "deployment shops job-1: in-progress"),
        ("stream:occ_log", "deployment shops job-1: succeeded"),
        ("stream:occ_log", "deployment d-2: in-progress"),
        ("stream:occ_log", "deployment more job-1: failed: disk"),
    ]


def test_a_job_of_somebody_else_is_called_a_deployment() -> None:
    known = Known()
    assert not known.deployments.job(job("QUEUED", {"operation": "rotate-logs"}))
    assert not known.deployments.job(job("SUCCEEDED", None)), "never heard of before"
    assert known.state == ""


def test_the_end_of_a_deployment_is_lost_between_two_who_tell_of_it() -> None:
    known = Known()
    assert known.deployments.job(job("IN_PROGRESS"))
    known.deployments.announced("d-of-the-nucleus", begins=True)
    known.deployments.announced("d-of-the-nucleus", begins=False)
    assert known.state == "in-progress", "the job says how it ended"
    cause = {"deployment-failure-cause": "no such component", "detailed-deployment-status": "FAILED_ROLLBACK_COMPLETE"}
    assert known.deployments.job(job("FAILED", None, **cause))
    status = known.deployments.status
    assert status is not None
    assert (status.name, status.state, status.detail) == ("shops", DeploymentState.FAILED, "no such component")
    known.deployments.announced("another", begins=True)
    assert known.state == "in-progress"


def test_the_end_is_shown_for_ever_or_never() -> None:
    known = Known()
    known.deployments.job(job("IN_PROGRESS"))
    known.now += 10_000
    assert known.shown(), "while it is under way"
    known.deployments.job(job("SUCCEEDED", None))
    assert known.shown()
    known.now += LINGER_S + 1
    assert not known.shown()
    assert known.state == "succeeded"


def test_a_reason_tells_a_login() -> None:
    known = Known()
    known.deployments.job(job("IN_PROGRESS"))
    cause = "script failed: ffmpeg rtsp://viewer:planted-4711@192.0.2.7/stream"
    known.deployments.job(job("FAILED", None, **{"deployment-failure-cause": cause}))
    status = known.deployments.status
    assert status is not None
    assert "planted" not in status.detail
    assert "192.0.2.7" in status.detail


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[MemoryBroker, Monitor, MemoryBus]]:
    broker = MemoryBroker()
    bus, probe = MemoryBus(broker, "vedette.DeviceMonitor"), MemoryBus(broker, "probe")
    clocks = Clocks(monotonic=lambda: 100.0, wall=lambda: 1_000.0)
    configuration = MonitorConfiguration.model_validate({"jobs": False})
    monitor = Monitor(bus, configuration, "shop-7", tmp_path, environ={}, clocks=clocks)
    yield broker, monitor, probe
    monitor.spool.close()
    bus.close()
    probe.close()


def test_page_and_screen_hear_nothing_of_an_update(broker: tuple[MemoryBroker, Monitor, MemoryBus]) -> None:
    memory, monitor, probe = broker
    memory.components = [InstalledComponent("vedette.Display", "0.1.0", "BROKEN")]
    heard, health = probe.record(DeploymentStatus.topic()), probe.record("vedette/health")
    subscriptions = monitor.listen()
    memory.update("d-1", begins=True)
    deadline = time.monotonic() + 20
    while heard.empty() and time.monotonic() < deadline:
        monitor.look_around()
        threading.Event().wait(0.01)
    status = DeploymentStatus.model_validate_json(heard.get(timeout=20)[1])
    assert (status.deployment_id, status.state) == ("d-1", DeploymentState.IN_PROGRESS)
    monitor.tell()
    document = health.get(timeout=20)[1]
    assert b'"deployment":{"id":"d-1","state":"in-progress"' in document
    assert b'"components":[{"name":"vedette.Display","state":"BROKEN","version":"0.1.0"}]' in document
    assert b'"kind":"component","subject":"vedette.Display"' in document
    for subscription in subscriptions:
        subscription.close()


def test_a_nucleus_that_lists_no_components_ends_the_monitor(
    broker: tuple[MemoryBroker, Monitor, MemoryBus], caplog: pytest.LogCaptureFixture
) -> None:
    _, monitor, _ = broker
    caplog.set_level("INFO")
    for subscription in monitor.listen():
        subscription.close()
    for _ in range(3):
        monitor.look_around()
    assert sum("components are not in the health document" in line for line in caplog.messages) == 1


def test_a_nucleus_without_an_answer_is_asked_for_ever(
    broker: tuple[MemoryBroker, Monitor, MemoryBus], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, monitor, _ = broker
    asked = []

    def silent(self: MemoryBus) -> list[InstalledComponent]:
        asked.append(self.component)
        raise BusTimeout("no answer from the nucleus")

    monkeypatch.setattr(MemoryBus, "list_components", silent)
    for _ in range(10):
        monitor._components_due = 0.0
        monitor.look_around()
    assert len(asked) == 3
