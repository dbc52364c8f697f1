"""Logs are written by foreign code: links, pipes, giant lines and files that begin anew."""

import os
from pathlib import Path

import pytest
from vedette_display.application_log import MOST_BYTES, ComponentLogs, LogError

from tests.unit.folder_listings import removing_while_listing
from vedette.log_events import Event


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "vedette.app.shop" / "logs"
    (folder / "application").mkdir(parents=True)
    (folder / "console_output").write_text("one\ntwo\nunfinish")
    return folder


def test_unfinished_line_is_told_in_two_halves(tmp_path: Path, logs: Path) -> None:
    reading = ComponentLogs(tmp_path)
    part = reading.read("vedette.app.shop", "console_output", None)
    assert part.lines == ["one", "two"]
    with (logs / "console_output").open("a") as file:
        file.write("ed\n")
    assert reading.read("vedette.app.shop", "console_output", part.next).lines == ["unfinished"]


def test_file_that_began_anew_is_not_read(tmp_path: Path, logs: Path) -> None:
    (logs / "console_output").write_text("new\n")
    assert ComponentLogs(tmp_path).read("vedette.app.shop", "console_output", 10_000).lines == ["new"]


def test_large_file_is_read_whole(tmp_path: Path, logs: Path) -> None:
    (logs / "console_output").write_text("".join(f"line {number}\n" for number in range(200_000)))
    part = ComponentLogs(tmp_path).read("vedette.app.shop", "console_output", None)
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
    reading = ComponentLogs(tmp_path)
    assert [file.name for file in reading.files("vedette.app.shop")] == ["console_output", "real.log"]
    assert reading.read("vedette.app.shop", "real.log", None).lines == ["fine"]
    for name in ("link.log", "pipe.log", "../../../secret"):
        with pytest.raises(LogError):
            reading.read("vedette.app.shop", name, None)


@pytest.mark.parametrize("instance", ["", "..", "../vedette.Display", "nobody", "a\0b"])
def test_way_out_of_the_folder(tmp_path: Path, logs: Path, instance: str) -> None:
    with pytest.raises(LogError):
        ComponentLogs(tmp_path).files(instance)


def test_events_of_a_component_are_shown_as_json_or_others_as_components(tmp_path: Path, logs: Path) -> None:
    folder = tmp_path / "vedette.CameraIngest" / "logs"
    folder.mkdir(parents=True)
    event = Event(1_795_000_000.5, "WARNING", "camera", "lost: rtsp://viewer:geheim@10.0.0.21/s", "camera:lobby-1")
    (folder / "events.lobby.jsonl").write_bytes(event.encode() + b"no event\n")
    (folder / "console_output").write_text("not for here\n")
    (tmp_path / "vedette.model.M" / "logs").mkdir(parents=True)
    reading = ComponentLogs(tmp_path)
    assert reading.components() == ["vedette.CameraIngest"]
    assert [file.name for file in reading.files("vedette.CameraIngest")] == ["events.lobby.jsonl"]
    lines = reading.read("vedette.CameraIngest", "events.lobby.jsonl", None).lines
    assert lines[0].startswith("2026-11-18T11:06:40.500Z WARNING camera lost: rtsp://")
    assert "geheim" not in lines[0]
    assert lines[1] == "no event"
    for name in ("vedette.CameraIngest/..", "aws.greengrass.Nucleus", ""):
        with pytest.raises(LogError):
            reading.files(name)


def test_log_that_is_turned_over_takes_the_others_off_the_page(
    tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (logs / "application" / f"app.log.{number}").write_text("x\n")
    removing_while_listing(monkeypatch, logs / "application" / "app.log.1")
    names = {file.name for file in ComponentLogs(tmp_path).files("vedette.app.shop")}
    assert names == {"console_output", "app.log.0", "app.log.2"}
