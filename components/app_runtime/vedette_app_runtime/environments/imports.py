"""What an application's sources ask of its environment: modules to import, and what libraries had then."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Gone from newer standard libraries: tried in the application's interpreter like a library's modules.
REMOVED: Final = frozenset({"distutils", "imp", "asyncore", "asynchat", "smtpd", "cgi", "pipes", "telnetlib", "imghdr"})
_STANDARD: Final = sys.stdlib_module_names - REMOVED
_PROVIDED: Final = frozenset({"panoramasdk"})
_SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules", "site-packages", "wheels"})
_MAX_FILES: Final = 5_000
ARRAY_METHODS: Final = frozenset({"tostring", "itemset", "newbyteorder", "ptp"})
"""Methods of numpy's arrays that were taken out."""


@dataclass
class Imports:
    """Modules and where the first import of each stands."""

    modules: dict[str, str] = field(default_factory=dict)
    """Dotted name -> ``app.py line 3``."""
    outdated: dict[str, str] = field(default_factory=dict)
    """Which of :data:`ARRAY_METHODS` are called, or the service ``panorama`` of boto3, and where first."""
    ignored: list[str] = field(default_factory=list)
    """Files that could not be read, a sentence each."""


def scan(sources: Path) -> Imports:
    """Collect the top-level imports of every ``.py`` file below ``sources``.

    Left out: the standard library, panoramasdk, modules that lie in ``sources`` itself, relative imports, and what
    stands in a function, an ``if`` or a ``try`` (the application says itself that it can do without).
    """
    found = Imports()
    files = _python_files(sources)
    local = {part.removesuffix(".py") for path in files for part in path.relative_to(sources).parts}
    for path in files:
        name = str(path.relative_to(sources))
        try:
            tree = ast.parse(path.read_bytes(), filename=name)
        except (SyntaxError, ValueError, OSError):
            found.ignored.append(f"{name} is not readable as Python 3: its imports were not looked at")
            continue
        for module, line in _top_level(tree):
            top = module.partition(".")[0]
            if top not in _STANDARD and top not in _PROVIDED and top not in local:
                found.modules.setdefault(module, f"{name} line {line}")
        for what, line in _outdated(tree):
            found.outdated.setdefault(what, f"{name} line {line}")
    return found


def _python_files(sources: Path) -> list[Path]:
    files: list[Path] = []
    for path in sorted(sources.rglob("*.py")):
        parents = path.relative_to(sources).parts[:-1]
        if any(part in _SKIPPED_FOLDERS or part.startswith(".") for part in parents):
            continue
        files.append(path)
        if len(files) == _MAX_FILES:
            break
    return files


def _top_level(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name, statement.lineno
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0 and statement.module:
            yield statement.module, statement.lineno


def _outdated(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called, first = node.func.attr, node.args[0] if node.args else None
        if called == "client" and isinstance(first, ast.Constant) and first.value == "panorama":
            yield "panorama", node.lineno
        # xml.etree.ElementTree.tostring() takes what it makes a string of, an array's takes nothing.
        elif called in ARRAY_METHODS and (called != "tostring" or first is None):
            yield called, node.lineno
