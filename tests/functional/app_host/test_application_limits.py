"""Applications that take too much or hang: they are ended, and told of, alone."""

import json
import os
import signal
from pathlib import Path

import pytest
from vedette_app_runtime.limits import confinement

from vedette.messages import ApplicationState

from .conftest import Rig

EATER = """
import json, time
print(json.dumps({"up": open("/proc/self/oom_score_adj").read().strip()}), flush=True)
held = []
for _ in range(40):
    held.append(bytearray(b"x") * (16 << 20))
    time.sleep(0.1)
time.sleep(100)
"""
OVER = (ApplicationState.CRASHED, ApplicationState.HELD_BACK)


@pytest.mark.parametrize("group", [True, False], ids=["by the kernel or looking", "looking"])
def test_an_application_eats_all_memory(rig: Rig, group: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not group:
        monkeypatch.setattr(confinement, "make_group", lambda *_: None)
    rig.configuration["limits"] = {"memoryMB": 150}
    rig.source(EATER)
    rig.start()
    crashed = rig.status(lambda s: s.state in OVER, 60)
    assert "of memory, 150 MB are allowed (limits.memoryMB)" in crashed.detail
    assert crashed.errors == 1
    # THEN the kernel would have taken it first
    assert rig.said("up", 30)[0] == "500"


@pytest.mark.parametrize(
    "way",
    [
        "mmap.mmap(-1, 16 << 20)",
        "os.memfd_create('x')",
    ],
    ids=["shared", "held by descriptors"],
)
def test_an_application_eats_memory_that_is_in_none_of_its_processes(
    rig: Rig, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "make_group", lambda *_: None)
    rig.configuration["limits"] = {"memoryMB": 150}
    rig.source(
        f"import mmap, os, time\nheld = []\nfor _ in range(40):\n    held.append({way})\n"
        "    some = b'x' * (16 << 20)\n"
        "    os.write(held[-1], some) if isinstance(held[-1], int) else held[-1].write(some)\n"
        "    time.sleep(0.1)\ntime.sleep(100)\n"
    )
    rig.start()
    crashed = rig.status(lambda s: s.state in OVER, 60)
    assert "of memory, 150 MB are allowed (limits.memoryMB)" in crashed.detail


def test_an_application_that_hangs_is_called_running(rig: Rig) -> None:
    rig.configuration["limits"] = {"hungAfterS": 1.5, "restartHungAfterS": 3}
    rig.camera("door").start()
    rig.source(
        "import json, os, panoramasdk\nnode = panoramasdk.node()\n"
        "print(json.dumps({'pid': os.getpid()}), flush=True)\n"
        "while True:\n    node.inputs.video_in.get()\n"
    )
    rig.start()
    running = rig.status(lambda s: s.state == ApplicationState.RUNNING and s.pid is not None, 60)
    assert running.pid is not None
    os.kill(running.pid, signal.SIGSTOP)
    hung = rig.status(lambda s: s.state == ApplicationState.HUNG, 60)
    assert "its working loop has given no sign for" in hung.detail
    crashed = rig.status(lambda s: s.state in OVER, 60)
    assert crashed.detail.startswith("it has hung for")
    assert crashed.errors == 1
    rig.status(lambda s: s.state == ApplicationState.RUNNING and s.restarts == 1, 60)


def test_an_application_waits_for_its_camera_and_is_ended(rig: Rig) -> None:
    rig.configuration["limits"] = {"hungAfterS": 1, "restartHungAfterS": 2}
    camera = rig.camera("door")
    camera.start()
    rig.source(
        "import json, panoramasdk, time\nnode = panoramasdk.node()\nnode.inputs.video_in.get()\n"
        "try:\n    node.inputs.video_in.get(timeout=3)\n    while True:\n        node.inputs.video_in.get(timeout=3)\n"
        "except TimeoutError:\n    print(json.dumps({'waited': 6}), flush=True)\n"
        "while True:\n    time.sleep(0.1)\n    node.inputs.video_in.get(timeout=100)\n"
    )
    rig.start()
    rig.status(lambda s: s.state == ApplicationState.RUNNING, 60)
    camera.close()
    rig.said("waited", 60)
    status = rig.status(lambda s: bool(s.instance), 30)
    assert status.errors == 0


def test_an_application_fills_the_disk(rig: Rig) -> None:
    rig.configuration["limits"] = {"storageMB": 5, "freeDiskMB": 0}
    rig.source(
        "import json, os, time\npath = '/opt/aws/panorama/storage/great'\n"
        "error = None\n"
        "with open(path, 'ab', 0) as file:\n"
        "    while error is None:\n"
        "        try:\n            file.write(b'x' * (1 << 20))\n"
        "        except OSError as refused:\n            error = refused.errno\n"
        "        time.sleep(0.05)\n"
        "print(json.dumps({'refused': error}), flush=True)\n"
        "os.unlink(path)\n"
        "while True:\n"
        "    try:\n        open(path, 'wb', 0).write(b'again'); break\n    except OSError:\n        time.sleep(0.1)\n"
        "print(json.dumps({'again': 1}), flush=True)\ntime.sleep(100)\n"
    )
    rig.start()
    assert rig.said("refused", 60) == [27]
    rig.said("again", 60)
    assert (rig.work / "storage/great").read_bytes() == b"again"
    assert rig.status(lambda s: s.state == ApplicationState.RUNNING, 30).errors == 0
    assert json.dumps(sorted(path.name for path in Path(rig.work / "storage").iterdir())) == '["great"]'


def test_an_application_has_the_kernel_end_others_before_it(rig: Rig) -> None:
    rig.source(
        "import json, time\nown = '/proc/self/oom_score_adj'\nopen(own, 'w').write('0')\n"
        "while open(own).read().strip() != '500':\n    time.sleep(0.1)\n"
        "print(json.dumps({'first': True}), flush=True)\ntime.sleep(100)\n"
    )
    rig.start()
    rig.said("first", 40)
