"""The command of an application that waits for a debugger."""

import pytest
from vedette_app_runtime.debugging import debugged, route
from vedette_app_runtime.environments import EnvironmentFailed

WAITING = ["-m", "debugpy", "--listen", "0.0.0.0:5678", "--wait-for-client", "/panorama/application.py", "-x"]


@pytest.mark.parametrize("python", ["python3", "python3.8", "/usr/bin/python3"])
def test_a_python_entry_does_not_wait(python: str) -> None:
    assert debugged([python, "/panorama/application.py", "-x"], 5678) == [python, *WAITING]


@pytest.mark.parametrize("argv", [["bash", "/panorama/run_app.sh"], [], ["python3"]])
def test_another_entry_is_started_without_a_word(argv: list[str]) -> None:
    with pytest.raises(EnvironmentFailed, match="only one that the descriptor starts with python"):
        debugged(argv, 5678)


def test_others_reach_the_debugger() -> None:
    assert route(5678).address == "127.0.0.1"
