"""What a Dockerfile puts into ``/panorama``: COPY, ADD and WORKDIR, without building anything.

A Panorama container is an exported file system: ENV, CMD and the working directory are lost, what was copied to
``/panorama`` stays.
"""

import json
import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import Final

_INSTRUCTION: Final = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Copy:
    """One COPY or ADD from the build folder."""

    line: int
    sources: tuple[str, ...]
    """Paths or patterns, relative to the package's folder."""
    destination: str
    """Absolute path in the image; ends with ``/`` where it can only be a folder."""


@dataclass(frozen=True)
class Copies:
    """Every copy of the last build stage, and what was not understood."""

    copies: tuple[Copy, ...]
    problems: tuple[tuple[int, str], ...]
    """(line, message)"""


def read_copies(text: str) -> Copies:
    """Return what the Dockerfile copies into its last stage."""
    copies: list[Copy] = []
    problems: list[tuple[int, str]] = []
    workdir = "/"
    for line, instruction, rest in instructions(text):
        if instruction == "FROM":
            copies, workdir = [], "/"
        elif instruction == "WORKDIR":
            target = rest.strip().strip("\"'")
            if "$" in target:
                problems.append((line, f"WORKDIR {target} depends on a variable"))
            workdir = posixpath.normpath(posixpath.join(workdir, target))
        elif instruction in {"COPY", "ADD"}:
            _copy(line, instruction, rest, workdir, copies, problems)
    return Copies(tuple(copies), tuple(problems))


def _copy(
    line: int, instruction: str, rest: str, workdir: str, copies: list[Copy], problems: list[tuple[int, str]]
) -> None:
    words = _words(rest)
    options = [word for word in words if word.startswith("--")]
    words = [word for word in words if not word.startswith("--")]
    if any(option.startswith("--from") for option in options):
        return  # from another stage or image: nothing of the project
    shown = f"{instruction} {' '.join(words)}"[:80]
    if len(words) < 2 or any("$" in word or word.startswith("<<") for word in words):
        problems.append((line, f"{shown} is not understood"))
        return
    if any("://" in word for word in words[:-1]):
        problems.append((line, f"{shown} downloads: the file is not carried over"))
        return
    destination = posixpath.join(workdir, words[-1])
    folder = destination.endswith(("/", "/.")) or words[-1] == "." or len(words) > 2
    destination = posixpath.normpath(destination)
    if folder or destination in {workdir, "/panorama", "/"}:
        destination = destination.rstrip("/") + "/"
    # A leading slash means the build folder as well, and ".." cannot leave it.
    sources = tuple(posixpath.normpath(posixpath.join("/", word)).lstrip("/") or "." for word in words[:-1])
    copies.append(Copy(line, sources, destination))


def _words(rest: str) -> list[str]:
    if "[" in rest:
        options, bracket, listed = rest.partition("[")
        try:
            words = json.loads(bracket + listed)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return options.split() + words
    try:
        return shlex.split(rest)
    except ValueError:
        return []


def instructions(text: str) -> list[tuple[int, str, str]]:
    """Return (line, instruction, rest) with continued lines joined and comments left out."""
    text = text[:_MAX_BYTES]
    found: list[tuple[int, str, str]] = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.rstrip()
        if line.lstrip().startswith("#"):
            continue
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        match = _INSTRUCTION.fullmatch(pending + line)
        pending = ""
        if match:
            found.append((start, match[1].upper(), match[2]))
    return found
