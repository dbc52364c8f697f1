"""Launches lifecycle steps: environment, folder, output, the guard's knowledge of them."""

import asyncio
import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from vedette.nucleus.accounts import Account, find_account
from vedette.nucleus.environment import CREDENTIALS, with_token
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.limits import ControlGroups
from vedette.nucleus.lines import ComponentLog
from vedette.nucleus.plan import ComponentPlan, PlannedStep
from vedette.nucleus.process import PROCESS_MARKER, ScriptProcess

_JOIN: Final = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 126; shift; done; shift; exec "$@"'
"""Writes its number into the files named before ``--``, then becomes the command after it."""
_OWN_FOLDERS: Final = ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME")
"""Of the nucleus's user; another user has no business there."""
_LAST_LINE_LENGTH: Final = 200
_ERROR_LEVELS: Final = (" ERROR ", " CRITICAL ")


class StepFailedError(Exception):
    """A step that could not be started, ended with an error, or took too long; the text says which."""


class SessionRecorder(Protocol):
    """Is told of sessions; ``Guard`` is one."""

    def record(self, leader: int, start: int) -> None:
        """Take note of a session."""

    def forget(self, leader: int) -> None:
        """Nothing is left of a session."""


class StepRunner:
    """Starts the scripts of every component of a run, on the event loop's thread."""

    def __init__(
        self,
        *,
        run_id: str,
        environment: Mapping[str, str],
        logs: Path,
        guard: SessionRecorder,
        output: Callable[[str, str, str], None],
        credentials: str | None = None,
        groups: ControlGroups | None = None,
        reached: Sequence[Path] = (),
    ) -> None:
        """Prepare.

        :param environment: what every process gets
        :param output: told (component, stream, line)
        :param credentials: address of the token exchange, for components that depend on it
        :param groups: limits memory and CPU; without it nothing is limited
        :param reached: folders that every component must be able to enter
        """
        self._groups = groups
        self._reached = reached
        self._credentials = credentials
        self._run_id = run_id
        self._environment = environment
        self._logs = logs
        self._guard = guard
        self._output = output
        self._numbers = itertools.count(1)
        self._components: dict[int, str] = {}
        self._files: dict[str, ComponentLog] = {}
        self._last_lines: dict[str, str] = {}
        self._last_errors: dict[str, str] = {}

    def launch(self, plan: ComponentPlan, step: PlannedStep, token: str, *, linger: bool = False) -> ScriptProcess:
        """Start a step in the component's work folder.

        :raises StepFailedError: if it cannot be started, needs privileges that this nucleus does not have, or is to
            run as a user that is not there or cannot reach its folders
        """
        if step.requires_privilege and os.geteuid() != 0:
            raise StepFailedError(
                f"{step.name} has RequiresPrivilege, but the local nucleus does not run as root; "
                "run it as root, or take RequiresPrivilege out of the recipe"
            )
        lent = {} if self._credentials is None or not plan.exchanges_tokens else {CREDENTIALS: self._credentials}
        environment = {
            **with_token(self._environment, token),
            **lent,
            **step.environment,
            PROCESS_MARKER: f"{self._run_id}/{plan.name}/{step.name}/{next(self._numbers)}",
        }
        self._last_lines.pop(plan.name, None)
        self._last_errors.pop(plan.name, None)
        try:
            plan.work_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            behind = self._within_limits(plan)
            if plan.run_with.posix_user:
                account = self._account(plan)
                if not step.requires_privilege:
                    behind += account.command()
                    for name in _OWN_FOLDERS:
                        environment.pop(name, None)
                    environment.update({**account.environment(), **step.environment})
            process = ScriptProcess(
                step.script,
                environment=environment,
                folder=plan.work_folder,
                sink=lambda stream, line: self._line(plan.name, stream, line),
                linger=linger,
                behind=behind,
            )
        except (OSError, ValueError, NucleusError) as error:
            raise StepFailedError(f"{step.name} cannot be started: {error}") from error
        self._guard.record(process.pid, process.start)
        self._components[process.pid] = plan.name
        return process

    def ended(self, process: ScriptProcess) -> None:
        """Nothing is left of a process."""
        process.close()
        self._guard.forget(process.pid)
        component = self._components.pop(process.pid, None)
        if self._groups is not None and component is not None:
            self._groups.remove(component)

    def limit(self, plan: ComponentPlan, process: ScriptProcess) -> None:
        """Bring a running process within the limits of a plan that changes nothing else for it."""
        if self._groups is None:
            return
        for file in self._groups.limit(plan.name, plan.run_with):
            for pid in process.family():
                with contextlib.suppress(OSError):  # it has just ended
                    file.write_text(str(pid), encoding="ascii")

    def _within_limits(self, plan: ComponentPlan) -> list[str]:
        files = () if self._groups is None else self._groups.limit(plan.name, plan.run_with)
        return ["/bin/sh", "-c", _JOIN, "sh", *map(str, files), "--"] if files else []

    def _account(self, plan: ComponentPlan) -> Account:
        """Return the user that a component is to run as, who owns its folders and can enter them from now on."""
        account = find_account(plan.run_with.posix_user)
        parents = {folder.parent for folder in (plan.work_folder, *plan.artifact_folders)}
        for folder in parents:
            if folder.is_dir():
                folder.chmod(folder.stat().st_mode | 0o011)
        # As on a device: a component's work folder is its user's alone, now that others may enter the one above it.
        for folder in plan.work_folder.parent.iterdir():
            if folder.is_dir() and not folder.is_symlink():
                with contextlib.suppress(FileNotFoundError):  # of a component that is just being removed
                    folder.chmod(0o700)
        account.take_over((plan.work_folder, *plan.artifact_folders))
        for folder in (*self._reached, plan.work_folder):
            closed = account.first_closed(folder)
            if closed is not None:
                raise NucleusError(
                    f"user {account.name} may not enter {closed}: put the nucleus where every user may enter, "
                    "such as --root /greengrass/v2"
                )
        return account

    def last_line(self, component: str) -> str:
        """Return the line that says most about the step's end, shortened: the last of level ERROR or above.

        Without such a line it is the last one printed (a traceback ends with the exception), or an empty text.
        """
        return self._last_errors.get(component) or self._last_lines.get(component, "")

    def skipped(self, step: PlannedStep) -> bool:
        """Tell whether the step's ``Skipif`` holds: ``onpath PROGRAM`` or ``exists FILE``, negated by ``!``."""
        if step.skip_if is None:
            return False
        condition = step.skip_if.strip()
        negated = condition.startswith("!")
        kind, _, what = condition.removeprefix("!").strip().partition(" ")
        if kind.lower() == "onpath":
            holds = shutil.which(what.strip(), path=self._environment.get("PATH")) is not None
        else:
            holds = Path(what.strip()).exists()
        return holds != negated

    def _line(self, component: str, stream: str, line: str) -> None:
        if line.strip():
            told = line.strip()[:_LAST_LINE_LENGTH]
            self._last_lines[component] = told
            if any(level in told for level in _ERROR_LEVELS):
                self._last_errors[component] = told
        log = self._files.get(component)
        if log is None:
            log = self._files[component] = ComponentLog(self._logs / f"{component}.log")
        log.write(stream, line)
        self._output(component, stream, line)


async def first_of(
    step: PlannedStep, process: ScriptProcess, bad: asyncio.Event, good: asyncio.Event | None = None
) -> "asyncio.Future[int] | None":
    """Wait for the process's end, a report (``bad``, ``good``) or the step's time limit, whichever comes first.

    Returns the process's future if it ended, None for a good report.

    :raises StepFailedError: on a report of an error and at the time limit
    """
    reports = [asyncio.ensure_future(event.wait()) for event in (bad, good) if event is not None]
    waiting: set[asyncio.Future[Any]] = {process.exited, *reports}
    try:
        done, _ = await asyncio.wait(waiting, timeout=step.timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for report in reports:
            report.cancel()
    if reports[0] in done:
        raise StepFailedError("the component reported that it is in error")
    if not done:
        raise StepFailedError(f"{step.name} did not end in {step.timeout_s:g} s")
    return process.exited if process.exited in done else None
