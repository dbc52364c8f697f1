"""The Python sources of an application, read within bounds."""

from collections.abc import Iterator
from typing import Final

from vedette.documents.code_files import CodeFile, CodeFiles

_MAX_FILE_BYTES: Final = 1 << 20
_MAX_BYTES: Final = 8 << 20
"""Applications bring whole libraries along: beyond this much, the rest is not looked at."""


def python_sources(files: CodeFiles, first: str = "") -> Iterator[tuple[CodeFile, bytes]]:
    """Yield each Python source and its bytes; those that are too large or cannot be read are left out.

    :param first: target of the file to begin with
    """
    sources = [file for file in files.files if file.target.endswith(".py")]
    sources.sort(key=lambda file: (file.target != first, file.target))
    left = _MAX_BYTES
    for file in sources:
        try:
            with file.source.open("rb") as opened:
                source = opened.read(_MAX_FILE_BYTES + 1)
        except OSError:
            continue  # collecting the files said so
        left -= len(source)
        if left < 0:
            return
        if len(source) <= _MAX_FILE_BYTES:
            yield file, source
