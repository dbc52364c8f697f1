"""What who develops an application has: a test on a recording that gives the same again, and a shell in the sandbox."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .suite import STREET, VEDETTE

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
