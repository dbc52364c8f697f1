"""What the processes below one process take, read from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOST: Final = 20_000


def below(pid: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """Yield ``pid`` and every process that descends from it; what ends meanwhile is passed over."""
    waiting = [pid]
    seen = 0
    while waiting and seen < _MOST:
        current = waiting.pop()
        seen += 1
        yield current
        try:
            threads = list((proc / str(current) / "task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                waiting += map(int, (thread / "children").read_text().split())
            except OSError:
                continue


def memory_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """Return what a process has in memory and swap of its own: neither files nor what it shares with others."""
    try:
        lines = (proc / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("RssAnon:", "VmSwap:")))


def tree_bytes(folder: Path) -> int:
    """Return what a folder takes on the disk; links are not followed, what vanishes meanwhile is passed over."""
    total = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                    except OSError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except OSError:
            continue
    return total
