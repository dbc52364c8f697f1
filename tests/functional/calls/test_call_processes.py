"""The call channel between processes that die."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vedette.rings import connect
from vedette.rings.calls import CallClient, CallLost, TensorBuffer

Process = Callable[..., Any]
Serve = Callable[..., Any]


def find_python(version: str) -> str | None:
    """Return an interpreter of that version that runs; a shim of pyenv may only say that it would not."""
    found = [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    found += [path for path in [shutil.which(f"python{version}")] if path]
    for candidate in found:
        probe = subprocess.run([candidate, "-c", "import mmap"], capture_output=True, check=False, timeout=30.0)
        if probe.returncode == 0:
            return candidate
    return None


def connect_to(path: Path) -> CallClient:
    return CallClient(connect(str(path), 5.0))


def blocked(client: CallClient, server: Any, timeout_s: float | None) -> None:
    """Make a call that the server takes and never answers."""
    client.call([TensorBuffer("block", "uint8", (1,), b"x")], timeout_s)


def test_a_server_killed_in_a_call_is_noticed_and_a_new_one_serves(tmp_path: Path, call_process: Process) -> None:
    path = tmp_path / "model.sock"
    server = call_process("serve", str(path))
    assert server.stdout.readline() == "ready\n"
    caller = call_process("call", str(path), "block")
    assert caller.stdout.readline() == "calling\n"
    assert server.stdout.readline() == "running\n"
    server.send_signal(signal.SIGKILL)
    assert caller.stdout.readline() == "CallLost\n"

    server = call_process("serve", str(path))
    assert server.stdout.readline() == "ready\n"
    caller = call_process("call", str(path), "x")
    assert caller.stdout.read() == f"calling\noutputs {[bytes(255 - b for b in b'abc')]}\n"


def test_a_client_that_knew_the_server_hears_of_its_death_at_the_next_call(
    tmp_path: Path, call_process: Process
) -> None:
    path = tmp_path / "model.sock"
    server = call_process("serve", str(path))
    assert server.stdout.readline() == "ready\n"
    client = connect_to(path)
    client.call([TensorBuffer("x", "uint8", (1,), b"x")], 10.0).close()
    server.kill()
    server.wait(10.0)
    with pytest.raises(CallLost, match="model server is gone"):
        client.call([TensorBuffer("x", "uint8", (1,), b"x")], 10.0)


def test_a_client_killed_in_a_call_leaves_the_others_served(serve: Serve, call_process: Process) -> None:
    entered, release = threading.Event(), threading.Event()

    def run(inputs: Any) -> Any:
        if inputs[0].name == "block":
            entered.set()
            assert release.wait(20.0)
        return [TensorBuffer(name, dtype, shape, bytes(buffer)) for name, dtype, shape, buffer in inputs]

    served = serve(run)
    doomed = call_process("call", served.path, "block")
    assert entered.wait(20.0)
    doomed.kill()
    doomed.wait(10.0)
    release.set()
    client = served.client()
    for _ in range(6):
        client.call([TensorBuffer("x", "uint8", (1,), b"x")], 10.0).close()
    assert served.server.stats.clients == 1


def test_the_memory_of_a_client_that_died_is_given_back(tmp_path: Path, call_process: Process) -> None:
    path = tmp_path / "model.sock"
    server = call_process("serve", str(path))
    assert server.stdout.readline() == "ready\n"
    for _ in range(2):
        client = call_process("call", str(path), "x")
        assert client.stdout.read().startswith("calling\noutputs")
        client.wait(10.0)
    ours = connect_to(path)
    ours.call([TensorBuffer("x", "uint8", (1,), b"x")], 10.0).close()
    assert Path(f"/proc/{server.pid}/maps").read_text().count("vedette-calls") == 1
    ours.close()


def test_many_processes_and_threads_each_get_their_own_answers(tmp_path: Path, call_process: Process) -> None:
    path = tmp_path / "model.sock"
    assert call_process("serve", str(path)).stdout.readline() == "ready\n"
    clients = [call_process("check", str(path), "60", "5") for _ in range(3)]
    for client in clients:
        assert client.communicate(timeout=40.0)[0] == "inputs ['x'] faults []\n"


@pytest.mark.parametrize("version", ["3.7", "3.8"])
def test_applications_on_old_pythons_call_models(tmp_path: Path, call_process: Process, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    path = tmp_path / "model.sock"
    assert call_process("serve", str(path)).stdout.readline() == "ready\n"
    client = call_process("check", str(path), "40", "3", python=python)
    assert client.communicate(timeout=40.0)[0] == "inputs ['x'] faults []\n"


def test_threads_of_the_application_run_while_a_call_waits(tmp_path: Path, call_process: Process) -> None:
    """A call that never ends must not hold the interpreter: the process still answers a signal handler's thread."""
    path = tmp_path / "model.sock"
    server = call_process("serve", str(path))
    assert server.stdout.readline() == "ready\n"
    client = connect_to(path)
    outcome: list[type[BaseException]] = []

    def wait() -> None:
        try:
            blocked(client, server, None)
        except CallLost as error:
            outcome.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    assert server.stdout.readline() == "running\n"
    assert sum(range(100_000)) == 4_999_950_000
    client.close()
    thread.join(10.0)
    assert outcome == [CallLost]
