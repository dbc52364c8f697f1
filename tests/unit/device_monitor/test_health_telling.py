"""The health document in a message: short enough, the worst kept, told when something changes."""

from vedette_device_monitor.health import MAX_BYTES, Telling, condensed, device_facts

from vedette.application.desired import state_bytes
from vedette.health import HealthBook
from vedette.messages import CameraState, CameraStatus


def book(cameras: int) -> HealthBook:
    found = HealthBook(lambda: 100.0, lambda: 1_000.0)
    for number in range(cameras):
        status = CameraStatus(
            camera_id=f"camera-{number}",
            name=f"camera {number}",
            state=CameraState.WRONG_PASSWORD,
            detail="10.0.0.7:554 refused the login of viewer",
            since=0.0,
            users=["app"],
        )
        found.apply(CameraStatus.topic(status.camera_id), status.encode())
    return found


def test_a_device_with_many_cameras_tells_nothing() -> None:
    short = condensed(book(120).document(), device_facts({}))
    assert state_bytes(short) <= MAX_BYTES
    assert short["left_out"]
    assert short["problems"]
    assert short["cameras"]
    assert short["summary"]["problems"] == 120


def test_a_device_with_few_cameras_is_cut_short() -> None:
    short = condensed(book(3).document(), {"thing": "shop-7"})
    assert "left_out" not in short
    assert [camera["state"] for camera in short["cameras"]] == ["wrong-password"] * 3


def test_a_change_waits_or_silence_is_told() -> None:
    now = [0.0]
    telling = Telling(lambda: now[0])
    assert telling.report_due({"a": 1})
    assert telling.publish_due({"a": 1})
    now[0] = 2.0
    assert not telling.publish_due({"a": 1})
    assert telling.publish_due({"a": 2})
    assert not telling.report_due({"a": 2})
    now[0] = 6.0
    assert telling.report_due({"a": 2})
    now[0] = 800.0
    assert telling.publish_due({"a": 2})
    assert not telling.report_due({"a": 2})
    now[0] = 1000.0
    assert telling.report_due({"a": 2})


def test_an_age_in_words_makes_an_update_of_the_shadow_every_time() -> None:
    now = [0.0]
    telling = Telling(lambda: now[0])
    assert telling.report_due({"problems": [{"title": "No new picture for 7 s"}]})
    now[0] = 60.0
    assert not telling.report_due({"problems": [{"title": "No new picture for 67 s"}]})
    assert telling.report_due({"problems": [{"title": "Camera unreachable"}]})
