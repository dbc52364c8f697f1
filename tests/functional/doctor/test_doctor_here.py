"""The doctor on the machine that runs the tests."""

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from vedette.doctor import State, checks_to_json, run_checks
from vedette.doctor.bubblewrap import probe_bubblewrap
from vedette.doctor.probes import port_free


def test_every_check_gives_a_finding_here() -> None:
    checks = run_checks()
    assert all(check.finding for check in checks)
    assert json.loads(checks_to_json(checks))["schema"] == "vedette.doctor/1"
    # THEN what the project itself installs is in order
    state = {check.name: check.state for check in checks}
    assert state["codecs"] is State.OK
    assert state["uv"] is State.OK
    assert state["clock"] is State.OK


def test_a_taken_port_is_found() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not port_free(taken.getsockname()[1])


def test_a_bubblewrap_that_fails_is_found_by_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a bwrap that answers its version and then fails as Ubuntu's does without a profile
    program = tmp_path / "bwrap"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "bubblewrap 0.9.0"; exit 0; }\n'
        'echo "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = probe_bubblewrap()
    assert not found.works
    assert found.version == (0, 9, 0)
    assert "setting up uid map: Permission denied" in found.reason
    assert found.remedy
