"""Whether Python can read the application's sources. Nothing of them is run."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vedette.application import Entry
from vedette.documents.code_files import CodeFiles
from vedette.documents.document import shown_path
from vedette.documents.findings import Finding
from vedette.validation.source_files import python_sources

_MAX_FINDINGS: Final = 50
_PYTHON_2: Final = (
    "Missing parentheses in call to",
    "multiple exception types must be parenthesized",
    "leading zeros in decimal integer literals",
)
"""What Python 3 says of statements that Python 2 knew; such files lie beside the code of many an application."""


def check_sources(files: CodeFiles, entry: Entry, root: Path) -> Iterator[Finding]:
    """Yield a finding for each Python source that cannot be compiled, the file to be started first."""
    started = entry.name.removeprefix("/panorama/")
    found = 0
    for file, source in python_sources(files, started):
        finding = _compile(source, shown_path(file.source, root), is_entry=file.target == started)
        if finding is not None:
            found += 1
            yield finding
        if found >= _MAX_FINDINGS:
            return


def _compile(source: bytes, file: str, *, is_entry: bool) -> Finding | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _finding(error, file, is_entry=is_entry)
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        reason = str(error) or "it is nested too deep"
        return Finding(file, 0, 0, "V080", f"Python cannot read the source: {reason[:120]}")
    return None


def _finding(error: SyntaxError, file: str, *, is_entry: bool) -> Finding:
    line = error.lineno or 0
    column = max(error.offset or 1, 1) if line else 0
    length = 1
    if error.end_lineno == error.lineno and error.end_offset is not None and error.end_offset > column:
        length = error.end_offset - column
    message = error.msg[:160]
    if message.startswith(_PYTHON_2):
        what = "written for Python 2"
        if is_entry:
            hint = "applications run on Python 3: 2to3, or rewrite it"
            return Finding(file, line, column, "V080", f"the file to start is {what}: {message}", hint, length)
        hint = "nothing, if the application does not import it"
        return Finding(file, line, column, "V081", f"source is {what}: {message}", hint, length)
    return Finding(file, line, column, "V080", f"Python cannot read the source: {message}", "", length)
