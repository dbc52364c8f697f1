"""Findings as people read them: code, what, place, the line itself with carets, what to do."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from vedette.cli.output import Output
from vedette.documents import Finding, Project, Severity
from vedette.documents.files import read_text
from vedette.documents.snippets import Snippet, SourceText, printable
from vedette.redaction import redact

_NAMES: Final = re.compile(r"[a-z][a-z ]*s: ")
"""A hint that lists what there is, as in ``inputs: a, b``: it stands beside the carets."""


class Sources:
    """The files of a project that findings are about, read when they are asked for."""

    def __init__(self, project: Project) -> None:
        self._root = project.root
        self._documents = {item.file: item.text for item in project.documents() if item.text is not None}
        self._read: dict[str, SourceText | None] = {}

    def snippet(self, finding: Finding, room: int) -> Snippet | None:
        """Return the line of ``finding``, or None where there is none to show."""
        if not finding.line or finding.code == "V003":  # bytes that are no text
            return None
        if finding.file not in self._read:
            self._read[finding.file] = self._source(finding.file)
        source = self._read[finding.file]
        return None if source is None else source.snippet(finding, room=room)

    def _source(self, file: str) -> SourceText | None:
        tree = self._documents.get(file)
        if tree is not None:
            return SourceText(tree.text, tree)
        text = read_text(self._root / file, self._root, file, [])
        return None if text is None else SourceText(text)


def write_findings(findings: Iterable[Finding], sources: Sources, output: Output) -> None:
    """Write each finding with the line it is about."""
    for finding in findings:
        wrong = finding.severity is Severity.ERROR
        word = output.paint(f"{finding.severity.value}[{finding.code}]", "red" if wrong else "yellow")
        output.line(f"{word}: {_clean(finding.message)}")
        if finding.place:
            output.line(f"  --> {printable(finding.place)}")
        number = str(finding.line)
        snippet = sources.snippet(finding, output.width - len(number) - 4)
        names = _clean(finding.hint) if _NAMES.match(finding.hint) else ""
        if snippet is not None:
            carets = output.paint("^" * snippet.width, "red" if wrong else "yellow")
            output.line(f"{number} | {snippet.text}")
            output.line(f"{' ' * len(number)} | {' ' * snippet.start}{carets} {names}".rstrip())
        if finding.hint and (snippet is None or not names):
            output.line(f"{output.paint('hint', 'cyan')}: {_clean(finding.hint)}")


def count(findings: Iterable[Finding]) -> str:
    """Return how many errors and warnings there are, in words."""
    severities = [finding.severity for finding in findings]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    if not severities:
        return "no findings"
    return f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"


def plural(number: int, what: str) -> str:
    """Return ``1 error`` or ``2 errors``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_json(finding: Finding) -> Mapping[str, Any]:
    """Return a finding for ``--json``; line and column count from 1 and are null where it is about a whole file."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": redact(finding.message),
        "hint": redact(finding.hint) or None,
        "file": finding.file or None,
        "line": finding.line or None,
        "column": finding.column or None,
        "length_characters": finding.length or None,
    }


def _clean(text: str) -> str:
    return printable(redact(text))
