"""Folders whose files go while they are listed."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest


class _Listing:
    """What os.scandir returns, in the order of names, or with ``path`` first; it is removed once the folder is read."""

    def __init__(self, folder: Any, path: Path, scandir: Any, *, first: bool) -> None:
        with scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: (first and entry.name != path.name, entry.name))
        self._entries = iter(found)
        if Path(os.fspath(folder)) == path.parent:
            path.unlink(missing_ok=True)

    def __enter__(self) -> "_Listing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def __iter__(self) -> Iterator["os.DirEntry[str]"]:
        return self._entries


def removing_while_listing(monkeypatch: pytest.MonkeyPatch, path: Path, *, before_others: bool = False) -> None:
    """Remove ``path`` between the next reading of its folder and the first look at what was found in it."""
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder=".": _Listing(folder, path, scandir, first=before_others))
