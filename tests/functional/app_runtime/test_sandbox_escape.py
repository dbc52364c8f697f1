"""Each test is one thing that an application must not be able to do, tried in a real sandbox."""

import ctypes
import errno
import json
import os
import pickle
import platform
import resource
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.limits.confinement import Confining
from vedette_app_runtime.limits.usage import scratch_bytes
from vedette_app_runtime.sandbox import SandboxSpec, application_pid, start

from vedette.application import Limits
from vedette.doctor.bubblewrap import probe_bubblewrap

_FOUND = probe_bubblewrap()
pytestmark = pytest.mark.skipif(not _FOUND.works, reason=f"needs bubblewrap: {_FOUND.reason}")

Tried = Callable[..., dict[str, object]]


@pytest.fixture
def spec(tmp_path: Path) -> SandboxSpec:
    """A sandbox around the interpreter that runs the tests."""
    bin_dir = tmp_path / "environment/bin"
    bin_dir.mkdir(parents=True)
    real = Path(sys.executable).resolve()
    (bin_dir / "python3").symlink_to(real)
    environment = Environment(
        bin_dir / "python3", bin_dir, (tmp_path / "environment", Path(sys.base_prefix).resolve()), ""
    )
    application = tmp_path / "application"
    application.mkdir()
    return SandboxSpec(environment, application, None, tmp_path / "storage", tmp_path / "logs")


@pytest.fixture
def tried(spec: SandboxSpec) -> Tried:
    """Run a program inside that leaves its findings in ``result``; return them."""

    def run(program: str, **facts: object) -> dict[str, object]:
        body = textwrap.dedent(program)
        (spec.application_dir / "app.py").write_text(
            f"import json, os, sys\nfacts = {facts!r}\nresult = {{}}\n"
            "def refused(action, *arguments):\n"
            "    try:\n        action(*arguments)\n"
            "    except OSError as error:\n        return type(error).__name__\n"
            "    return None\n"
            f"{body}\nprint(json.dumps(result), flush=True)\n"
        )
        process = start(spec, ["python3", "/panorama/app.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, output.decode()
        found: dict[str, object] = json.loads(output.decode().splitlines()[-1])
        return found

    return run


def test_the_home_folder_and_secrets_of_the_host_are_not_there(tried: Tried, tmp_path: Path) -> None:
    # GIVEN files of the nucleus's user, one in its home folder, one in another component's work folder
    other = tmp_path / "work/vedette.app.other/storage"
    other.mkdir(parents=True)
    (other / "secret").write_text("of another application")
    home = Path("~").expanduser()
    # WHEN an application tries to read them
    found = tried(
        """
        for path in facts["paths"]:
            result[path] = refused(open, path)
        there = os.listdir(facts["home"]) if os.path.isdir(facts["home"]) else []
        result["home"] = [name for name in there if name in facts["names"]]
        result["run"] = os.listdir("/run")
        """,
        paths=[str(other / "secret"), "/etc/shadow", "/proc/1/root/etc/shadow", "/etc/ssl/private", "/run/systemd"],
        home=str(home),
        names=[path.name for path in home.iterdir() if path.name not in Path(sys.base_prefix).parts],
    )
    # THEN none is there
    assert found.pop("home") == []
    assert found.pop("run") == []
    assert set(found.values()) <= {"FileNotFoundError", "PermissionError"}, found


def test_nothing_but_storage_logs_and_scratch_can_be_written(tried: Tried) -> None:
    found = tried(
        """
        def write(path):
            with open(path, "w") as file:
                file.write("x")
        for folder in facts["closed"]:
            result[folder] = refused(write, folder + "/written")
        for folder in facts["open"]:
            result[folder] = refused(write, folder + "/written") is None
        """,
        closed=[
            "",
            "/panorama",
            "/usr",
            "/usr/bin",
            "/etc",
            "/opt",
            "/opt/aws",
            "/dev",
            "/run",
            "/proc/sys/kernel",
            "/sys",
        ],
        open=["/opt/aws/panorama/storage", "/opt/aws/panorama/logs", "/tmp", "/var/tmp", "/dev/shm"],
    )
    for folder in ("/opt/aws/panorama/storage", "/opt/aws/panorama/logs", "/tmp", "/var/tmp", "/dev/shm"):
        assert found.pop(folder) is True, folder
    assert None not in found.values(), found


def test_the_kernels_switches_cannot_be_turned_even_as_root_of_the_host(tried: Tried) -> None:
    # /proc/sys looks at the host's user id, which is 0 when the nucleus runs as root, whatever the sandbox calls it.
    found = tried(
        """
        for folder, folders, files in os.walk("/proc"):
            if folder == "/proc":
                own = ("self", "thread-self", "net")
                folders[:] = [name for name in folders if not name.isdigit() and name not in own]
            for name in files:
                path = os.path.join(folder, name)
                writable = os.path.exists(path) and os.stat(path).st_mode & 0o222
                if writable and refused(os.open, path, os.O_WRONLY) is None:
                    result[path] = "can be written"
        """
    )
    assert found == {}


def test_the_keys_and_the_memory_of_the_machine_are_told_to_an_application_of_root(tried: Tried) -> None:
    found = tried(
        """
        for name in ("keys", "key-users", "kcore", "kpagecount", "kpageflags", "slabinfo", "timer_list", "vmallocinfo"):
            result[name] = refused(open, "/proc/" + name)
        """
    )
    assert set(found.values()) <= {"PermissionError", "FileNotFoundError"}, found


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the host whose number is none of the few in the sandbox: in a fresh container ours may be 1."""
    for _ in range(100):
        process = subprocess.Popen(["sleep", "60"])
        if process.pid > 50:
            break
        process.kill()
        process.wait(20)
    yield process.pid
    process.kill()
    process.wait(20)


def test_processes_of_the_host_are_neither_seen_nor_signalled(tried: Tried, victim: int) -> None:
    found = tried(
        """
        import signal
        result["pids"] = sorted(int(n) for n in os.listdir("/proc") if n.isdigit())
        result["kill"] = refused(os.kill, facts["pid"], signal.SIGTERM)
        result["own"] = os.getpid()
        """,
        pid=victim,
    )
    pids = found["pids"]
    assert isinstance(pids, list)
    assert len(pids) <= 3, found  # bubblewrap's reaper and the application
    assert found["kill"] == "ProcessLookupError"


def test_more_rights_cannot_be_had(tried: Tried) -> None:
    found = tried(
        """
        import ctypes
        result["uid"] = os.getuid()
        result["setuid"] = refused(os.setuid, 0)
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        result["capabilities"] = [status[n].strip() for n in ("CapEff", "CapPrm", "CapInh", "CapBnd")]
        result["no_new_privileges"] = status["NoNewPrivs"].strip()
        libc = ctypes.CDLL(None, use_errno=True)
        result["mount"] = libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)
        result["user_namespace"] = libc.unshare(0x10000000)
        """
    )
    assert found["uid"] == 1000
    assert found["setuid"] is not None
    assert set(found["capabilities"]) == {"0000000000000000"}  # type: ignore[call-overload]
    assert found["no_new_privileges"] == "1"
    assert found["mount"] == -1
    if _FOUND.disables_user_namespaces:
        assert found["user_namespace"] == -1


def test_only_harmless_devices_are_there(tried: Tried) -> None:
    found = tried('result["devices"] = os.listdir("/dev")')
    assert set(found["devices"]) <= {  # type: ignore[call-overload]
        *("core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom"),
        *("zero", "console"),
    }


def test_the_environment_of_the_host_stays_outside(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVCUID", "token-of-the-nucleus")
    monkeypatch.setenv("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "/greengrass/v2/ipc.socket")
    found = tried("result.update(os.environ)")
    assert set(found) <= {
        *(
            "PATH",
            "TERM",
            "container",
            "HOME",
            "LANG",
            "ORT_DISABLE_TELEMETRY",
            "PYTHONUNBUFFERED",
            "PYTHONDONTWRITEBYTECODE",
            "PWD",
            "LC_CTYPE",
        ),
    }


def test_no_descriptor_leaks_in(tried: Tried) -> None:
    with Path(os.devnull).open() as leak:
        os.set_inheritable(leak.fileno(), True)
        found = tried('result["descriptors"] = sorted(int(n) for n in os.listdir("/proc/self/fd"))')
    # 3 is the listing itself
    assert found["descriptors"] == [0, 1, 2, 3]


_SYSCALLS = {"x86_64": {"add_key": 248, "keyctl": 250}, "aarch64": {"add_key": 217, "keyctl": 219}}[platform.machine()]


def _landlock() -> int:
    """Return the kernel's version of Landlock; 0 or less: it has none."""
    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))


@pytest.mark.skipif(_landlock() < 6, reason="closing abstract sockets needs Linux 6.12 with Landlock")
def test_abstract_sockets_of_the_hosts_programs_can_be_connected_to(tried: Tried, tmp_path: Path) -> None:
    name = b"\0vedette-" + os.fsencode(tmp_path.name) + b"-%d" % os.getpid()
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        stream.bind(name)
        stream.listen(1)
        datagrams.bind(name + b"d")
        found = tried(
            """
            import socket
            stream = socket.socket(socket.AF_UNIX)
            datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            result["stream"] = refused(stream.connect, facts["name"])
            result["datagrams"] = refused(datagrams.sendto, b"x", facts["name"] + b"d")
            own = socket.socket(socket.AF_UNIX)
            own.bind(b"\\0mine")
            own.listen(1)
            result["own"] = refused(socket.socket(socket.AF_UNIX).connect, b"\\0mine")
            """,
            name=name,
        )
    assert found == {"stream": "PermissionError", "datagrams": "PermissionError", "own": None}


def test_the_keys_of_whoever_started_it_can_be_read(spec: SandboxSpec) -> None:
    # GIVEN a key in the session keyring of the host's process, readable by whoever possesses it
    (spec.application_dir / "app.py").write_text(
        "import ctypes, json\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "buffer = ctypes.create_string_buffer(100)\n"
        f"found = libc.syscall({_SYSCALLS['keyctl']}, 10, -3, b'user', b'vedette-test', 0)\n"  # search the session's
        f"length = libc.syscall({_SYSCALLS['keyctl']}, 11, found, buffer, 100) if found > 0 else -1\n"  # read it
        "print(json.dumps({'found': buffer.value.decode() if length > 0 else None}), flush=True)\n"
    )
    # A process of its own, whose keyring goes with it.
    starter = (
        "import ctypes, pickle, sys, subprocess\n"
        "from vedette_app_runtime.sandbox import start\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"libc.syscall({_SYSCALLS['keyctl']}, 1, b'vedette-test-session')\n"
        f"key = libc.syscall({_SYSCALLS['add_key']}, b'user', b'vedette-test', b'secret', 6, -3)\n"
        "spec = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "start(spec, ['python3', '/panorama/app.py']).wait(20)\n"
        "print('key', key > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter, pickle.dumps(spec).hex()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said, key = done.stdout.splitlines()
    if key != "key True":
        pytest.skip("this kernel keeps no keys")
    assert json.loads(said) == {"found": None}


def test_memory_of_other_applications_can_be_had(tried: Tried, victim: int) -> None:
    shared = Path(f"/dev/shm/vedette-test-{os.getpid()}")
    shared.write_text("of another application")
    try:
        found = tried(
            """
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            result["shared"] = refused(open, facts["shared"])
            result["listed"] = os.listdir("/dev/shm")
            result["attach"] = libc.ptrace(16, facts["pid"], None, None)
            result["memory"] = refused(open, "/proc/%d/mem" % facts["pid"])
            result["segments"] = open("/proc/sysvipc/shm").read().count("\\n") - 1
            result["kernel"] = [refused(open, path, "rb") for path in ("/proc/kcore", "/proc/kmsg", "/dev/mem")]
            """,
            shared=str(shared),
            pid=victim,
        )
    finally:
        shared.unlink()
    assert found["shared"] == "FileNotFoundError"
    assert found["listed"] == []
    assert found["attach"] == -1
    assert found["memory"] == "FileNotFoundError"
    assert found["segments"] == 0
    assert None not in found["kernel"], found  # type: ignore[operator]


def test_keys_are_typed_into_the_terminal_of_who_started_it(tried: Tried) -> None:
    found = tried(
        """
        import fcntl, termios
        result["terminal"] = refused(os.open, "/dev/tty", os.O_RDWR)
        result["typed"] = [refused(fcntl.ioctl, fd, termios.TIOCSTI, b"x") for fd in (0, 1, 2)]
        """
    )
    assert found["terminal"] is not None
    assert None not in found["typed"], found  # type: ignore[operator]


def test_a_program_with_roots_rights_can_be_left_behind(tried: Tried, spec: SandboxSpec) -> None:
    found = tried(
        """
        import shutil, stat
        target = "/opt/aws/panorama/storage/shell"
        shutil.copy("/bin/sh", target)
        result["set"] = refused(os.chmod, target, 0o4755)
        result["node"] = refused(os.mknod, "/opt/aws/panorama/storage/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
        result["given"] = refused(os.chown, target, 0, 0)
        result["link"] = refused(os.link, "/usr/bin/env", "/opt/aws/panorama/storage/env")
        import subprocess
        ran = subprocess.run([target, "-p", "-c", "id -u"], capture_output=True, text=True)
        result["ran as"] = ran.stdout.strip()
        """
    )
    assert found["node"] is not None
    assert found["given"] is not None
    assert found["link"] is not None
    assert found["ran as"] == "1000"
    # Nobody but the nucleus's user gets as far as that file.
    assert spec.storage.stat().st_mode & 0o077 == 0


_CALLS = {
    "x86_64": {"unshare": 272, "clone3": 435, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "syslog": 103},
    "aarch64": {"unshare": 97, "clone3": 435, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "syslog": 116},
}[platform.machine()]


def test_the_kernels_ways_for_escapes_are_open(tried: Tried) -> None:
    found = tried(
        """
        import ctypes, errno, socket, subprocess, threading
        libc = ctypes.CDLL(None, use_errno=True)
        def call(number, *arguments):
            done = libc.syscall(number, *map(ctypes.c_long, arguments))
            return errno.errorcode[ctypes.get_errno()] if done < 0 else "done"
        for name, arguments in facts["tried"].items():
            result[name] = call(facts["calls"].get(name, 0) or facts["same"][name], *arguments)
        try:
            socket.socket(40, socket.SOCK_STREAM)
        except OSError as error:
            result["vsock"] = errno.errorcode[error.errno]
        # What programs do instead, and always did:
        thread = threading.Thread(target=lambda: result.update(thread=True))
        thread.start(); thread.join()
        result["child"] = subprocess.run(["/bin/sh", "-c", "echo $((6 * 7))"], capture_output=True, text=True).stdout
        """,
        calls=_CALLS,
        same={"io_uring_setup": 425, "open_tree": 428, "open_tree_attr": 467, "fsopen": 430, "mount_setattr": 442},
        tried={
            "unshare": [0x10000000],
            "clone3": [0, 0],
            "bpf": [0, 0, 0],
            "perf_event_open": [0, 0, -1, -1, 0],
            "userfaultfd": [1],
            "syslog": [10, 0, 0],
            "io_uring_setup": [1, 0],
            "open_tree": [-100, 0, 1],
            "open_tree_attr": [-100, 0, 0, 0, 0],
            "fsopen": [0, 0],
            "mount_setattr": [-100, 0, 0, 0, 0],
        },
    )
    assert found == {
        **dict.fromkeys(("unshare", "bpf", "perf_event_open", "userfaultfd", "syslog"), "EPERM"),
        **dict.fromkeys(("open_tree", "open_tree_attr", "fsopen", "mount_setattr"), "EPERM"),
        **dict.fromkeys(("clone3", "io_uring_setup"), "ENOSYS"),
        "vsock": "EAFNOSUPPORT",
        "thread": True,
        "child": "42\n",
    }


_TERMINAL = """
import fcntl, os, pickle, sys, termios
from dataclasses import replace
from vedette_app_runtime.sandbox import start
ours, theirs = os.openpty()
os.setsid()
fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
spec = replace(pickle.loads(bytes.fromhex(sys.argv[1])), interactive=True)
sys.exit(start(spec, ["python3", "/panorama/app.py"], stdin=theirs).wait(20))
"""


def test_keys_are_typed_into_the_terminal_of_a_shell_in_the_sandbox(spec: SandboxSpec) -> None:
    # GIVEN the terminal of a developer who looks around in the sandbox
    (spec.application_dir / "app.py").write_text(
        "import fcntl, os, termios\n"
        "try:\n    fcntl.ioctl(0, termios.TIOCSTI, b'x')\n    print('typed', os.isatty(0))\n"
        "except OSError as error:\n    print(error.errno, os.isatty(0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", _TERMINAL, pickle.dumps(spec).hex()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # EIO would be the kernel's word, from 6.2 on where it is so configured.
    assert done.stdout.split() == [str(errno.EPERM), "True"], done.stderr


def test_scratch_files_take_all_memory(spec: SandboxSpec) -> None:
    (spec.application_dir / "app.py").write_text(
        "import errno, os\n"
        "for place in ('/tmp', '/var/tmp', '/dev/shm'):\n"
        "    try:\n        open(place + '/x', 'wb').write(bytes(20 << 20))\n"
        "    except OSError as error:\n        print(place, errno.errorcode[error.errno], flush=True)\n"
        "    os.unlink(place + '/x')\n"
        "for number in range(1500):\n    open('/tmp/%d' % number, 'w').close()\n"
        "import time\nprint('made', flush=True)\ntime.sleep(100)\n"
    )
    process = start(replace(spec, scratch_bytes=8 << 20), ["python3", "/panorama/app.py"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = [line.decode().strip() for line in iter(process.stdout.readline, b"made\n")]
        if _FOUND.version >= (0, 7):
            assert said == ["/tmp ENOSPC", "/var/tmp ENOSPC", "/dev/shm ENOSPC"]
        # THEN files that are empty are not overlooked
        assert scratch_bytes(process.pid)["/tmp"] >= 1500 * 1024
        for number, word in ((1, "limits.scratchMB"), (8, "None")):
            assert word in str(Confining("a", Limits(scratch_mb=number), None).broken(process.pid))
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_an_application_that_calls_itself_bubblewrap_is_not_found(spec: SandboxSpec) -> None:
    (spec.application_dir / "app.py").write_text(
        "import ctypes, time\nctypes.CDLL(None).prctl(15, b'bwrap', 0, 0, 0)\nprint('named', flush=True)\n"
        "time.sleep(100)\n"
    )
    process = start(spec, ["python3", "/panorama/app.py"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"named\n"
        pid = application_pid(process.pid)
        assert pid is not None
        assert b"/panorama/app.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_a_crash_leaves_a_picture_of_its_memory_on_the_machine(tried: Tried) -> None:
    assert tried("import resource; result['core'] = resource.getrlimit(resource.RLIMIT_CORE)[0]") == {"core": 0}


_TRACING = {"x86_64": {"ptrace": 101, "process_vm_writev": 311}, "aarch64": {"ptrace": 117, "process_vm_writev": 271}}


def test_an_application_outlives_its_sandbox_by_taking_over_its_first_process(tried: Tried) -> None:
    # bubblewrap's process inside has the kernel end it, and all else in the sandbox with it, when the host ends.
    found = tried(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        for name, request in (("attach", 16), ("seize", 0x4206)):
            result[name] = libc.syscall(facts["ptrace"], ctypes.c_long(request), ctypes.c_long(1), None, None)
        result["write"] = libc.syscall(facts["process_vm_writev"], ctypes.c_long(1), None, 0, None, 0, 0)
        for path in ("/proc/1/mem", "/proc/1/task/1/mem", "/proc/self/root/proc/1/mem"):
            result[path] = [refused(os.open, path, flags) for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)]
        child = os.fork()
        if not child:
            libc.pause()
        # A debugger goes on working:
        result["own child"] = libc.syscall(facts["ptrace"], ctypes.c_long(16), ctypes.c_long(child), None, None)
        os.kill(child, 9)
        """,
        **_TRACING[platform.machine()],
    )
    own = found.pop("own child")
    assert {tuple(each) if isinstance(each, list) else each for each in found.values()} == {
        -1,
        ("PermissionError",) * 3,
    }, found
    assert own == 0


def test_descriptors_in_sockets_keep_other_applications_from_their_frames(tried: Tried) -> None:
    # Of those under way the kernel counts all of a user's together: what one application may have there must be less
    # than what those have who hand out frames.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    found = tried("import resource; result['most'] = resource.getrlimit(resource.RLIMIT_NOFILE)")
    most = found["most"]
    assert isinstance(most, list)
    assert most[0] == most[1]
    assert most[1] <= min(hard // 2, 65_536) or hard < 2048
    process = subprocess.run([sys.executable, "-c", _HANDS_OUT], capture_output=True, text=True, check=True, timeout=60)
    assert f"most {hard}" in process.stdout.splitlines(), process.stdout


_HANDS_OUT = """
import resource
from vedette.bus.component import run_component
from vedette.bus.memory import MemoryBroker, MemoryBus
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
def main(bus, stop):
    print("most", resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
    stop.set()
run_component(main, name="hands-out", connect=lambda: MemoryBus(MemoryBroker(), "hands-out"))
"""
