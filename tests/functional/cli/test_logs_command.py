"""`vedette logs` on a folder that a run left behind."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from vedette.application.log_streams import LogStreams
from vedette.log_events import Event


@pytest.fixture
def application(tmp_path: Path) -> Path:
    state = tmp_path / ".vedette"
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "vedette.Display.log").write_text("".join(f"line {n}\n" for n in range(50)))
    own = state / "work" / "vedette.app.counter" / "logs" / "application"
    own.mkdir(parents=True)
    (own / "app.log").write_text("counted\n")
    (own.parent / "console_output").write_bytes(b"printed \xff\n")
    return tmp_path


def logs(application: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vedette.cli.main", "logs", "--dir", str(application), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_some_log_is_left_out(application: Path) -> None:
    done = logs(application, "-n", "2")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines == [
        ["counter/app.log", "counted"],
        ["counter/console", "printed \ufffd"],
        ["vedette.Display", "line 48"],
        ["vedette.Display", "line 49"],
    ]


def test_what_is_about_a_node_is_not_found_by_its_name(application: Path) -> None:
    work = application / ".vedette" / "work"
    streams = LogStreams.of("counter", "code_node", cameras=[("door-1", "front_door")], models=(), outputs=())
    streams.write(work / "vedette.app.counter" / "logs")
    events = [
        Event(0.5, "ERROR", "camera", "it broke\nTraceback: 404", "camera:door-1"),
        Event(1.0, "INFO", "camera", "of another", "camera:yard-2"),
    ]
    folder = work / "vedette.CameraIngest" / "logs"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(b"".join(event.encode() for event in events))
    lines = [line.split(maxsplit=1) for line in logs(application, "counter/front_door").stdout.splitlines()]
    assert lines == [
        ["counter/front_door", "1970-01-01T00:00:00.500Z ERROR camera it broke"],
        ["counter/front_door", "Traceback: 404"],
    ]


def test_a_bundle_shows_a_password_or_needs_a_network(application: Path, tmp_path: Path) -> None:
    work = application / ".vedette" / "work"
    console = work / "vedette.app.counter" / "logs" / "console_output"
    console.write_text("opening rtsp://admin:planted-4711@camera/1\npassword=planted-4711\n")
    target = tmp_path / "out"
    target.mkdir()
    # No route at all: not even a name can be resolved.
    command = ["unshare", "-rn", sys.executable, "-m", "vedette.cli.main", "logs", "--dir", str(application)]
    done = subprocess.run([*command, "--bundle", str(target)], capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr:
        pytest.skip("namespaces cannot be made here")
    assert done.returncode == 0, done.stderr
    (written,) = target.iterdir()
    assert written.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(written) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"device.json", "doctor.json", "logs/vedette.Display.log"} <= texts.keys()
    assert "opening rtsp://***@camera/1" in texts["applications/vedette.app.counter/console_output"]
    assert not [name for name, text in texts.items() if "planted" in text]


def test_name_that_fits_nothing_prints_nothing(application: Path) -> None:
    done = logs(application, "Nothing")
    assert done.returncode == 1
    assert "hint: there are: counter/app.log, counter/console, vedette.Display" in done.stderr


def test_lines_that_are_added_are_not_followed(application: Path) -> None:
    command = [sys.executable, "-m", "vedette.cli.main", "logs", "--dir", str(application), "-f", "-n", "1", "app.log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split() == ["counter/app.log", "counted"]
        file = application / ".vedette" / "work" / "vedette.app.counter" / "logs" / "application" / "app.log"
        with file.open("a") as log:
            log.write("counted again\n")
        assert process.stdout.readline().split(maxsplit=1)[1] == "counted again\n"
        process.terminate()


def test_a_link_that_an_application_puts_among_its_logs_shows_another_file(application: Path) -> None:
    (application / "secret").write_text("secret\n")
    folder = application / ".vedette" / "work" / "vedette.app.counter" / "logs" / "application"
    (folder / "other.log").symlink_to(application / "secret")
    done = logs(application)
    assert "secret" not in done.stdout
    assert "counted" in done.stdout
