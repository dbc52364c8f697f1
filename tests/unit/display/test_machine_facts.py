"""Facts of the device: read from /proc, and left out where they cannot be."""

import shutil
from pathlib import Path

import pytest
from vedette_display.machine import Machine, MachineFacts


def write(proc: Path, busy: int, idle: int) -> None:
    (proc / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n")
    (proc / "meminfo").write_text("MemTotal:  8000 kB\nMemFree: 1 kB\nMemAvailable:  6000 kB\n")


def test_share_of_the_cpu_is_that_since_the_start_of_the_machine(tmp_path: Path) -> None:
    now = [0.0]
    machine = Machine(tmp_path, lambda: now[0], tmp_path)
    write(tmp_path, 900, 100)
    facts = machine.read()
    assert facts[:3] == (None, 2000 * 1024, 8000 * 1024)
    assert facts.disk_total == shutil.disk_usage(tmp_path).total
    assert facts.disk_free is not None
    assert 0 < facts.disk_free <= facts.disk_total
    write(tmp_path, 925, 175)
    assert machine.read().cpu_percent is None, "not read again within a second"
    now[0] = 1.0
    assert machine.read().cpu_percent == pytest.approx(25.0)


@pytest.mark.parametrize("stat", [None, "", "cpu a b c", "cpu 1 2"])
def test_unreadable_proc_ends_the_page(tmp_path: Path, stat: str | None) -> None:
    if stat is not None:
        (tmp_path / "stat").write_text(stat)
        (tmp_path / "meminfo").write_text("nonsense")
    gone = tmp_path / "gone"
    assert Machine(tmp_path, lambda: 0.0, gone).read() == MachineFacts(None, None, None, None, None)
