"""`vedette logs` on a folder that a run left behind."""

import subprocess
import sys
from pathlib import Path

import pytest


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
