"""Requirements that take whatever release is the newest on the day of the installation.

They stand in requirements.txt and, in most of AWS's samples, in the ``pip install`` lines of the Dockerfile.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from vedette.documents.code_files import CodeFiles
from vedette.documents.dockerfile import instructions
from vedette.documents.document import shown_path
from vedette.documents.files import read_text
from vedette.documents.findings import Finding

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^]]*\])?\s*\(?\s*([<>=!~,.*+@\w\s-]*)")
_UPPER: Final = re.compile(r"==|~=|<|@")
_SHOWN: Final = 6
_COMMAND_END: Final = re.compile(r"&&|\|\||;|\|")
_PIP: Final = re.compile(r"(?:.*/)?pip[0-9.]*|-mpip")
_WITH_VALUE: Final = frozenset(
    {"-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links"}
    | {"-t", "--target", "--prefix", "--root", "--timeout", "--retries", "--trusted-host", "--proxy", "--cache-dir"}
    | {"--platform", "--python-version", "--no-binary", "--only-binary", "-e", "--editable"}
)
_TOOLS: Final = frozenset({"pip", "setuptools", "wheel"})
"""What builds the image, and is no library of the application."""


def check_requirements(files: CodeFiles, root: Path) -> Iterator[Finding]:
    """Yield one finding a file for all requirements that have no upper limit."""
    for path, find in ((files.requirements, unpinned), (files.dockerfile, unpinned_in_dockerfile)):
        if path is None:
            continue
        file = shown_path(path, root)
        found: list[Finding] = []
        text = read_text(path, root, file, found)
        if path == files.requirements:  # collecting the files said what is wrong with the Dockerfile
            yield from found
        yield from _finding(file, text or "", list(find(text or "")))


def _finding(file: str, text: str, open_ended: list[tuple[int, str]]) -> Iterator[Finding]:
    if open_ended:
        line, name = open_ended[0]
        line, column = _place(text, line, name)
        names = ", ".join(name for _, name in open_ended[:_SHOWN]) + (", ..." if len(open_ended) > _SHOWN else "")
        count = len(open_ended)
        message = f"{count} requirement{'' if count == 1 else 's'} without an upper limit: {names}"
        hint = f'the newest release of the day is installed: write "{name}==VERSION"'
        yield Finding(file, line, column, "V082", message, hint, len(name))


def _place(text: str, line: int, name: str) -> tuple[int, int]:
    """Return where ``name`` stands at or after the beginning of ``line``: an instruction may have several lines."""
    word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
    for number, content in enumerate(text.splitlines()[line - 1 :], start=line):
        if match := word.search(content):
            return number, match.start() + 1
    return line, 1


def unpinned(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each requirement without an upper limit (``==``, ``~=``, ``<``, an address)."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).split(";")[0].strip()
        match = _REQUIREMENT.match(line)
        if match and "://" not in line and "/" not in match[1] and not _UPPER.search(match[2]):
            yield number, match[1]


def unpinned_in_dockerfile(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each package that a ``pip install`` of the Dockerfile takes without an upper limit."""
    for line, instruction, rest in instructions(text):
        if instruction == "RUN":
            for command in _COMMAND_END.split(rest):
                for requirement in _installed(command):
                    yield from ((line, name) for _, name in unpinned(requirement))


def _installed(command: str) -> Iterable[str]:
    """Return the requirements on the command line of a ``pip install``; nothing for another command."""
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    at = next((i for i in range(len(words) - 1) if _PIP.fullmatch(words[i]) and words[i + 1] == "install"), None)
    if at is None:
        return []
    found: list[str] = []
    skip = False
    for word in words[at + 2 :]:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _WITH_VALUE
        elif word not in _TOOLS and "$" not in word and not word.startswith(".") and not word.endswith(".whl"):
            found.append(word)
    return found
