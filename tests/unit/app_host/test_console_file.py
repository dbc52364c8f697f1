"""The application's console: a file that cannot grow, and the last lines."""

import os
import threading
from pathlib import Path

import pytest
from vedette_app_runtime.console import ConsoleLog


def test_the_file_grows_for_ever(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path, max_bytes=100)
    for number in range(50):
        log.write(b"%029d\n" % number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["console_output", "console_output.1"]
    kept = (tmp_path / "console_output.1").read_bytes() + (tmp_path / "console_output").read_bytes()
    assert len(kept) <= 200
    assert kept.endswith(b"%029d\n" % 49)
    assert kept in b"".join(b"%029d\n" % number for number in range(50)), "lines are lost at the rotation"


def test_lines_that_come_in_pieces_are_broken(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path)
    for piece in (b"fi", b"rst\r\nsec", b"ond\nthird \xff"):
        log.write(piece)
    assert log.last_lines() == ["first", "second", "third �"]
    log.begin()
    assert log.last_lines() == []


def test_an_endless_line_fills_the_memory(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path)
    for _ in range(100):
        log.write(b"x" * 10_000)
    assert sum(map(len, log.last_lines())) <= 2_000


def test_a_full_disk_stops_the_application(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = ConsoleLog(tmp_path)
    (tmp_path / "console_output").mkdir()  # cannot be written to
    log.write(b"lost\n")
    log.write(b"too\n")
    assert log.lost_bytes == 9
    assert log.last_lines() == ["lost", "too"]
    assert len(caplog.records) == 1


def test_the_pump_stops_before_the_end(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path)
    read, write = os.pipe()
    thread = threading.Thread(target=log.pump, args=(read,))
    thread.start()
    os.write(write, b"one\n")
    os.write(write, b"two\n")
    os.close(write)
    thread.join(5)
    assert not thread.is_alive()
    assert (tmp_path / "console_output").read_bytes() == b"one\ntwo\n"
