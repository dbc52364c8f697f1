"""Runs a program line by line, bounded, ended with its parent, with a word when it is silent for long."""

import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final

_QUIET_S: Final = 10.0
_POLL_S: Final = 0.2


def run_program(
    words: Sequence[str],
    environ: Mapping[str, str],
    hear_error: Callable[[str], None],
    hear_output: Callable[[str], None],
    timeout_s: float,
    progress: Callable[[str], None],
) -> int:
    """Run it and return its exit code; -1 when it took longer than ``timeout_s`` and was killed.

    The two ``hear`` take a line each, of standard error and of standard output, on the caller's thread. ``progress``
    is told now and then that it still works.
    """
    tie = shutil.which("setpriv")
    command = [*([tie, "--pdeathsig", "KILL", "--"] if tie else []), *words]
    lines: queue.SimpleQueue[tuple[Callable[[str], None], str] | None] = queue.SimpleQueue()
    started = spoke = time.monotonic()
    with subprocess.Popen(
        command, cwd="/", env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            for stream, hear in ((process.stdout, hear_output), (process.stderr, hear_error)):
                threading.Thread(target=_read, args=(stream, hear, lines), daemon=True).start()
            ended = 0
            while ended < 2:
                try:
                    item = lines.get(timeout=_POLL_S)
                except queue.Empty:
                    now = time.monotonic()
                    if now - started > timeout_s:
                        process.kill()
                        return -1
                    if now - spoke > _QUIET_S:
                        spoke = now
                        progress(f"still at work ({now - started:.0f} s)")
                    continue
                if item is None:
                    ended += 1
                else:
                    item[0](item[1])
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _read(
    stream: IO[bytes] | None,
    hear: Callable[[str], None],
    lines: "queue.SimpleQueue[tuple[Callable[[str], None], str] | None]",
) -> None:
    for raw in stream or ():
        lines.put((hear, raw.decode(errors="replace").rstrip()))
    lines.put(None)
