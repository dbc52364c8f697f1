"""Another name for a package: of its folder, in package.json, in graphs and overrides."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from vedette.documents.document import Document, shown_path
from vedette.documents.json_text import JsonText, Pointer
from vedette.documents.models import DocumentModel
from vedette.documents.project import Project
from vedette.projects.asset_edits import package_named
from vedette.projects.changes import FileChange, FolderChange
from vedette.projects.errors import ProjectError
from vedette.projects.text_edits import replace_strings

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")
_KINDS: Final = ("nodeGraph", "nodeGraphOverrides")
_BOM: Final = b"\xef\xbb\xbf"


def plan_rename(project: Project, old: str, new: str) -> tuple[list[FileChange], FolderChange]:
    """Plan to name the package ``old`` ``new``; whole names are replaced, so CODE does not hit CODE_2.

    :raises ProjectError: if there is no such package, or the new name cannot be used
    """
    package = package_named(project, old)
    if not _NAME.fullmatch(new):
        raise ProjectError(f"`{new[:80]}` cannot name a package: expected letters, digits, - and _, a letter first")
    if any(other.name == new for other in project.packages):
        raise ProjectError(f"the project has a package {new} already", "choose another name")
    if package.folder.name.count("-") < 2:
        raise ProjectError(f"the folder {package.folder.name} is not named <account>-<NAME>-<version>")
    values: dict[Path, dict[Pointer, str]] = defaultdict(dict)
    trees: dict[Path, JsonText] = {}
    for document in project.documents():
        if document.text is None:
            continue
        trees[document.path] = document.text
        values[document.path] |= _uses(document, package.name, new)
        if document.path == package.document.path and ("nodePackage", "name") in document.text.values:
            values[document.path][("nodePackage", "name")] = new
    changes = []
    for path, replaced in values.items():
        if replaced:
            old_bytes = path.read_bytes()
            mark = _BOM if old_bytes.startswith(_BOM) else b""
            if old_bytes != mark + trees[path].text.encode():
                raise ProjectError(f"{shown_path(path, project.root)} was changed meanwhile", "run the command again")
            changes.append(FileChange(path, old_bytes, mark + replace_strings(trees[path], replaced).encode()))
    account = package.folder.name.partition("-")[0]
    return changes, FolderChange(package.folder, f"{account}-{new}-{package.version}")


def _uses(document: Document[DocumentModel], old: str, new: str) -> dict[Pointer, str]:
    found: dict[Pointer, str] = {}
    if document.kind not in _KINDS or document.text is None:
        return found
    content = document.text.value[document.kind]
    for key, name in (("packages", "name"), ("nodes", "interface")):
        items = content.get(key) if isinstance(content, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else []):
            text = item.get(name) if isinstance(item, dict) else None
            if not isinstance(text, str) or text.startswith("panorama::"):
                continue
            account, separator, rest = text.partition("::")
            bare, dot, interface = rest.partition(".")
            if separator and bare == old:
                pointer: Pointer = (document.kind, key, index, name)
                found[pointer] = f"{account}::{new}{dot}{interface}"
    return found
