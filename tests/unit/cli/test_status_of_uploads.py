"""`vedette status` tells when logs and metrics were sent last, and why they wait."""

from pathlib import Path

import pytest

from vedette.cli.status import render
from vedette.health import HealthBook
from vedette.messages import MonitorStatus, UploadStatus
from vedette.nucleus.instances import Instance

NOW = 10_000.0


def told(error: str, since: float) -> str:
    book = HealthBook(wall=lambda: NOW)
    upload = UploadStatus(
        what="logs", where="/g/shop-7 in eu-west-1", since=since, last_success_at=NOW - 60, last_error=error
    )
    book.apply(MonitorStatus.topic(), MonitorStatus(uploads=[upload]).encode())
    instance = Instance("r", 1, 1, "b", "/root", "shop-7", 0.0, Path("/f"))
    return render(instance, book.document(), "http://page")


@pytest.mark.parametrize(
    "cause",
    [
        "`eu-wst-1` is no region of AWS: correct it in the configuration",
        "no connection to CloudWatch in region eu-west-1: its name cannot be resolved",
        "the device's role may not do logs:PutLogEvents: add it to the token exchange role's policy",
    ],
)
def test_why_logs_wait_is_not_told(cause: str) -> None:
    soon, late = told(cause, NOW - 10), told(cause, NOW - 1000)
    line = f"logs     to /g/shop-7 in eu-west-1: sent 60 s ago; waits on this device: {cause}"
    assert line in soon
    assert "! logs" not in soon, "the network may be gone for a moment"
    assert f"! logs: Logs do not reach CloudWatch. {cause}" in late
    assert "waits" not in told("", NOW - 1000)
