"""Commands, charts' figures, logs, snapshots and clips over real sockets: who may, what comes of it."""

import io
import json
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from websockets.sync.client import connect

from tests.waiting import eventually


def fetch(
    display: Any, path: str, headers: dict[str, str] | None = None, *, key: bool = True
) -> tuple[int, dict[str, str], bytes]:
    joined = "&" if "?" in path else "?"
    secret = display.page.partition("?")[2]
    address = f"{display.address.rstrip('/')}{path}" + (f"{joined}{secret}" if key else "")
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers or {}), timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def command(display: Any, *, key: bool = True, **fields: Any) -> dict[str, Any]:
    """Send one command as a page does; return its answer."""
    url = display.address.replace("http", "ws") + "live"
    url += f"?{display.page.partition('?')[2]}" if key else ""
    with connect(url, origin=display.address.rstrip("/"), compression=None, max_size=None) as socket:
        state = json.loads(socket.recv(timeout=10))
        assert state["controls"] is key
        socket.send(json.dumps({"type": "command", "id": 7, **fields}))
        while True:
            message = socket.recv(timeout=20)
            if isinstance(message, str) and json.loads(message)["type"] == "answer":
                answer: dict[str, Any] = json.loads(message)
                assert answer["id"] == 7
                return answer


def known(display: Any, application: Any) -> None:
    """Wait until the display has heard of the application and its output."""
    eventually(lambda: application.output_id in fetch(display, "/api/health")[2].decode(), "the output is heard of")


def test_command_without_the_key_is_carried_out(display: Any, start_application: Any) -> None:
    application = start_application()
    known(display, application)
    answer = command(display, key=False, action="set", instance="people-counter", node="thr", value=99)
    assert answer["done"] is False
    assert "vedette status" in answer["words"]
    assert application.bus.broker.shadows == {}


def test_change_of_a_parameter_does_not_arrive(display: Any, start_application: Any) -> None:
    application = start_application()
    known(display, application)
    answer = command(display, action="set", instance="people-counter", node="thr", value="42.5")
    assert answer == {"type": "answer", "id": 7, "done": True, "words": "Threshold is set"}
    assert application.parameters["threshold"]["value"] == 42.5, "typed as the parameter is"
    wrong = command(display, action="set", instance="people-counter", node="thr", value="high")
    assert (wrong["done"], wrong["words"]) == (False, "Threshold takes a number (float32), got 'high'")
    refused = command(display, action="set", instance="people-counter", node="thr", value=900)
    assert (refused["done"], refused["words"]) == (False, "people-counter does not take it: at most 100")
    back = command(display, action="set", instance="people-counter", node="thr", value=None)
    assert back["words"] == "Threshold is the deployment's own again"
    assert application.parameters["threshold"]["origin"] == "deployment"
    nobody = command(display, action="set", instance="people-counter", node="region", value="x")
    assert "no parameter 'region' that can be set" in nobody["words"]
    assert "no application 'nobody'" in command(display, action="restart", instance="nobody")["words"]


def test_pause_or_restart_does_not_arrive(display: Any, start_application: Any) -> None:
    application = start_application()
    known(display, application)
    fields = {"instance": "people-counter", "camera_id": application.camera_id}
    assert command(display, action="pause", **fields)["words"] == "lobby is paused for people-counter"
    assert application.paused == [application.camera_id]
    assert command(display, action="resume", **fields)["done"] is True
    assert application.paused == []
    assert command(display, action="restart", instance="people-counter")["words"] == "people-counter starts anew"
    assert application.restarts == 1


def test_figures_or_log_are_missing(display: Any, start_application: Any, tmp_path: Path) -> None:
    application = start_application()
    application.log(tmp_path, "first", "rtsp://user:hunter2@10.0.0.21/stream is opened")
    known(display, application)
    history = f"/api/history?kind=camera&name={application.camera_id}"
    eventually(lambda: fetch(display, history, key=False)[0] == 200, "a second of figures")
    figures = json.loads(fetch(display, history, key=False)[2])
    assert figures["next"] - figures["first"] == len(figures["series"]["fps"])
    again = json.loads(fetch(display, f"{history}&since=99999")[2])
    assert again["series"]["fps"] == []
    assert fetch(display, "/api/history?kind=camera&name=nobody")[0] == 404

    assert fetch(display, "/api/log?instance=people-counter", key=False)[0] == 403, "logs take the key"
    log = json.loads(fetch(display, "/api/log?instance=people-counter")[2])
    assert log["lines"] == ["first", "rtsp://***@10.0.0.21/stream is opened"]
    application.log(tmp_path, "third")
    more = json.loads(fetch(display, f"/api/log?instance=people-counter&after={log['next']}")[2])
    assert more["lines"] == ["third"]
    assert fetch(display, "/api/log?instance=..%2F..")[0] == 404
    _, headers, body = fetch(display, "/api/log.txt?instance=people-counter")
    assert body.count(b"\n") == 3
    assert headers["Content-Disposition"] == 'attachment; filename="people-counter-console_output.log"'


def test_snapshot_or_clip_cannot_be_opened(display: Any, start_application: Any, tmp_path: Path) -> None:
    application = start_application(size=(640, 360))
    known(display, application)
    status, headers, body = fetch(display, f"/outputs/{application.output_id}.zip", key=False)
    assert (status, headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        facts = json.loads(archive.read("snapshot.json"))
        raw = cv2.imdecode(np.frombuffer(archive.read("frame.png"), np.uint8), cv2.IMREAD_COLOR)
        drawn = cv2.imdecode(np.frombuffer(archive.read("annotated.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert facts["overlays"]["labels"] == [{"text": "Person 42 %", "x": 0.1, "y": 0.2}]
    assert facts["application"]["parameters"][0]["value"] == 35.0
    assert raw is not None
    assert drawn is not None
    assert raw.shape == drawn.shape == (360, 640, 3)
    assert raw[72:170, 64][:, 2].max() < 150 < drawn[80:170, 64][:, 2].min(), "boxes in the one, not in the other"

    status, headers, body = fetch(display, f"/outputs/{application.output_id}.mp4?seconds=2&width=320", key=False)
    assert (status, headers["Content-Type"]) == (200, "video/mp4")
    movie = tmp_path / "clip.mp4"
    movie.write_bytes(body)
    with av.open(str(movie)) as container:
        frames = list(container.decode(video=0))
    assert (frames[0].width, frames[0].height) == (320, 180)
    assert 10 < len(frames) < 60
    assert frames[-1].time - frames[0].time > 1.5
    eventually(lambda: application.ring.readers == 0, "nothing is read when it is over")
    assert fetch(display, f"/outputs/{application.output_id}.mp4?seconds=9000")[0] == 400
    application.crash()
    assert fetch(display, f"/outputs/{application.output_id}.zip")[0] == 503
