"""What a command was asked for, on standard output: plain where it is piped, readable on any terminal."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "blue": "34", "cyan": "36", "bold": "1", "dim": "2"}
_NARROWEST = 60


class Output:
    """Writes results to ``stream``. A reader that goes away is no error: the rest is dropped."""

    def __init__(self, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = sys.stdout if stream is None else stream
        terminal = self._stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = ("NO_COLOR" not in environ and terminal) or "FORCE_COLOR" in environ
        self._encoding = getattr(self._stream, "encoding", None) or "ascii"
        self.unicode = self._encoding.lower().replace("-", "").startswith("utf")
        """Whether marks and lines beyond ASCII can be shown."""
        # Nobody counts the columns of a file or a pipe.
        self.width = max(shutil.get_terminal_size().columns, _NARROWEST) if terminal else 120

    def paint(self, text: str, colour: str) -> str:
        """Return ``text`` in ``colour`` where colours are wanted."""
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colour and text else text

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write ``text``; what the terminal's encoding lacks becomes ``?``."""
        errors = "backslashreplace" if self.unicode else "replace"
        text = text.encode(self._encoding, errors).decode(self._encoding)
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def json(self, document: Mapping[str, Any]) -> None:
        """Write one JSON document, in ASCII."""
        self.write(json.dumps(document, indent=2) + "\n")

    def _drop(self) -> None:
        # The interpreter flushes at its end: the file behind the stream is replaced, not just the stream.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
