"""Applications that end, hang, or take their children with them; and the host's own end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from vedette_app_runtime.environments import EnvironmentFailed
from vedette_app_runtime.restarts import RestartPolicy

from vedette.messages import ApplicationState, ApplicationStatus

from .conftest import INSTANCE, Rig

CRASHED = (ApplicationState.CRASHED, ApplicationState.HELD_BACK)


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone(pid: int, timeout_s: float = 20) -> bool:
    deadline = time.monotonic() + timeout_s
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("models = {}\nmodels['model_node']\n", "KeyError: 'model_node' at application.py:2, exit 1"),
        ("print('bye')\n", "ended by itself without an error, exit 0"),
        (
            "import logging\nlogging.basicConfig(filename='/opt/aws/panorama/logs/app.log')\n"
            "try:\n    {}['model_node']\nexcept:\n    logging.exception('Exception during processing loop.')\n",
            "KeyError: 'model_node' at application.py:4 (says its app.log), exit 0",
        ),
        ("import sys\nsys.exit(3)\n", "ended without a word, exit 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "ended without a word, killed by SIGSEGV"),
        ("def f(:\n", "SyntaxError: invalid syntax at application.py:1, exit 1"),
        ("import json\njson.loads('{')\n", "application.py:2, exit 1"),
    ],
    ids=["exception", "exit 0", "logged", "exit 3", "signal", "syntax", "in a library"],
)
def test_an_exit_is_taken_for_a_success(rig: Rig, source: str, detail: str) -> None:
    rig.source(source)
    rig.start()
    status = rig.status(lambda s: s.state in CRASHED)
    assert detail in status.detail
    assert status.errors == 1
    assert status.next_try_s is not None
    again = rig.status(lambda s: s.errors == 2)
    assert again.restarts == 1
    assert again.exit_code == status.exit_code


def test_an_application_that_always_ends_is_restarted_ever_faster(rig: Rig) -> None:
    rig.source("raise SystemExit(1)\n")
    rig.start()
    held = rig.status(lambda s: s.state == ApplicationState.HELD_BACK, 30)
    assert held.errors == 5
    assert held.next_try_s is not None
    assert held.next_try_s > 50


def test_a_restarted_application_has_no_frames(rig: Rig) -> None:
    rig.use("draws.py")
    rig.camera("door").start()
    rig.output()
    rig.start()
    running = rig.status(lambda s: s.state == ApplicationState.RUNNING and s.pid is not None)
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)
    crashed = rig.status(lambda s: s.state == ApplicationState.CRASHED)
    assert "killed by SIGKILL, as the kernel does when memory runs out" in crashed.detail
    assert crashed.pid is None
    assert crashed.outputs == []
    again = rig.status(lambda s: s.state == ApplicationState.RUNNING)
    assert again.restarts == 1
    while not rig.output_statuses.empty():
        rig.output_statuses.get()
    looker = rig.look("door")
    looker.frame()


def test_a_process_of_the_application_outlives_it(rig: Rig) -> None:
    seconds = f"98765.{os.getpid()}"
    rig.source(
        "import json, subprocess, time\n"
        f"subprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\n"
        "print(json.dumps({'up': 1}), flush=True)\n"
        "time.sleep(0.2)\n"
    )
    rig.start()
    rig.said("up")
    assert _running(seconds), "the child was never there"
    rig.status(lambda s: s.errors >= 2)
    rig.stop()
    assert all(gone(pid) for pid in _running(seconds))


def _running(argument: str) -> list[int]:
    """Return the processes whose command line ends with ``argument``."""
    ends = f"\0{argument}\0".encode()
    found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _read(path).endswith(ends)]
    return [int(path.parent.name) for path in found]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_an_application_that_ignores_sigterm_keeps_the_host_from_ending(rig: Rig) -> None:
    rig.source(
        "import json, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print(json.dumps({'asked': 1}), flush=True))\n"
        "print(json.dumps({'up': 1}), flush=True)\n"
        "while True:\n"
        "    time.sleep(1)\n"
    )
    rig.start()
    rig.said("up")
    pid = rig.status(lambda s: s.pid is not None).pid
    assert pid is not None
    start = time.monotonic()
    rig.stop()
    assert time.monotonic() - start < 15
    assert rig.said("asked") == [1]
    assert gone(pid)
    assert rig.status(lambda s: s.state == ApplicationState.STOPPED).pid is None
    assert not (rig.work / "sockets").exists()


def test_an_application_that_ends_on_sigterm_is_waited_for(rig: Rig) -> None:
    rig.use("draws.py")
    rig.camera("door").start()
    rig.output()
    rig.start()
    rig.status(lambda s: s.state == ApplicationState.RUNNING)
    start = time.monotonic()
    rig.stop()
    assert time.monotonic() - start < 10


def test_the_application_outlives_a_killed_host(rig: Rig) -> None:
    rig.source("import json, time\nprint(json.dumps({'up': 1}), flush=True)\ntime.sleep(1000)\n")
    rig.write_manifest()
    (rig.folder / "configuration.json").write_text(json.dumps(rig.configuration))
    host = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("host_process.py"), rig.application, rig.work],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert host.stdout is not None
        pid = None
        for line in host.stdout:
            status = ApplicationStatus.model_validate_json(line)
            if status.pid is not None and '"up"' in rig.console():
                pid = status.pid
                break
        assert pid is not None
        assert alive(pid)
        host.kill()
        assert gone(pid), "the application runs on without its host"
    finally:
        host.kill()
        host.communicate(timeout=10)


def test_a_failed_environment_is_not_told(rig: Rig) -> None:
    def fails(progress: object, stop: object) -> None:
        raise EnvironmentFailed("no Python 2.7 here")

    rig.source("")
    rig.start(prepare=fails)
    status = rig.status(lambda s: s.state == ApplicationState.FAILED)
    assert status.detail == "no Python 2.7 here"
    assert status.next_try_s is not None
    assert status.instance == INSTANCE


def test_the_progress_of_the_environment_is_not_told(rig: Rig) -> None:
    def slow(progress: object, stop: object) -> None:
        progress("installing 42 libraries")  # type: ignore[operator]
        stop.wait(20)  # type: ignore[attr-defined]
        raise EnvironmentFailed("stopped")

    rig.source("")
    rig.start(prepare=slow)
    rig.status(lambda s: s.state == ApplicationState.PREPARING and s.detail == "installing 42 libraries")
    rig.stop()


def test_a_missing_program_is_not_told(rig: Rig) -> None:
    rig.policy = RestartPolicy()
    rig.manifest["entry"] = {"path": "no-such-program", "name": "/panorama/application.py"}
    rig.start()
    status = rig.status(lambda s: s.state in CRASHED)
    assert "no-such-program" in status.detail
