"""What one application may take: control groups of both versions, the disk, and the beat of its working loop."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from vedette_app_runtime.heartbeat import Heartbeat
from vedette_app_runtime.limits.cgroups import Bounds, make_group, remove_abandoned
from vedette_app_runtime.limits.confinement import Confining
from vedette_app_runtime.limits.disk import DiskKeeper
from vedette_app_runtime.limits.usage import Held, below, held, memory_bytes
from vedette_app_runtime.protocol import Report

from vedette.application import Limits

MIB = 1 << 20


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cgroup"
    path.write_text(text)
    return path


def made_by_the_kernel(folder: Path, controllers: str) -> None:
    """Make a version 2 group as it is once its folder has been made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.controllers").write_text(controllers)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (folder / name).touch()


def test_a_group_of_version_2_has_other_bounds(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup2"
    made_by_the_kernel(mount, "cpu io memory pids")
    made_by_the_kernel(mount / "vedette-a-b-c", "cpu memory pids")
    group = make_group("a b/c", Bounds(300 * MIB, 0.5, 40), mount, own(tmp_path, "0::/user.slice\n"))
    assert group is not None
    (folder,) = group.folders
    assert folder == mount / "vedette-a-b-c"
    assert (mount / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert {path.name: path.read_text() for path in folder.iterdir() if "." in path.name and path.stat().st_size} == {
        "cgroup.controllers": "cpu memory pids",
        "memory.max": str(300 * MIB),
        "memory.oom.group": "1",
        "cpu.max": "50000 100000",
        "pids.max": "40",
    }
    assert group.controllers == {"cpu", "memory", "pids"}
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert group.killed_for_memory() == 2


def test_a_group_that_may_not_be_made_is_taken_for_made(tmp_path: Path) -> None:
    bounds = Bounds(300 * MIB, None, 40)
    assert make_group("a", bounds, tmp_path / "nothing", own(tmp_path, "0::/\n")) is None
    assert make_group("a", Bounds(None, None, None), tmp_path, own(tmp_path, "0::/\n")) is None
    # GIVEN version 2 beside version 1, which has the controllers
    made_by_the_kernel(tmp_path, "")
    made_by_the_kernel(tmp_path / "vedette-a", "")
    for name in ("cgroup.controllers", "cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / "vedette-a" / name).write_text("")
    for controller in ("memory", "pids"):
        (tmp_path / controller).mkdir()
    group = make_group("a", bounds, tmp_path, own(tmp_path, "4:memory:/\n0::/\n"))
    assert group is not None
    assert group.controllers == {"memory", "pids"}
    assert (tmp_path / "memory/vedette-a/memory.limit_in_bytes").read_text() == str(300 * MIB)
    assert (tmp_path / "pids/vedette-a/pids.max").read_text() == "40"


def test_groups_of_hosts_that_were_killed_stay_for_ever(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    for name in ("vedette-shop-17", "vedette-shop-18", "vedette-shop-b", "vedette-shop-2-19", "pids/vedette-shop-17"):
        (mount / name).mkdir(parents=True)
    (mount / "vedette-shop-18/in-use").touch()
    # That of a host that lives may be empty for a moment.
    for folder in (mount / "vedette-shop-20", tmp_path / "proc/20"):
        folder.mkdir(parents=True)
    remove_abandoned("shop", mount, own(tmp_path, "0::/\n"), tmp_path / "proc")
    left = sorted(str(path.relative_to(mount)) for path in mount.rglob("vedette-*"))
    assert left == ["vedette-shop-18", "vedette-shop-2-19", "vedette-shop-20", "vedette-shop-b"]


def test_what_the_kernel_does_not_bound_is_not_looked_at() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(90 << 20); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in list(below(os.getpid()))
        assert memory_bytes(child.pid) > 90 * MIB
        broken = Confining("a", Limits(memory_mb=80), None).broken(child.pid)
        assert broken is not None
        assert "80 MB are allowed (limits.memoryMB)" in broken
        assert Confining("a", Limits(memory_mb=2000), None).broken(child.pid) is None
        child.communicate(b"\n", timeout=30)
    many = Confining("a", Limits(processes=16), None)
    assert many.broken(os.getpid()) is None


def test_processors_of_an_instance_are_those_of_all() -> None:
    available = os.sched_getaffinity(0)
    chosen = Confining("a", Limits(cpus=1), None).confinement.processors
    assert len(chosen) == 1
    assert set(chosen) <= available
    assert Confining("a", Limits(), None).confinement.processors == ()


def keeper(tmp_path: Path, free: int = 10_000 * MIB, files: tuple[int, int] = (0, 0)) -> DiskKeeper:
    for name in ("storage", "logs"):
        (tmp_path / name).mkdir()
    return DiskKeeper(
        tmp_path / "storage", tmp_path / "logs", threading.Event(), free=lambda _: free, files=lambda _: files
    )


def test_a_full_folder_is_written_to_on_and_on(tmp_path: Path) -> None:
    disk = keeper(tmp_path)
    disk.limits = Limits(storage_mb=1, free_disk_mb=0)
    program = (
        "import sys\n"
        "for line in sys.stdin:\n"
        "    try:\n        open(line.strip(), 'ab', 0).write(b'x'); print('written', flush=True)\n"
        "    except OSError as error:\n        print(error.errno, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        disk._process = lambda: child.pid

        def write() -> str:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{tmp_path}/storage/more\n")
            child.stdin.flush()
            return child.stdout.readline().strip()

        disk.look()
        assert write() == "written"
        (tmp_path / "storage/great").write_bytes(os.urandom(2 * MIB))
        assert held(tmp_path / "storage").bytes >= 2 * MIB
        disk.look()
        assert "1 MB (limits.storageMB)" in str(disk.held)
        assert write() == "27"
        # WHEN the application removes something
        (tmp_path / "storage/great").unlink()
        disk.look()
        assert disk.held is None
        assert write() == "written"
        assert resource.prlimit(child.pid, resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
        child.communicate(timeout=30)


def test_files_hide_from_the_host_that_looks(tmp_path: Path) -> None:
    # GIVEN a folder that its owner has closed to itself, and one nested deeper than a path can be long
    closed, deep = tmp_path / "closed", tmp_path / "deep"
    (closed / "in").mkdir(parents=True)
    (closed / "in/great").write_bytes(os.urandom(MIB))
    closed.chmod(0)
    deep.mkdir()
    above = os.open(deep, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d" * 20, dir_fd=above)
        below_it = os.open("d" * 20, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below_it
    os.close(above)
    # THEN what is in the first is counted, and the second is told
    found = held(tmp_path)
    assert found.bytes > MIB
    assert found.too_deep
    assert not held(closed).too_deep
    disk = DiskKeeper(deep, closed, threading.Event())
    disk.look()
    assert "nested too deeply" in str(disk.excess)


def test_empty_files_are_made_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedette_app_runtime.limits.disk._MORE_FILES", 20)
    # GIVEN an application that may not write any more: making files cannot be forbidden
    disk = keeper(tmp_path, free=100 * MIB)
    disk.limits = Limits(free_disk_mb=512)
    disk.look()
    assert disk.held is not None
    assert disk.excess is None
    for number in range(21):
        (tmp_path / f"storage/{number}").touch()
    disk.look()
    assert "makes files without end (21)" in str(disk.excess)
    # WHEN it is started again
    disk.begin(Limits(free_disk_mb=0), lambda: None)
    assert disk.excess is None


@pytest.mark.parametrize(
    ("total", "free", "ended"),
    [(1_000, 10, True), (1_000, 500, False), (100_000, 10, False), (0, 0, False)],
    ids=["it fills the disk", "there is room", "others fill it", "a disk without such a limit"],
)
def test_the_last_files_of_the_disk_are_taken(tmp_path: Path, total: int, free: int, ended: bool) -> None:
    disk = keeper(tmp_path, files=(total, free))
    disk.limits = Limits(free_disk_mb=0)
    for number in range(60):
        (tmp_path / f"storage/{number}").touch()
    disk.look()
    assert (disk.excess is not None) is ended


def test_the_last_of_the_disk_is_taken(tmp_path: Path) -> None:
    disk = keeper(tmp_path, free=100 * MIB)
    disk.limits = Limits(free_disk_mb=512)
    disk.look()
    assert disk.held is not None
    assert "100 MB are free, 512 MB stay free" in disk.held


def test_logs_grow_for_ever(tmp_path: Path) -> None:
    disk = keeper(tmp_path)
    disk.limits = Limits(logs_mb=1, free_disk_mb=0)
    for number in range(4):
        path = tmp_path / f"logs/app.log.{number}"
        path.write_bytes(os.urandom(MIB // 2))
        os.utime(path, (number, number))
    os.mkfifo(tmp_path / "logs/fifo")
    (tmp_path / "logs/link").symlink_to(tmp_path / "storage")
    disk.look()
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["app.log.2", "app.log.3", "fifo", "link"]
    # WHEN one file alone is too large, and its writer goes on
    with (tmp_path / "logs/app.log.3").open("ab") as log:
        log.write(os.urandom(3 * MIB))
        log.flush()
        disk.look()
        assert held(tmp_path / "logs").bytes <= MIB + 8192
        log.write(b"the last line")
    assert (tmp_path / "logs/app.log.3").read_bytes().endswith(b"the last line")


def test_a_link_in_place_of_a_folder_of_logs_leads_the_host_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN logs in a folder, of which the oldest has to go, and a file of the same name where the application may not
    disk = keeper(tmp_path)
    disk.limits = Limits(logs_mb=1, free_disk_mb=0)
    folder, elsewhere = tmp_path / "logs/sub", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for number in range(3):
        (folder / f"log.{number}").write_bytes(os.urandom(MIB))
        os.utime(folder / f"log.{number}", (number, number))
        (elsewhere / f"log.{number}").write_bytes(b"precious" * MIB)

    def swapped(top: Path, *, listing: bool = False) -> Held:
        """As it is, after which the application puts a link in the folder's place."""
        found = held(top, listing=listing)
        if listing:
            folder.rename(tmp_path / "logs/moved")
            folder.symlink_to(elsewhere)
        return found

    monkeypatch.setattr("vedette_app_runtime.limits.disk.held", swapped)
    disk.look()
    assert {path.stat().st_size for path in elsewhere.iterdir()} == {8 * MIB}
    assert len(list(elsewhere.iterdir())) == 3


def test_folders_in_the_logs_end_the_looking(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # GIVEN logs nested more deeply than Python calls itself, and files whose names look like the log's own lines
    disk = keeper(tmp_path)
    disk.limits = Limits(logs_mb=1, free_disk_mb=0)
    for number in range(3):
        (tmp_path / f"logs/{number}\n[ERROR] all is lost").write_bytes(bytes(MIB))
        os.utime(tmp_path / f"logs/{number}\n[ERROR] all is lost", (number, number))
    above = os.open(tmp_path / "logs", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=above)
        below_it = os.open("d", os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below_it
    os.close(above)
    # WHEN the host looks
    disk.look()
    # THEN it says so, and has removed what is too much
    assert "nested too deeply" in str(disk.excess)
    assert [record.getMessage() for record in caplog.records if "removed" in record.getMessage()] == [
        "2 log files were removed, lastly '1\\n[ERROR] all is lost': all may have 1 MB"
    ]
    # Python's own rmtree calls itself as well.
    subprocess.run(["rm", "-rf", str(tmp_path / "logs")], check=True)


def report(gets: int, waiting: int = 0) -> Report:
    return Report(gets, 0, 0, -1.0, 0.0, waiting, [], [], {})


@pytest.mark.parametrize(
    ("reports", "silent"),
    [
        ([], 0),
        ([(1, report(0)), (90, report(0))], 0),  # a server without cameras
        ([(1, report(1)), (90, report(1))], 99),  # stuck in its own code, while another thread reports
        ([(1, report(1)), (90, report(2))], 10),
        ([(1, report(1)), (90, report(1, waiting=1))], 10),  # its camera is lost
        ([(1, report(1, waiting=1))], 99),  # the whole process stands
    ],
)
def test_a_working_application_hangs(reports: list[tuple[float, Report]], silent: float) -> None:
    heartbeat = Heartbeat()
    for at, each in reports:
        heartbeat.note(each, at)
    assert heartbeat.silent_s(100) == silent
