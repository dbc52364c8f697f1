"""What an application puts and reads, as JSON lines in a file: for tests that compare it with what it was before."""

import json
import logging
from pathlib import Path
from typing import IO, Any

logger = logging.getLogger(__name__)


class Recording:
    """Writes ``path`` anew from its making on; each line is whole when :meth:`write` returns."""

    def __init__(self, path: Path) -> None:
        # Half a surrogate pair, as in the name of a file that is not UTF-8, becomes what JSON writes for it.
        self._file: IO[str] = path.open("w", encoding="utf-8", errors="backslashreplace", buffering=1)

    def write(self, fields: dict[str, Any]) -> None:
        """Append a line."""
        try:
            self._file.write(json.dumps(fields, ensure_ascii=False) + "\n")
        except OSError as error:
            logger.error("the recording cannot be written: %s", error.strerror)  # noqa: TRY400 - the text says it all
        except RecursionError:
            logger.error("an entry of the recording is left out: it is nested too deeply")  # noqa: TRY400 - likewise

    def close(self) -> None:
        """End it."""
        self._file.close()
