"""The dashboard of infra/ on what a device has sent to moto: every graph has values."""

import json
import re
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.machine import Machine
from vedette_device_monitor.main import Monitor

from vedette.bus.memory import MemoryBus
from vedette.messages import ApplicationState, ApplicationStatus, CameraState, CameraStatus

from .test_metrics_arrive import cloudwatch

DASHBOARD = Path(__file__).parents[3] / "infra" / "dashboard.yaml"
SEARCH = re.compile(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"(\w+)\"\s*(\S*)', '(\w+)', (\d+)\)")


def graphs(prefix: str) -> dict[str, list[tuple[str, ...]]]:
    """Return title -> (namespace, dimensions, metric, words, statistic, period) of its searches."""
    text = DASHBOARD.read_text()
    body = text[text.index('{"start"') : text.index("\nOutputs:")]
    body = body.replace("${NamePrefix}", prefix).replace("${AWS::Region}", "eu-west-1")
    found = {}
    for widget in json.loads(body)["widgets"]:
        expressions = [row[0]["expression"] for row in widget["properties"]["metrics"]]
        matches = [SEARCH.fullmatch(expression) for expression in expressions]
        found[widget["properties"]["title"]] = [match.groups() for match in matches if match]
        assert len(found[widget["properties"]["title"]]) == len(expressions), expressions
    return found


def values(client: Any, search: tuple[str, ...]) -> list[float]:
    """Return what a search draws: of every metric with exactly these dimensions and this word in their values."""
    namespace, dimensions, name, word, statistic, period = search
    now = datetime.now(timezone.utc)
    drawn: list[float] = []
    for metric in client.list_metrics(Namespace=namespace, MetricName=name)["Metrics"]:
        given = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        if set(given) != set(dimensions.split(",")) or (word and not any(word in value for value in given.values())):
            continue
        asked: dict[str, Any] = {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": metric["Dimensions"],
            "StartTime": now - timedelta(hours=1),
            "EndTime": now + timedelta(hours=1),
            "Period": int(period),
        }
        if statistic.startswith("p"):  # moto gives no percentiles: that there are values is what counts
            statistic = "Average"
        points = client.get_metric_statistics(**asked, Statistics=[statistic])["Datapoints"]
        drawn += [float(point[statistic]) for point in points]
    return drawn


def test_a_graph_of_the_dashboard_is_empty(tmp_path: Path, environ: dict[str, str], aws_url: str) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("51000")
    with MemoryBus() as bus:
        monitor = Monitor(bus, MonitorConfiguration(), "hall-3", tmp_path, environ=environ)
        monitor._machine = Machine(tmp_path, sys=tmp_path / "sys")
        camera = CameraStatus(camera_id="c", name="c", state=CameraState.LOST, since=0.0, pid=1)
        application = ApplicationStatus(
            instance="i", application="x", state=ApplicationState.RUNNING, since=0.0, fps=14.5, model_ms=21.0, errors=2
        )
        monitor._hear(CameraStatus.topic("c"), camera.encode())
        monitor._hear(ApplicationStatus.topic("i"), application.encode())
        threading.Event().wait(0.1)  # time for the processor to be used in
        monitor.take_minute()
        monitor.sender.run_once()
        assert monitor.sender.last_error == ""
        monitor.spool.close()
    client = cloudwatch(aws_url)
    drawn = {title: [values(client, search) for search in searches] for title, searches in graphs("hall").items()}
    assert len(drawn) == 8
    assert {title for title, lines in drawn.items() if not all(lines)} == set()
    assert drawn["Devices that report"] == [[1.0]]
    assert drawn["Cameras without a picture"] == [[1.0]]
    assert drawn["Frames a second of applications"] == [[14.5]]
    assert drawn["Model calls of applications, ms (p95)"] == [[21.0]]
    assert drawn["Temperature, degrees Celsius"] == [[51.0]]
