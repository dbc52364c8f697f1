"""What people see: marks, steps, a status line, errors with hints. All of it goes to standard error."""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from vedette.redaction import redact

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


class Terminal:
    """Writes talk to ``stream``; colour only on a terminal and without NO_COLOR, plain ASCII marks where needed."""

    def __init__(self, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = sys.stderr if stream is None else stream
        tty = self._stream.isatty() and environ.get("TERM") != "dumb"
        self.live = tty
        self._colour = ("NO_COLOR" not in environ and tty) or "FORCE_COLOR" in environ
        encoding = (getattr(self._stream, "encoding", None) or "ascii").lower().replace("-", "")
        self._unicode = encoding.startswith("utf")
        self._status = ""
        self._status_at = 0.0

    def paint(self, text: str, colour: str) -> str:
        """Return ``text`` in ``colour`` where colours are wanted."""
        return f"\033[{_COLOURS[colour]}m{text}\033[0m" if self._colour else text

    def line(self, text: str = "") -> None:
        """Write one line above the status line."""
        self._erase()
        self._write(redact(text) + "\n")
        if self.live and self._status:
            self._write(self._status)

    def done(self, what: str, detail: str = "") -> None:
        """Say that a step is done."""
        self._step("✓" if self._unicode else "ok", "green", what, detail)

    def warn(self, what: str, detail: str = "") -> None:
        """Say that something was done, but."""
        self._step("!", "yellow", what, detail)

    def failed(self, what: str, detail: str = "") -> None:
        """Say that a step failed."""
        self._step("✗" if self._unicode else "x", "red", what, detail)

    def skipped(self, what: str, detail: str = "") -> None:
        """Say that a step is not needed here."""
        self._step("-", "dim", what, detail)

    def waiting(self, what: str, detail: str = "") -> None:
        """Say what goes on; on a terminal the line is replaced by the next one."""
        text = self._format("…" if self._unicode else "..", "cyan", what, detail)
        if self.live:
            self.status(text)
        else:
            self.line(text)

    def error(self, message: str, hint: str | None = None) -> None:
        """Write an error and what to do about it."""
        self.clear_status()
        self.line(f"{self.paint('error', 'red')}: {message}")
        if hint:
            self.line(f"{self.paint('hint', 'cyan')}: {hint}")

    def status(self, text: str, *, beat_s: float = 30.0) -> None:
        """Replace the status line; where there is no terminal, write it as a line every ``beat_s``."""
        text = redact(text)
        if not self.live:
            now = time.monotonic()
            if not self._status_at or now - self._status_at >= beat_s:
                self._status_at = now
                self._write(text + "\n")
            return
        width = shutil.get_terminal_size().columns
        self._erase()
        self._status = text if self._colour or len(text) < width else text[: width - 1]
        self._write(self._status)

    def clear_status(self) -> None:
        """Take the status line away."""
        self._erase()
        self._status = ""

    def _step(self, mark: str, colour: str, what: str, detail: str) -> None:
        self.clear_status()
        self.line(self._format(mark, colour, what, detail))

    def _format(self, mark: str, colour: str, what: str, detail: str) -> str:
        return f"  {self.paint(mark, colour)} {what:<13} {detail}".rstrip()

    def _erase(self) -> None:
        if self.live and self._status:
            self._write("\r\033[K")

    def _write(self, text: str) -> None:
        if not self._unicode:
            text = text.encode("ascii", "replace").decode()
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            # Whoever read our talk is gone; the work goes on.
            self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
