"""What a local run finds of earlier ones in its folder, and what it keeps off the terminal."""

import logging
import sys
from pathlib import Path

import pytest

from vedette.cli.session import _forget_other_runtime, _own_log


def wrapper(root: Path, interpreter: str) -> Path:
    path = root / "work/vedette.Runtime/bin/python"
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec {interpreter} "$@"\n')
    return path


def test_an_application_is_installed_with_another_vedettes_code(tmp_path: Path) -> None:
    _forget_other_runtime(tmp_path)
    of_another = wrapper(tmp_path, "/opt/old/bin/python")
    _forget_other_runtime(tmp_path)
    assert not of_another.exists()
    own = wrapper(tmp_path / "second", sys.executable)
    _forget_other_runtime(tmp_path / "second")
    assert own.exists()


def test_the_nucleus_writes_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs/nucleus.log"
    with _own_log(path):
        logging.getLogger("vedette.nucleus.lifecycle").warning("vedette.X is ERRORED: rtsp://u:p@host/ failed")
    logging.getLogger("vedette.nucleus").info("after")
    assert "vedette.X is ERRORED: rtsp://***@host/ failed" in path.read_text()
    assert "after" not in path.read_text()
    assert capfd.readouterr().err == ""
