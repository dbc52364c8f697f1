"""Page, `vedette status` and the shadow tell the same of one moment: applications, nodes, network, update, software."""

import json
from pathlib import Path
from typing import Any

import pytest
from vedette_device_monitor.health import condensed
from vedette_device_monitor.uploads import Uploads
from vedette_display.board import Board

from vedette.cli.status import render
from vedette.health import ComponentHealth, HealthBook
from vedette.messages import (
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DeploymentState,
    DeploymentStatus,
    MonitorStatus,
    PortStatus,
)
from vedette.nucleus.instances import Instance

NETWORK = {
    "interfaces": [
        {"name": "eth0", "mac": "02:00:00:00:00:01", "state": "CONNECTED", "addresses": ["192.0.2.7/24"], "mbps": 1000},
        {"name": "eth1", "mac": "02:00:00:00:00:02", "state": "NOT_CONNECTED", "addresses": []},
    ],
    "uplink": "eth0",
    "time": {"state": "CONNECTED", "server": "192.0.2.1"},
}
COMPONENTS = [ComponentHealth(name="vedette.Display", state="RUNNING", version="0.1.0")]


@pytest.fixture
def book() -> HealthBook:
    found = HealthBook(lambda: 10.0, lambda: 1_000.0)
    application = ApplicationStatus(
        instance="counter",
        application="people",
        state=ApplicationState.RUNNING,
        since=990.0,
        cameras={"video_in": ["door-1"]},
        code_node="code",
        camera_nodes={"front": ["door-1"]},
        ports=[
            PortStatus(container_port=80, host_port=8080),
            PortStatus(container_port=81, host_port=8081, detail="taken"),
        ],
    )
    camera = CameraStatus(camera_id="door-1", name="door", state=CameraState.LOST, since=990.0, pid=1)
    deployment = DeploymentStatus(deployment_id="d", name="shops", state=DeploymentState.IN_PROGRESS, since=988.0)
    network = Uploads(lambda: 0.0, lambda: 0.0).due([], NETWORK)
    assert network is not None
    for topic, payload in (
        (ApplicationStatus.topic("counter"), application.encode()),
        (CameraStatus.topic("door-1"), camera.encode()),
        (DeploymentStatus.topic(), deployment.encode()),
        (MonitorStatus.topic(), network),
    ):
        assert found.apply(topic, payload)
    return found


def page(book: HealthBook) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Board(book=book).state({}, 0))["health"]
    return found


def test_page_and_shadow_differ(book: HealthBook) -> None:
    shown, told = page(book), condensed(book.document(COMPONENTS), {"thing": "shop-7"}, NETWORK)
    (on_page,), (in_shadow,) = shown["applications"], told["applications"]
    assert on_page["health"] == in_shadow["health"] == "ERROR"
    assert (
        {n["name"]: n["health"] for n in on_page["nodes"]}
        == in_shadow["nodes"]
        == {"code": "RUNNING", "front": "ERROR"}
    )
    assert shown["summary"] == told["summary"]
    assert [p["title"] for p in shown["problems"]] == [p["title"] for p in told["problems"]]
    assert shown["deployment"]["state"] == told["deployment"]["state"]
    assert shown["network"] == told["network"] == NETWORK


def test_the_terminal_leaves_out_what_the_page_shows(book: HealthBook) -> None:
    instance = Instance("run", 1, 0, "boot", "/root", "shop-7", 0.0, Path())
    text = render(instance, book.document(COMPONENTS), "http://127.0.0.1/", nodes=True)
    for words in (
        "! door: Connection to the camera lost",
        "network  eth0 connected, 1000 Mbit/s, the way out 192.0.2.7/24",
        "network  eth1 not connected",
        "clock    set by 192.0.2.1",
        "update   Updating this device: shops, 12 s so far",
    ):
        assert words in text, text
    rows = [line.split() for line in text.splitlines()]
    assert ["front", "counter", "camera", "ERROR"] in rows
    assert ["8080", "counter", "80", "open"] in rows
    assert ["8081", "counter", "81", "taken"] in rows
    assert "front" not in render(instance, book.document(COMPONENTS)), "only when asked for"
