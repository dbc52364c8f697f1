"""From requirements to exact releases for one interpreter, by asking uv."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vedette_app_runtime.environments.building import Building
from vedette_app_runtime.environments.interpreter import Interpreter
from vedette_app_runtime.environments.known_breaks import (
    BUILT_FOR_HOURS,
    BUILT_IN_IMAGES,
    MISSING_MODULES,
    TAKEN_OUT,
    WITH_SCREEN,
    constraints_for,
)
from vedette_app_runtime.environments.requirement import Requirement, RequirementSet, parse_line
from vedette_app_runtime.environments.strategies import Strategy
from vedette_app_runtime.environments.uv_command import Uv, UvFailed

BASE: Final = "numpy"
"""What the appliance's image always held, besides the SDK."""

_EXACT: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


@dataclass(frozen=True)
class Resolution:
    """Exact releases, and how they came about."""

    lines: tuple[str, ...]
    """``name==version``, or ``name @ address``."""
    notes: tuple[str, ...] = ()
    """What was held back or put in another's place, a sentence each."""
    relaxed: tuple[str, ...] = ()
    """Which pins were not kept, a sentence each."""

    def versions(self) -> dict[str, str]:
        """Return name -> version of what has one."""
        return {match[1]: match[2] for line in self.lines if (match := _EXACT.match(line))}


class Resolver:
    """Resolves and installs for one interpreter. ``wheels`` is the application's own folder of wheels, if any."""

    def __init__(self, uv: Uv, interpreter: Interpreter, wheels: Path | None, *, screen: bool, folder: Path) -> None:
        """``folder``: what a library's build script may write to."""
        self._folder = folder
        self._uv = uv
        self._interpreter = interpreter
        self._wheels = wheels
        self._screen = screen

    def resolve(
        self, wanted: RequirementSet, strategy: Strategy, outdated: Mapping[str, str] | None = None
    ) -> Resolution:
        """Find exact releases for ``wanted``.

        :param outdated: what the application calls of what libraries have taken out, and where
        :raises UvFailed: if there are none, or an index cannot be reached.
        """
        if strategy.relax != "none":
            from vedette_app_runtime.environments.relax import relax

            wanted, relaxed = relax(wanted, self, everything=strategy.relax == "all")
        else:
            relaxed = ()
        requirements, notes = self._without_screen(wanted.requirements)
        if BASE not in {requirement.name for requirement in requirements}:
            requirements = [*requirements, parse_line(BASE, "base")]
        constraints: list[str] = []
        for what, place in (outdated or {}).items() if strategy.constrain else ():
            constraint, reason = TAKEN_OUT[what]
            constraints.append(constraint)
            notes = [*notes, f"{constraint} for {place}: {reason}"]
        while True:
            resolution = self.compile(requirements, wanted.options, strategy, constraints)
            needed = constraints_for(resolution.versions()) if strategy.constrain else []
            fresh = {entry.constraint: entry for entry in needed if entry.constraint not in constraints}
            if not fresh:
                break
            constraints += fresh
            notes += [f"{entry.constraint} for {entry.distribution}: {entry.reason}" for entry in fresh.values()]
        lines = tuple(self._line_without_screen(line) for line in resolution.lines)
        return replace(resolution, lines=lines, notes=tuple(notes), relaxed=relaxed)

    def compile(
        self,
        requirements: Sequence[Requirement],
        options: Sequence[str],
        strategy: Strategy,
        constraints: Sequence[str] = (),
        *extra: str,
    ) -> Resolution:
        """Ask uv once. ``extra`` are more of its options.

        :raises UvFailed: if there is no solution, or an index cannot be reached.
        """
        with tempfile.TemporaryDirectory(prefix="vedette-resolve-") as folder:
            # A file, mode 0600 in a folder of mode 0700: an index's address may hold a password.
            wanted = Path(folder) / "requirements.txt"
            wanted.write_text("\n".join([*options, *(requirement.line() for requirement in requirements)]) + "\n")
            words = ["pip", "compile", "--no-header", "--no-annotate", "--python", str(self._interpreter.executable)]
            if constraints:
                limits = Path(folder) / "constraints.txt"
                limits.write_text("\n".join(constraints) + "\n")
                words += ["--constraints", str(limits)]
            if strategy.date is not None:
                words += ["--exclude-newer", strategy.date]
            output = self._reaching(
                lambda: self._uv(
                    "resolving libraries",
                    *words,
                    *self._sources(strategy),
                    *extra,
                    str(wanted),
                    building=self._building(strategy, Path(folder)),
                )
            )
        lines = tuple(line for line in output.splitlines() if line and not line.startswith(("#", "-", " ")))
        return Resolution(lines)

    def install(self, resolution: Resolution, options: Sequence[str], strategy: Strategy, python: Path) -> None:
        """Install exactly ``resolution`` into the environment of ``python``; its modules are not compiled.

        :raises UvFailed: if a release cannot be had or built.
        """
        with tempfile.TemporaryDirectory(prefix="vedette-install-") as folder:
            exact = Path(folder) / "resolved.txt"
            exact.write_text("\n".join([*options, *resolution.lines]) + "\n")
            # uv would compile with the new environment's Python, which runs what libraries put into .pth files.
            words = ["pip", "install", "--no-deps", "--no-compile-bytecode", "--python", str(python), "-r", str(exact)]
            self._reaching(
                lambda: self._uv(
                    "installing libraries",
                    *words,
                    *self._sources(strategy),
                    building=self._building(strategy, Path(folder)),
                )
            )

    def _building(self, strategy: Strategy, lists: Path) -> Building | None:
        if not strategy.build:
            return None
        wheels = () if self._wheels is None else (self._wheels,)
        return Building((lists, *wheels, *self._interpreter.prefixes), self._folder)

    def _sources(self, strategy: Strategy) -> list[str]:
        words = [] if self._wheels is None else ["--find-links", str(self._wheels)]
        if strategy.bundled:
            words.append("--no-index")
        if not strategy.build:
            return [*words, "--only-binary", ":all:"]
        return words + [word for name in BUILT_FOR_HOURS for word in ("--only-binary", name)]

    def _reaching(self, ask: Callable[[], str]) -> str:
        """Ask uv; when an index cannot be reached, ask again for what the cache holds, and go on like that."""
        try:
            return ask()
        except UvFailed as error:
            if not error.network or self._uv.offline:
                raise
            self._uv.offline = True
            self._uv.unreachable = error.lines
            return ask()

    def _without_screen(self, requirements: Sequence[Requirement]) -> tuple[list[Requirement], list[str]]:
        if self._screen:
            return list(requirements), []
        replaced = [
            requirement for requirement in requirements if requirement.name in WITH_SCREEN and not requirement.url
        ]
        notes = [
            f"{WITH_SCREEN[requirement.name]} in place of {requirement.name}: the same modules without libGL, "
            "which is not here"
            for requirement in replaced
        ]
        return [
            requirement.named(WITH_SCREEN[requirement.name]) if requirement in replaced else requirement
            for requirement in requirements
        ], notes

    def _line_without_screen(self, line: str) -> str:
        """Do the same for what a library asked for; both are published with the same releases."""
        match = _EXACT.match(line)
        if self._screen or match is None or match[1] not in WITH_SCREEN:
            return line
        return f"{WITH_SCREEN[match[1]]}=={match[2]}"


def bring_back(wanted: RequirementSet, missing: Sequence[str]) -> RequirementSet | None:
    """Return ``wanted`` with what brings modules that no requirement does; None when nothing is to be added.

    Those are modules that Python itself once had, and those that the application's image had compiled.
    """
    known = {**MISSING_MODULES, **BUILT_IN_IMAGES}
    lines = [known[name] for top in missing if (name := top.partition(".")[0]) in known]
    added = [
        requirement
        for line in dict.fromkeys(lines)
        if (requirement := parse_line(line, "base")).name not in wanted.names()
    ]
    return RequirementSet([*wanted.requirements, *added], wanted.options, wanted.ignored) if added else None
