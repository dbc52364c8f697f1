"""`vedette camera test`: five cameras, five different answers (SET-12)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.ports import closed_port
from vedette.rtsp_server import RtspServer

PASSWORD = "s3cret-of-the-test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    folder = tmp_path_factory.mktemp("clips")
    streams = {}
    for name, codec in (("h264", "libx264"), ("h265", "libx265")):
        path = folder / f"{name}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=10)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            stream.options = {"x265-params": "log-level=none:keyint=10"} if codec == "libx265" else {"g": "10"}
            for index in range(40):
                frame = av.VideoFrame(320, 240, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes([index * 5 % 256]) * plane.buffer_size)
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        streams[name] = path
    with RtspServer(streams, "viewer", PASSWORD) as running:
        yield running


def tried(url: str) -> tuple[int, dict[str, object], str]:
    done = subprocess.run(
        [sys.executable, "-m", "vedette.cli.main", "camera", "test", url, "--seconds", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def with_login(url: str, password: str = PASSWORD) -> str:
    return url.replace("rtsp://", f"rtsp://viewer:{password}@")


@pytest.mark.parametrize(("name", "codec"), [("h264", "H.264"), ("h265", "H.265")])
def test_a_good_camera_is_not_described(server: RtspServer, name: str, codec: str) -> None:
    code, report, said = tried(with_login(server.url(name)))
    assert (code, report["ok"], report["codec"], report["authentication"]) == (0, True, codec, "digest (MD5)")
    playing = report["playing"]
    assert isinstance(playing, dict)
    assert (playing["width"], playing["height"]) == (320, 240)
    assert f"{codec} 320x240, first picture" in said, "as people call it, not as libav does"
    assert "login accepted (digest (MD5), user viewer)" in said


def test_causes_are_mixed_up(server: RtspServer) -> None:
    with closed_port() as port:
        closed = f"rtsp://127.0.0.1:{port}/x"
        answers = {
            url: tried(url)
            for url in (
                with_login(server.url("h264"), "wrong"),
                with_login(server.url("nowhere")),
                server.url("h264"),
                closed,
            )
        }
    errors = [str(report["error"]) for _, report, _ in answers.values()]
    assert [code for code, _, _ in answers.values()] == [1, 1, 1, 1]
    assert [report["ok"] for _, report, _ in answers.values()] == [False] * 4
    assert "401" in errors[0]
    assert "404" in errors[1]
    assert "no user name was given" in errors[2]
    assert "refused port" in errors[3]
    assert len(set(errors)) == 4


def test_a_file_that_is_no_video_ends_in_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video")
    code, report, _ = tried(str(path))
    assert code == 1
    assert "cannot be played" in str(report["error"])


def test_folder_of_images_is_called_no_video(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        cv2.imwrite(str(tmp_path / f"picture{number}.png"), np.full((48, 64, 3), number * 50, np.uint8))
    code, report, _ = tried(str(tmp_path))
    assert (code, report["ok"]) == (0, True)
    playing = report["playing"]
    assert isinstance(playing, dict)
    assert (playing["width"], playing["height"], playing["frames"]) == (64, 48, 3)
    assert playing["fps"] == 1.0, "as fast as it is played, not what libav makes of a picture"


def test_one_of_many_cameras_is_lost_or_holds_up_the_others(server: RtspServer, tmp_path: Path) -> None:
    """Eight cameras at once: a report on each, in the order in which they were named (SAM-05)."""
    with closed_port() as port:
        closed = f"rtsp://127.0.0.1:{port}/x"
        known = tmp_path / "cameras.json"
        entry = {"StreamUrl": server.url("h264"), "Username": "viewer", "Password": PASSWORD}
        bad = {**entry, "StreamUrl": server.url("h265"), "Password": "wrong"}
        yards = {f"yard-{number}": entry for number in range(3)}
        yards["yard-1"] = {**entry, "SubStreamUrl": server.url("h265")}
        yards["yard-2"] = {**entry, "SubStreamUrl": server.url("nowhere")}
        known.write_text(json.dumps({"gate": bad, **yards}))
        known.chmod(0o600)
        targets = [with_login(server.url(name)) for name in ("h264", "h265", "nowhere")] + [closed]
        command = [sys.executable, "-m", "vedette.cli.main", "camera", "test", *targets, "--all"]
        command += ["--cameras-file", str(known), "--seconds", "1"]
        # What else runs on this machine has cameras, too.
        alone = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        done, table = (
            subprocess.run([*command, *more], capture_output=True, text=True, timeout=90, check=False, env=alone)
            for more in (["--json"], [])
        )
    said = done.stdout + done.stderr + table.stdout + table.stderr
    assert PASSWORD not in said
    assert "Traceback" not in said
    assert (done.returncode, table.returncode) == (1, 1)
    report = json.loads(done.stdout)
    assert (report["ok"], report["good"]) == (False, 4)
    assert [each["ok"] for each in report["cameras"]] == [True, True, False, False, False, True, True, False]
    assert [each["camera"] for each in report["cameras"]][4:] == ["gate", "yard-0", "yard-1", "yard-2"]
    assert len({each["error"] for each in report["cameras"] if not each["ok"]}) == 4
    assert report["cameras"][6]["sub"]["ok"]
    assert report["cameras"][7]["error"].startswith("the small stream: ")
    lines = table.stdout.splitlines()
    assert len(lines) == 9
    assert "H.265 320x240" in lines[2]
    assert "H.264 320x240 and 320x240" in table.stdout
    assert sum("FAILED" in line for line in lines) == 4
