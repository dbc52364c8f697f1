"""Turns what the nucleus tells into steps that a person can follow, until the first picture."""

import threading
import time
from collections import deque
from typing import Final

from vedette.application.installation import READY, WARNING
from vedette.cli.terminal import Terminal
from vedette.health import HealthDocument
from vedette.nucleus.events import ComponentOutput, ComponentStateChanged, Event
from vedette.nucleus.states import ComponentState

_KEPT_LINES: Final = 20
_SETTLED_S: Final = 3.0
_APPLICATION: Final = "vedette.app."
_SHOWN_WARNINGS: Final = 5


class Progress:
    """Listens to a nucleus. ``hear`` runs on the nucleus's thread, everything else on the command's."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._states: dict[str, tuple[ComponentState, str]] = {}
        self._last_lines: dict[str, deque[str]] = {}
        self._environments: dict[str, list[str]] = {}
        self._told: set[str] = set()
        self._begun = time.monotonic()
        self._shown_problems: dict[tuple[str, str], str] = {}
        self._told_errors: dict[str, int] = {}

    def hear(self, event: Event) -> None:
        """Take in one event; returns at once."""
        with self._lock:
            if isinstance(event, ComponentOutput):
                lines = self._last_lines.setdefault(event.component, deque(maxlen=_KEPT_LINES))
                lines.append(event.line)
                if event.component.startswith(_APPLICATION) and event.line.startswith((READY, WARNING)):
                    self._environments.setdefault(event.component, []).append(event.line)
            elif isinstance(event, ComponentStateChanged):
                self._states[event.component] = (event.new, event.detail)
                self._started.setdefault(event.component, time.monotonic())

    def last_lines(self, component: str) -> list[str]:
        """Return the newest lines a component printed."""
        with self._lock:
            return list(self._last_lines.get(component, ()))

    def broken(self) -> list[tuple[str, str]]:
        """Return the components that the nucleus has given up, and why."""
        with self._lock:
            return [(name, detail) for name, (state, detail) in self._states.items() if state is ComponentState.BROKEN]

    def tell(self, health: HealthDocument) -> bool:
        """Say what has been reached since the last call; True once the application is at work.

        That is when it has put a picture on an output, or has run for a while without (it may have no output).
        """
        self._tell_installation()
        for model in health.models:
            if model.state == "ready":
                took = f", loaded in {model.load_s:.1f} s" if model.load_s is not None else ""
                self._once(f"model {model.model_id}", "model", f"{model.name}{took} ({model.provider})")
        for camera in health.cameras:
            if camera.state == "live" and camera.width:
                rate = f", {camera.fps:.0f} fps" if camera.fps else ""
                facts = f"{camera.name}: {camera.codec or 'video'} {camera.source_width}x{camera.source_height}{rate}"
                self._once(f"camera {camera.camera_id}", "camera", facts)
        self._tell_problems(health)
        self._tell_ends(health)
        pictures = [output for output in health.outputs if output.last_frame_age_s is not None]
        if pictures:
            elapsed = time.monotonic() - self._begun
            self._once("picture", "first picture", f"{elapsed:.1f} s after start")
        silent = [each for each in health.applications if each.state == "running" and each.state_age_s >= _SETTLED_S]
        for application in silent if not pictures else ():
            self._once(
                f"running {application.instance}",
                "application",
                f"{application.instance} runs; no picture on an output yet",
            )
        return bool(pictures or silent)

    def _tell_installation(self) -> None:
        with self._lock:
            states = dict(self._states)
            lines = {name: self._last_lines[name][-1] for name in states if self._last_lines.get(name)}
            environments = {name: list(said) for name, said in self._environments.items()}
            started = dict(self._started)
        for name, (state, _) in states.items():
            if not name.startswith(_APPLICATION):
                continue
            elapsed = time.monotonic() - started[name]
            if state is ComponentState.NEW and elapsed > 1.0:
                self._terminal.waiting("environment", f"{elapsed:.0f} s  {lines.get(name, '')}"[:100])
            elif state in (ComponentState.STARTING, ComponentState.RUNNING):
                self._tell_environment(name, environments.get(name, []))

    def _tell_environment(self, name: str, said: list[str]) -> None:
        if f"environment {name}" in self._told:
            return
        self._once(f"environment {name}", "environment", "; ".join(_behind(READY, said)))
        warnings = _behind(WARNING, said)
        for warning in warnings[:_SHOWN_WARNINGS]:
            self._terminal.warn("environment", warning)
        if len(warnings) > _SHOWN_WARNINGS:
            self._terminal.warn("environment", f"{len(warnings) - _SHOWN_WARNINGS} more: vedette logs {name}")

    def _tell_problems(self, health: HealthDocument) -> None:
        present = {(problem.subject_id, problem.words): problem.subject for problem in health.problems}
        for problem in health.problems:
            if (problem.subject_id, problem.words) not in self._shown_problems:
                self._terminal.warn(problem.subject, f"{problem.title}. {problem.detail}".strip())
        still = {subject_id for subject_id, _ in present}
        for (subject_id, words), subject in self._shown_problems.items():
            if subject_id not in still:
                self._terminal.done(subject, f"no longer: {words}")
        self._shown_problems = present

    def _tell_ends(self, health: HealthDocument) -> None:
        """Tell of each end of an application once, also of one that nobody saw: the next start follows after 0.2 s."""
        for application in health.applications:
            told = self._told_errors.get(application.instance, 0)
            self._told_errors[application.instance] = application.errors
            seen = any(problem.subject_id == application.instance for problem in health.problems)
            if application.errors not in (0, told) and application.last_error and not seen:
                self._terminal.warn(application.instance, f"ended: {application.last_error}. It was started again")

    def _once(self, key: str, what: str, detail: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._terminal.done(what, detail)


def _behind(prefix: str, lines: list[str]) -> list[str]:
    return [line.removeprefix(prefix) for line in dict.fromkeys(lines) if line.startswith(prefix)]


def status_line(health: HealthDocument) -> str:
    """Return the state of the run in one line."""
    parts = [
        f"{camera.name} {camera.fps:.1f} fps" if camera.fps is not None else f"{camera.name} {camera.words}"
        for camera in health.cameras
    ]
    parts += [f"model {model.latency_ms:.1f} ms" for model in health.models if model.latency_ms is not None]
    for application in health.applications:
        rate = f"{application.fps:.1f} fps" if application.fps is not None else application.words
        parts.append(f"{application.instance} {rate}, {application.restarts} restarts")
    latencies = [output.latency_ms for output in health.outputs if output.latency_ms is not None]
    if latencies:
        parts.append(f"latency p95 {max(latencies):.0f} ms")
    viewers = health.display.viewers if health.display is not None else 0
    parts.append(f"{viewers} viewer{'' if viewers == 1 else 's'}")
    return "  " + ", ".join(parts)
