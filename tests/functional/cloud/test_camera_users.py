"""Who uses a camera: by the deployments of all targets, whatever the devices are at."""

import json
from typing import Any

import pytest

from vedette.cli.camera_choice import _on_devices
from vedette.cli.camera_registry import Place, list_cameras, remove_camera
from vedette.cloud.camera_users import camera_users
from vedette.cloud.cameras import CameraRegistry, Login

from .conftest import Aws, order
from .test_deploying import Make, deploy


def reported(aws: Aws, thing: str, shadow: str, state: dict[str, Any]) -> None:
    payload = json.dumps({"state": {"reported": state}})
    aws.client("iot-data").update_thing_shadow(thingName=thing, shadowName=shadow, payload=payload)


@pytest.fixture
def fleet(aws: Aws, suite: str, make_application: Make) -> Aws:
    """Return an account with two targets: `one` with two cameras on a group, `two` with one of them on a thing."""
    registry = CameraRegistry(aws.cloud())
    for name in ("lobby", "yard", "unused"):
        registry.add(name, Login(f"rtsp://10.0.0.21/{name}", "viewer", "pass-word"))
    group, thing = aws.group("shop", 0), aws.thing("office-01")
    aws.client("iot").create_thing(thingName="shop-01")
    aws.stand_in.fleet.add_devices(["shop-01"], [group.arn])
    deploy(aws, order(make_application("one", "lobby", "yard"), to=[group]))
    deploy(aws, order(make_application("two", "lobby", "other"), to=[thing]))
    return aws


def test_an_application_that_uses_a_camera_is_not_named(fleet: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    users = {name: [str(use) for use in uses] for name, uses in camera_users(fleet.cloud()).items()}
    assert users == {
        "lobby": ["one on thing-group/shop", "two on thing/office-01"],
        "yard": ["one on thing-group/shop"],
        "other": ["two on thing/office-01"],
    }
    fleet.stand_in.calls.clear()
    camera_users(fleet.cloud())
    assert fleet.stand_in.calls.count("GetDeployment") == 2, "one a target"
    capsys.readouterr()
    assert remove_camera("lobby", Place(), delete_secret=False, as_json=True) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["usedBy"] == ["one on thing-group/shop", "two on thing/office-01"]
    assert "by one on thing-group/shop, two on thing/office-01, which goes on with it" in captured.err
    assert remove_camera("unused", Place(), delete_secret=False, as_json=True) == 0
    assert "in use" not in capsys.readouterr().err


def test_the_list_lacks_users_states_or_cameras_that_are_not_registered(
    fleet: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    health = {"schema": "vedette.health/1", "cameras": [{"name": "lobby", "state": "playing", "words": "plays"}]}
    reported(fleet, "shop-01", "vedette:health", health)
    capsys.readouterr()
    assert list_cameras(Place(), as_json=True, users=True) == 0
    cameras = {each["name"]: each for each in json.loads(capsys.readouterr().out)["cameras"]}
    assert list(cameras) == ["lobby", "unused", "yard", "other"]
    assert cameras["lobby"]["states"] == {"shop-01": "plays"}
    assert cameras["unused"]["users"] == []
    assert (cameras["other"]["about"], cameras["other"]["users"]) == ("not registered", ["two on thing/office-01"])
    assert list_cameras(Place(), as_json=False, users=True) == 0
    told = capsys.readouterr().out
    assert "used by two on thing/office-01" in told
    assert "shop-01: plays" in told
    assert "pass-word" not in told


def test_cameras_of_a_device_are_not_offered(fleet: Aws) -> None:
    health = {"applications": [{"instance": "one"}, {"instance": "never-ran"}]}
    reported(fleet, "shop-01", "vedette:health", health)
    reported(fleet, "shop-01", "vedette-one", {"cameras": {"lobby": "RESUME", "yard": "PAUSE"}})
    found = _on_devices(("shop-01",), None, None)
    assert [(e.instance, e.camera, e.paused, e.device) for e in found] == [
        ("one", "lobby", False, "shop-01"),
        ("one", "yard", True, "shop-01"),
    ]
