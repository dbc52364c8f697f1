"""Prepared environments on disk: built beside, renamed when whole, checked before use."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from vedette.whole_files import write_whole
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.errors import EnvironmentFailed

FORMAT: Final = 1
KEPT: Final = 2
"""Environments kept: the present one and the one before, for a rolled back deployment."""
LOCK_TIMEOUT_S: Final = 1800.0

_RECORD: Final = "environment.json"
_SELECTED: Final = "selected"
_BUILDING: Final = ".building-"
_PYTHON_NAMES: Final = ("python", "python3", *(f"python3.{minor}" for minor in range(6, 16)))


class Store:
    """The folder of one application's environments: ``<cache>/<key>/{environment.json, venv/}``."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache.absolute()

    def find(self, key: str) -> Environment | None:
        """Return the environment of ``key`` if it is there and whole; None otherwise."""
        folder = self.cache / key
        try:
            record = json.loads((folder / _RECORD).read_text())
            if record["format"] != FORMAT or record["files"] != _digest(folder / "venv"):
                return None
            if not all(Path(path).exists() for path in record["outside"]):
                return None
            return _environment(folder, record)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def selected(self) -> Environment | None:
        """Return the environment that was prepared last, if it is whole."""
        try:
            key = (self.cache / _SELECTED).read_text().strip()
        except OSError:
            return None
        return self.find(key) if key and "/" not in key else None

    def select(self, key: str) -> None:
        """Make ``key`` the one that :meth:`selected` returns; remove what is no longer needed."""
        write_whole(self.cache / _SELECTED, f"{key}\n".encode(), synced=True)
        os.utime(self.cache / key)
        others = [
            path for path in self.cache.iterdir() if path.is_dir() and (path / _RECORD).exists() and path.name != key
        ]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT - 1 :]:
            shutil.rmtree(path, ignore_errors=True)

    def begin(self, key: str) -> Path:
        """Return an empty folder to build in; what power losses left behind is removed."""
        self.cache.mkdir(parents=True, exist_ok=True)
        for left in self.cache.glob(f"{_BUILDING}*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = self.cache / f"{_BUILDING}{key}"
        folder.mkdir()
        return folder

    def finish(
        self, folder: Path, key: str, *, prefixes: tuple[Path, ...], summary: str, warnings: tuple[str, ...]
    ) -> Environment:
        """Put what was built in its place and select it."""
        record: dict[str, Any] = {
            "format": FORMAT,
            "outside": [str(path) for path in prefixes],
            "summary": summary,
            "warnings": list(warnings),
            "files": _digest(folder / "venv"),
        }
        write_whole(folder / _RECORD, json.dumps(record, indent=1).encode(), synced=True)
        os.sync()  # a rename must not outlive the files' contents when the power goes
        target = self.cache / key
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
        self.select(key)
        return _environment(target, record)

    @contextlib.contextmanager
    def locked(self, stop: threading.Event) -> Iterator[None]:
        """Keep other processes from preparing here at the same time.

        :raises EnvironmentFailed: if another one is still at it after half an hour, or stop was asked for.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + LOCK_TIMEOUT_S
        with (self.cache / ".lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    pass
                if stop.wait(0.2):
                    raise EnvironmentFailed(f"stopped while waiting for another process that prepares {self.cache}")
                if time.monotonic() > until:
                    raise EnvironmentFailed(f"another process has been preparing {self.cache} for half an hour; end it")
            yield


def link_names(bin_dir: Path) -> None:
    """Let every name of Python in ``bin_dir`` lead to its ``python``, so that python3.7 in a script works."""
    for name in _PYTHON_NAMES[1:]:
        link = bin_dir / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to("python")


def candidate(folder: Path, prefixes: tuple[Path, ...]) -> Environment:
    """Return the environment under construction in ``folder``, to be tried."""
    return _environment(folder, {"outside": [str(path) for path in prefixes], "summary": "", "warnings": []})


def _environment(folder: Path, record: dict[str, Any]) -> Environment:
    bin_dir = folder / "venv/bin"
    return Environment(
        python=bin_dir / "python",
        bin_dir=bin_dir,
        read_only=(folder / "venv", *map(Path, record["outside"])),
        summary=record["summary"],
        warnings=tuple(record["warnings"]),
    )


def _digest(venv: Path) -> str:
    """Return a digest of the names and sizes of all files: finds what a power loss cut short, in 25 ms."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(venv):
        folders.sort()
        if folder.endswith("/__pycache__"):
            continue  # whoever runs outside the sandbox may add to it
        for name in sorted(files):
            path = os.path.join(folder, name)  # noqa: PTH118 - thousands of files at every start
            digest.update(f"{os.path.relpath(path, venv)}\0{os.lstat(path).st_size}\n".encode())
    return digest.hexdigest()
