"""Video input: which frames get() returns, and when."""

import contextlib
import threading
import time
from typing import Any

import panoramasdk
import pytest
from panoramasdk._runtime import _Process
from vedette_app_runtime import protocol

from tests.waiting import eventually
from vedette.rings import connect

from .conftest import Camera, Host, grey
from .interruption import interrupted_at


def numbers(streams: Any) -> list[int]:
    return [media.time_stamp[0] for media in streams]


@pytest.mark.parametrize("count", [1, 3, 8])
def test_streams_come_in_another_order(host: Host, count: int) -> None:
    names = [f"camera-{9 - index}" for index in range(count)]
    node, cameras = host.started(*names)
    for number in (1, 2, 3):
        for camera in reversed(cameras):
            camera.show(number)
        got: list[Any] = []
        while [media.time_stamp[0] for media in got if not media.is_cached].count(number) < 1 or len(got) < count:
            got = node.inputs.video_in.get(timeout=20)
        assert [media.stream_id for media in got] == names


def test_what_a_stream_says_of_itself_is_wrong(host: Host) -> None:
    node, cameras = host.started("door", "yard")
    cameras[0].show(1)
    [door] = node.inputs.video_in.get(timeout=20)
    assert (door.stream_id, door.stream_uri, door.is_cached) == ("door", "rtsp://door/", False)
    assert door.time_stamp == (1, 7)
    cameras[1].show(2)
    cached, yard = node.inputs.video_in.get(timeout=20)
    assert (yard.stream_id, yard.stream_uri, yard.is_cached) == ("yard", "rtsp://yard/", False)
    assert (cached.stream_id, cached.is_cached, cached.time_stamp) == ("door", True, (1, 7))
    assert "door" in repr(cached)


def test_every_frame_is_cached(host: Host) -> None:
    node, cameras = host.started("slow", "fast")
    for number in range(1, 16):
        cameras[1].show(number)
        if number % 3 == 0:
            cameras[0].show(number)
        streams = node.inputs.video_in.get(timeout=20)
        assert not all(media.is_cached for media in streams)


def test_both_cameras_have_a_frame_and_one_comes_late(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    node, cameras = host.settled("a", "b")
    monkeypatch.setattr("panoramasdk._ports._GRACE_S", 5.0)
    for number in range(2, 30):
        for camera in cameras:
            camera.show(number)
        got = node.inputs.video_in.get(timeout=20)
        assert [(media.time_stamp[0], media.is_cached) for media in got] == [(number, False)] * 2


def test_a_slow_application_gets_an_old_frame(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    assert numbers(node.inputs.video_in.get(timeout=20)) == [1]
    for number in range(2, 20):
        camera.show(number)
    assert numbers(node.inputs.video_in.get(timeout=20)) == [19]


def test_get_returns_without_a_new_frame(host: Host) -> None:
    node, [camera] = host.started("door")
    camera.show(1)
    node.inputs.video_in.get(timeout=20)
    threading.Timer(0.2, lambda: camera.show(2)).start()
    start = time.monotonic()
    assert numbers(node.inputs.video_in.get()) == [2]
    assert time.monotonic() - start > 0.1


@pytest.mark.parametrize("caught", [TimeoutError, panoramasdk.TimeoutException])
@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_time_out_is_not_seen(host: Host, caught: type[Exception], timeout: float) -> None:
    node, [camera] = host.started("door")
    host.send(protocol.CameraState(0, paused=False, detail="unreachable: no answer", uri="rtsp://10.0.0.5/"))
    camera.show(1)
    [media] = node.inputs.video_in.get(timeout=20)
    # The state comes over the host's socket and the frame over the ring's: either may be first.
    for _ in range(100):
        with pytest.raises(caught, match=r"no new frame on 'video_in': door \(") as raised:
            node.inputs.video_in.get(timeout=timeout)
        if "unreachable: no answer" in str(raised.value):
            break
        threading.Event().wait(0.02)
    else:
        pytest.fail(f"the reason was never told: {raised.value}")
    camera.show(2)
    assert node.inputs.video_in.get(timeout=20)[0].stream_uri == "rtsp://10.0.0.5/"
    assert media.time_stamp == (1, 7), "the frame of before is another one now"


def test_a_port_without_a_camera_does_not_say_so(host: Host) -> None:
    host.attach()
    with pytest.raises(TimeoutError, match="no camera is attached to 'video_in'"):
        panoramasdk.node().inputs.video_in.get(timeout=0)


def test_a_lost_camera_stops_the_other(host: Host) -> None:
    node, cameras = host.settled("a", "b")
    cameras[0].writer.close()
    for number in range(2, 6):
        cameras[1].show(number)
        lost, live = node.inputs.video_in.get(timeout=20)
        assert (lost.is_cached, live.time_stamp[0]) == (True, number)
    assert host.said(lambda p: isinstance(p, protocol.CameraLost)) == protocol.CameraLost(0)


def test_all_cameras_lost_and_get_returns(host: Host) -> None:
    node, cameras = host.settled("a", "b")
    for camera in cameras:
        camera.writer.close()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            while True:
                node.inputs.video_in.get(timeout=0.05)


def test_a_camera_that_came_back_is_not_read(host: Host) -> None:
    node, cameras = host.started("door")
    cameras[0].show(1)
    [before] = node.inputs.video_in.get(timeout=20)
    cameras[0].writer.close()
    with pytest.raises(TimeoutError):
        node.inputs.video_in.get(timeout=0.05)
    again = host.connect_camera(0)
    again.show(9)
    assert numbers(node.inputs.video_in.get(timeout=20)) == [9]
    assert before.image[0, 0, 0] == grey(1)


def test_a_camera_comes_back_while_get_waits(host: Host) -> None:
    node, cameras = host.started("door")
    cameras[0].writer.close()
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(node.inputs.video_in.get(timeout=10)))
    thread.start()
    host.said(lambda p: p == protocol.CameraLost(0))
    host.connect_camera(0).show(5)
    thread.join(10)
    assert numbers(got) == [5]


def test_a_paused_stream_stays_in_the_list(host: Host) -> None:
    node, cameras = host.settled("a", "b")
    host.send(protocol.CameraState(0, paused=True, detail="paused", uri=""))
    host.said(lambda p: isinstance(p, protocol.Report))  # a round of the thread that hears
    for number in (2, 3):
        cameras[1].show(number)
        assert [m.stream_id for m in node.inputs.video_in.get(timeout=20)] == ["b"]
    deadline = time.monotonic() + 20
    while cameras[0].writer.readers:
        assert time.monotonic() < deadline, "the paused camera is still read"
        cameras[1].show(4)
        node.inputs.video_in.get(timeout=20)
    assert not [packet for packet in host.heard if isinstance(packet, protocol.CameraLost)]

    host.send(protocol.CameraState(0, paused=False, detail="live", uri=""))
    host.connect_camera(0).show(7)
    while True:
        got = node.inputs.video_in.get(timeout=20)
        if len(got) == 2 and got[0].time_stamp[0] == 7:
            break
        cameras[1].show(8)


def test_a_waiting_thread_keeps_others_from_running(host: Host) -> None:
    node, [camera] = host.started("door")
    waiting = threading.Thread(target=lambda: node.inputs.video_in.get(timeout=10))
    waiting.start()
    with pytest.raises(TimeoutError, match="another thread"):
        for _ in range(1000):
            node.inputs.video_in.get(timeout=0.001)
    camera.show(1)
    waiting.join(10)
    assert not waiting.is_alive()


def test_the_host_ends_while_get_waits(host: Host) -> None:
    node, _ = host.started("door")
    failed: list[Exception] = []

    def wait() -> None:
        try:
            node.inputs.video_in.get()
        except Exception as error:  # noqa: BLE001 - looked at below
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    host.said(lambda p: isinstance(p, protocol.Report))
    host.sock.shutdown(2)
    thread.join(5)
    assert "host has ended" in str(failed)


def test_frames_are_not_counted(host: Host) -> None:
    node, [camera] = host.started("door")
    for number in (1, 2, 3):
        camera.show(number)
        node.inputs.video_in.get(timeout=20)
    report = host.said(lambda p: isinstance(p, protocol.Report) and p.gets == 3)
    assert report.inputs == [[0, 3]]
    assert time.time() - report.last_activity < 10


def test_main_frame_is_asked_for_where_there_is_no_other_or_waits_for_ever(host: Host) -> None:
    node, [camera] = host.settled("door")
    camera.show(2)
    [frame] = node.inputs.video_in.get(timeout=20)
    assert frame.main() is frame, "the camera has this stream alone"
    host.send(protocol.MainState(0, apart=True))
    eventually(lambda: frame.main(timeout=0.02) is None, "the camera's main stream is another one, which is not there")
    host.said(lambda packet: packet == protocol.MainWanted(0))


def test_main_frame_is_an_old_one_or_takes_the_place_of_the_small_one(host: Host) -> None:
    node, [camera] = host.settled("door")
    camera.show(2)
    [frame] = node.inputs.video_in.get(timeout=20)
    host.send(protocol.MainState(0, apart=True))
    eventually(lambda: frame.main(timeout=0.02) is not frame, "the camera's main stream is another one")
    large = Camera(str(host.folder / "main.sock"))
    host.send(protocol.MainSocket(0), connect(large.path))
    for number in (7, 8):
        large.show(number, 128, 96)
        main = frame.main(timeout=20)
        assert main is not None
        assert (main.image.shape, main.stream_id, main.is_cached) == ((96, 128, 3), "door", False)
        assert numbers([main]) == [number]
    assert numbers([frame]) == [2]
    large.writer.close()
    assert frame.main(timeout=0.3) is None
    host.said(lambda packet: packet == protocol.MainLost(0))


def test_an_alarm_or_ctrl_c_in_get_stops_the_camera_for_ever(host: Host) -> None:
    # GIVEN an application that bounds get() by an alarm, or a notebook whose cell is stopped: it may hit anywhere
    node, [camera] = host.started("door")
    number = lost = 0
    for place in range(1, 1000):
        number = number % 100 + 1
        camera.show(number)
        if not interrupted_at(place, lambda: node.inputs.video_in.get(timeout=20)):
            break
        # THEN there are frames again, if need be by another connection; for other threads, too
        got: list[Any] = []
        deadline = time.monotonic() + 20
        while not got and time.monotonic() < deadline:
            number = number % 100 + 1
            camera.show(number)
            with contextlib.suppress(TimeoutError):
                got = node.inputs.video_in.get(timeout=0.05)
            said = sum(packet == protocol.CameraLost(0) for packet in host.heard)
            if said > lost:
                lost = said
                host.send(protocol.CameraSocket(0, ahead=False), connect(camera.path))
        assert got, f"interrupted at place {place}"
        runtime = _Process.runtime
        assert runtime is not None
        assert not runtime.activity.waiting
    assert place > 20
    assert lost
