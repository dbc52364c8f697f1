"""An application's copy of /etc/resolv.conf, without mounting anything."""

import os
from pathlib import Path

from vedette_app_runtime.sandbox.name_servers import NameServers


def test_a_file_that_is_replaced_leaves_the_mounted_one_behind(tmp_path: Path) -> None:
    source, copy = tmp_path / "resolv.conf", tmp_path / "shown"
    source.write_text("nameserver 127.0.0.1\nnameserver 127.0.0.2\n")
    servers = NameServers(copy, source)
    servers.refresh()
    with copy.open() as mounted:  # stands for the mount: it stays with this file, whatever takes its name
        # WHEN the machine's file is replaced, as network managers do, by a shorter one
        (tmp_path / "new").write_text("nameserver ::1\n")
        (tmp_path / "new").replace(source)
        servers.refresh()
        assert mounted.read() == "nameserver ::1\n"
    assert copy.stat().st_mode & 0o777 == 0o644 & ~_umask()


def test_names_are_lost_while_the_file_is_being_replaced(tmp_path: Path) -> None:
    source, copy = tmp_path / "resolv.conf", tmp_path / "shown"
    source.write_text("nameserver ::1\n")
    servers = NameServers(copy, source)
    servers.refresh()
    source.unlink()
    servers.refresh()
    assert copy.read_text() == "nameserver ::1\n"
    # and one that is made later by a machine that had none at first is seen
    late = NameServers(tmp_path / "late", tmp_path / "none")
    late.refresh()
    assert late.copy.read_bytes() == b""
    (tmp_path / "none").write_text("nameserver ::1\n")
    late.refresh()
    assert late.copy.read_text() == "nameserver ::1\n"


def test_a_link_in_place_of_the_copy_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "shown").symlink_to(victim)
    try:
        NameServers(tmp_path / "shown", tmp_path / "none").refresh()
    except OSError:
        pass
    assert victim.read_text() == "precious"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
