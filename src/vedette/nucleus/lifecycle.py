"""One component's life: install, wait for what it depends on, start, start again after errors, stop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from vedette.nucleus.bootstrapped import Bootstrapped
from vedette.nucleus.errors import LifecycleError
from vedette.nucleus.plan import ComponentPlan, PlannedStep
from vedette.nucleus.process import ScriptProcess, describe_exit
from vedette.nucleus.restarts import ErrorCount
from vedette.nucleus.states import READY, ComponentState, Move, after
from vedette.nucleus.steps import StepFailedError, StepRunner, first_of
from vedette.nucleus.view import ComponentView

logger = logging.getLogger(__name__)

STOP_GRACE_S: Final = 5.0
"""AWS's time between SIGTERM and SIGKILL."""
_REBOOT_CODE: Final = 101
_RESTART_CODE: Final = 100


class Tokens(Protocol):
    """Gives components their IPC tokens; the IPC server has one."""

    def issue(self, component: str) -> str:
        """Return a new token for ``component``."""

    def revoke(self, component: str) -> None:
        """Make the component's token worthless."""


Changed = Callable[["ComponentLifecycle", ComponentState, ComponentState], None]


class ComponentLifecycle:
    """Runs one component on the event loop; ``start`` and ``stop`` may follow one another any number of times."""

    def __init__(
        self,
        plan: ComponentPlan,
        *,
        runner: StepRunner,
        tokens: Tokens,
        bootstrapped: Bootstrapped,
        dependencies_ready: Callable[[], Awaitable[None]],
        changed: Changed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan = plan
        self._runner = runner
        self._tokens = tokens
        self._bootstrapped = bootstrapped
        self._dependencies_ready = dependencies_ready
        self._changed = changed
        self._errors = ErrorCount(clock)
        self._view = ComponentView(plan.name, plan.version, ComponentState.NEW, since=time.time())
        self._task: asyncio.Task[None] | None = None
        self._process: ScriptProcess | None = None
        self._token: str | None = None
        self._installed = False
        self._serial = asyncio.Lock()
        self._reported_good = asyncio.Event()
        self._reported_bad = asyncio.Event()

    @property
    def view(self) -> ComponentView:
        """Return the component as others see it."""
        return self._view

    @property
    def state(self) -> ComponentState:
        """Return the state."""
        return self._view.state

    @property
    def has_process(self) -> bool:
        """Tell whether there is a process to stop."""
        return self._process is not None

    async def start(self) -> None:
        """Begin, or begin again after ``stop``; returns at once."""
        async with self._serial:
            self._begin()

    def _begin(self) -> None:
        if self._task is not None:
            return  # it runs, or has finished or broken by itself: only a stop makes room for another start
        if self.state is ComponentState.FINISHED:
            self._move(Move.RETRY if self._installed else Move.REINSTALL)
        self._task = asyncio.create_task(self._run(), name=f"lifecycle-{self.plan.name}")
        self._task.add_done_callback(self._log_fault)

    async def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop: the shutdown step, SIGTERM, ``grace_s`` seconds, SIGKILL. Returns when nothing runs any more."""
        async with self._serial:
            await self._halt(grace_s)

    async def uninstall(self) -> None:
        """Run the uninstall step of a component that is stopped and goes; its failure changes nothing but the log."""
        async with self._serial:
            try:
                await self._last_words("uninstall", None)
            finally:
                self._revoke()

    async def restart(self, plan: ComponentPlan | None = None, *, reinstall: bool = False) -> None:
        """Stop and begin again, with a new plan if one is given; ``reinstall`` runs the install step again."""
        async with self._serial:
            await self._halt(STOP_GRACE_S)
            if plan is not None:
                self.plan = plan
            if reinstall:
                self._errors.clear()
                self._installed = False
                if self.state is not ComponentState.NEW:
                    self._move(Move.REINSTALL)
            self._view = replace(self._view, version=self.plan.version)
            if self.state is not ComponentState.BROKEN:
                self._begin()

    async def pause(self) -> None:
        """Halt every process of the component; it stays RUNNING.

        :raises LifecycleError: if it is not running
        """
        async with self._serial:
            if self.state is not ComponentState.RUNNING or self._process is None:
                raise LifecycleError(f"Component {self.plan.name} is not running")
            await self._process.pause()
            self._view = replace(self._view, paused=True)

    async def resume(self) -> None:
        """Let the component's processes go on.

        :raises LifecycleError: if it is not paused
        """
        async with self._serial:
            if not self._view.paused:
                raise LifecycleError(f"Component {self.plan.name} is not paused")
            await self._let_go_on()

    async def _let_go_on(self) -> None:
        if self._process is not None and self._process.paused:
            await self._process.resume()
        self._view = replace(self._view, paused=False)

    def adopt(self, plan: ComponentPlan) -> None:
        """Take over a plan that changes nothing for the running process but its limits."""
        limits, self.plan = self.plan.run_with, plan
        if self._process is not None and limits != plan.run_with:
            self._runner.limit(plan, self._process)

    def report(self, state: ComponentState) -> None:
        """Take note of what the component says of itself (UpdateState): RUNNING clears the errors, ERRORED is one."""
        if state is ComponentState.RUNNING:
            self._errors.clear()
            self._reported_good.set()
        elif state is ComponentState.ERRORED:
            self._reported_bad.set()

    async def _run(self) -> None:
        """Try until the component finishes, breaks, or is stopped (by cancelling this)."""
        while True:
            failed_in = self.state
            try:
                await self._run_once()
                return
            except StepFailedError as error:
                failed_in = self.state
                self._move(Move.FAIL, str(error))
            await self._end_process(STOP_GRACE_S)
            pause = self._errors.note(failed_in)
            await self._recover()
            if pause is None:
                self._move(Move.GIVE_UP, f"{self._view.detail}; given up after {self._errors.total} errors")
                return
            await asyncio.sleep(pause)
            self._view = replace(self._view, restarts=self._view.restarts + 1)
            self._move(Move.REINSTALL if failed_in is ComponentState.NEW else Move.RETRY, self._view.detail)

    def _log_fault(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: the nucleus itself failed", self.plan.name, exc_info=error)

    async def _run_once(self) -> None:
        """Bring the component up once; returns when it has finished.

        :raises StepFailedError: if a step fails, or the component reports an error
        """
        self._reported_good.clear()
        self._reported_bad.clear()
        self._token = self._token or self._tokens.issue(self.plan.name)
        if self.state is ComponentState.NEW:
            await self._install()
            self._installed = True
            self._move(Move.INSTALLED)
        await self._dependencies_ready()
        self._move(Move.START)
        if (step := self.plan.steps.get("startup")) is not None and not self._runner.skipped(step):
            await self._startup(step)
        elif (step := self.plan.steps.get("run")) is not None and not self._runner.skipped(step):
            await self._main(step)
        else:
            self._move(Move.COMPLETE)

    async def _install(self) -> None:
        for name in ("bootstrap", "install"):
            step = self.plan.steps.get(name)
            if step is None or self._runner.skipped(step):
                continue
            if name == "bootstrap" and self._bootstrapped.covers(self.plan):
                continue
            code = await self._brief(step)
            if name == "bootstrap" and code == _REBOOT_CODE:
                raise StepFailedError("bootstrap asks for a reboot, which the local nucleus does not do")
            if code != 0 and not (name == "bootstrap" and code == _RESTART_CODE):
                raise self._failure(step, code)
            if name == "bootstrap":
                self._bootstrapped.note(self.plan)

    async def _startup(self, step: PlannedStep) -> None:
        process = self._launch(step, linger=True)
        done = await first_of(step, process, self._reported_bad, self._reported_good)
        if done is process.exited and process.exited.result() != 0:
            raise self._failure(step, process.exited.result())
        self._move(Move.READY)
        if not process.exited.done():
            await first_of(replace(step, timeout_s=None), process, self._reported_bad)
            if process.exited.result() != 0:
                raise self._failure(step, process.exited.result())
        await self._reported_bad.wait()
        raise StepFailedError("the component reported that it is in error")

    async def _main(self, step: PlannedStep) -> None:
        process = self._launch(step)
        self._move(Move.READY)
        await first_of(step, process, self._reported_bad)
        code = process.exited.result()
        await process.drain()
        if code != 0:
            raise self._failure(step, code)
        self._drop_process(process)
        self._move(Move.COMPLETE)

    async def _brief(self, step: PlannedStep) -> int:
        """Run a step to its end and return its exit code."""
        process = self._launch(step)
        try:
            await first_of(step, process, self._reported_bad)
        except StepFailedError:
            await self._end_process(STOP_GRACE_S)
            raise
        await process.drain()
        self._drop_process(process)
        return process.exited.result()

    async def _recover(self) -> None:
        await self._last_words("recover", None)

    async def _last_words(self, name: str, limit_s: float | None) -> None:
        """Run the shutdown, recover or uninstall step; its failure changes nothing but the log."""
        step = self.plan.steps.get(name)
        if step is None or self._runner.skipped(step):
            return
        if limit_s is not None:
            step = replace(step, timeout_s=min(limit_s, step.timeout_s or limit_s))
        process: ScriptProcess | None = None
        self._token = self._token or self._tokens.issue(self.plan.name)
        try:
            process = self._runner.launch(self.plan, step, self._token)
            done, _ = await asyncio.wait([process.exited], timeout=step.timeout_s)
            if not done:
                logger.warning("%s: %s did not end in %s s", self.plan.name, name, step.timeout_s)
            elif process.exited.result() != 0:
                logger.warning("%s: %s %s", self.plan.name, name, describe_exit(process.exited.result()))
        except StepFailedError as error:
            logger.warning("%s: %s", self.plan.name, error)
        finally:
            if process is not None:
                await process.stop(0.0)
                self._runner.ended(process)

    async def _halt(self, grace_s: float) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        idle = self.state is ComponentState.NEW and self._process is None
        if not idle and self.state not in {ComponentState.FINISHED, ComponentState.BROKEN}:
            begun = time.monotonic()
            if self.state is not ComponentState.STOPPING:  # an earlier stop may have been interrupted
                self._move(Move.STOP)
            if self._process is not None:
                await self._let_go_on()
                await self._last_words("shutdown", grace_s)
            await self._end_process(max(grace_s - (time.monotonic() - begun), 0.0))
            self._move(Move.STOPPED)
        self._revoke()

    def _launch(self, step: PlannedStep, *, linger: bool = False) -> ScriptProcess:
        if self._token is None:
            self._token = self._tokens.issue(self.plan.name)
        self._process = self._runner.launch(self.plan, step, self._token, linger=linger)
        self._view = replace(self._view, pid=self._process.pid)
        return self._process

    async def _end_process(self, grace_s: float) -> None:
        process = self._process
        if process is not None:
            await process.stop(grace_s)
            self._drop_process(process)
        self._revoke()

    def _drop_process(self, process: ScriptProcess) -> None:
        self._runner.ended(process)
        if process is self._process:
            self._process = None
            self._view = replace(self._view, pid=None, paused=False)

    def _revoke(self) -> None:
        if self._token is not None:
            self._tokens.revoke(self.plan.name)
            self._token = None

    def _failure(self, step: PlannedStep, code: int) -> StepFailedError:
        last = self._runner.last_line(self.plan.name)
        heard = f"; last output: {last}" if last else ""
        return StepFailedError(f"{step.name} {describe_exit(code)}{heard}")

    def _move(self, move: Move, detail: str = "") -> None:
        old = self.state
        new = after(old, move)
        settled = detail if new not in READY else ""
        self._view = replace(self._view, state=new, since=time.time(), detail=settled)
        level = logging.WARNING if new in {ComponentState.ERRORED, ComponentState.BROKEN} else logging.INFO
        logger.log(level, "%s is %s%s", self.plan.name, new.value, f": {settled}" if settled else "")
        self._changed(self, old, new)
