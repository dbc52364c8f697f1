"""Logs are written by foreign code: links, pipes, giant lines and files that begin anew."""

import os
from pathlib import Path

import pytest
from vedette_display.application_log import MOST_BYTES, ApplicationLogs, LogError


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "vedette.app.shop" / "logs"
    (folder / "application").mkdir(parents=True)
    (folder / "console_output").write_text("one\ntwo\nunfinish")
    return folder


def test_unfinished_line_is_told_in_two_halves(tmp_path: Path, logs: Path) -> None:
    reading = ApplicationLogs(tmp_path)
    part = reading.read("shop", "console_output", None)
    assert part.lines == ["one", "two"]
    with (logs / "console_output").open("a") as file:
        file.write("ed\n")
    assert reading.read("shop", "console_output", part.next).lines == ["unfinished"]


def test_file_that_began_anew_is_not_read(tmp_path: Path, logs: Path) -> None:
    (logs / "console_output").write_text("new\n")
    assert ApplicationLogs(tmp_path).read("shop", "console_output", 10_000).lines == ["new"]


def test_large_file_is_read_whole(tmp_path: Path, logs: Path) -> None:
    (logs / "console_output").write_text("".join(f"line {number}\n" for number in range(200_000)))
    part = ApplicationLogs(tmp_path).read("shop", "console_output", None)
    assert part.lines[-1] == "line 199999"
    assert part.lines[0].startswith("line "), "from the beginning of a line"
    assert len("\n".join(part.lines)) <= MOST_BYTES
    assert part.skipped > 0


def test_link_or_pipe_leads_elsewhere_or_blocks(tmp_path: Path, logs: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key\n")
    (logs / "application" / "link.log").symlink_to(secret)
    os.mkfifo(logs / "application" / "pipe.log")
    (logs / "application" / "real.log").write_text("fine\n")
    reading = ApplicationLogs(tmp_path)
    assert [file.name for file in reading.files("shop")] == ["console_output", "real.log"]
    assert reading.read("shop", "real.log", None).lines == ["fine"]
    for name in ("link.log", "pipe.log", "../../../secret"):
        with pytest.raises(LogError):
            reading.read("shop", name, None)


@pytest.mark.parametrize("instance", ["", "..", "../vedette.Display", "nobody", "a\0b"])
def test_way_out_of_the_folder(tmp_path: Path, logs: Path, instance: str) -> None:
    with pytest.raises(LogError):
        ApplicationLogs(tmp_path).files(instance)
