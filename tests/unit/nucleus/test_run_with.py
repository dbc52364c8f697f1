"""``runWith``: what of it stays, control groups of both versions, who may enter a folder."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vedette.nucleus.accounts import find_account
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.guard_process import remove_groups
from vedette.nucleus.limits import ControlGroups
from vedette.nucleus.run_with import RunWith, RunWithChange, read_run_with


def test_deployment_that_says_nothing_of_the_user_changes_it() -> None:
    before = RunWith("cam", 1000, 0.5)
    assert read_run_with({}).applied(before) == RunWith("cam")
    assert read_run_with({"posixUser": None}).applied(before) == RunWith()
    limits = {"systemResourceLimits": {"cpus": 2}}
    assert read_run_with({"posixUser": "a", **limits}).applied(before) == RunWith("a", 0, 2.0)
    assert RunWithChange().applied(RunWith()) == RunWith()


def unified(root: Path) -> Path:
    """Return a folder that looks as version 2 does, with the files that the kernel would make."""
    for folder in (root, root / "vedette-r", root / "vedette-r" / "own"):
        folder.mkdir(exist_ok=True)
        for name in ("cgroup.controllers", "cgroup.subtree_control"):
            (folder / name).touch()
    return root


def test_limits_are_not_what_the_kernel_reads(tmp_path: Path) -> None:
    groups = ControlGroups("r", unified(tmp_path))
    own = tmp_path / "vedette-r" / "own"
    assert groups.limit("other", RunWith("user")) == ()
    assert groups.limit("own", RunWith("", 512, 1.5)) == [own / "cgroup.procs"]
    assert (own / "memory.max").read_text() == str(512 * 1024)
    assert (own / "cpu.max").read_text() == "150000 100000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +cpu"
    groups.limit("own", RunWith())
    assert ((own / "memory.max").read_text(), (own / "cpu.max").read_text()) == ("max", "max 100000")


def test_older_kernel_has_no_limits(tmp_path: Path) -> None:
    groups = ControlGroups("r", tmp_path)
    cpu, memory = (tmp_path / name / "vedette-r" / "own" for name in ("cpu", "memory"))
    cpu.mkdir(parents=True)
    (cpu / "cpu.cfs_period_us").write_text("50000\n")
    assert groups.limit("own", RunWith("", 512, 1.5)) == [memory / "cgroup.procs", cpu / "cgroup.procs"]
    assert (memory / "memory.limit_in_bytes").read_text() == str(512 * 1024)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "75000"
    groups.limit("own", RunWith())
    assert [(memory / "memory.limit_in_bytes").read_text(), (cpu / "cpu.cfs_quota_us").read_text()] == ["-1", "-1"]


def test_machine_that_cannot_limit_runs_nothing_or_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    groups = ControlGroups("r", tmp_path / "missing")
    (tmp_path / "missing").touch()
    assert groups.limit("own", RunWith("", 1, 1)) == ()
    assert groups.limit("own", RunWith("", 1, 1)) == ()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "own runs without limits of memory and CPU"
    ]


def test_groups_of_a_killed_run_stay(tmp_path: Path) -> None:
    mine, other = tmp_path / "cpu" / "vedette-r" / "own", tmp_path / "cpu" / "vedette-s" / "own"
    for folder in (mine, other, tmp_path / "vedette-r" / "own"):
        folder.mkdir(parents=True)
    remove_groups("r", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cpu"]
    assert [path.name for path in (tmp_path / "cpu").iterdir()] == ["vedette-s"]


def test_user_that_is_not_there_is_found_out_late() -> None:
    with pytest.raises(NucleusError, match="no user nobody-of-that-name"):
        find_account("nobody-of-that-name")
    with pytest.raises(NucleusError, match="no group none-of-that-name"):
        find_account("nobody:none-of-that-name")
    assert find_account("0:0").name == "root"
    assert find_account("nobody").uid == find_account(str(find_account("nobody").uid)).uid


def test_closed_folder_is_taken_for_open(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    owner = tmp_path.stat().st_uid
    stranger = replace(find_account("nobody"), uid=owner + 1, gid=987_654, groups=frozenset())
    closed = stranger.first_closed(inner)
    assert closed is not None
    assert inner.is_relative_to(closed)
    own = replace(stranger, uid=owner or 1)
    if owner:
        assert own.first_closed(inner) in {None, *Path(os.sep).glob("*")}
