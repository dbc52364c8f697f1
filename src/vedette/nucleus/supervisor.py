"""All components of a run: start order, HARD dependents that restart with what they depend on, stopping in time."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from vedette.nucleus.bootstrapped import Bootstrapped
from vedette.nucleus.events import ComponentStateChanged, Events
from vedette.nucleus.lifecycle import STOP_GRACE_S, ComponentLifecycle, Tokens
from vedette.nucleus.plan import Change, ComponentPlan
from vedette.nucleus.states import READY, ComponentState
from vedette.nucleus.steps import StepRunner
from vedette.nucleus.view import ComponentView

logger = logging.getLogger(__name__)

_KILL_RESERVE_S: Final = 0.8
"""Part of a deadline kept for SIGKILL and for reading the last output."""
_GONE: Final = frozenset({ComponentState.ERRORED, ComponentState.BROKEN})


class Supervisor:
    """Owns the lifecycles. Every method but ``views`` belongs to the event loop's thread."""

    def __init__(
        self,
        *,
        runner: StepRunner,
        tokens: Tokens,
        events: Events,
        bootstrapped: Bootstrapped,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.closing = False
        self._runner = runner
        self._tokens = tokens
        self._bootstrapped = bootstrapped
        self._events = events
        self._clock = clock
        self._lifecycles: dict[str, ComponentLifecycle] = {}
        self._order: Sequence[str] = ()
        self._views: Mapping[str, ComponentView] = {}
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._applying: asyncio.Task[Any] | None = None

    def views(self) -> list[ComponentView]:
        """Return every component in start order; may be called from any thread."""
        return list(self._views.values())

    def plans(self) -> dict[str, ComponentPlan]:
        """Return the plans that run now."""
        return {name: lifecycle.plan for name, lifecycle in self._lifecycles.items()}

    def plans_in_order(self) -> list[ComponentPlan]:
        """Return the plans that run now in start order."""
        return [self._lifecycles[name].plan for name in self._order if name in self._lifecycles]

    def report(self, component: str, state: ComponentState) -> None:
        """Take note of a component's UpdateState."""
        lifecycle = self._lifecycles.get(component)
        if lifecycle is not None:
            lifecycle.report(state)

    def restart_component(self, name: str) -> bool:
        """Begin to restart a component and those that HARD depend on it; False when a restart does not help it.

        :raises LookupError: if it is not there
        """
        lifecycle = self._lifecycles[name]
        if lifecycle.state is ComponentState.BROKEN or self.closing:
            return False
        self._spawn(self._restart_in_order(name))
        return True

    async def _restart_in_order(self, name: str) -> None:
        active = {ComponentState.STARTING, *READY}
        dependents = {key for key in self._hard_dependents({name}) if self._lifecycles[key].state in active}
        touched = {name, *dependents}
        await self._stop_in_order(touched, STOP_GRACE_S)
        for key in (key for key in self._order if key in touched):
            if self._lifecycles[key].state is not ComponentState.BROKEN:
                await self._lifecycles[key].start()

    def stop_component(self, name: str) -> None:
        """Begin to stop a component; it stays so until it is restarted or deployed again.

        :raises LookupError: if it is not there
        """
        self._spawn(self._lifecycles[name].stop())

    async def pause_component(self, name: str) -> None:
        """Halt every process of a component.

        :raises LookupError: if it is not there
        :raises LifecycleError: if it is not running
        """
        await self._lifecycles[name].pause()
        self._publish_views()

    async def resume_component(self, name: str) -> None:
        """Let the processes of a component go on.

        :raises LookupError: if it is not there
        :raises LifecycleError: if it is not paused
        """
        await self._lifecycles[name].resume()
        self._publish_views()

    async def apply(self, plans: Sequence[ComponentPlan]) -> None:
        """Make the run what ``plans`` (in start order) say: stop what goes or changes, then start what is missing."""
        self._applying = asyncio.current_task()
        try:
            await self._apply({plan.name: plan for plan in plans})
        finally:
            self._applying = None

    async def _apply(self, wanted: Mapping[str, ComponentPlan]) -> None:
        changes = {name: self._change(plan) for name, plan in wanted.items()}
        if self._tasks:
            await asyncio.wait(self._tasks)
        removed = [name for name in self._lifecycles if name not in wanted]
        touched = {*removed, *(name for name, change in changes.items() if change is not Change.NONE)}
        await self._stop_in_order(touched | self._hard_dependents(touched), STOP_GRACE_S)
        await asyncio.gather(*(self._lifecycles[name].uninstall() for name in removed))
        for name in removed:
            del self._lifecycles[name]
            self._bootstrapped.forget(name)
        self._order = tuple(wanted)
        for name, plan in wanted.items():
            lifecycle = self._lifecycles.get(name)
            if lifecycle is None:
                lifecycle = self._lifecycles[name] = self._new(plan)
                await lifecycle.start()
            elif changes[name] is Change.NONE:
                lifecycle.adopt(plan)
                await lifecycle.start()
            else:
                await lifecycle.restart(plan, reinstall=changes[name] is Change.REINSTALL)
        self._publish_views()

    async def stop(self, deadline_s: float) -> None:
        """Stop everything, dependents first, within ``deadline_s`` seconds."""
        self.closing = True
        pending = {*self._tasks, *([self._applying] if self._applying is not None else [])}
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
        await self._stop_in_order(set(self._lifecycles), deadline_s - _KILL_RESERVE_S)

    def _change(self, plan: ComponentPlan) -> Change:
        lifecycle = self._lifecycles.get(plan.name)
        if lifecycle is None:
            return Change.NONE
        if lifecycle.state in _GONE:
            return Change.REINSTALL
        return plan.change_from(lifecycle.plan)

    def _new(self, plan: ComponentPlan) -> ComponentLifecycle:
        return ComponentLifecycle(
            plan,
            runner=self._runner,
            tokens=self._tokens,
            bootstrapped=self._bootstrapped,
            dependencies_ready=lambda: self._dependencies_ready(plan.name),
            changed=self._changed,
            clock=self._clock,
        )

    async def _dependencies_ready(self, name: str) -> None:
        while not all(
            dependency.state in READY
            for dependency in map(self._lifecycles.get, self._lifecycles[name].plan.hard_dependencies)
            if dependency is not None
        ):
            woken = self._woken
            await woken.wait()

    def _changed(self, lifecycle: ComponentLifecycle, old: ComponentState, new: ComponentState) -> None:
        name = lifecycle.plan.name
        self._publish_views()
        self._woken.set()
        self._woken = asyncio.Event()
        self._events.emit(ComponentStateChanged(name, old, new, lifecycle.view.detail))
        if old in READY and new in _GONE and not self.closing:
            for dependent in self._hard_dependents({name}):
                if self._lifecycles[dependent].state in {ComponentState.STARTING, *READY}:
                    logger.info("%s restarts, because %s failed", dependent, name)
                    self._spawn(self._lifecycles[dependent].restart())

    def _publish_views(self) -> None:
        names = [*self._order, *(name for name in self._lifecycles if name not in self._order)]
        self._views = {name: self._lifecycles[name].view for name in names if name in self._lifecycles}

    def _hard_dependents(self, names: set[str]) -> set[str]:
        """Return the components that need one of ``names``, directly or through others."""
        found: set[str] = set()
        grew = True
        while grew:
            fresh = {
                name
                for name, lifecycle in self._lifecycles.items()
                if name not in found and not (names | found).isdisjoint(lifecycle.plan.hard_dependencies)
            }
            found |= fresh
            grew = bool(fresh)
        return found - names

    async def _stop_in_order(self, names: set[str], budget_s: float) -> None:
        """Stop components in rounds, each round those that nobody left depends on, sharing the time between rounds."""
        rounds = self._rounds(names)
        begun = time.monotonic()
        for number, stopping in enumerate(rounds):
            left = budget_s - (time.monotonic() - begun)
            busy = sum(any(self._lifecycles[name].has_process for name in later) for later in rounds[number:])
            grace = max(left, 0.0) / max(busy, 1)
            await asyncio.gather(*(self._lifecycles[name].stop(grace) for name in stopping))

    def _rounds(self, names: set[str]) -> list[set[str]]:
        left, rounds = set(names), []
        while left:
            needed = {key for name in left for key in self._lifecycles[name].plan.hard_dependencies}
            free = left - needed
            if not free:
                free = set(left)
            rounds.append(free)
            left -= free
        return rounds

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
