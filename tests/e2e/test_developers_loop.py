"""What who develops an application has: a test on a recording that gives the same again, and a shell in the sandbox."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.waiting import eventually

from .suite import STREET, VEDETTE, Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

APPLICATION = """
import panoramasdk

class Application(panoramasdk.node):
    def run(self):
        count = 0
        while True:
            streams = self.inputs.video_in.get()
            for stream in streams:
                count += 1
                stream.add_label("frame %d of %s" % (count, stream.stream_id), 0.1, 0.1)
                stream.add_rect(0, 0, float(stream.image.mean()) / 255, 1)
            self.outputs.video_out.put(streams)

Application().run()
"""


def vedette(*arguments: str | Path, environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VEDETTE, *arguments], capture_output=True, text=True, check=False, timeout=200, env={**os.environ, **environ}
    )


def test_a_recording_gives_another_result_the_second_time(recorder: Path, tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "NO_COLOR": "1"}
    (code,) = recorder.glob("packages/*/src/application.py")
    code.write_text(APPLICATION)
    expected = tmp_path / "expected.jsonl"
    camera = ("--camera", f"camera_node={STREET}")
    first = vedette("test", recorder, *camera, "-o", expected, environ=environ)
    assert first.returncode == 0, first.stderr
    entries = [json.loads(line) for line in expected.read_text().splitlines()]
    # THEN every frame was there once, in order
    assert [entry["frame"] for entry in entries] == list(range(entries[0]["frame"], entries[0]["frame"] + len(entries)))
    assert entries[-1]["labels"] == [[f"frame {len(entries)} of camera_node", 0.1, 0.1]]
    again = vedette("test", recorder, *camera, "--expect", expected, environ=environ)
    assert again.returncode == 0, again.stderr
    assert f"{len(entries)} frames as expected" in again.stderr
    # AND a shell sees what the application sees
    inside = vedette("shell", recorder, "sh", "-c", "ls /panorama; pwd; id -u; exit 3", environ=environ)
    assert inside.returncode == 3, inside.stderr
    assert inside.stdout.split() == ["application.py", "/", "1000"]


def test_a_save_starts_another_application_or_none(start_suite: Callable[..., Suite], recorder: Path) -> None:
    (code,) = recorder.glob("packages/*/src/application.py")
    suite = start_suite(
        *("run", recorder, "--watch", "--camera", f"camera_node={STREET}", "--no-browser", "--port", "0")
    ).wait_for_pictures()
    before = suite.pids()
    text = code.read_text()
    code.write_text(f"SAVED = 'by hand'\n{text}")
    eventually(lambda: "application.py saved: the application starts again" in suite.talk, "the save is told")
    eventually(lambda: suite.pids()["application"] not in ([], before["application"]), "another process runs")
    suite.wait_for_pictures()
    # AND a shell sees what was saved, not what was deployed
    environ = {"XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", "/tmp"), "NO_COLOR": "1"}
    seen = vedette("shell", recorder, "cat", "/panorama/application.py", environ=environ)
    assert seen.stdout.startswith("SAVED = 'by hand'"), seen.stderr or seen.stdout
    # THEN nothing but the application was started again
    after = suite.pids()
    assert {role: pids for role, pids in after.items() if role not in ("sandbox", "application")} == {
        role: pids for role, pids in before.items() if role not in ("sandbox", "application")
    }
    # AND an error is told, with what was saved
    code.write_text("raise RuntimeError('saved in a hurry')\n" + text)
    eventually(lambda: "RuntimeError: saved in a hurry" in suite.talk, "the error is told")
    # AND what belongs to the component goes by a deployment: another host
    code.write_text(text)
    (graph,) = recorder.glob("graphs/*/graph.json")
    graph.write_text(graph.read_text().replace("Passes frames on", "Passes every frame on"))
    eventually(lambda: suite.pids()["application host"] not in ([], before["application host"]), "another host runs")
    suite.wait_for_pictures()
