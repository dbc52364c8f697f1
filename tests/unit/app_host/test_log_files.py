"""What an application wrote into its log folder, whatever else it put there."""

import os
from pathlib import Path

import pytest
from vedette_app_runtime.log_files import LogFiles

from tests.unit.folder_listings import removing_while_listing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    made.mkdir()
    return made


def test_lines_of_the_run_before_are_taken_for_this_ones(folder: Path) -> None:
    log = folder / "app.log"
    log.write_text("before\n")
    (folder / "untouched.log").write_text("long ago\n")
    files = LogFiles(folder)
    files.begin()
    with log.open("a") as file:
        file.write("now\n")
    assert files.new_lines() == {"app.log": ["now"]}
    files.begin()
    assert files.new_lines() == {}


def test_a_log_that_was_rotated_is_read_from_the_middle(folder: Path) -> None:
    log = folder / "app.log"
    log.write_text("a long line of the run before\n")
    files = LogFiles(folder)
    files.begin()
    log.rename(folder / "app.log.1")
    log.write_text("now\n")
    os.utime(log, ns=(2_000_000_000, 2_000_000_000))
    os.utime(folder / "app.log.1", ns=(1_000_000_000, 1_000_000_000))
    assert next(iter(files.new_lines().items())) == ("app.log", ["now"])


def test_the_host_waits_for_a_pipe_or_follows_a_link(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host\n")
    files = LogFiles(folder)
    files.begin()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(secret)
    (folder / "deep").mkdir()
    (folder / "app.log").write_text("now\n")
    assert files.new_lines() == {"app.log": ["now"]}


def test_a_great_log_is_read_whole(folder: Path) -> None:
    files = LogFiles(folder)
    files.begin()
    (folder / "app.log").write_bytes(b"x" * 63 + b"\n" + b"y\n" * 200_000)
    [lines] = files.new_lines().values()
    assert 1000 < len(lines) <= 32_768
    assert lines[-1] == "y"


def test_a_folder_that_is_gone_ends_the_host(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "none")
    files.begin()
    assert files.new_lines() == {}


def test_a_log_that_is_turned_over_hides_the_reason_in_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = LogFiles(folder)
    files.begin()
    for number in range(3):
        (folder / f"app.log.{number}").write_text(f"line {number}\n")
    removing_while_listing(monkeypatch, folder / "app.log.1")
    assert files.new_lines() == {"app.log.0": ["line 0"], "app.log.2": ["line 2"]}
