"""An application's words and the SDK's, where people look for them."""

import time
from pathlib import Path

from .conftest import Rig

TALKS = """
import logging, sys, threading, time
import panoramasdk
LOGGING
def work():
    raise RuntimeError("the worker has had enough")
print("a line without flush")
threading.Thread(target=work).start()
node = panoramasdk.node()
for _ in range(3):
    streams = node.inputs.video_in.get()
    streams[0].add_rect(0, 0, 512, 300)
    node.outputs.video_out.put(streams)
logging.getLogger("mine").warning("my own line")
time.sleep(100)
"""


def _wait_for(path: Path, text: str) -> str:
    deadline = time.monotonic() + 30
    while True:
        said = path.read_text() if path.exists() else ""
        if text in said:
            return said
        assert time.monotonic() < deadline, f"{text!r} does not come:\n{said}"
        time.sleep(0.05)


def _talking(rig: Rig, logging: str) -> None:
    rig.source(TALKS.replace("LOGGING", logging))
    rig.camera("door").start()
    rig.output(node=None)
    rig.start()


def test_prints_or_a_threads_error_stay_in_a_buffer(rig: Rig) -> None:
    _talking(rig, "")
    said = _wait_for(rig.work / "logs/console_output", "my own line")
    assert "a line without flush\n" in said
    # An error in a thread that nobody catches ends the thread alone: its traceback is all that is known of it.
    assert "Traceback (most recent call last):" in said
    assert "RuntimeError: the worker has had enough" in said


def test_the_sdk_warns_elsewhere_than_the_application_logs(rig: Rig) -> None:
    _talking(rig, "logging.basicConfig(filename='/opt/aws/panorama/logs/app.log', format='%(name)s: %(message)s')")
    said = _wait_for(rig.work / "logs/application/app.log", "my own line")
    # Each of the SDK's once, however often there was cause.
    assert said.count("panoramasdk: add_label() and add_rect() take fractions of the picture from 0 to 1, got 512") == 1
    assert said.count("panoramasdk: put() on 'video_out': no edge leads from it, nothing is shown") == 1
    assert "mine: my own line" in said
