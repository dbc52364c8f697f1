"""Output of components: lines, credentials, log files; and the environment they get."""

from datetime import datetime, timezone
from pathlib import Path

from vedette.nucleus.environment import base_environment, with_token
from vedette.nucleus.lines import LOG_FILES, MAX_LINE_BYTES, ComponentLog, LineSplitter


def lines(data: bytes, size: int) -> list[str]:
    splitter = LineSplitter()
    found = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    return [*found, *splitter.rest()]


def test_lines_depend_on_how_they_arrive() -> None:
    data = "one\r\ntwo\n\nthr\N{LATIN SMALL LETTER E WITH ACUTE}e\xff\nlast".encode()
    expected = ["one", "two", "", "thr\xe9e\xff", "last"]
    assert all(lines(data, size) == expected for size in (1, 2, 3, 7, 1000))


def test_bytes_that_are_no_text_end_the_reading() -> None:
    assert lines(b"\xff\xfe\n", 10) == ["\ufffd\ufffd"]


def test_an_endless_line_fills_the_memory() -> None:
    splitter = LineSplitter()
    found = list(splitter.feed(b"x" * (3 * MAX_LINE_BYTES + 5)))
    assert [len(line) for line in found] == [MAX_LINE_BYTES] * 3
    assert list(splitter.rest()) == ["xxxxx"]


def test_a_password_in_a_url_reaches_the_log() -> None:
    assert lines(b"open rtsp://admin:secret@10.0.0.1/s failed\n", 100) == ["open rtsp://***@10.0.0.1/s failed"]


def test_a_log_grows_without_end(tmp_path: Path) -> None:
    log = ComponentLog(tmp_path / "a.log", max_bytes=1000)
    moment = datetime(2026, 11, 23, 9, 41, 12, 345678, tzinfo=timezone.utc)
    for number in range(200):
        log.write("stdout", f"line {number}", moment)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["a.log", "a.log.1", "a.log.2"]
    assert len(files) == LOG_FILES
    assert all(path.stat().st_size <= 1000 for path in files)
    assert files[0].read_text().splitlines()[-1] == "2026-11-23T09:41:12.345Z [stdout] line 199"


def test_a_log_begun_by_an_earlier_run_is_overwritten(tmp_path: Path) -> None:
    for text in ("first", "second"):
        ComponentLog(tmp_path / "a.log").write("stderr", text)
    assert [line.rpartition(" ")[2] for line in (tmp_path / "a.log").read_text().splitlines()] == ["first", "second"]


def test_a_full_disk_ends_the_component(tmp_path: Path) -> None:
    log = ComponentLog(tmp_path / "missing" / "a.log")
    log.write("stdout", "one")
    log.write("stdout", "two")
    assert log.lost == 2


def test_secrets_of_the_shell_reach_components() -> None:
    inherited = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "t", "LC_ALL": "C", "PYTHONPATH": "/x"}
    found = with_token(
        base_environment(
            run_id="r", socket=Path("/s"), thing_name="t", region="eu-west-1", version="1", inherited=inherited
        ),
        "TOKEN",
    )
    assert found == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "VEDETTE_RUN_ID": "r",
        "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": "/s",
        "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH": "/s",
        "AWS_IOT_THING_NAME": "t",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "GGC_VERSION": "1",
        "SVCUID": "TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "TOKEN",
    }
