"""The whole suite under measurement: ``vedette run`` on the example, started and read from outside."""

import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Final, NamedTuple

import processes

from vedette.nucleus.control import request
from vedette.nucleus.errors import ControlError
from vedette.nucleus.instances import Instance, find_instances

EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "people-counter"
_START_S: Final = 240.0
_POLL_S: Final = 0.05
_CHANGE_S: Final = 10.0


class Reading(NamedTuple):
    """What a stretch of time gave. ``cpu_ms``: of all processes, a frame. ``shares``: the same, by process."""

    fps: float
    cpu_ms: float
    rss_mb: float
    pss_mb: float
    shares: dict[str, float]


class Suite:
    """Runs the example on a clip, as fast as it goes; a context manager.

    ``work`` keeps the copy of the example, and with it the application's environment, from one run to the next.
    """

    def __init__(self, work: Path, clip: Path, *, fast: bool = True, threads: int = 1, watch: bool = False) -> None:
        self.application = work / "people-counter"
        self._log = work / "run.log"
        pace = ["--fast"] if fast else []
        self._command = [
            *(sys.executable, "-m", "vedette.cli.main", "run", str(self.application)),
            *("--camera", f"camera_node={clip}", "--model-threads", str(threads), "--no-browser", "--port", "0"),
            *pace,
            *(["--watch"] if watch else []),
        ]
        self._instance: Instance | None = None

    def __enter__(self) -> "Suite":
        if not self.application.exists():
            shutil.copytree(EXAMPLE, self.application, ignore=shutil.ignore_patterns(".vedette"))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_for_frames()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def health(self) -> dict[str, Any]:
        """Return the health document."""
        if self._instance is None:
            self._instance = next((each for each in find_instances() if each.pid == self._process.pid), None)
        if self._instance is None:
            raise ControlError("the run is not in the registry yet")
        document: dict[str, Any] = request(self._instance.control_socket, "health")
        return document

    def read(self, seconds: float) -> Reading:
        """Measure from one status of the model to another, at least ``seconds`` later.

        Its count of calls stands for the application's frames (the example calls once a frame); statuses come once a
        second, so that only the moment of a change tells the exact time of a count.
        """
        before = self._next_count()
        time.sleep(seconds)
        after = self._next_count()
        frames, elapsed_s = after.calls - before.calls, after.at - before.at
        if frames <= 0:
            raise RuntimeError(f"the application made no frames in {elapsed_s:.0f} s; its run's output: {self._log}")
        used = {pid: after.cpu_s[pid] - before.cpu_s.get(pid, 0.0) for pid in after.cpu_s}
        shares: dict[str, float] = {}
        for pid, used_s in used.items():
            name = name_of(processes.command(pid))
            shares[name] = shares.get(name, 0.0) + used_s / frames * 1000
        memory = processes.memory(list(used))
        return Reading(frames / elapsed_s, sum(used.values()) / frames * 1000, memory.rss_mb, memory.pss_mb, shares)

    def memory_by_process(self) -> dict[str, processes.Memory]:
        """Return each process's memory, by what it is."""
        table: dict[str, processes.Memory] = {}
        for pid in processes.family(self._process.pid):
            name, used = name_of(processes.command(pid)), processes.memory([pid])
            known = table.get(name, processes.Memory(0.0, 0.0))
            table[name] = processes.Memory(known.rss_mb + used.rss_mb, known.pss_mb + used.pss_mb)
        return table

    def idle_cpu(self, seconds: float) -> float:
        """Return the share of a core that the whole suite uses."""
        pids = processes.family(self._process.pid)
        began, before = time.monotonic(), processes.cpu_s(pids)
        time.sleep(seconds)
        return (processes.cpu_s(pids) - before) / (time.monotonic() - began)

    def look(self, stop: threading.Event) -> threading.Thread:
        """Look at the first output as a browser would at a stream of pictures, until ``stop`` is set."""
        document = self.health()
        page, output = document["display"]["page"], document["outputs"][0]["output_id"]

        def take() -> None:
            with urllib.request.urlopen(f"{page}outputs/{output}.mjpg", timeout=10) as stream:
                while not stop.is_set() and stream.read(65536):
                    continue

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        return thread

    def _wait_for_frames(self) -> None:
        """Wait until the application makes frames; the first run of all prepares its environment."""
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"vedette run ended with code {self._process.returncode}; its output: {self._log}")
            try:
                models = self.health()["models"]
            except ControlError:
                models = []
            if models and models[0]["calls"] > 0:
                return
            time.sleep(0.3)
        raise RuntimeError(f"no frames within {_START_S:.0f} s; the run's output: {self._log}")

    def _next_count(self) -> "_Count":
        calls = self.health()["models"][0]["calls"]
        until = time.monotonic() + _CHANGE_S
        while time.monotonic() < until:
            time.sleep(_POLL_S)
            new = self.health()["models"][0]["calls"]
            if new != calls:
                members = processes.family(self._process.pid)
                return _Count(time.monotonic(), new, {pid: processes.cpu_s([pid]) for pid in members})
        raise RuntimeError(f"the application stands still; the run's output: {self._log}")


class _Count(NamedTuple):
    at: float
    calls: int
    cpu_s: dict[int, float]


_NAMES: Final = (
    ("vedette_camera_ingest.worker", "camera worker"),
    ("vedette_camera_ingest", "CameraIngest"),
    ("vedette_model_inference", "ModelInference"),
    ("vedette_app_runtime", "application host"),
    ("vedette_display", "Display"),
    ("bwrap", "bubblewrap"),
    ("guard_process", "nucleus guard"),
    ("vedette.cli", "command and nucleus"),
    ("application.py", "application"),
)


def name_of(command: str) -> str:
    """Return what a process of the suite is, by its command line."""
    return next((name for part, name in _NAMES if part in command), "other")
