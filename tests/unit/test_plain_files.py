"""Files of applications, which may be links, pipes or folders by the time that they are opened."""

import os
from pathlib import Path

import pytest

from vedette.diagnostics import tail_of
from vedette.plain_files import open_plain, plain_files


def test_the_host_follows_a_link_or_waits_for_a_pipe(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the device")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder", "nothing"):
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            open_plain(tmp_path / name)
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            tail_of(tmp_path / name)
    with open_plain(secret) as file:
        assert file.read() == b"of the device"
    assert tail_of(secret) == "of the device"


def test_a_log_that_is_turned_over_hides_the_others(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.log").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "0.log")
    listing = plain_files(tmp_path)
    seen = [next(listing)[0]]
    # The folder is read already; one of its files goes before it is looked at.
    gone = next(path for path in sorted(tmp_path.glob("*.log")) if path.name not in seen)
    gone.unlink()
    seen += [name for name, _ in listing]
    assert sorted(seen) == sorted(path.name for path in tmp_path.glob("*.log"))
    assert len(seen) == 3
