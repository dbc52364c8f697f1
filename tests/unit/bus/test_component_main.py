"""How a component's process ends, and with which code."""

import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vedette.bus import Bus, BusError, BusLost, Unauthorized
from vedette.bus.component import ComponentFailed, run_component
from vedette.bus.memory import MemoryBus
from vedette.log_events import CAMERA, Event, about


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def run(main: object, bus: MemoryBus | None = None, **settings: object) -> tuple[int, MemoryBus]:
    bus = bus or MemoryBus()
    code = run_component(main, name="vedette.Test", connect=lambda: bus, **settings)  # type: ignore[arg-type]
    return code, bus


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_with_a_failure(number: signal.Signals) -> None:
    def main(_bus: Bus, stop: threading.Event) -> None:
        os.kill(os.getpid(), number)
        assert stop.wait(20)

    before = signal.getsignal(number)
    code, bus = run(main)
    assert code == 0
    assert signal.getsignal(number) is before
    with pytest.raises(BusLost):
        bus.publish("t", b"")


def test_a_crash_leaves_passwords_in_a_core_file() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    limits: list[int] = []

    def main(_bus: Bus, stop: threading.Event) -> None:
        limits.append(resource.getrlimit(resource.RLIMIT_CORE)[0])
        stop.set()

    try:
        run(main)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert limits == [0]


def test_what_a_component_logs_is_not_kept_or_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "vedette.Test"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "/ipc.socket")
    monkeypatch.setenv("PYTHONPATH", "/g/v2/packages/artifacts-unarchived/vedette.Test/1.2.3/x")

    def main(_bus: Bus, stop: threading.Event) -> None:
        logging.getLogger("x").warning("rtsp://u:planted@h/ is gone", extra=about(CAMERA, "door-1"))
        stop.set()

    run(main)
    events = [Event.decode(line) for line in (work / "logs" / "events.jsonl").read_text().splitlines()]
    assert (events[0].about, events[0].message) == ("stream:ota_log", "vedette.Test 1.2.3 was installed")
    assert (events[1].about, events[1].message) == ("camera:door-1", "rtsp://***@h/ is gone")


def test_lost_bus_ends_with_another_code() -> None:
    def main(bus: Bus, stop: threading.Event) -> None:
        bus.lost.set()
        assert stop.wait(20)

    assert run(main)[0] == 3


def test_call_on_a_lost_bus_ends_with_another_code(capsys: pytest.CaptureFixture[str]) -> None:
    def main(bus: Bus, _stop: threading.Event) -> None:
        bus.lost.set()
        bus.publish("t", b"")

    assert run(main)[0] == 3
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("error", [ComponentFailed("no camera driver"), Unauthorized("no camera driver")])
def test_expected_failure_prints_a_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def main(_bus: Bus, _stop: threading.Event) -> None:
        raise error

    assert run(main)[0] == 1
    out = capsys.readouterr().out
    assert "failed: no camera driver" in out
    assert "Traceback" not in out


def test_bug_is_swallowed(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_bus: Bus, _stop: threading.Event) -> None:
        raise ZeroDivisionError

    assert run(main)[0] == 1
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_main_that_gives_up_counts_as_stopped() -> None:
    assert run(lambda _bus, _stop: None)[0] == 1


@pytest.mark.parametrize(("error", "code"), [(BusLost("no nucleus"), 3), (BusError("not started by a nucleus"), 1)])
def test_failed_connection_prints_a_traceback(error: BusError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def connect() -> Bus:
        raise error

    assert run_component(lambda _bus, _stop: None, name="vedette.Test", connect=connect) == code
    out = capsys.readouterr().out
    assert f"no connection to the nucleus: {error}" in out
    assert "Traceback" not in out


def test_good_work_is_not_reported_or_reported_twice() -> None:
    reported = threading.Event()

    class Reporting(MemoryBus):
        def report_running(self) -> None:
            super().report_running()
            reported.set()

    def main(_bus: Bus, _stop: threading.Event) -> None:
        assert reported.wait(20)
        os.kill(os.getpid(), signal.SIGTERM)
        assert _stop.wait(20)

    code, bus = run(main, Reporting(), good_work_s=0.0)
    assert code == 0
    assert bus.running_reports == 1


def test_hanging_main_is_waited_for() -> None:
    exits: list[int] = []
    ended = threading.Event()

    def exit_now(code: int) -> None:
        exits.append(code)
        ended.set()

    def main(bus: Bus, stop: threading.Event) -> None:
        bus.lost.set()
        assert stop.wait(20)
        assert ended.wait(20)

    run(main, shutdown_s=0.05, exit_now=exit_now)
    assert exits == [3]


@pytest.mark.parametrize(
    ("configured", "expected"), [("debug", logging.DEBUG), ("ERROR", logging.ERROR), ("loud", logging.INFO)]
)
def test_log_level_is_not_taken_from_the_configuration(configured: str, expected: int) -> None:
    seen: list[int] = []

    def main(_bus: Bus, _stop: threading.Event) -> None:
        seen.append(logging.getLogger().level)

    run(main, MemoryBus(configuration={"logLevel": configured}))
    assert seen == [expected]


def test_import_of_the_bus_brings_the_sdk() -> None:
    code = (
        "import sys, vedette.bus, vedette.bus.component, vedette.bus.memory; "
        "print('awscrt' in sys.modules, 'pydantic' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.split() == ["False", "False"]
