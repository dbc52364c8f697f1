"""The common main of a component's process::

    def main() -> None:
        raise SystemExit(run_component(work, name="vedette.CameraIngest"))

Exit codes: 0 stop was asked for; 1 failed, with the reason in the log; 3 the bus was lost, the nucleus starts it again.
"""

import faulthandler
import logging
import os
import queue
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from vedette import bus as bus_package
from vedette import logs
from vedette.bus.errors import BusError, BusLost, NotFound
from vedette.bus.interface import Bus
from vedette.bus.version import note_version

__all__ = ["EXIT_BUS_LOST", "EXIT_FAILED", "EXIT_STOPPED", "ComponentFailed", "run_component"]

_log = logging.getLogger(__name__)

EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1
EXIT_BUS_LOST: Final = 3
GOOD_WORK_S: Final = 10.0
"""After so long without an end a component reports that it runs."""
SHUTDOWN_S: Final = 2.5
"""How long ``main`` may take to return once stop is set; every process ends on SIGTERM in under 3 s."""
_LOOK_S: Final = 0.5
_MOST_FILES: Final = 1 << 20
_BY_NUCLEUS: Final = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
"""Set for components: the process works in its component's work folder."""

Main = Callable[[Bus, threading.Event], None]
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ComponentFailed(Exception):
    """Raised by a component's ``main`` when it cannot go on, with one sentence for the log; exit code 1."""


def run_component(
    main: Main,
    *,
    name: str,
    connect: Callable[[], Bus] = bus_package.connect,
    good_work_s: float = GOOD_WORK_S,
    shutdown_s: float = SHUTDOWN_S,
    exit_now: Callable[[int], object] = os._exit,
) -> int:
    """Run a component to its end and return the process's exit code. To be called on the main thread, once.

    ``main(bus, stop)`` works until ``stop`` is set, then returns within ``shutdown_s``; a main that does not is ended.
    ``stop`` is set on SIGTERM and SIGINT and when the bus is lost.

    :param name: the component's name, for the log
    :param exit_now: ends the process at once
    """
    logs.configure()
    # A core file would hold cameras' passwords and AWS credentials. What a component starts may raise it again.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # More than applications have, see the launcher of their sandbox.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _MOST_FILES)), hard))
    if _BY_NUCLEUS in os.environ:
        folder = Path(logs.FOLDER)
        logs.keep(folder)
        note_version(folder, Path.cwd().name, [os.environ.get("PYTHONPATH", ""), *sys.argv])
    life = _Life(name, good_work_s, shutdown_s, exit_now)
    previous = {number: signal.signal(number, life.on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    life.start()
    try:
        code = _run(main, life, connect)
    finally:
        life.finish()
        for number, handler in previous.items():
            signal.signal(number, handler)
    _log.info("%s ends with code %s", name, code)
    return code


class _Life:
    """Watches over one run, on a thread of its own: signals, the bus, good work, and a bounded end."""

    def __init__(self, name: str, good_work_s: float, shutdown_s: float, exit_now: Callable[[int], object]) -> None:
        self.stop = threading.Event()
        self.bus: Bus | None = None
        self.working_since = 0.0
        self._name = name
        self._good_work_s = good_work_s
        self._shutdown_s = shutdown_s
        self._exit_now = exit_now
        self._finished = threading.Event()
        # A signal handler may interrupt any line, one inside Event.set() too, and so must take no lock: SimpleQueue.put
        # is made for that, Event.set() is not.
        self._wake: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._watch, name="life", daemon=True)

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._wake.put(number)

    def start(self) -> None:
        self._thread.start()

    def begin(self, bus: Bus) -> None:
        self.working_since = time.monotonic()
        self.bus = bus

    def finish(self) -> None:
        self._finished.set()
        self._wake.put(0)
        self._thread.join(_LOOK_S * 2)

    @property
    def lost(self) -> bool:
        return self.bus is not None and self.bus.lost.is_set()

    def _watch(self) -> None:
        reported = False
        while not self._finished.is_set():
            try:
                number = self._wake.get(timeout=_LOOK_S)
            except queue.Empty:
                number = 0
            if number:
                _log.info("%s was asked to stop (%s)", self._name, signal.Signals(number).name)
                self.stop.set()
            if self.lost:
                self.stop.set()
            if self.stop.is_set():
                self._bound_the_end()
                return
            if self.bus is not None and not reported and time.monotonic() - self.working_since >= self._good_work_s:
                reported = True
                self._report(self.bus)

    def _report(self, bus: Bus) -> None:
        try:
            bus.report_running()
        except BusError as error:
            _log.warning("the nucleus could not be told that %s works: %s", self._name, error)

    def _bound_the_end(self) -> None:
        if self._finished.wait(self._shutdown_s):
            return
        _log.critical("%s did not stop within %s s and is ended; where its threads are:", self._name, self._shutdown_s)
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        sys.stdout.flush()
        # Without a bus there was no work yet that could have been in the way: the connection was still being made.
        self._exit_now(EXIT_BUS_LOST if self.lost else EXIT_FAILED if self.bus else EXIT_STOPPED)


def _run(main: Main, life: _Life, connect: Callable[[], Bus]) -> int:
    try:
        bus = connect()
    except BusError as error:
        _log.error("no connection to the nucleus: %s", error)
        return EXIT_BUS_LOST if isinstance(error, BusLost) else EXIT_FAILED
    try:
        _set_level(bus)
        life.begin(bus)
        main(bus, life.stop)
    except (BusError, ComponentFailed) as error:
        return _ending(life, error)
    except Exception:  # noqa: BLE001 -- the edge of the process
        _log.exception("failed")
        return EXIT_FAILED
    finally:
        bus.close()
    return _ending(life, None)


def _ending(life: _Life, error: Exception | None) -> int:
    if life.lost or isinstance(error, BusLost):
        _log.error("the connection to the nucleus is lost")
        return EXIT_BUS_LOST
    if isinstance(error, BusError) and life.stop.is_set():
        _log.debug("while stopping: %s", error)
        return EXIT_STOPPED
    if error is not None:
        _log.error("failed: %s", error)
        return EXIT_FAILED
    if not life.stop.is_set():
        _log.error("ended without being asked to")
        return EXIT_FAILED
    return EXIT_STOPPED


def _set_level(bus: Bus) -> None:
    try:
        level = str(bus.get_configuration(["logLevel"]).get("logLevel", "INFO")).upper()
    except NotFound:
        return
    if level not in _LEVELS:
        _log.warning("configuration key logLevel is %r, expected one of %s; INFO is used", level, ", ".join(_LEVELS))
        return
    logging.getLogger().setLevel(level)
