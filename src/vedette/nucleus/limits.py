"""Memory and CPU limits of components (``systemResourceLimits``) by control groups, version 1 and 2.

::

    /sys/fs/cgroup/vedette-<run>/<component>                 version 2: memory.max, cpu.max
    /sys/fs/cgroup/{memory,cpu}/vedette-<run>/<component>    version 1: memory.limit_in_bytes, cpu.cfs_quota_us

Source: the Java nucleus's ``util/platforms/unix/linux/CGroupV1.java`` and ``CGroupV2.java``. The guard removes
the groups of a run whose nucleus was killed.
"""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vedette.nucleus.run_with import RunWith

__all__ = ["ControlGroups"]

logger = logging.getLogger(__name__)

_ROOT: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 100_000


class ControlGroups:
    """The groups of one run. Nothing is made before a component has limits."""

    def __init__(self, run_id: str, root: Path = _ROOT) -> None:
        """``root``: where the kernel shows control groups."""
        self._root = root
        self._name = f"vedette-{run_id}"
        self._unified = (root / "cgroup.controllers").is_file()
        self._said = False

    def limit(self, component: str, run_with: RunWith) -> Sequence[Path]:
        """Set a component's limits, or take them back; return the files that a process writes its number into.

        Where this kernel or user cannot, a warning says so and the component runs without.
        """
        if not run_with.limited and not any(folder.is_dir() for folder in self._folders(component)):
            return ()
        try:
            return self._limit_unified(component, run_with) if self._unified else self._limit(component, run_with)
        except OSError as error:
            if not self._said:
                self._said = True
                where = "" if error.filename is None else f" ({error.filename})"
                logger.warning("%s runs without limits of memory and CPU: %s%s", component, error.strerror, where)
            return ()

    def remove(self, component: str) -> None:
        """Remove the groups of a component that has no processes any more; with processes they stay."""
        for folder in self._folders(component):
            for group in (folder, folder.parent):
                with contextlib.suppress(OSError):
                    group.rmdir()

    def _folders(self, component: str) -> list[Path]:
        if self._unified:
            return [self._root / self._name / component]
        return [self._root / controller / self._name / component for controller in ("memory", "cpu")]

    def _limit_unified(self, component: str, run_with: RunWith) -> Sequence[Path]:
        (folder,) = self._folders(component)
        folder.parent.mkdir(exist_ok=True)
        for parent in (self._root, folder.parent):
            (parent / "cgroup.subtree_control").write_text("+memory +cpu", encoding="ascii")
        folder.mkdir(exist_ok=True)
        memory = str(run_with.memory_kb * 1024) if run_with.memory_kb else "max"
        quota = str(round(run_with.cpus * _PERIOD_US)) if run_with.cpus else "max"
        (folder / "memory.max").write_text(memory, encoding="ascii")
        (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}", encoding="ascii")
        return [folder / "cgroup.procs"]

    def _limit(self, component: str, run_with: RunWith) -> Sequence[Path]:
        memory, cpu = self._folders(component)
        for folder in (memory, cpu):
            folder.mkdir(parents=True, exist_ok=True)
        limit = run_with.memory_kb * 1024 if run_with.memory_kb else -1
        (memory / "memory.limit_in_bytes").write_text(str(limit), encoding="ascii")
        period = int((cpu / "cpu.cfs_period_us").read_text(encoding="ascii"))
        quota = round(run_with.cpus * period) if run_with.cpus else -1
        (cpu / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
        return [memory / "cgroup.procs", cpu / "cgroup.procs"]
