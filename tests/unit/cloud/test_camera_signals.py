"""vedette camera pause and resume, against moto's shadows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from vedette.cli.camera_signals import Signal
from vedette.cli.device_signals import signal_devices
from vedette.cli.failure import Failure

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def shadows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    # moto has no shadows at an account's own endpoint.
    monkeypatch.setenv("AWS_ENDPOINT_URL_IOT_DATA_PLANE", f"https://data-ats.iot.{REGION}.amazonaws.com")
    with mock_aws():
        data = boto3.client("iot-data", region_name=REGION)
        for thing in ("shop-01", "shop-02"):
            boto3.client("iot", region_name=REGION).create_thing(thingName=thing)
            reported = {"state": {"reported": {"cameras": {"lobby": "RESUME", "yard": "PAUSE"}}}}
            data.update_thing_shadow(thingName=thing, shadowName="vedette-app", payload=json.dumps(reported))
        yield data


def signal(camera: str | None, wanted: Signal, *devices: str, instance: str = "app") -> int:
    return signal_devices(instance, camera, wanted, devices, profile=None, region=REGION, as_json=False)


def desired(shadows: Any, thing: str) -> Any:
    answer = shadows.get_thing_shadow(thingName=thing, shadowName="vedette-app")
    return json.loads(answer["payload"].read())["state"].get("desired")


def test_a_signal_goes_to_another_camera_or_device(shadows: Any, capsys: pytest.CaptureFixture[str]) -> None:
    signal("lobby", "PAUSE", "shop-01")
    assert desired(shadows, "shop-01") == {"cameras": {"lobby": "PAUSE"}}
    assert desired(shadows, "shop-02") is None
    signal("yard", "RESUME", "shop-01", "shop-02")
    assert desired(shadows, "shop-01") == {"cameras": {"lobby": "PAUSE", "yard": "RESUME"}}
    assert desired(shadows, "shop-02") == {"cameras": {"yard": "RESUME"}}
    assert "reports" not in capsys.readouterr().err
    # One of several cameras on a node has no entry of its own before its first signal.
    signal("north", "PAUSE", "shop-02")
    assert desired(shadows, "shop-02") == {"cameras": {"yard": "RESUME", "north": "PAUSE"}}
    assert "shop-02 reports lobby (on), yard (paused): if it has no `north`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("camera", "devices", "instance", "said"),
    [
        (None, ["shop-01"], "app", "it reports: lobby (on), yard (paused)"),
        ("lobby", ["shop-01", "shop-03"], "app", "as in vedette deploy --name"),
        ("lobby", ["shop-01"], "other", "as in vedette deploy --name"),
    ],
)
def test_a_mistake_changes_a_shadow(
    shadows: Any, camera: str | None, devices: list[str], instance: str, said: str
) -> None:
    with pytest.raises(Failure) as failure:
        signal(camera, "PAUSE", *devices, instance=instance)
    assert said in str(failure.value.hint)
    assert desired(shadows, "shop-01") is None
