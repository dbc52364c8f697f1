"""Account ids in a project: in names of package folders, and in graphs and overrides before ``::``.

Vedette reads past account ids. They matter where a project goes back to Panorama's tools, or comes from several hands.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.documents.document import Document, shown_path
from vedette.documents.files import is_inside
from vedette.documents.json_text import Pointer, line_and_column
from vedette.documents.models import DocumentModel
from vedette.documents.project import Project
from vedette.projects.changes import FileChange, FolderChange
from vedette.projects.errors import ProjectError
from vedette.projects.text_edits import replace_strings

PLACEHOLDER_ACCOUNT: Final = "123456789012"
"""What AWS's samples have in place of an account id."""
SYSTEM: Final = "panorama"
"""What stands in place of an account id for packages that came with the appliance."""
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_FOLDER: Final = re.compile(r"(?P<account>[^-]+)-(?P<rest>.+-[0-9]+\.[0-9]+)")
_KINDS: Final = ("nodeGraph", "nodeGraphOverrides")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Replacement:
    """One account id that is replaced, and where: ``file:line:column``, or the folder."""

    place: str
    old: str
    new: str


@dataclass(frozen=True)
class ImportPlan:
    """What an import changes. ``account`` is the id that will stand everywhere."""

    account: str
    replacements: tuple[Replacement, ...]
    files: tuple[FileChange, ...]
    folders: tuple[FolderChange, ...]
    skipped: tuple[str, ...]
    """Folders of packages/ whose names hold no account id."""


@dataclass(frozen=True)
class _Use:
    """A name with an account id in a document."""

    document: Document[DocumentModel]
    pointer: Pointer
    text: str

    @property
    def account(self) -> str:
        return self.text.partition("::")[0]


def plan_import(project: Project, account: str | None = None) -> ImportPlan:
    """Plan to put ``account`` everywhere in ``project``; nothing is written.

    Without ``account`` the project's own id is taken: the one real id that it has, else AWS's placeholder.

    :raises ProjectError: if ids cannot be told, or two packages would become one
    """
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise ProjectError(f"an account id has 12 digits, got `{account[:40]}`")
    uses = [use for document in project.documents() for use in _uses(document)]
    folders, skipped = _package_folders(project)
    chosen = account or _own_account({use.account for use in uses} | {_account_of(path) for path in folders})
    renamed = [
        FolderChange(path, f"{chosen}-{_FOLDER.fullmatch(path.name)['rest']}")  # type: ignore[index]
        for path in folders
        if _account_of(path) != chosen
    ]
    _check_folders(project, folders, renamed)
    _check_packages(uses, chosen)
    changed = [use for use in uses if use.account != chosen]
    replacements = [_replacement(use, chosen) for use in changed]
    replacements += [
        Replacement(shown_path(change.path, project.root), change.path.name, change.name) for change in renamed
    ]
    return ImportPlan(chosen, tuple(replacements), tuple(_file_changes(changed, chosen)), tuple(renamed), skipped)


def own_account(project: Project) -> str:
    """Return the account id that names of this project begin with: the one real id, else AWS's placeholder.

    :raises ProjectError: if there are several
    """
    uses = {use.account for document in project.documents() for use in _uses(document)}
    return _own_account(uses | {_account_of(path) for path in _package_folders(project)[0]})


def _uses(document: Document[DocumentModel]) -> Iterator[_Use]:
    if document.kind not in _KINDS or document.text is None:
        return
    content = document.text.value[document.kind]
    for key, name in (("packages", "name"), ("nodes", "interface")):
        for index, item in enumerate(_list(content, key)):
            text = item.get(name) if isinstance(item, dict) else None
            if isinstance(text, str) and "::" in text and not text.startswith(f"{SYSTEM}::"):
                yield _Use(document, (document.kind, key, index, name), text)


def _list(content: Any, key: str) -> list[Any]:
    value = content.get(key) if isinstance(content, Mapping) else None
    return value if isinstance(value, list) else []


def _package_folders(project: Project) -> tuple[list[Path], tuple[str, ...]]:
    root = project.root / "packages"
    if not root.is_dir() or not is_inside(root, project.root):
        return [], ()
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    named = [path for path in folders if _FOLDER.fullmatch(path.name)]
    return named, tuple(shown_path(path, project.root) for path in folders if path not in named)


def _account_of(folder: Path) -> str:
    return folder.name.partition("-")[0]


def _own_account(found: set[str]) -> str:
    real = sorted(account for account in found if _ACCOUNT.fullmatch(account) and account != PLACEHOLDER_ACCOUNT)
    if len(real) > 1:
        raise ProjectError(
            f"the project holds {len(real)} account ids: {', '.join(real[:5])}", f"choose one: --account {real[0]}"
        )
    return real[0] if real else PLACEHOLDER_ACCOUNT


def _check_folders(project: Project, folders: list[Path], renamed: list[FolderChange]) -> None:
    names = {path: path.name for path in folders} | {change.path: change.name for change in renamed}
    for name, count in Counter(names.values()).items():
        if count > 1:
            both = " and ".join(shown_path(path, project.root) for path, new in names.items() if new == name)
            raise ProjectError(f"{both} would both become {name}", "remove one of them, or give it another name")


def _check_packages(uses: list[_Use], account: str) -> None:
    """Refuse to make one of two packages that a document tells apart by their account ids."""
    seen: dict[tuple[str, str, str], _Use] = {}
    for use in uses:
        if use.pointer[1] != "packages" or use.document.text is None:
            continue
        item = use.document.text.value[use.pointer[0]]["packages"][use.pointer[2]]
        key = (use.document.file, use.text.partition("::")[2], str(item.get("version")))
        other = seen.setdefault(key, use)
        if other.account != use.account:
            raise ProjectError(
                f"{_place(use)} `{other.text}` and `{use.text}` would both become `{account}::{key[1]}`",
                "give one of the packages another name",
            )


def _place(use: _Use) -> str:
    text = use.document.text
    if text is None:
        return use.document.file
    line, column = line_and_column(text.text, text.span(use.pointer).start)
    return f"{use.document.file}:{line}:{column}"


def _replacement(use: _Use, account: str) -> Replacement:
    return Replacement(_place(use), use.text, f"{account}::{use.text.partition('::')[2]}")


def _file_changes(uses: list[_Use], account: str) -> Iterator[FileChange]:
    by_path: dict[Path, list[_Use]] = {}
    for use in uses:
        by_path.setdefault(use.document.path, []).append(use)
    for path, group in by_path.items():
        tree = group[0].document.text
        if tree is None:
            continue
        values = {use.pointer: f"{account}::{use.text.partition('::')[2]}" for use in group}
        try:
            old = path.read_bytes()
        except OSError as error:
            raise ProjectError(f"{group[0].document.file} cannot be read: {error.strerror}") from error
        mark = _BOM if old.startswith(_BOM) else b""
        if old != mark + tree.text.encode():
            raise ProjectError(f"{group[0].document.file} was changed meanwhile", "run the command again")
        yield FileChange(path, old, mark + replace_strings(tree, values).encode())
