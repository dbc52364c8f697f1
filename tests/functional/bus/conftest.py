"""A local nucleus for the components' client: the IPC server in a process of its own, so that it can be killed."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from vedette.bus.greengrass import connect_to_nucleus
from vedette.bus.interface import Bus

NUCLEUS = Path(__file__).with_name("nucleus_process.py")


@dataclass
class NucleusProcess:
    """The process, and the environment that it would give each component."""

    process: "subprocess.Popen[str]"
    environments: Mapping[str, Mapping[str, str]]

    def ask(self, command: str) -> str:
        """Send one line, wait for the line that answers it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


@pytest.fixture
def nucleus_process() -> Iterator[NucleusProcess]:
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        process = subprocess.Popen(
            [sys.executable, str(NUCLEUS), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        environments = json.loads(process.stdout.readline())
        yield NucleusProcess(process, environments)
        process.kill()
        process.communicate(timeout=20)


@pytest.fixture
def buses(nucleus_process: NucleusProcess) -> Iterator[dict[str, Bus]]:
    """Connected buses of the components "one", "two" and "narrow" (which may do nothing)."""
    made = {name: connect_to_nucleus(5, nucleus_process.environments[name]) for name in ("one", "two", "narrow")}
    yield made
    for bus in made.values():
        bus.close()


@pytest.fixture
def environment() -> dict[str, str]:
    return dict(os.environ)
