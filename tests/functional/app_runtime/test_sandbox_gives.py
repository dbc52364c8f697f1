"""What an application may rely on inside: its folders, its descriptors, its own /tmp, an end that is asked for."""

import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.sandbox import (
    Choice,
    SandboxMisuse,
    SandboxSpec,
    application_pid,
    command,
    start,
    stop,
    wait_for_application,
)
from vedette_app_runtime.sandbox.choice import view_works

from vedette.doctor.bubblewrap import probe_bubblewrap

_FOUND = probe_bubblewrap()
_VIEW, _VIEW_AS_ROOT = view_works()
NEEDS_BUBBLEWRAP = pytest.mark.skipif(not _FOUND.works, reason=f"needs bubblewrap: {_FOUND.reason}")
NEEDS_VIEW = pytest.mark.skipif(not _VIEW, reason="needs mount namespaces")
BUBBLEWRAP = Choice("bubblewrap", bubblewrap=_FOUND)
VIEW = Choice("mount-view", as_root=_VIEW_AS_ROOT)
NEITHER = Choice("none")
WITH_PATHS = [
    pytest.param(BUBBLEWRAP, marks=NEEDS_BUBBLEWRAP, id="bubblewrap"),
    pytest.param(VIEW, marks=NEEDS_VIEW, id="mount-view"),
    pytest.param(
        Choice("mount-view", as_root=False),
        marks=pytest.mark.skipif(
            subprocess.run(
                ["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False
            ).returncode
            != 0,
            reason="needs user namespaces",
        ),
        id="mount-view-of-a-user",
    ),
]
EVERY = [*WITH_PATHS, pytest.param(NEITHER, id="none")]


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    """A view for the interpreter that runs the tests."""
    bin_dir = tmp_path / "environment/bin"
    bin_dir.mkdir(parents=True)
    (bin_dir / "python3").symlink_to(Path(sys.executable).resolve())
    prefix = Path(sys.base_prefix).resolve()
    environment = Environment(bin_dir / "python3", bin_dir, (tmp_path / "environment", prefix), "")
    for name in ("application", "sdk"):
        (tmp_path / name).mkdir()
    (tmp_path / "sdk/panoramasdk.py").write_text("mark = 'the sdk'\n")
    return SandboxSpec(environment, tmp_path / "application", tmp_path / "sdk", tmp_path / "storage", tmp_path / "logs")


def _run(spec: SandboxSpec, choice: Choice, program: str, name: str = "app.py", argv: Sequence[str] = ()) -> str:
    (spec.application_dir / name).write_text(program)
    process = start(
        spec, argv or ["python3", f"/panorama/{name}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, choice=choice
    )
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize("choice", WITH_PATHS)
def test_the_appliances_paths_are_there_and_storage_outlives_a_restart(spec: SandboxSpec, choice: Choice) -> None:
    program = """
import os, panoramasdk
assert panoramasdk.mark == "the sdk"
assert os.getcwd() == "/", os.getcwd()
assert open("/panorama/app.py").read()
with open("/opt/aws/panorama/storage/count", "a") as count:
    count.write("x")
with open("opt/aws/panorama/logs/app.log", "a") as log:  # relative, as one of AWS's samples has it
    log.write("a line")
print(open("/opt/aws/panorama/storage/count").read())
"""
    assert _run(spec, choice, program) == "x\n"
    assert _run(spec, choice, program) == "xx\n"
    assert (spec.logs / "app.log").read_text() == "a linea line"
    # THEN what it wrote belongs to whoever runs the nucleus, and can be removed
    (spec.storage / "count").unlink()
    assert (spec.logs / "app.log").stat().st_uid == os.getuid()


@pytest.mark.parametrize("choice", EVERY)
def test_a_command_line_gives_the_same_as_starting(
    spec: SandboxSpec, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spec.application_dir / "app.py").write_text("import panoramasdk, os; print(sorted(os.environ))")
    monkeypatch.setenv("SVCUID", "token")
    line = command(replace(spec, environ={"AWS_REGION": "eu-west-1"}), ["python3", "/panorama/app.py"], choice=choice)
    answer = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "'AWS_REGION'" in answer.stdout
    assert "SVCUID" not in answer.stdout


@pytest.mark.parametrize("choice", EVERY)
def test_started_without_isolation_the_hosts_environment_still_stays_outside(
    spec: SandboxSpec, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SVCUID", "token")
    assert "SVCUID" not in _run(spec, choice, "import os; print(sorted(os.environ))")


@NEEDS_BUBBLEWRAP
def test_tmp_is_its_own_and_empty_at_every_start(spec: SandboxSpec, tmp_path: Path) -> None:
    program = """
import os
print(sorted(n for n in os.listdir("/tmp") if n == "left"))
open("/tmp/left", "w").close()
"""
    assert _run(spec, BUBBLEWRAP, program) == "[]\n"
    assert _run(spec, BUBBLEWRAP, program) == "[]\n"
    assert not Path("/tmp/left").exists()


@NEEDS_BUBBLEWRAP
def test_the_application_is_an_ordinary_user_with_a_name(spec: SandboxSpec) -> None:
    program = """
import os, pwd, socket
print(os.getuid(), os.getgid(), pwd.getpwuid(os.getuid()).pw_name, socket.gethostname())
print(socket.gethostbyname(socket.gethostname()), socket.gethostbyname("localhost"))
"""
    assert _run(spec, BUBBLEWRAP, program).splitlines() == ["1000 1000 panorama panorama", "127.0.0.1 127.0.0.1"]


@NEEDS_BUBBLEWRAP
def test_processes_threads_and_shared_memory_of_pythons_own_work(spec: SandboxSpec) -> None:
    program = """
import multiprocessing, os, socket, subprocess
from multiprocessing import shared_memory
def work(queue):
    queue.put(os.getpid())
if __name__ == "__main__":
    lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
    child = multiprocessing.Process(target=work, args=(queue,))
    child.start(); queue.get(timeout=10); child.join()
    memory = shared_memory.SharedMemory(create=True, size=4096); memory.close(); memory.unlink()
    os.mkfifo("/opt/aws/panorama/logs/fifo")
    assert subprocess.check_output(["bash", "-c", "echo shell"]) == b"shell\\n"
    assert os.system("true") == 0
    socket.getaddrinfo("localhost", 80)
    print("fine")
"""
    assert _run(spec, BUBBLEWRAP, program) == "fine\n"


@pytest.mark.parametrize("choice", EVERY)
def test_a_descriptor_comes_in_and_memory_sent_through_it_is_shared(spec: SandboxSpec, choice: Choice) -> None:
    # GIVEN a socket of the host, and a memory that is sent through it
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    memory = os.memfd_create("ring")
    os.ftruncate(memory, 4096)
    with ours, theirs, mmap.mmap(memory, 4096) as frame:
        frame[:5] = b"hello"
        (spec.application_dir / "app.py").write_text(
            """
import mmap, os, socket, sys
host = socket.socket(fileno=int(os.environ["VEDETTE_FD"]))
data, descriptors, _, _ = socket.recv_fds(host, 10, 1)
with mmap.mmap(descriptors[0], 4096) as frame:
    assert frame[:5] == b"hello"
    frame[:5] = b"world"
host.send(b"done")
"""
        )
        own = replace(spec, fds=(theirs.fileno(),), environ={"VEDETTE_FD": str(theirs.fileno())})
        # WHEN the application maps it and writes
        process = start(own, ["python3", "/panorama/app.py"], choice=choice)
        theirs.close()
        socket.send_fds(ours, [b"map"], [memory])
        os.close(memory)
        ours.settimeout(20)
        assert ours.recv(10) == b"done"
        # THEN the host sees it, who is on the other side, and its end
        assert frame[:5] == b"world"
        assert process.wait(20) == 0
        assert ours.recv(10) == b""


@pytest.mark.parametrize("choice", EVERY)
def test_the_application_is_asked_to_end_before_it_is_killed(spec: SandboxSpec, choice: Choice) -> None:
    read, write = os.pipe()
    (spec.application_dir / "app.py").write_text(
        "import signal, sys, os\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "os.write(1, b'ready')\nsignal.pause()\n"
    )
    process = start(spec, ["python3", "/panorama/app.py"], stdout=write, choice=choice)
    os.close(write)
    assert os.read(read, 10) == b"ready"
    os.close(read)
    assert stop(process, grace_s=10) == 7


@pytest.mark.parametrize("choice", EVERY)
def test_an_application_that_will_not_end_is_killed_and_all_of_its_with_it(spec: SandboxSpec, choice: Choice) -> None:
    read, write = os.pipe()
    (spec.application_dir / "app.py").write_text(
        "import signal, os\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.write(1, b'ready')\n"
        "while True:\n    signal.pause()\n"
    )
    process = start(spec, ["python3", "/panorama/app.py"], stdout=write, choice=choice)
    os.close(write)
    assert os.read(read, 10) == b"ready"
    assert stop(process, grace_s=0.2) != 0
    assert os.read(read, 10) == b""  # nobody holds the pipe any more
    os.close(read)


@pytest.mark.parametrize("choice", EVERY)
def test_the_process_id_is_the_applications_own(spec: SandboxSpec, choice: Choice) -> None:
    (spec.application_dir / "app.py").write_text("import sys; sys.stdin.read()")
    read, write = os.pipe()
    process = start(spec, ["python3", "/panorama/app.py"], stdin=read, choice=choice)
    os.close(read)
    never = threading.Event()
    pid = wait_for_application(process, never, 10)
    assert pid is not None
    # Before the last exec it is still a shell's or setpriv's.
    while (
        b"/panorama/app.py" not in (line := Path(f"/proc/{pid}/cmdline").read_bytes()) and choice.kind == "mount-view"
    ):
        assert process.poll() is None, line
        never.wait(0.01)
    os.close(write)
    assert process.wait(20) == 0
    assert application_pid(process.pid) is None


def test_a_process_without_arguments_yet_or_any_more_is_taken_for_the_application() -> None:
    # GIVEN one that has ended and is not waited for: like one that is being loaded, it has a name and no arguments
    process = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}/comm").read_text() == "true\n"
    # THEN it is no application
    assert application_pid(process.pid) is None
    process.wait(20)


@NEEDS_BUBBLEWRAP
def test_the_application_ends_when_its_host_is_killed(spec: SandboxSpec) -> None:
    # GIVEN a host process of its own that starts the application and waits
    (spec.application_dir / "app.py").write_text("import signal; signal.pause()")
    line = command(spec, ["python3", "/panorama/app.py"], choice=BUBBLEWRAP)
    read, write = os.pipe()
    host = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.Popen({line!r}, pass_fds=({write},)).wait()"],
        pass_fds=(write,),
    )
    os.close(write)
    try:
        # WHEN the host is killed
        host.send_signal(signal.SIGKILL)
        host.wait(10)
        # THEN the last holder of the pipe is gone
        assert os.read(read, 1) == b""
    finally:
        os.close(read)
        host.kill()


@NEEDS_BUBBLEWRAP
def test_a_variable_is_not_seen_in_the_list_of_processes(spec: SandboxSpec) -> None:
    (spec.application_dir / "app.py").write_text("import sys; sys.stdin.read()")
    read, write = os.pipe()
    process = start(
        replace(spec, environ={"TOKEN": "x-secret-x"}), ["python3", "/panorama/app.py"], stdin=read, choice=BUBBLEWRAP
    )
    os.close(read)
    assert wait_for_application(process, threading.Event(), 10)
    lines = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in _tree(process.pid))
    os.close(write)
    assert process.wait(20) == 0
    assert b"/panorama/app.py" in lines
    assert b"x-secret-x" not in lines


@NEEDS_BUBBLEWRAP
def test_a_preloaded_library_of_the_application_does_not_reach_bubblewrap(spec: SandboxSpec, tmp_path: Path) -> None:
    marker = tmp_path / "environment/preloaded"  # seen at the same place inside and outside
    output = _run(replace(spec, environ={"LD_PRELOAD": str(marker)}), BUBBLEWRAP, "print('fine')")
    # THEN the loader complains inside, once for the application, and never for bubblewrap's own start
    assert output.count("cannot be preloaded") == 1


@NEEDS_BUBBLEWRAP
def test_a_shell_script_finds_the_environments_python_under_every_name(spec: SandboxSpec) -> None:
    (spec.environment.bin_dir / "python3.7").symlink_to("python3")
    output = _run(
        spec,
        BUBBLEWRAP,
        "python3.7 -c 'import panoramasdk; print(panoramasdk.mark)'",
        "run.sh",
        ["bash", "/panorama/run.sh"],
    )
    assert output == "the sdk\n"


@pytest.mark.parametrize("missing", ["application_dir", "sdk_dir"])
def test_a_folder_that_is_not_there_is_said_before_anything_starts(spec: SandboxSpec, missing: str) -> None:
    gone = replace(spec, **{missing: Path("/nowhere/at/all")})  # type: ignore[arg-type]
    with pytest.raises(SandboxMisuse, match="cannot show /nowhere/at/all to an application: there is no such folder"):
        start(gone, ["python3"], choice=BUBBLEWRAP)


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _tree(int(child)))]


def test_a_process_that_bubblewrap_had_not_set_up_yet_stays_for_ever() -> None:
    # GIVEN what is killed so early that its child does not end with it yet, and does not hear SIGTERM
    script = "trap '' TERM; sleep 100 & echo $!; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = os.pidfd_open(int(process.stdout.readline()))
        assert stop(process, 0.05) == -signal.SIGKILL
        poller = select.poll()
        poller.register(child, select.POLLIN)
        assert poller.poll(20_000), "it runs on"
        os.close(child)
