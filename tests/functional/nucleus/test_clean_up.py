"""Nothing may be left: after a stop, after ``kill -9`` of the nucleus, after the guard's own death."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError, RootInUseError
from vedette.nucleus.guard_process import find, has_marker, process_stat, processes, run_marker, send
from vedette.nucleus.instances import Instance, find_instances, registry_folder
from vedette.nucleus.nucleus import Nucleus

from .conftest import Bench, wait_until

STUBBORN = (
    "trap '' TERM; (trap '' TERM; sleep 1005; sleep 1006) & setsid sleep 1007 & echo up; while :; do sleep 1; done"
)
NUCLEUS = """
import sys, json, pathlib
from vedette.nucleus.nucleus import Nucleus
from vedette.nucleus.deployment import ComponentDeployment, Deployment
nucleus = Nucleus(pathlib.Path(sys.argv[1]))
nucleus.start()
nucleus.deploy(Deployment(components={name: ComponentDeployment() for name in sys.argv[2:]}))
nucleus.wait_running(timeout_s=20)
print(json.dumps([nucleus.run_id, nucleus._guard.pid, [view.pid for view in nucleus.components()]]), flush=True)
sys.stdin.read()
"""


class Child:
    """A nucleus in a process of its own."""

    def __init__(self, root: Path, *names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NUCLEUS, str(root), *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.run_id, self.guard, self.pids = json.loads(self.process.stdout.readline())

    def left(self) -> list[int]:
        return [pid for pid in processes() if has_marker(pid, run_marker(self.run_id))]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def stubborn_bench(bench: Bench) -> None:
    bench.recipe("stubborn", {"run": STUBBORN})
    bench.recipe("meek", {"run": "mkdir -p sockets; echo up; exec sleep 1000"}, needs={"stubborn": "HARD"})


def test_a_component_that_ignores_sigterm_holds_up_the_stop(bench: Bench) -> None:
    stubborn_bench(bench)
    bench.deploy("meek")
    bench.heard.line("stubborn")
    bench.nucleus.wait_running(timeout_s=20)
    begun = time.monotonic()
    bench.nucleus.stop()
    assert time.monotonic() - begun < 20.0
    assert bench.left() == []


def test_a_nucleus_that_was_killed_leaves_something(bench: Bench, runtime_folder: Path) -> None:
    stubborn_bench(bench)
    bench.nucleus.stop()
    child = Child(bench.root, "meek")
    stale = bench.root / "work/meek/sockets/ring.sock"
    subprocess.run(
        [sys.executable, "-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", str(stale)],
        check=True,
    )
    assert len(child.left()) >= 4
    assert (runtime_folder / "vedette" / child.run_id / "ipc.sock").is_socket()
    child.kill()
    wait_until(lambda: not child.left() and child.guard not in processes())
    assert not any(pid in processes() for pid in child.pids)
    assert list((runtime_folder / "vedette").iterdir()) == []
    assert not stale.exists()
    assert list((bench.root / "work/meek/sockets").iterdir()) == []


BWRAP = "bwrap --die-with-parent --new-session --unshare-pid --clearenv --ro-bind / / --proc /proc --dev /dev"


def sandboxed(seconds: str) -> list[int]:
    def is_it(pid: int) -> bool:
        try:
            return f"sleep\0{seconds}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return [pid for pid in processes() if is_it(pid)]


@pytest.mark.skipif(
    subprocess.run(f"{BWRAP} true", shell=True, capture_output=True, check=False).returncode != 0,
    reason="bubblewrap does not work here",
)
def test_a_sandbox_outlives_a_killed_nucleus(bench: Bench) -> None:
    bench.recipe("a", {"run": f"echo up; {BWRAP} sleep 1008 & wait"})
    bench.nucleus.stop()
    child = Child(bench.root, "a")
    wait_until(lambda: sandboxed("1008"))
    child.kill()
    wait_until(lambda: not child.left() and not sandboxed("1008") and child.guard not in processes())


def test_a_killed_nucleus_blocks_its_root(bench: Bench) -> None:
    stubborn_bench(bench)
    bench.nucleus.stop()
    child = Child(bench.root, "meek")
    child.kill()
    follower = Nucleus(bench.root)
    follower.start()  # waits for the guard, which still ends the stubborn component
    assert not child.left()
    follower.stop()


def test_two_nuclei_share_a_root(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette.nucleus.root._LOCK_WAIT_S", 0.1)
    second = Nucleus(bench.root)
    with pytest.raises(RootInUseError, match=r"another nucleus runs on .*; stop it"):
        second.start()
    assert find_instances() == [bench.nucleus.instance]


def test_a_guard_that_dies_is_not_replaced(bench: Bench) -> None:
    bench.recipe("a", {"run": "echo up; exec sleep 1000"})
    bench.nucleus.stop()
    child = Child(bench.root, "a")
    os.kill(child.guard, signal.SIGKILL)
    script = "guard_process.py"

    def guards() -> list[int]:
        found = []
        for pid in processes():
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if script.encode() in command and child.run_id.encode() in command:
                found.append(pid)
        return found

    wait_until(lambda: guards() not in ([], [child.guard]))
    assert len(child.left()) == 1
    child.kill()
    wait_until(lambda: not child.left() and not guards())


def test_a_run_whose_guard_died_too_is_not_cleaned_up(bench: Bench, runtime_folder: Path) -> None:
    bench.recipe("a", {"run": "echo up; exec sleep 1000"})
    bench.nucleus.stop()
    child = Child(bench.root, "a")
    # Stopped, the nucleus cannot replace its guard.
    os.kill(child.process.pid, signal.SIGSTOP)
    os.kill(child.guard, signal.SIGKILL)
    child.kill()
    assert len(child.left()) == 1
    assert find_instances() == []
    assert child.left() == []
    assert list((runtime_folder / "vedette").iterdir()) == []


def test_a_stranger_with_a_reused_number_is_killed() -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        known = wait_until(lambda: process_stat(stranger.pid))
        send(known._replace(start=known.start - 1), signal.SIGKILL)
        assert find(b"VEDETTE_RUN_ID=none", {stranger.pid: known.start - 1}) == []
        assert stranger.poll() is None
        assert [found.pid for found in find(b"VEDETTE_RUN_ID=none", {stranger.pid: known.start})] == [stranger.pid]
        send(known, signal.SIGKILL)
        assert stranger.wait(10) == -signal.SIGKILL
    finally:
        stranger.kill()
        stranger.wait(10)


def test_an_instance_cannot_be_asked(bench: Bench) -> None:
    bench.recipe("a", {"run": "echo up; exec sleep 1000"})
    bench.deploy("a")
    bench.nucleus.wait_running(timeout_s=20)
    (instance,) = find_instances()
    assert (instance.root, instance.thing_name, instance.pid) == (str(bench.root), "bench", os.getpid())
    assert instance.control_socket.stat().st_mode & 0o777 == 0o600
    (component,) = request(instance.control_socket, "components")
    assert (component["name"], component["state"], component["pid"]) == ("a", "RUNNING", bench.pid("a"))
    assert request(instance.control_socket, "health") is None
    bench.nucleus.set_health(lambda: {"level": "ok"})
    assert request(instance.control_socket, "health") == {"level": "ok"}
    with pytest.raises(
        ControlError, match=r"'dance' is not known: expected one of component-details, .* health, .* stop"
    ):
        request(instance.control_socket, "dance")
    request(instance.control_socket, "stop")
    assert bench.nucleus.stop_requested.wait(20)
    bench.nucleus.stop()
    with pytest.raises(ControlError, match="does not answer"):
        request(instance.control_socket, "health")


def test_a_dead_instance_is_found(runtime_folder: Path) -> None:
    folder = registry_folder() / "0123456789ab"
    folder.mkdir()
    (folder / "instance.json").write_text(
        json.dumps(
            {
                "run_id": "0123456789ab",
                "pid": os.getpid(),
                "start": 1,
                "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
                "root": str(runtime_folder),
                "thing_name": "t",
                "started_at": 0.0,
            }
        )
    )
    assert find_instances() == []
    assert not folder.exists()


def test_a_folder_of_somebody_else_is_the_registry(runtime_folder: Path) -> None:
    (runtime_folder / "vedette").mkdir(mode=0o755)
    (runtime_folder / "vedette").chmod(0o755)
    with pytest.raises(Exception, match="chmod 700"):
        registry_folder()


def test_the_guard_is_large(bench: Bench) -> None:
    guard = bench.nucleus._guard
    assert guard is not None
    status = wait_until(lambda: Path(f"/proc/{guard.pid}/status").read_text())
    assert int(status.split("VmRSS:")[1].split()[0]) < 14_000
    assert isinstance(bench.nucleus.instance, Instance)
