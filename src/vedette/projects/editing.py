"""A change of a project that is put together first and then made as a whole."""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vedette.documents.document import shown_path
from vedette.documents.files import is_inside
from vedette.documents.json_text import JsonTextError
from vedette.projects.changes import ChangeError, FileChange, apply_changes
from vedette.projects.errors import ProjectError

_BOM: Final = b"\xef\xbb\xbf"


@dataclass
class _Text:
    old: bytes
    mark: bytes
    text: str


@dataclass
class ProjectEdit:
    """New files and changed documents of the project ``root``; nothing is written before ``apply``."""

    root: Path
    said: list[tuple[str, str]] = field(default_factory=list)
    """What was done, for people: (what, detail)."""
    _texts: dict[Path, _Text] = field(default_factory=dict)
    _new: dict[Path, bytes | Path] = field(default_factory=dict)
    _removed: list[Path] = field(default_factory=list)

    def read(self, path: Path) -> str:
        """Return the text of a document, with what was changed so far.

        :raises ProjectError: if it cannot be read
        """
        if path in self._new:
            content = self._new[path]
            return content.decode() if isinstance(content, bytes) else content.read_text(encoding="utf-8")
        if path not in self._texts:
            if not is_inside(path, self.root):
                raise ProjectError(f"{shown_path(path, self.root)} leads out of the project")
            try:
                old = path.read_bytes()
                mark = _BOM if old.startswith(_BOM) else b""
                self._texts[path] = _Text(old, mark, old[len(mark) :].decode("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise ProjectError(f"{shown_path(path, self.root)} cannot be read: {reason}") from error
        return self._texts[path].text

    def write(self, path: Path, text: str) -> None:
        """Give a document, or a file that is new, another text."""
        if path in self._new:
            self._new[path] = text.encode()
        else:
            self.read(path)
            self._texts[path].text = text

    def add(self, path: Path, content: bytes | Path) -> None:
        """Add a file: bytes, or a copy of another file. One that is there already stays.

        :raises ProjectError: if the path leads out of the project
        """
        if not is_inside(path, self.root):
            raise ProjectError(f"{shown_path(path, self.root)} leads out of the project")
        if not os.path.lexists(path):
            self._new[path] = content

    def remove(self, path: Path) -> None:
        """Take a file away, after everything else was done."""
        self._removed.append(path)

    @property
    def changed(self) -> list[str]:
        """Return the files that ``apply`` writes or removes, relative to the project."""
        texts = [path for path, text in self._texts.items() if text.old != text.mark + text.text.encode()]
        return sorted(shown_path(path, self.root) for path in {*texts, *self._new, *self._removed})

    def apply(self) -> None:
        """Make the change: all of it or nothing.

        :raises ProjectError: if something cannot be written
        """
        made: list[Path] = []
        try:
            for path, content in self._new.items():
                made += _missing_folders(path.parent)
                path.parent.mkdir(parents=True, exist_ok=True)
                made.append(path)
                _write_whole(path, content)
            changes = [FileChange(path, text.old, text.mark + text.text.encode()) for path, text in self._texts.items()]
            apply_changes([change for change in changes if change.old != change.new], [])
        except (OSError, ChangeError) as error:
            _take_back(made)
            if isinstance(error, ChangeError):
                raise
            raise ProjectError(f"{error.filename}: {error.strerror}; nothing was changed") from error
        for path in self._removed:
            path.unlink(missing_ok=True)


def not_json(path: Path, root: Path, error: Exception) -> ProjectError:
    """Return the error for a document that cannot be edited."""
    what = "it is not JSON" if isinstance(error, JsonTextError) else str(error)
    return ProjectError(f"{shown_path(path, root)} cannot be changed: {what}", "vedette validate says where")


def _missing_folders(folder: Path) -> list[Path]:
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def _write_whole(path: Path, content: bytes | Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".vedette-", delete=False) as file:
        fresh = Path(file.name)
        try:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            fresh.chmod(0o644)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def _take_back(made: list[Path]) -> None:
    for path in reversed(made):
        try:
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # somebody else put something there meanwhile
