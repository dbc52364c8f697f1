"""Requirements that take whatever release is the newest on the day of the installation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vedette.documents.code_files import CodeFiles
from vedette.documents.document import shown_path
from vedette.documents.files import read_text
from vedette.documents.findings import Finding

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*\(?\s*([<>=!~,.*+@\w\s-]*)")
_UPPER: Final = re.compile(r"==|~=|<|@")
_SHOWN: Final = 6


def check_requirements(files: CodeFiles, root: Path) -> Iterator[Finding]:
    """Yield one finding for all requirements of the file that have no upper limit."""
    if files.requirements is None:
        return
    file = shown_path(files.requirements, root)
    found: list[Finding] = []
    text = read_text(files.requirements, root, file, found)
    yield from found
    open_ended = list(unpinned(text or ""))
    if open_ended:
        line, name = open_ended[0]
        names = ", ".join(name for _, name in open_ended[:_SHOWN]) + (", ..." if len(open_ended) > _SHOWN else "")
        count = len(open_ended)
        message = f"{count} requirement{'' if count == 1 else 's'} without an upper limit: {names}"
        hint = f'the newest release of the day is installed: write "{name}==VERSION"'
        yield Finding(file, line, 1, "V082", message, hint, len(name))


def unpinned(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each requirement without an upper limit (``==``, ``~=``, ``<``, an address)."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).split(";")[0].strip()
        match = _REQUIREMENT.match(line)
        if match and "://" not in line and "/" not in match[1] and not _UPPER.search(match[2]):
            yield number, match[1]
