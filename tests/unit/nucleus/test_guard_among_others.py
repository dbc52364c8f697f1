"""The guard cleans up while a command does the same: what goes under its hands must not end its work."""

import os
import socket
from pathlib import Path

import pytest

from tests.unit.folder_listings import removing_while_listing
from vedette.nucleus.guard_process import remove_sockets, remove_tree


def test_what_another_removed_leaves_the_rest_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in "abc":
        (run / name).write_text("x")
    removing_while_listing(monkeypatch, run / "b")
    remove_tree(str(run))
    assert not run.exists()


def test_what_another_removed_leaves_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = tmp_path / "vedette.Display" / "sockets"
    sockets.mkdir(parents=True)
    monkeypatch.chdir(sockets)
    for name in "abc":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    removing_while_listing(monkeypatch, sockets / "a")
    remove_sockets(str(tmp_path))
    assert os.listdir(sockets) == []  # noqa: PTH208
