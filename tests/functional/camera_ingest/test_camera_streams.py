"""Streams of a real RTSP server: logins, transports, codecs, losses."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext

from vedette.messages import CameraSource, CameraState, CameraStatus
from vedette.rings import RingClosed
from vedette.rtsp_server import H264, FileMount, LiveMount, RtspServer, StreamServer, access_unit
from vedette.rtsp_server import transport as transports

from .conftest import PASSWORD, USER, Stand, reconnect, take

TEMPLATE = json.dumps({"Username": USER, "Password": PASSWORD, "StreamUrl": ""})


def camera(server: RtspServer, path: str = "h264", **options: object) -> CameraSource:
    return CameraSource.model_validate({"name": "dock", "url": server.url(path), "secret": "vedette/dock", **options})


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_digest_login(stand: Stand, server: RtspServer, transport: str) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server, transport=transport))
    reader = stand.reader()
    before = time.monotonic_ns()
    leases = take(reader, 20)
    assert {(lease.header.width, lease.header.height) for lease in leases} == {(320, 240)}
    assert before - 2e9 < leases[-1].header.capture_mono_ns < time.monotonic_ns()
    assert abs(leases[-1].header.capture_wall_ns - time.time_ns()) < 2e9
    status = stand.wait_for(lambda status: status.state is CameraState.LIVE and status.fps)
    assert (status.codec, status.source_width, status.width, status.users) == ("H.264", 320, 320, ["app"])
    reader.close()


@pytest.mark.parametrize("auth", ["basic", None])
def test_other_logins(stand: Stand, clips: dict[str, Path], auth: str | None) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    with RtspServer({"h264": clips["h264"]}, USER if auth else None, PASSWORD, auth=auth) as server:  # type: ignore[arg-type]
        stand.want(camera(server, secret="vedette/dock" if auth else None))
        reader = stand.reader()
        take(reader, 5)
        reader.close()


@pytest.mark.parametrize(("path", "codec"), [("h265", "H.265"), ("mjpeg", "MJPEG")])
def test_h265(stand: Stand, server: RtspServer, path: str, codec: str) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server, path))
    reader = stand.reader()
    take(reader, 10)
    assert stand.wait_for_state(CameraState.LIVE).codec == codec
    reader.close()


@pytest.mark.parametrize("ahead_s", [0, 3600])
def test_time_of_a_picture_is_that_of_its_arrival(stand: Stand, clips: dict[str, Path], ahead_s: int) -> None:
    """A camera that takes 0.4 s from lens to network; the other one's clock is an hour ahead, which says nothing."""
    mount = LiveMount(H264)
    with StreamServer(port=0) as server, published(mount, clips["h264"], wall_ns=(ahead_s * 10 - 4) * 100_000_000):
        server.add("slow", mount)
        stand.want(CameraSource(name="slow", url=server.url("slow")))
        reader = stand.reader()
        take(reader, 15, 30.0)
        (lease,) = take(reader, 1, 30.0)
        age_s = (time.time_ns() - lease.header.capture_wall_ns) / 1e9
        assert age_s > 0.39 if not ahead_s else age_s > 0
        status = stand.wait_for(lambda status: status.clock_behind_s is not None and status.frames > 15, 30.0)
        assert status.clock_behind_s is not None
        assert 0.4 - ahead_s - 0.01 < status.clock_behind_s < 0.4 - ahead_s + 20
        reader.close()


@contextmanager
def published(mount: LiveMount, clip: Path, *, wall_ns: int) -> Iterator[None]:
    """Publish a clip again and again at 25 fps, captured ``wall_ns`` from now (that is, before now when negative)."""
    over = threading.Event()
    pictures = list(access_units(clip))

    def publish() -> None:
        number = 0
        while not over.wait(0.04):
            data = pictures[number % len(pictures)]
            at = time.time_ns() + wall_ns
            mount.publish(access_unit(H264, data, pts_ns=number * 40_000_000, wall_ns=at))
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def access_units(clip: Path) -> Iterator[bytes]:
    with av.open(str(clip)) as container:
        to_stream = BitStreamFilterContext("h264_mp4toannexb", container.streams.video[0])
        for packet in container.demux(video=0):
            yield from (bytes(filtered) for filtered in to_stream.filter(packet))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_camera_that_has_only_the_other_transport_is_given_up(
    stand: Stand, clips: dict[str, Path], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = transports.Interleaved if transport == "tcp" else transports.Datagrams
    every = transports.parse
    monkeypatch.setattr(transports, "parse", lambda value: [t for t in every(value) if not isinstance(t, lacking)])
    with StreamServer(port=0) as server:
        server.add("cam", FileMount(clips["h264"]))
        stand.want(CameraSource.model_validate({"name": "dock", "url": server.url("cam"), "transport": transport}))
        reader = stand.reader()
        take(reader, 5, 30.0)
        reader.close()


def test_wrong_password_and_then_the_secret_is_rotated(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = json.dumps({"Username": USER, "Password": "old"})
    stand.want(camera(server))
    status = stand.wait_for(lambda status: status.state is CameraState.WRONG_PASSWORD and status.next_try_s)
    assert status.detail == f"127.0.0.1 answered 401 to user {USER} from secret vedette/dock"
    assert status.next_try_s is not None
    assert 8 < status.next_try_s <= 18, "cameras lock accounts"
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.wait_for_state(CameraState.LIVE)


def test_password_needed(stand: Stand, server: RtspServer) -> None:
    stand.want(camera(server, secret=None))
    stand.wait_for_state(CameraState.PASSWORD_NEEDED)


def test_secret_that_arrives_later(stand: Stand, server: RtspServer) -> None:
    stand.want(camera(server))
    assert "cloudSecrets" in stand.wait_for_state(CameraState.SECRET_UNAVAILABLE).detail
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.wait_for_state(CameraState.LIVE)


def test_wrong_path(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server, "stream9"))
    assert stand.wait_for_state(CameraState.NOT_FOUND).detail == "127.0.0.1 has no stream at /stream9 (answer 404)"


def test_server_killed_and_back(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server))
    reader = stand.reader()
    take(reader, 3)
    server.kill()
    stand.wait_for_state(CameraState.LOST)
    stand.wait_for_state(CameraState.REFUSED)
    stand.forget()
    server.start()
    status = stand.wait_for_state(CameraState.LIVE)
    take(reader, 10)
    assert status.reconnects == 1
    reader.close()


def test_server_stops_in_its_tracks_and_goes_on(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server))
    reader = stand.reader()
    take(reader, 30)
    stopped = time.monotonic()
    server.suspend()
    status = stand.wait_for_state(CameraState.STALLED)
    assert time.monotonic() - stopped > 2.9
    assert "still connected" in status.detail
    stand.forget()
    server.resume()
    stand.wait_for_state(CameraState.LIVE)
    take(reader, 5)
    reader.close()


def test_worker_killed(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server))
    reader = stand.reader()
    take(reader, 3)
    pid = stand.wait_for(lambda status: status.pid).pid
    assert pid is not None
    stand.forget()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RingClosed):
        while True:
            take(reader, 1)
    reader.close()
    status = stand.wait_for(lambda status: status.state is CameraState.LIVE and status.pid != pid, 5.0)
    again = reconnect(stand)
    take(again, 3)
    again.close()
    assert status.pid != pid


def test_nobody_reads_and_little_is_decoded(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server))
    stand.wait_for_state(CameraState.LIVE)
    # The grace after the start is 3 s; then at most a picture a second is kept ready, of 25 that come.
    later = stand.wait_for(lambda status: 0 < status.frames - (_a_second_before(stand, status) or -100) < 5, 15.0)
    assert later.state is CameraState.LIVE
    reader = stand.reader()
    leases = take(reader, 10)
    assert time.time_ns() - leases[0].header.capture_wall_ns < 3e9
    reader.close()


def test_demand_ends(stand: Stand, server: RtspServer) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    source = camera(server)
    stand.want(source)
    pid = stand.wait_for_state(CameraState.LIVE).pid
    stand.want_no_more(source)
    status = stand.wait_for_state(CameraState.PAUSED, 20.0)
    assert (status.socket, status.pid, status.users) == (None, None, [])
    assert not Path(f"/proc/{pid}").exists()
    assert list((stand.work / "sockets").iterdir()) == []
    stand.forget()
    stand.want(source)
    stand.wait_for_state(CameraState.LIVE, 20.0)


def test_password_shows_nowhere(stand: Stand, server: RtspServer, capfd: pytest.CaptureFixture[str]) -> None:
    stand.bus.secrets["vedette/dock"] = TEMPLATE
    stand.want(camera(server))
    status = stand.wait_for_state(CameraState.LIVE)
    workers = {status.pid}
    server.kill()
    stand.wait_for_state(CameraState.REFUSED)
    server.start()
    stand.bus.secrets["vedette/dock"] = json.dumps({"Username": USER, "Password": "geheim!?"})
    stand.wait_for_state(CameraState.WRONG_PASSWORD, 15.0)
    shown = [status.encode() for status in stand.heard]
    for pid in workers:
        shown += [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    shown += [Path(f"/proc/{server.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    written = capfd.readouterr()
    shown += [written.out.encode(), written.err.encode()]
    assert "wrong-password" in written.out, "the worker's log is what is searched here"
    everything = b"\n".join(shown)
    for form in (PASSWORD, "p%40ss%2Fw%3Ard%231%25", "p%40ss", "geheim"):
        assert form.encode() not in everything


def _a_second_before(stand: Stand, status: CameraStatus) -> int | None:
    """Return the number of frames in the status before this one, when nothing but time had passed."""
    index = next(index for index, heard in enumerate(stand.heard) if heard is status)
    before = stand.heard[index - 1] if index else status
    return before.frames if before.state is status.state is CameraState.LIVE and before.frames > 10 else None
