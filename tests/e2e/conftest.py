"""The whole suite, started as a user starts it: on a real RTSP camera, looked at with a real browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from vedette.doctor.bubblewrap import probe_bubblewrap

from . import report
from .suite import EXAMPLES, Suite
from .viewer import CHROMIUM, NO_CHROMIUM, browser

FIXTURES = Path(__file__).parents[1] / "fixtures" / "applications"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what was measured, where several processes share the tests."""
    handed: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if handed is not None:
        handed["measured"] = report.kept()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process has measured that shared the tests; none where it has crashed."""
    report.add(getattr(node, "workeroutput", {}).get("measured", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if table := report.lines():
        terminalreporter.section("measured end to end")
        for line in table:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def machine_runs_suites() -> None:
    """Skip where nothing can be sandboxed."""
    sandbox = probe_bubblewrap()
    if not sandbox.works:
        pytest.skip(f"applications cannot be sandboxed here: {sandbox.reason}; {sandbox.remedy}")


@pytest.fixture(scope="module")
def start_suite(machine_runs_suites: None) -> Iterator[Callable[..., Suite]]:
    """Start suites; those still running are stopped at the end of the module."""
    started: list[Suite] = []

    def start(*arguments: str | Path, **options: object) -> Suite:
        suite = Suite(*arguments, **options)  # type: ignore[arg-type]
        started.append(suite)
        return suite

    yield start
    for suite in started:
        suite.close()
    for suite in started:
        shutil.rmtree(suite.runtime, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return a browser; one for each module, since its event loop must not run below other tests."""
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def people_counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example, so that its state is not left among the sources."""
    return _copy(EXAMPLES / "people-counter", tmp_path_factory)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the application that passes frames on and writes down what it gets."""
    return _copy(FIXTURES / "recorder", tmp_path_factory)


def _copy(project: Path, folders: pytest.TempPathFactory) -> Path:
    target = folders.mktemp("project") / project.name
    shutil.copytree(project, target, ignore=shutil.ignore_patterns(".vedette"))
    return target
