"""What is heard on the bus becomes metrics: exactly Panorama's dimensions, counts that are counted once."""

import json
from typing import Any

import pytest
from vedette_device_monitor.collection import Collection, Identity
from vedette_device_monitor.configuration import ConfigurationError, read
from vedette_device_monitor.counters import Counters
from vedette_device_monitor.datum import Datum, of_samples, pack, unpack
from vedette_device_monitor.machine import Figures, Machine
from vedette_device_monitor.put_metric_data import encode

from vedette.messages import (
    ApplicationState,
    ApplicationStatus,
    CameraState,
    CameraStatus,
    DisplayStatus,
    ModelState,
    ModelStatus,
    UploadStatus,
)
from vedette.metrics import GROUPS, METRICS

FIGURES = Figures(12.5, 40.0, 4_000_000_000, 55.0, 9_000_000_000, None)


class Rig:
    def __init__(self, remembered: object = None) -> None:
        self.now = 100.0
        self.counters = Counters(remembered)
        identity = Identity("device-abc", "shop-7", {"counter": "applicationInstance-1"})
        self.collection = Collection(identity, self.counters, lambda: self.now)

    def application(self, instance: str = "counter", **fields: Any) -> None:
        given = {"state": ApplicationState.RUNNING, **fields}
        self.collection.hear_application(ApplicationStatus(instance=instance, application="app", since=0.0, **given))

    def camera(self, name: str = "door", camera_id: str = "door-1", **fields: Any) -> None:
        given = {"state": CameraState.LIVE, "pid": 7, **fields}
        self.collection.hear_camera(CameraStatus(camera_id=camera_id, name=name, since=0.0, **given))

    def video(self, *streams: dict[str, Any], pid: int = 7) -> None:
        given: dict[str, Any] = {"what": "video", "since": 0.0, "began_at": 1.0}
        uploads = [UploadStatus(**{**given, **stream}) for stream in streams]
        self.collection.hear_display(DisplayStatus(page="http://shop-7/", pid=pid, uploads=uploads))

    def minute(self) -> dict[str, list[Datum]]:
        data = [*self.collection.panorama(), *self.collection.own(GROUPS, FIGURES, wall=1_000.0)]
        self.counters.to_note()
        self.now += 60.0
        return {name: [each for each in data if each.name == name] for name in {each.name for each in data}}


def test_an_alarm_made_for_an_appliance_goes_blind() -> None:
    rig = Rig()
    rig.application(errors=2)
    rig.application("other")
    data = rig.minute()
    assert [(d.dimensions, d.values) for d in data["DeviceActive"]] == [
        ((("DeviceId", "device-abc"), ("DeviceName", "shop-7")), (1.0,))
    ]
    names = ("ApplicationInstanceName", "ApplicationInstanceId")
    assert {d.dimensions: d.values for d in data["ApplicationErrors"]} == {
        ((names[0], "counter"), (names[1], "applicationInstance-1")): (2.0,),
        ((names[0], "other"), (names[1], "other")): (0.0,),
    }


def test_an_error_is_counted_twice_or_not_at_all() -> None:
    rig = Rig()
    told = []
    for errors in (0, 0, 3, 3, 4, 1, 1):  # the host was started anew before the last but one
        rig.application(errors=errors)
        told.append(rig.minute()["ApplicationErrors"][0].values[0])
    assert told == [0, 0, 3, 0, 1, 1, 0]


@pytest.mark.parametrize("state", [ApplicationState.FAILED, ApplicationState.STOPPED])
def test_an_application_that_cannot_run_looks_healthy(state: ApplicationState) -> None:
    rig = Rig()
    rig.application(state=state)
    assert "ApplicationErrors" not in rig.minute()


def test_a_silent_host_looks_healthy() -> None:
    rig = Rig()
    rig.application()
    rig.now += 10
    data = rig.minute()
    assert "ApplicationErrors" not in data
    assert data["ApplicationsDown"][0].values == (1.0,)
    assert data["ApplicationUp"][0].values == (0.0,)


def test_a_monitor_that_was_restarted_counts_again() -> None:
    rig = Rig()
    rig.camera(frames=500)
    rig.minute()
    again = Rig(json.loads(json.dumps(rig.counters.to_note())))
    again.camera(frames=740)
    assert again.minute()["FramesIn"][0].values == (240.0,)
    again.camera(frames=20, pid=8)
    assert again.minute()["FramesIn"][0].values == (20.0,)


@pytest.mark.parametrize("remembered", [None, 5, [1], {"x": 1}, {"x": ["a", "b"]}, {"x": ["a"]}])
def test_a_note_that_cannot_be_read_ends_the_monitor(remembered: object) -> None:
    assert Counters(remembered).added("x", "a", 4) == 4


def test_two_cameras_of_one_name_are_one() -> None:
    rig = Rig()
    rig.camera("door", "door-1", frames=1)
    rig.camera("door", "door-2", frames=2, state=CameraState.WRONG_PASSWORD)
    rig.camera("yard", "yard-1", state=CameraState.PAUSED)
    data = rig.minute()
    assert {dict(d.dimensions)["Camera"]: d.values[0] for d in data["CameraUp"]} == {"door-1": 1.0, "door-2": 0.0}
    assert data["CamerasDown"][0].values == (1.0,)


def test_percentiles_are_lost() -> None:
    rig = Rig()
    for latency in (10.0, 10.01, 30.0, 500.0):
        rig.collection.hear_model(
            ModelStatus(
                model_id="a" * 16,
                name="net.onnx",
                state=ModelState.READY,
                since=0.0,
                latency_ms=latency,
                pid=1,
                calls=9,
            )
        )
    data = rig.minute()
    assert (data["ModelLatency"][0].values, data["ModelLatency"][0].counts) == ((10.0, 30.0, 500.0), (2, 1, 1))
    assert len(of_samples("x", "None", (), [n * 1.7 for n in range(140)]).values) <= 150


def test_video_of_an_upload_is_counted_twice_or_not_at_all() -> None:
    rig = Rig()
    told = []
    for pid, began_at, sent in ((7, 1.0, 3), (7, 1.0, 5), (7, 9.0, 6), (8, 9.5, 6)):
        # An upload is begun anew in the same process, and by another one.
        rig.video({"stream": "a", "acknowledged": sent, "acknowledged_bytes": sent * 10, "began_at": began_at}, pid=pid)
        minute = rig.minute()
        told.append((minute["VideoFragments"][0].values[0], minute["VideoBytes"][0].values[0]))
    assert told == [(3, 30), (2, 20), (6, 60), (6, 60)]


def test_video_that_does_not_arrive_looks_well() -> None:
    rig = Rig()
    rig.video(
        {"stream": "good", "acknowledged": 4},
        {"stream": "bad", "last_error": "the role may not", "errors": 2, "lost": 3},
        {"last_error": "stream good is that of another"},
    )
    minute = rig.minute()
    up = {dict(each.dimensions)["StreamName"]: each.values[0] for each in minute["VideoUp"]}
    assert up == {"good": 1.0, "bad": 0.0}
    bad = (("DeviceName", "shop-7"), ("StreamName", "bad"))
    assert [minute[name][1].values for name in ("VideoErrors", "VideoFragmentsLost")] == [(2.0,), (3.0,)]
    assert minute["VideoErrors"][1].dimensions == bad
    rig.now += 60.0  # a display that says nothing any more
    assert "VideoUp" not in rig.minute()


def test_a_metric_is_not_in_the_catalogue() -> None:
    rig = Rig()
    rig.video({"stream": "a"})
    rig.application(fps=5.0, model_ms=20.0)
    rig.camera(last_frame_at=990.0)
    rig.collection.hear_model(
        ModelStatus(model_id="a" * 16, name="net.onnx", state=ModelState.READY, since=0.0, latency_ms=4.0, pid=1)
    )
    sent = {name: data[0] for name, data in rig.minute().items()}
    known = {metric.name: metric for metric in METRICS}
    assert set(known) - set(sent) == {"Temperature"}  # this machine of the test has no sensor
    for name, datum in sent.items():
        assert tuple(key for key, _ in datum.dimensions) == known[name].dimensions
        assert datum.unit == known[name].unit


def test_a_batch_comes_back_different() -> None:
    data = [Datum("A", "Count", (("k", "v"),), (1.0, 2.5), (1, 3)), Datum("B", "None", (), (0.0,))]
    assert unpack(pack(data)) == data
    for wrong in (b"", b"xx", pack(data)[:-3]):
        with pytest.raises(ValueError, match="batch"):
            unpack(wrong)


def test_a_request_is_not_what_cloudwatch_reads() -> None:
    body, headers = encode("Vedette", [(Datum("A B", "Count", (("Camera", "Tür & Tor"),), (1.0, 2.5), (1, 3)), 0.0)])
    assert b"MetricData.member.1.Dimensions.member.1.Value=T%C3%BCr+%26+Tor" in body
    assert b"MetricData.member.1.Counts.member.2=3" in body
    assert b"Timestamp=1970-01-01T00%3A00%3A00Z" in body
    assert "Content-Encoding" not in headers
    assert "Content-Encoding" in encode("Vedette", [(Datum("A", "Count", (), (1.0,)), 0.0)] * 200)[1]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"intervalS": 5}, "intervalS"),
        ({"group": []}, "group"),
        ({"groups": ["cats"]}, "groups"),
        ({"spoolMb": "x"}, "spoolMb"),
    ],
)
def test_wrong_configuration_is_taken(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        read(given)


def test_configuration_of_a_nucleus_is_refused() -> None:
    configuration = read({"intervalS": "300", "spoolMb": 8.0, "metrics": "true", "groups": "device, cameras"})
    assert (configuration.interval_s, configuration.spool_mb, configuration.groups) == (300, 8, ("device", "cameras"))


def test_the_machine_has_no_figures(tmp_path: Any) -> None:
    figures = Machine(tmp_path).figures()
    assert figures.memory is not None
    assert 0 < figures.memory < 100
    assert figures.disk is not None
    assert 0 <= figures.disk <= 100
    empty = Machine(tmp_path / "none", tmp_path, tmp_path)
    assert empty.figures() == Figures(None, None, None, None, None, None)
    assert empty.boot() == ""
