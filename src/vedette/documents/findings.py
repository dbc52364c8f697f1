"""Findings: what is wrong with a document or a project, where, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from vedette.documents.codes import CODES, Severity


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong. Orders by place.

    ``file`` is relative to the project where it lies inside; empty for what was said on the command line. ``line`` and
    ``column`` count from 1 and are 0 where a finding is about a file as a whole; ``length`` is the number of
    characters it is about.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    length: int = field(default=0, compare=False)

    @property
    def severity(self) -> Severity:
        """Return the severity of the code."""
        return CODES[self.code].severity

    @property
    def place(self) -> str:
        """Return ``file:line:column`` as far as known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        return " ".join(part for part in (self.place, self.message) if part) + (f"; {self.hint}" if self.hint else "")


class DocumentError(Exception):
    """What was asked for cannot be done; ``findings`` say why, errors and warnings."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        first = errors(self.findings)
        super().__init__(f"{len(first)} errors: " + " | ".join(f"{item.code} {item}" for item in first[:3]))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return those of severity error."""
    return [item for item in findings if item.severity is Severity.ERROR]


def general(code: str, message: str, hint: str = "", *, file: str = "") -> Finding:
    """Return a finding about no place in a document: the command line, or a file as a whole."""
    return Finding(file, 0, 0, code, message, hint)
