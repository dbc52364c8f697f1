"""How a command fails: one line that says what was wrong, one that says what to do, an exit code.

Exit codes: 0 done, 1 failed or findings of severity error, 2 wrong usage, 3 credentials or permissions of AWS are
missing, 4 a part of the fleet failed, 10 a plan has changes (where that was asked for), 70 a bug of ours, 130 Ctrl-C.
"""

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_CREDENTIALS: Final = 3
EXIT_PARTLY: Final = 4
EXIT_CHANGES: Final = 10
EXIT_BUG: Final = 70
EXIT_INTERRUPTED: Final = 130


class Failure(Exception):
    """A command cannot go on.

    ``message`` is lower case without a full stop and holds the value that was wrong; ``hint`` is one command or edit.
    """

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
