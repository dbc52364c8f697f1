"""A bundle of diagnostics: logs, health, configuration and versions in one archive, without passwords."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.plain_files import open_plain
from vedette.redaction import redact

TAIL_BYTES: Final = 512 * 1024
"""Of each log."""
MAX_BYTES: Final = 8 * 1024 * 1024
"""Of all files, before they are packed."""
_PATTERNS: Final = (
    # "Password": "...", password=..., secretAccessKey: ..., token ...
    # No repetition before the word: a line of a megabyte without spaces would be tried at each of its letters.
    re.compile(
        r"(?i)(?P<keep>(?:password|passwd|secret(?:_?access_?)?key|secretstring|api_?key|token|authorization|credential)s?"
        r"[\"']?\s{0,8}(?:[:=]\s{0,8}|\s))"
        r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:Basic|Bearer|Digest)\s+\S+|\S+)"
    ),
    re.compile(r"(?P<keep>)(?P<value>\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b)"),
    re.compile(
        r"(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?P<value>.*?-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
    ),
)


@dataclass(frozen=True)
class Source:
    """A file of the bundle: its name there, and what gives its text, or bytes that hold none."""

    name: str
    read: Callable[[], str | bytes]


class LeftOut(Exception):
    """A file is left out for a reason that people are told."""


def tail_of(path: Path, most: int = TAIL_BYTES) -> str:
    """Return the end of a log.

    :raises OSError: when it cannot be read
    """
    with open_plain(path) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most).decode(errors="replace")


def log_sources(root: Path) -> list[Source]:
    """Return the logs below a nucleus's root that this user may read: of components, consoles, applications' files."""
    found = [_log(f"logs/{path.name}", path) for path in _files(root / "logs", "*.log")]
    for work in sorted((root / "work").glob("vedette.*")):
        found += [_log(f"events/{work.name}/{path.name}", path) for path in _files(work / "logs", "events*.jsonl*")]
    for work in sorted((root / "work").glob("vedette.app.*")):
        name = f"applications/{work.name}"
        found += [_log(f"{name}/{path.name}", path) for path in _files(work / "logs", "console_output*")]
        found += [_log(f"{name}/files/{path.name}", path) for path in _files(work / "logs" / "application", "*")]
    return found


def bundle(sources: Iterable[Source]) -> tuple[bytes, Sequence[str]]:
    """Return the archive and the names in it. What cannot be read is named in ``contents.json`` with the reason."""
    memory = io.BytesIO()
    contents: dict[str, str] = {}
    room = MAX_BYTES
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sources:
            try:
                given = source.read()
                if isinstance(given, bytes):
                    if len(given) > room:
                        raise LeftOut("the bundle is full")
                    room -= len(given)
                    archive.writestr(source.name, given, zipfile.ZIP_STORED)
                    contents[source.name] = f"{len(given)} bytes"
                    continue
                text = without_secrets(given)[: max(0, room)]
            except LeftOut as error:
                contents[source.name] = f"left out: {error}"
                continue
            except Exception as error:  # noqa: BLE001 - one file must not cost the others
                contents[source.name] = f"left out: {type(error).__name__}"
                continue
            room -= len(text)
            archive.writestr(source.name, text)
            contents[source.name] = f"{len(text)} characters"
        archive.writestr("contents.json", json.dumps(contents, indent=2))
    return memory.getvalue(), list(contents)


def without_secrets(text: str) -> str:
    """Return the text without logins in URLs, values of keys called like secrets, access keys and private keys."""
    text = redact(text)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: f"{match['keep']}***", text)
    return text


def _files(folder: Path, pattern: str) -> list[Path]:
    # Neither links (they lead out of the folder) nor pipes (they would hold us up).
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.is_symlink())[:200]
    except OSError:
        return []


def _log(name: str, path: Path) -> Source:
    return Source(name, lambda: tail_of(path))
