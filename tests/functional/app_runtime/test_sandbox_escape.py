"""Each test is one thing that an application must not be able to do, tried in a real sandbox."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.sandbox import SandboxSpec, start

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


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the host whose number is none of the few in the sandbox: in a fresh container ours may be 1."""
    for _ in range(100):
        process = subprocess.Popen(["sleep", "60"])
        if process.pid > 50:
            break
        process.kill()
        process.wait(5)
    yield process.pid
    process.kill()
    process.wait(5)


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
