"""Recordings that an application asks for: what is on them, and what becomes of them."""

import json
from pathlib import Path
from typing import Any

import av
import pytest
from vedette_display.recordings import Recording, Shelf, wish_of

from .conftest import eventually
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
    eventually(lambda: display.status().encoded > 40, "some seconds are held", timeout_s=40)
    assert other.ring.readers == 0, "who is not recorded is not encoded"
    wish = {"id": "7", "reason": "fall\x07", "before": 2, "after": 1.5}
    application.overlays = {**application.overlays, "clip": wish}
    eventually(lambda: listed(display), "it is on the shelf", timeout_s=40)
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
    shelf.make()
    shelf.keep()
    assert [recording.name for recording in shelf.list()] == ["r3", "r2"]
    assert sorted(path.name for path in shelf.folder.iterdir()) == ["r2.json", "r2.mp4", "r3.json", "r3.mp4"]
    assert shelf.list()[0] == Recording("r3", "shop", "cam", "", 3.0, 1.0, 1000)


@pytest.mark.parametrize(
    "meta",
    [
        b"", b'{"labels":[]}', b'{"clip":7}', b'"clip"', b'{"clip":{}}',
        b'{"clip":{"id":"1","reason":"x","before":"y"}}',
        b'{"clip":' * 3000, b'{"clip":{"id":1,"reason":2,"before":[],"after":1}}',
    ],
)  # fmt: skip
def test_hostile_wish_is_taken_in(meta: bytes) -> None:
    assert wish_of(meta) is None
