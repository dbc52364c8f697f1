"""Which files of a code package the application finds at ``/panorama``."""

import fnmatch
import os
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.documents.dockerfile import Copies, Copy, read_copies
from vedette.documents.document import shown_path
from vedette.documents.files import is_inside, read_text
from vedette.documents.findings import Finding, errors, general

_IGNORED: Final = ("__pycache__", ".git", ".venv", ".vedette", ".DS_Store", ".ipynb_checkpoints", ".mypy_cache")
_NOT_SOURCES: Final = frozenset({"package.json", "descriptor.json", "Dockerfile", ".dockerignore", "requirements.txt"})
_MAX_FILES: Final = 20_000
_MAX_BYTES: Final = 8 << 30
_ROOT: Final = "/panorama/"


@dataclass(frozen=True)
class CodeFile:
    """A file of the application."""

    target: str
    """Relative to ``/panorama``."""
    source: Path


@dataclass(frozen=True)
class CodeFiles:
    """The application's files and what tells which libraries it needs."""

    files: tuple[CodeFile, ...]
    requirements: Path | None
    dockerfile: Path | None


def collect(folder: Path, root: Path, findings: list[Finding]) -> CodeFiles:
    """Return the files of the code package in ``folder`` of the project ``root``.

    The Dockerfile's COPY lines decide; without them ``src/`` is ``/panorama``, else the package's folder itself.
    """
    collector = _Collector(folder, root, findings)
    dockerfile = folder / "Dockerfile"
    if dockerfile.is_file():
        copies = _read_dockerfile(dockerfile, root, findings)
        collector.copy(copies.copies)
        if not collector.files:
            what = "src/" if (folder / "src").is_dir() else "the package's folder"
            message = f"Dockerfile copies nothing to /panorama: {what} is taken"
            findings.append(general("V039", message, file=shown_path(dockerfile, root)))
    if not collector.files:
        collector.fall_back()
    requirements = next(
        (path for path in (folder / "requirements.txt", folder / "src" / "requirements.txt") if path.is_file()), None
    )
    if requirements is not None and not is_inside(requirements, root):
        findings.append(
            general(
                "V007", "path leads out of the project through a symbolic link", file=shown_path(requirements, root)
            )
        )
    files = tuple(CodeFile(target, source) for target, source in sorted(collector.files.items()))
    return CodeFiles(files, requirements, dockerfile if dockerfile.is_file() else None)


def _read_dockerfile(path: Path, root: Path, findings: list[Finding]) -> Copies:
    file = shown_path(path, root)
    found: list[Finding] = []
    text = read_text(path, root, file, found)
    if text is None:
        hard = [item for item in found if item.code == "V007"]
        findings += hard or [
            general("V039", f"Dockerfile is not read: {item.message}", file=file) for item in errors(found)
        ]
        return Copies((), ())
    copies = read_copies(text)
    findings += [Finding(file, line, 1, "V039", message) for line, message in copies.problems]
    for copy in copies.copies:
        if not _lands_in_panorama(copy):
            message = (
                f"copies {' '.join(copy.sources)} to {copy.destination}: only what lies in /panorama is carried over"
            )
            findings.append(Finding(file, copy.line, 1, "V039", message))
    return copies


def _lands_in_panorama(copy: Copy) -> bool:
    return (copy.destination + "/").startswith(_ROOT) or copy.destination == "/"


class _Collector:
    def __init__(self, folder: Path, root: Path, findings: list[Finding]) -> None:
        self.files: dict[str, Path] = {}
        self._folder = folder
        self._root = root
        self._findings = findings
        self._ignored = _ignore_patterns(folder / ".dockerignore", root)
        self._bytes = 0
        self._full = False

    def copy(self, copies: Iterable[Copy]) -> None:
        """Carry out the Dockerfile's copies, in order: later ones replace."""
        for copy in copies:
            if not _lands_in_panorama(copy):
                continue
            for pattern in copy.sources:
                sources = self._matching(pattern)
                if not sources:
                    message = f"copies {pattern}, which is not in the package's folder"
                    self._report(
                        Finding(shown_path(self._folder / "Dockerfile", self._root), copy.line, 1, "V039", message)
                    )
                for source in sources:
                    self._add(source, copy.destination)

    def fall_back(self) -> None:
        """Take ``src/``, else the folder itself where it holds more than the package's documents."""
        source = self._folder / "src"
        if source.is_dir():
            self._add(source, _ROOT)
            return
        self._add(self._folder, _ROOT)
        if not set(self.files) - _NOT_SOURCES:
            self.files.clear()

    def _matching(self, pattern: str) -> list[Path]:
        if not any(mark in pattern for mark in "*?["):
            path = self._folder / pattern
            return [path] if os.path.lexists(path) else []
        try:
            return sorted(path for path in self._folder.glob(pattern))
        except (ValueError, NotImplementedError, OSError):
            return []

    def _add(self, source: Path, destination: str) -> None:
        if not self._allowed(source):
            return
        if source.is_dir():
            for folder, folders, names in os.walk(source):
                below = Path(folder)
                folders[:] = sorted(name for name in folders if not self._skip(below / name))
                for name in sorted(names):
                    path = below / name
                    self._add_file(path, posixpath.join(destination, path.relative_to(source).as_posix()))
        else:
            self._add_file(source, destination + source.name if destination.endswith("/") else destination)

    def _skip(self, folder: Path) -> bool:
        if folder.name in _IGNORED or self._is_ignored(folder):
            return True
        if folder.is_symlink():
            if self._allowed(folder):
                message = "link to a folder is not followed"
                self._report(general("V039", message, "copy the folder", file=shown_path(folder, self._root)))
            return True
        return False

    def _add_file(self, path: Path, target: str) -> None:
        if not target.startswith(_ROOT) or self._full or path.name in _IGNORED or path.suffix == ".pyc":
            return
        if self._is_ignored(path) or not self._allowed(path) or not path.is_file():
            return
        self._bytes += path.stat().st_size
        if len(self.files) >= _MAX_FILES or self._bytes > _MAX_BYTES:
            self._full = True
            message = f"application has more than {_MAX_FILES} files or {_MAX_BYTES >> 30} GiB"
            hint = "leave out what it does not need with a .dockerignore file"
            self._report(general("V002", message, hint, file=shown_path(self._folder, self._root)))
            return
        self.files[target.removeprefix(_ROOT)] = path

    def _allowed(self, path: Path) -> bool:
        if is_inside(path, self._root):
            return True
        message = "path leads out of the project through a symbolic link"
        self._report(general("V007", message, "copy the file into the project", file=shown_path(path, self._root)))
        return False

    def _is_ignored(self, path: Path) -> bool:
        name = path.relative_to(self._folder).as_posix()
        ignored = False
        for pattern, again in self._ignored:
            if any(fnmatch.fnmatchcase(part, pattern) for part in _with_parents(name)):
                ignored = not again
        return ignored

    def _report(self, finding: Finding) -> None:
        if finding not in self._findings:
            self._findings.append(finding)


def _with_parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _ignore_patterns(path: Path, root: Path) -> list[tuple[str, bool]]:
    """Return the patterns of .dockerignore as (pattern, whether it takes back in)."""
    text = read_text(path, root, path.name, []) if path.is_file() else None
    found: list[tuple[str, bool]] = []
    for raw in (text or "").splitlines():
        line = raw.strip()
        if line and not line.startswith("#"):
            again = line.startswith("!")
            pattern = line.lstrip("!").strip().strip("/").removeprefix("./").replace("**/", "*")
            found.append((pattern, again))
    return found
