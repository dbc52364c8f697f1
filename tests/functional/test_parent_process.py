"""Processes that must not outlive the one that started them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import eventually

pytestmark = pytest.mark.timeout(60)

CHILD = """
import os, signal, sys
from vedette.parent_process import end_with_parent
end_with_parent(int(sys.argv[1]) if sys.argv[1] else None)
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()) if sys.argv[2] == "known" else ""])
sys.stdin.read()
"""


def stopped_or_gone(pid: int) -> str:
    """Return the letter that the kernel has for what a process does; an empty text when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0].replace("Z", "")
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("parent", ["known", "not told"])
def test_a_stopped_process_outlives_its_parent(parent: str) -> None:
    command = [sys.executable, "-c", PARENT, CHILD, parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            pid = int(started.stdout.readline())
            eventually(lambda: stopped_or_gone(pid) == "T", "the process is stopped, and sees no end of input")
        finally:
            started.send_signal(signal.SIGKILL)
        eventually(lambda: stopped_or_gone(pid) == "", "the process ends with its parent")


def test_a_process_whose_parent_ended_while_it_was_starting_goes_on() -> None:
    # Process 1 stands for a parent that is gone: it is not the one that starts this.
    done = subprocess.run([sys.executable, "-c", CHILD, "1"], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "")
