"""Carries out changes to files and folders: all of them, or none."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vedette.projects.errors import ProjectError


class ChangeError(ProjectError):
    """A change could not be carried out; what had been changed was put back."""


@dataclass(frozen=True)
class FileChange:
    """New content for a file that holds ``old`` now."""

    path: Path
    old: bytes
    new: bytes


@dataclass(frozen=True)
class FolderChange:
    """A new name for a folder, in the same folder."""

    path: Path
    name: str

    @property
    def target(self) -> Path:
        """Return where it will be."""
        return self.path.with_name(self.name)


def apply_changes(files: Sequence[FileChange], folders: Sequence[FolderChange]) -> None:
    """Write the files, then rename the folders. A file is replaced as a whole; its mode stays.

    Everything that can fail is tried first: new contents lie beside their files before the first is replaced.

    :raises ChangeError: if something fails; all is as it was then, or the text says what is not
    """
    undo: list[Callable[[], object]] = []
    staged: list[tuple[FileChange, Path, Path]] = []
    try:
        for change in files:
            target = change.path.resolve()
            if target.read_bytes() != change.old:
                raise ChangeError(f"{change.path} was changed meanwhile", "run the command again")
            fresh = target.with_name(f".{target.name}.vedette-new")
            staged.append((change, target, fresh))
            fresh.write_bytes(change.new)
            shutil.copymode(target, fresh)
        for folder in folders:
            if os.path.lexists(folder.target):
                raise ChangeError(f"{folder.target} is there already", "move one of the two away")
        for change, target, fresh in staged:
            fresh.replace(target)
            undo.append(partial(_put_back, change, target, fresh))
        for folder in folders:
            folder.path.rename(folder.target)
            undo.append(partial(folder.target.rename, folder.path))
    except (OSError, ProjectError) as error:
        lost = _undo(undo)
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        hint = error.hint if isinstance(error, ProjectError) else None
        if lost:
            raise ChangeError(f"{reason}; and not everything could be put back: {lost}", hint) from error
        raise ChangeError(f"{reason}; nothing was changed", hint) from error
    finally:
        for _, _, fresh in staged:
            fresh.unlink(missing_ok=True)


def _put_back(change: FileChange, target: Path, fresh: Path) -> None:
    fresh.write_bytes(change.old)
    shutil.copymode(target, fresh)
    fresh.replace(target)


def _undo(steps: Sequence[Callable[[], object]]) -> str:
    lost = []
    for step in reversed(steps):
        try:
            step()
        except OSError as error:
            lost.append(f"{error.filename}: {error.strerror}")
    return "; ".join(lost)
