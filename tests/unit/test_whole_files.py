"""Files that are written while others read them, and while the power or the disk goes."""

import os
import stat
from pathlib import Path

import pytest

from vedette.whole_files import PRIVATE, write_whole


def test_a_failed_write_costs_the_old_file_or_leaves_half_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_whole(path, b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", synced=True)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_others_read_what_is_private_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    # What a process that was killed may have left, or somebody has put there.
    left, elsewhere = tmp_path / ".secrets.json.new", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    for leave in (lambda: left.write_bytes(b"half"), lambda: left.symlink_to(elsewhere)):
        leave()
        write_whole(path, b"{}", mode=PRIVATE, synced=True)
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        assert elsewhere.read_bytes() == b""
    path.chmod(0o644)
    write_whole(path, b"{}", mode=PRIVATE)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
