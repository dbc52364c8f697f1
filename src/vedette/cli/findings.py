"""Findings as people read them: code, what, place, the line itself with carets, what to do."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vedette.cli.output import Output
from vedette.documents import Finding, Project, Severity
from vedette.documents.files import read_text
from vedette.documents.json_text import JsonText
from vedette.documents.snippets import Snippet, printable, snippet_of
from vedette.redaction import redact

_NAMES: Final = re.compile(r"[a-z][a-z ]*s: ")
"""A hint that lists what there is, as in ``inputs: a, b``: it stands beside the carets."""


@dataclass
class Sources:
    """The texts that findings are about."""

    project: Project
    _texts: dict[str, tuple[str, JsonText | None] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for document in self.project.documents():
            if document.text is not None:
                self._texts[document.file] = (document.text.text, document.text)

    def snippet(self, finding: Finding, room: int) -> Snippet | None:
        """Return the line of ``finding``, or None where there is none to show."""
        if not finding.line or finding.code == "V003":  # bytes that are no text
            return None
        if finding.file not in self._texts:
            text = read_text(self.project.root / finding.file, self.project.root, finding.file, [])
            self._texts[finding.file] = None if text is None else (text, None)
        found = self._texts[finding.file]
        return None if found is None else snippet_of(finding, *found, room=room)


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
