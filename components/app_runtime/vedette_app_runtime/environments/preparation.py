"""Preparing the environment of an application, once: what it asks for, resolved so that its imports work."""

import logging
import platform
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedette_app_runtime.environments.application import Application, has_screen_libraries, read_application
from vedette_app_runtime.environments.bytecode import compile_bytecode
from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.environments.errors import EnvironmentFailed, NoWorkingResolution, PackagesUnreachable
from vedette_app_runtime.environments.interpreter import Interpreter, choose_interpreter
from vedette_app_runtime.environments.known_breaks import WITH_SCREEN
from vedette_app_runtime.environments.proof import Outcome, Prover, prove
from vedette_app_runtime.environments.requirement import RequirementSet
from vedette_app_runtime.environments.resolver import Resolution, Resolver, bring_back
from vedette_app_runtime.environments.store import Store, candidate, link_names
from vedette_app_runtime.environments.strategies import Strategy, strategies
from vedette_app_runtime.environments.uv_command import LAST_LINES, Progress, Uv, UvFailed

logger = logging.getLogger(__name__)


def load(
    cache: Path, application_dir: Path | None = None, *, python: str | None = None, requirements: Path | None = None
) -> Environment | None:
    """Return an environment that was prepared earlier and is still whole; None if there is none.

    With ``application_dir``, the one that fits this application as it is now (after a rollback that may be an older
    one); without, the one prepared last. Touches no network and starts at most one short process.
    :raises EnvironmentFailed: if the application's requirements cannot be read.
    """
    store = Store(cache)
    if application_dir is None:
        return store.selected()
    application = read_application(application_dir, requirements)
    interpreter = choose_interpreter(python, Uv(cache, lambda _: None))
    return store.find(application.key(interpreter, screen=has_screen_libraries()))


def prepare(
    application_dir: Path,
    cache: Path,
    *,
    python: str | None = None,
    progress: Callable[[str], None],
    requirements: Path | None = None,
    stop: threading.Event | None = None,
    prover: Prover = prove,
) -> Environment:
    """Make the environment that the application needs, or return the one made before.

    :param application_dir: with ``panorama/`` (sources, ``requirements.txt``), ``Dockerfile``, ``wheels/``.
    :param cache: folder of this application's environments, on a disk that stays.
    :param python: entry path of the application's descriptor, such as ``python3.8``.
    :param progress: called with one line for every step that takes time.
    :param stop: ends the work within a second; :class:`EnvironmentFailed` is raised then.
    :raises EnvironmentFailed: with what failed and what to do; see the errors' module.
    """
    asked = stop or threading.Event()
    store = Store(cache)
    uv = Uv(store.cache, progress, asked)
    application = read_application(application_dir, requirements)
    interpreter = choose_interpreter(python, uv)
    screen = has_screen_libraries()
    key = application.key(interpreter, screen=screen)
    try:
        with store.locked(asked):
            ready = store.find(key)
            if ready is not None:
                store.select(key)
                return ready
            resolver = Resolver(uv, interpreter, application.wheels, screen=screen, folder=store.cache)
            return _Preparation(application, interpreter, resolver, store, uv, progress, prover).run(key)
    except OSError as error:
        raise EnvironmentFailed(
            f"cannot prepare an environment in {cache}: {error}; is the disk full or read-only?"
        ) from error


@dataclass
class _Preparation:
    application: Application
    interpreter: Interpreter
    resolver: Resolver
    store: Store
    uv: Uv
    progress: Progress
    prover: Prover
    added: RequirementSet | None = None
    """The requirements with what brings modules that no requirement does, as soon as one was missed."""

    def run(self, key: str) -> Environment:
        """Try the strategies in order.

        :raises PackagesUnreachable: if none worked and an index could not be reached.
        :raises NoWorkingResolution: if none worked.
        """
        wanted = self.application.wanted
        started = time.monotonic()
        self.progress(
            f"preparing an environment for {len(wanted.requirements)} requirements on {self.interpreter.name}"
        )
        folder = self.store.begin(key)
        failures: list[tuple[str, Sequence[str]]] = []
        broken: list[str] = []
        tried: set[tuple[str, ...]] = set()
        try:
            for strategy in strategies(bounded=wanted.bounded, wheels=self.application.wheels is not None):
                try:
                    done = self._try(self.added or wanted, strategy, folder, tried)
                except UvFailed as error:
                    failures.append((strategy.name, error.lines))
                    logger.debug("%s: %s", strategy.name, error)
                    continue
                if isinstance(done, list):
                    failures.append((strategy.name, done))
                    broken += [f"{strategy.name}: {line}" for line in done]
                    self.progress(f"{strategy.name}: {done[0]}")
                elif done is not None:
                    resolution, outcomes = done
                    warnings = self._warnings(resolution, outcomes)
                    self.progress(f"environment ready after {time.monotonic() - started:.0f} s ({strategy.name})")
                    return self.store.finish(
                        folder,
                        key,
                        prefixes=self.interpreter.prefixes,
                        summary=self._summary(strategy, resolution),
                        warnings=warnings,
                    )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise self._failure(failures, broken)

    def _try(
        self, wanted: RequirementSet, strategy: Strategy, folder: Path, tried: set[tuple[str, ...]]
    ) -> "tuple[Resolution, dict[str, Outcome]] | list[str] | None":
        """Try one: (resolution, outcomes) when the imports work, their errors when not, None when tried before."""
        resolution = self.resolver.resolve(wanted, strategy, self.application.imports.outdated)
        if resolution.lines in tried:
            return None
        tried.add(resolution.lines)
        outcomes = self._install(wanted, resolution, strategy, folder)
        gone = [
            outcome.missing
            for outcome in outcomes.values()
            if outcome.state in {"missing", "broken"} and outcome.missing
        ]
        more = bring_back(wanted, gone)
        if more is not None:
            self.added = more
            resolution = self.resolver.resolve(more, strategy, self.application.imports.outdated)
            outcomes = self._install(more, resolution, strategy, folder)
        broken = [
            f"import {module}: {outcome.message}" for module, outcome in outcomes.items() if outcome.state == "broken"
        ]
        return broken or (resolution, outcomes)

    def _install(
        self, wanted: RequirementSet, resolution: Resolution, strategy: Strategy, folder: Path
    ) -> dict[str, Outcome]:
        venv = folder / "venv"
        shutil.rmtree(venv, ignore_errors=True)
        self.uv(
            "making the environment", "venv", "--relocatable", "--python", str(self.interpreter.executable), str(venv)
        )
        link_names(venv / "bin")
        self.progress(f"installing {len(resolution.lines)} libraries {strategy.name}")
        self.resolver.install(resolution, wanted.options, strategy, venv / "bin/python")
        self.progress("compiling the libraries")
        compile_bytecode(self.interpreter.executable, venv)
        (folder / "resolved.txt").write_text("\n".join(resolution.lines) + "\n")
        modules = list(self.application.imports.modules)
        self.progress(f"trying {len(modules)} imports of the application")
        return self.prover(candidate(folder, self.interpreter.prefixes), self.application.sources, modules)

    def _summary(self, strategy: Strategy, resolution: Resolution) -> str:
        asked = self.application.wanted.names()
        names = asked | {WITH_SCREEN[name] for name in asked & WITH_SCREEN.keys()}
        main = [
            f"{name} {version}" for name, version in resolution.versions().items() if name in names or name == "numpy"
        ]
        more = [note for note in resolution.notes if "in place of" in note]
        parts = [
            f"{self.interpreter.name} ({self.interpreter.reason})",
            f"libraries {strategy.name}: {', '.join(main)}",
            *more,
            *(
                f"{name} added: the application imports it, and no requirement brings it"
                for name in self._added_names()
            ),
        ]
        return "; ".join(parts)

    def _added_names(self) -> list[str]:
        return [] if self.added is None else sorted(self.added.names() - self.application.wanted.names())

    def _warnings(self, resolution: Resolution, outcomes: dict[str, Outcome]) -> tuple[str, ...]:
        places = self.application.imports.modules
        warnings = list(resolution.relaxed)
        for module, outcome in outcomes.items():
            if outcome.state == "missing":
                warnings.append(
                    f"{places[module]} imports {module}, which none of the requirements brings; "
                    "add it to requirements.txt"
                )
            elif outcome.state == "hardware":
                warnings.append(
                    f"{places[module]} imports {module}, which needs hardware or a driver: {outcome.message}"
                )
        return (*warnings, *self.application.wanted.ignored, *self.application.imports.ignored)

    def _failure(self, failures: list[tuple[str, Sequence[str]]], broken: Sequence[str]) -> Exception:
        name, lines = failures[-1] if failures else ("nothing", ["no strategy applies"])
        said = "\n".join(f"  {line}" for line in (self.uv.unreachable or lines)[-LAST_LINES:])
        if broken:
            said += "\nwhat could be installed failed on import:\n" + "\n".join(f"  {line}" for line in broken)
        if self.uv.offline:
            return PackagesUnreachable(
                "the package index cannot be reached, and neither the cache nor bundled wheels hold what the "
                f"application needs. uv said:\n{said}\nhint: connect the machine once, or put wheels for "
                f"{self.interpreter.name} on {platform.machine()} into a folder wheels/ beside the application: "
                "pip download -r requirements.txt -d wheels"
            )
        tried = ", ".join(dict.fromkeys(name for name, _ in failures))
        return NoWorkingResolution(
            f"no set of libraries works for this application on {self.interpreter.name}; tried: {tried}. "
            f"Last messages ({name}):\n{said}\nhint: newer pins in requirements.txt, or an older Python on this "
            f"machine (the descriptor's path may name it, such as python3.10)"
        )
