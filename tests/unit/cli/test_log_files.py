"""Logs in the terminal, of applications that write and turn them over meanwhile."""

import threading
from pathlib import Path

import pytest

from tests.unit.folder_listings import removing_while_listing
from vedette.cli.logs import find_logs, show_logs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work" / "vedette.app.shop" / "logs" / "application"
    made.mkdir(parents=True)
    return made


def test_a_log_that_is_turned_over_ends_the_command(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (folder / f"app.log.{number}").write_text("x\n")
    removing_while_listing(monkeypatch, folder / "app.log.1")
    assert [log.label for log in find_logs(tmp_path)] == ["shop/app.log.0", "shop/app.log.2"]


class _Looks(threading.Event):
    """In place of the wait between two looks: does what is next, and ends the command after the last."""

    deeds: list[object] = []  # noqa: RUF012 - set by the test

    def wait(self, timeout: float | None = None) -> bool:
        if not self.deeds:
            raise KeyboardInterrupt
        deed = self.deeds.pop(0)
        assert callable(deed)
        deed()
        return False


def test_a_line_that_is_half_written_is_shown_as_two(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = folder / "app.log"
    log.write_text("one\ntw")

    def more(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    looks = type("Looks", (_Looks,), {"deeds": [lambda: more("o\nthr"), lambda: more("ee\n"), lambda: None]})
    monkeypatch.setattr(threading, "Event", looks)
    with pytest.raises(KeyboardInterrupt):
        show_logs(None, tmp_path, lines=10, follow=True)
    assert [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()] == ["one", "two", "three"]


def test_the_last_line_of_an_application_that_was_killed_is_left_out(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "app.log").write_text("one\ntw")
    show_logs(None, tmp_path, lines=10, follow=False)
    assert capsys.readouterr().out.splitlines() == ["shop/app.log one", "shop/app.log tw"]
