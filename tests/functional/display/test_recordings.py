"""Recordings that an application asks for: what is on them, and what becomes of them."""

import contextlib
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from vedette_display.encoders import Shot, SoftwareEncoder
from vedette_display.machine import device_name
from vedette_display.movie import MovieStream
from vedette_display.recordings import Recording, Shelf, _File, wish_of
from vedette_display.salvage import salvage
from vedette_display.uploading import RecordingUploader

from tests.waiting import eventually
from vedette.aws_calls import AwsCaller, CredentialsSource, OutcomeUnknown, Response
from vedette.aws_calls.transport import send

from .conftest import CHROMIUM, NO_CHROMIUM, wait_for_text
from .test_display_controls import fetch, known


def listed(display: Any, instance: str = "people-counter") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fetch(display, f"/api/recordings?instance={instance}")[2])["recordings"]
    return found


def test_recording_lacks_what_came_before_or_cannot_be_opened(
    start_display: Any, start_application: Any, tmp_path: Path
) -> None:
    display = start_display(recording={"megabytes": 20, "beforeS": 3, "instances": ["people-counter"]})
    application = start_application()
    other = start_application("ppe-check", "yard")
    known(display, application)
    eventually(lambda: display.status().encoded > 40, "some seconds are held")
    assert other.ring.readers == 0, "who is not recorded is not encoded"
    wish = {"id": "7", "reason": "fall\x07", "before": 2, "after": 1.5}
    application.overlays = {**application.overlays, "clip": wish}
    eventually(lambda: listed(display), "it is on the shelf")
    [recording] = listed(display)
    assert recording["reason"] == "fall "
    # The key frame before the moment, and what a busy machine does to the end.
    assert 3.0 <= recording["seconds"] < 12
    status, headers, body = fetch(display, f"/recordings/{recording['name']}.mp4")
    assert (status, headers["Content-Type"], len(body)) == (200, "video/mp4", recording["size"])
    movie = tmp_path / "recording.mp4"
    movie.write_bytes(body)
    with av.open(str(movie)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    facts = json.loads(fetch(display, f"/recordings/{recording['name']}.json")[2])
    assert (facts["frames"], facts["instance"], facts["stream"]) == (frames, "people-counter", "lobby")
    assert listed(display, "ppe-check") == []
    assert len(listed(display)) == 1, "a wish that is repeated beside every frame is one wish"
    for name in ("../access-key", "..%2Faccess-key", "nothing.mp4", ".half.mp4"):
        assert fetch(display, f"/recordings/{name}")[0] == 404


def test_recordings_take_more_than_their_quota(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings", 2500)
    shelf.make()
    for number in range(4):
        facts = {"instance": "shop", "stream": "cam", "reason": "", "at": float(number), "seconds": 1.0}
        (shelf.folder / f"r{number}.json").write_text(json.dumps(facts))
        (shelf.folder / f"r{number}.mp4").write_bytes(b"x" * 1000)
    (shelf.folder / ".half.mp4").write_bytes(b"x")
    (shelf.folder / ".nothing.json").write_text("{")
    shelf.make()
    assert salvage(shelf.folder) == []
    shelf.keep()
    assert [recording.name for recording in shelf.list()] == ["r3", "r2"]
    assert sorted(path.name for path in shelf.folder.iterdir()) == ["r2.json", "r2.mp4", "r3.json", "r3.mp4"]
    assert shelf.list()[0] == Recording("r3", "shop", "cam", "", 3.0, 1.0, 1000)


def test_recording_is_listed_or_removed_for_the_quota_before_it_stands_on_the_shelf(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings", 1)
    shelf.make()
    facts = {"instance": "shop", "stream": "cam", "reason": "", "at": 1.0, "seconds": 1.0}
    (shelf.folder / ".r.json").write_text(json.dumps(facts))
    (shelf.folder / ".r.mp4").write_bytes(b"x" * 1000)
    assert shelf.list() == []
    shelf.keep()
    assert sorted(path.name for path in shelf.folder.iterdir()) == [".r.json", ".r.mp4"]


def test_recording_is_lost_or_cannot_be_played_when_the_power_goes(tmp_path: Path) -> None:
    encoder = SoftwareEncoder(320, 240)
    planes = np.full((360, 320), 90, np.uint8)
    units = [unit for n in range(60) for unit in encoder.encode(planes, Shot(n * 6000, 0), key=n % 10 == 0)]
    movie = MovieStream()
    parts = [part for unit in units if (part := movie.add(unit))]
    whole = b"".join(parts)
    facts = json.dumps({"instance": "shop", "stream": "cam", "reason": "", "at": 1.0})
    shelf = Shelf(tmp_path, 10_000_000)
    # Anywhere: in the head, in a fragment, between two.
    for cut in (0, 5, 700, len(whole) // 2, len(whole) - 1, len(whole)):
        (tmp_path / ".r.json").write_text(facts)
        (tmp_path / ".r.mp4").write_bytes(whole[:cut])
        shelf.make()
        kept = cut >= len(parts[0])
        assert salvage(tmp_path) == ["r"] * kept
        assert not list(tmp_path.glob(".*"))
        if kept:
            [recording] = shelf.list()
            with av.open(str(tmp_path / "r.mp4")) as container:
                frames = sum(1 for _ in container.decode(video=0))
            told = json.loads((tmp_path / "r.json").read_text())
            assert frames == told["frames"] >= 10
            assert recording.seconds == pytest.approx((frames - 1) / 15, abs=0.1)
            assert told["interrupted"]
            assert recording.interrupted
        for path in tmp_path.iterdir():
            path.unlink()
    # The last step alone is missing: the movie is whole.
    (tmp_path / ".r.json").write_text(json.dumps({**json.loads(facts), "seconds": 4.0, "frames": 60}))
    (tmp_path / "r.mp4").write_bytes(whole + movie.end())
    shelf.make()
    assert salvage(tmp_path) == ["r"]
    assert "interrupted" not in json.loads((tmp_path / "r.json").read_text())


@pytest.mark.parametrize(
    "meta",
    [
        b"", b'{"labels":[]}', b'{"clip":7}', b'"clip"', b'{"clip":{}}',
        b'{"clip":{"id":"1","reason":"x","before":"y"}}',
        b'{"clip":{"id":"1","reason":"x","before":1%s,"after":1}}' % (b"0" * 400),
        b'{"clip":' * 3000, b'{"clip":{"id":1,"reason":2,"before":[],"after":1}}',
    ],
)  # fmt: skip
def test_hostile_wish_is_taken_in(meta: bytes) -> None:
    assert wish_of(meta) is None


def test_an_applications_word_becomes_part_of_a_path() -> None:
    wish = wish_of(json.dumps({"clip": {"id": "a/../\0\ud800", "reason": "x", "before": 1, "after": 1}}).encode())
    assert wish is not None
    assert wish.id == "a-"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")):
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="clips")
    yield client
    client.close()
    server.stop()


def put(shelf: Shelf, name: str, at: float) -> None:
    facts = {"instance": "shop", "stream": "cam", "reason": "fall", "at": at, "seconds": 1.0}
    (shelf.folder / f"{name}.mp4").write_bytes(name.encode() * 1000)
    (shelf.folder / f"{name}.json").write_text(json.dumps(facts))


def test_recordings_are_uploaded_twice_or_lost_without_a_connection(tmp_path: Path, s3: Any) -> None:
    shelf = Shelf(tmp_path / "recordings", 10_000_000)
    shelf.make()
    put(shelf, "first", 1.0)
    put(shelf, "second", 2.0)
    online = [False]
    asked: list[str] = []

    def connect() -> Any:
        return AwsCaller("s3", "us-east-1", CredentialsSource(), send=sent)

    def sent(method: str, url: str, headers: Any, body: bytes) -> Response:
        asked.append(url)
        if not online[0]:
            raise OutcomeUnknown("no answer")
        return send(method, url, headers, body)

    uploader = RecordingUploader(shelf, "clips", "recordings", "shop-1", connect)
    for _ in (1, 2):
        with pytest.raises(OutcomeUnknown):
            uploader.run_once()
    assert all(not recording.uploaded for recording in shelf.list())
    assert len(asked) == 2
    assert asked[0].endswith("/clips/recordings/shop-1/first.mp4"), "the oldest first"
    online[0] = True
    uploader.run_once()
    assert [recording.uploaded for recording in shelf.list()] == [
        "s3://clips/recordings/shop-1/second.mp4",
        "s3://clips/recordings/shop-1/first.mp4",
    ]
    body = s3.get_object(Bucket="clips", Key="recordings/shop-1/second.mp4")
    assert (body["Body"].read(), body["ContentType"]) == (b"second" * 1000, "video/mp4")
    facts = json.loads(s3.get_object(Bucket="clips", Key="recordings/shop-1/second.json")["Body"].read())
    assert facts["reason"] == "fall"
    # A process that was started again knows what is there.
    count = len(asked)
    RecordingUploader(shelf, "clips", "recordings", "shop-1", connect).run_once()
    assert len(asked) == count


def test_recording_in_the_bucket_is_not_the_one_of_the_page(
    start_display: Any, start_application: Any, tmp_path: Path, s3: Any
) -> None:
    shelf = Shelf(tmp_path / "vedette.Display" / "recordings", 10_000_000)
    shelf.make()
    put(shelf, "kept", 1.0)
    display = start_display(recording={"megabytes": 20, "bucket": "clips"})
    application = start_application()
    known(display, application)
    eventually(
        lambda: (
            [each["uploaded"] for each in listed(display, "shop")]
            == [f"s3://clips/recordings/{device_name()}/kept.mp4"]
        ),
        "it is uploaded",
    )
    status, headers, body = fetch(display, "/recordings/kept.mp4", {"Range": "bytes=4-11"})
    assert (status, headers["Content-Range"], body) == (206, "bytes 4-11/4000", b"keptkept")
    assert fetch(display, "/recordings/kept.mp4", {"Range": "bytes=9999-"})[0] == 416


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No byte more can be written to a file."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_recording_is_lost_when_its_facts_cannot_be_written(tmp_path: Path) -> None:
    encoder = SoftwareEncoder(320, 240)
    planes = np.full((360, 320), 90, np.uint8)
    shelf = Shelf(tmp_path / "recordings", 10_000_000)
    shelf.make()
    file = _File(shelf, "r", {"instance": "shop", "stream": "cam", "reason": "", "at": 1.0})
    for number in range(60):
        for unit in encoder.encode(planes, Shot(number * 6000, 0), key=number % 10 == 0):
            file.add(unit)
    # At its last step, and at the first of the process after that.
    with full_disk(), pytest.raises(OSError, match="large"):
        file._tell({"instance": "shop", "stream": "cam", "reason": "", "at": 1.0, "seconds": 4.0})
    shelf.make()
    with full_disk(), pytest.raises(OSError, match="large"):
        salvage(shelf.folder)
    shelf.make()
    assert salvage(shelf.folder) == ["r"]
    assert [recording.name for recording in shelf.list()] == ["r"]
    assert sorted(path.name for path in shelf.folder.iterdir()) == ["r.json", "r.mp4"]


def test_recording_that_made_room_during_its_upload_leaves_its_facts_for_ever(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings", 0)
    shelf.make()
    put(shelf, "r", 1.0)
    shelf.keep()
    shelf.note("r", uploaded="s3://clips/r.mp4")
    assert not list(shelf.folder.iterdir())


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_recording_of_a_removed_application_is_not_on_the_page(
    start_display: Any, start_application: Any, open_browser: Any, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "vedette.Display" / "recordings", 10_000_000)
    shelf.make()
    put(shelf, "kept", 1.0)
    display = start_display(recording={"megabytes": 20})
    start_application()
    page = open_browser(f"{display.page}#/device", 360, 640)
    wait_for_text(page, ".card-recordings", "They take 4 kB of 20.0 MB")
    wait_for_text(page, ".recording", "fall cam › shop")
    assert page.locator(".recording a", has_text="Play").get_attribute("href") == "recordings/kept.mp4"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 800})
    play, save = (page.locator(".recording a", has_text=name).bounding_box() for name in ("Play", "MP4"))
    assert play["y"] == save["y"], "in one row"
    page.evaluate("location.hash = '#/application/people-counter'")
    wait_for_text(page, ".card-recordings", "None yet")
    assert page.locator(".card-recordings .note", has_text="They take").is_hidden(), "of all, not of one application"
