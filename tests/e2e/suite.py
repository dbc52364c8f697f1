"""``vedette run`` as a process of its own, and what can be seen of it from outside."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from tests.waiting import eventually
from vedette.health import HealthDocument
from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError

from .leftovers import Leftovers

VEDETTE: Final = Path(sys.executable).with_name("vedette")
EXAMPLES: Final = Path(__file__).parents[2] / "examples"
STREET: Final = EXAMPLES / "media" / "street.mp4"
_FIRST_PICTURE_S: Final = 120.0
"""The first run on a machine downloads what the application requires."""
AT_MOST_S: Final = 15.0
"""For an end, on a machine that others keep busy: seconds, and far less than waiting for somebody would take."""

ROLES: Final[Mapping[str, str]] = {
    "camera worker": "-m vedette_camera_ingest.worker ",
    "camera ingest": "-m vedette_camera_ingest$",
    "model inference": "-m vedette_model_inference$",
    "display": "-m vedette_display$",
    "application host": "-m vedette_app_runtime run ",
    "sandbox": r"^\S*bwrap --args ",
    "application": r"^\S*python\S* /panorama/",
    "guard": "nucleus/guard_process.py ",
}
"""What a process is called here -> what its command line looks like."""


class Suite:
    """One ``vedette`` command that runs applications, with a registry of its own so that it finds itself alone."""

    def __init__(
        self,
        *arguments: str | Path,
        command: Path = VEDETTE,
        environ: Mapping[str, str] | None = None,
        registry: Path | None = None,
        bare: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Start it.

        :param arguments: of the command, from ``run`` or ``demo`` on
        :param environ: what its environment has beyond the one here, or, when ``bare``, all that it has
        :param folder: where it is started
        :param registry: XDG_RUNTIME_DIR of another suite, to share the registry of running instances with it
        """
        # Short: sockets lie in there.
        self.runtime = Path(tempfile.mkdtemp(prefix="vedette-e2e-", dir="/tmp"))
        self.registry = registry or self.runtime
        own = {"XDG_RUNTIME_DIR": str(self.registry), "NO_COLOR": "1", **(environ or {})}
        self.environ = own if bare else {**os.environ, **own}
        self.command = command
        self.leftovers = Leftovers()
        self._talk = self.runtime / "talk.txt"
        self.began = time.monotonic()
        with self._talk.open("w") as talk:
            self.process = subprocess.Popen(
                [str(command), *map(str, arguments)],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=talk,
                stderr=subprocess.STDOUT,
                cwd=folder or self.runtime,
                start_new_session=True,
            )

    @property
    def since_start_s(self) -> float:
        """Seconds since the command was started."""
        return time.monotonic() - self.began

    @property
    def talk(self) -> str:
        """What the command has written."""
        return self._talk.read_text(encoding="utf-8")

    @property
    def page(self) -> str:
        """Address of the page, as the command tells it."""
        found = re.search(r"page (http://\S+)", self.talk)
        assert found, f"no address of a page in:\n{self.talk}"
        return found[1]

    @property
    def folder(self) -> Path:
        """Folder of the run: its sockets, its entry in the registry."""
        entries = (self.registry / "vedette").glob("*/instance.json")
        return next(entry.parent for entry in entries if json.loads(entry.read_text())["pid"] == self.process.pid)

    @property
    def root(self) -> Path:
        """Folder that the run keeps its state in."""
        return Path(json.loads((self.folder / "instance.json").read_text())["root"])

    def health(self) -> HealthDocument:
        """Return the health document of this moment.

        :raises ControlError: when the command has only just begun
        """
        found = request(self.folder / "control.sock", "health", timeout_s=20.0)
        if found is None:
            raise ControlError("there is no health document yet")
        return HealthDocument.model_validate(found)

    def status(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``vedette status`` from another terminal."""
        return subprocess.run(
            [str(self.command), "status", *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def status_json(self) -> dict[str, Any]:
        """Return the health document that ``vedette status --json`` prints for the one run there is."""
        document = json.loads(self.status("--json").stdout)
        (instance,) = document["instances"]
        health: dict[str, Any] = instance["health"]
        return health

    def camera_states(self) -> dict[str, str]:
        """Return the state of each camera by its name; none while the command has only just begun."""
        try:
            return {camera.name: camera.state for camera in self.health().cameras}
        except (StopIteration, ControlError):
            return {}

    def wait_for_pictures(self, outputs: int = 1) -> "Suite":
        """Wait until so many outputs are live and the page's address has been told."""

        def live() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"ended with {self.process.returncode}:\n{self.talk}")
            try:
                found = [output for output in self.health().outputs if output.state == "live"]
            except (StopIteration, ControlError):
                return False
            return len(found) >= outputs and "page http" in self.talk

        eventually(live, f"{outputs} live outputs", within_s=_FIRST_PICTURE_S)
        return self

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the living processes of the run by what they are, parents first; others are left out."""
        found: dict[str, list[psutil.Process]] = {role: [] for role in ROLES}
        for process, command in self.commands().items():
            for role, pattern in ROLES.items():
                if re.search(pattern, command):
                    found[role].append(process)
        return found

    def commands(self) -> dict[psutil.Process, str]:
        """Return every living process of the run with its command line."""
        found = {}
        for process in self.tree():
            with contextlib.suppress(psutil.Error):
                found[process] = " ".join(process.cmdline())
        return found

    def pids(self) -> dict[str, list[int]]:
        """Return the process ids by what the processes are."""
        return {role: sorted(process.pid for process in some) for role, some in self.processes().items()}

    def tree(self) -> list[psutil.Process]:
        """Return every living process that descends from the command."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def logs(self) -> dict[str, str]:
        """Return the components' logs by component, and the command's own talk."""
        found = {path.stem: path.read_text(errors="replace") for path in (self.root / "logs").glob("*.log")}
        return {**found, "vedette": self.talk}

    def note_what_could_be_left(self) -> None:
        """Remember processes, sockets and folders of the running suite, to be looked for after its end."""
        self.leftovers.note(self.folder, self.root, [psutil.Process(self.process.pid), *self.tree()])

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> float:
        """Stop it as Ctrl-C does; return how long it took until the command had ended, s."""
        self.note_what_could_be_left()
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30.0)
        return time.monotonic() - began

    def close(self) -> None:
        """End it however it stands, and what is left of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20.0)
            except subprocess.TimeoutExpired:
                for process in self.tree():
                    process.kill()
                self.process.kill()
                self.process.wait(20.0)
