"""Carries deployments out: agreement, validation, configuration, components; and goes back to what was before.

The order is the Java nucleus's: resolve and unpack, ask components whether the update may come now, ask those whose
configuration changes whether they take it, set configuration, stop and start, tell that the update is over.
"""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.deployment import Deployment
from vedette.nucleus.errors import DeploymentCancelledError, NucleusError, NucleusStoppedError
from vedette.nucleus.ipc.component_updates import ComponentUpdates
from vedette.nucleus.ipc.configuration_validation import ConfigurationValidation
from vedette.nucleus.plan import ComponentPlan
from vedette.nucleus.planner import Draft, Planner
from vedette.nucleus.run_with import RunWith
from vedette.nucleus.state_store import Change, Deployed, SavedState, StateStore
from vedette.nucleus.supervisor import Supervisor

logger = logging.getLogger(__name__)

_APPLY_LIMIT_S: Final = 300.0
"""Components that stop and go may each take 120 s for their uninstall step."""
_POLL_S: Final = 0.1

Targets = Mapping[str, Mapping[str, str]]
"""Target -> its root components -> version or range."""


@dataclass(frozen=True)
class DeployedState:
    """What ran at one moment, complete enough to go back to it."""

    targets: Targets
    configuration: Mapping[str, Any]
    plans: Sequence[ComponentPlan]

    def saved(self) -> Deployed:
        """Return it as it is kept on disk."""
        return Deployed(
            targets=self.targets,
            versions={plan.name: plan.version for plan in self.plans},
            configuration=self.configuration,
            run_with={plan.name: asdict(plan.run_with) for plan in self.plans if plan.run_with != RunWith()},
        )


class Deployer:
    """Carries out one deployment at a time; the methods are called on threads other than the event loop's."""

    def __init__(
        self,
        *,
        planner: Planner,
        configuration: ConfigurationStore,
        supervisor: Supervisor,
        updates: ComponentUpdates,
        validation: ConfigurationValidation,
        loop: asyncio.AbstractEventLoop,
        stopped: threading.Event,
        kept: StateStore | None = None,
        applied: Callable[[Sequence[ComponentPlan]], None] = lambda _plans: None,
    ) -> None:
        """Begin with nothing deployed.

        :param stopped: set when the nucleus stops; a deployment in progress then ends with an error
        :param kept: where each deployment is written down before it is carried out
        :param applied: called with what runs, when components have been set going
        """
        self.targets: Targets = {}
        self._kept = kept
        self._applied = applied
        self._planner = planner
        self._configuration = configuration
        self._supervisor = supervisor
        self._updates = updates
        self._validation = validation
        self._loop = loop
        self._stopped = stopped
        self._one_at_a_time = threading.RLock()

    def deploy(self, deployment: Deployment) -> None:
        """Make the run what ``deployment`` says; returns when its components have been set going.

        :raises NucleusError: with every finding, before anything has changed
        """
        with self._one_at_a_time:
            self.carry_out(deployment, self.prepare(deployment))

    def state(self) -> DeployedState:
        """Return what runs now."""
        with self._one_at_a_time:
            return DeployedState(self.targets, self._configuration.snapshot(), self._supervisor.plans_in_order())

    def prepare(self, deployment: Deployment, cancelled: threading.Event | None = None) -> Draft:
        """Find everything a deployment needs, and ask the components; nothing has changed after it.

        :raises DeploymentCancelledError: when ``cancelled`` was set meanwhile
        :raises NucleusError: with every finding
        """
        draft = self._planner.draft(_roots(self._targets_with(deployment)))
        strangers = [
            name
            for name, component in deployment.components.items()
            if not component.root and name not in draft.resolution.recipes
        ]
        if strangers:
            raise NucleusError(
                *(f"{name} is not part of the deployment: its configuration cannot change" for name in strangers)
            )
        wait = cancelled or threading.Event()
        if deployment.notify_s is not None:
            self._wait_for(self._updates.agree(deployment.deployment_id, deployment.notify_s), wait)
        try:
            self._wait_for(
                self._validation.validate(
                    deployment.deployment_id, self._proposed(deployment, draft), deployment.validation_s
                ),
                wait,
            )
        except NucleusError:
            self._done(deployment)
            raise
        return draft

    def carry_out(self, deployment: Deployment, draft: Draft, before: DeployedState | None = None) -> None:
        """Set configuration, stop what goes or changes, start what is missing.

        :param before: where to go back to should the nucleus end before its components are up; ``confirm`` forgets it
        :raises NucleusError: if the components could not be set going; configuration has changed then
        """
        with self._one_at_a_time:
            changed = [] if not self._supervisor.plans() else list(self._proposed(deployment, draft))
            self._planner.note_configured(changed, deployment.deployment_id)
            self._planner.configure(draft, deployment.components, self._configuration)
            plans = self._planner.plans(draft, self._run_with(deployment))
            self._tell(deployment.deployment_id, plans)
            targets = self._targets_with(deployment)
            self._forget_others(plans)
            self._keep(plans, targets, deployment.deployment_id, before)
            self._apply(plans, targets)
        self._done(deployment)

    def confirm(self) -> None:
        """Take note that the components of the last deployment are up: there is no way back any more."""
        with self._one_at_a_time:
            plans = self._supervisor.plans_in_order()
            self._keep(plans, self.targets)
            self._planner.tidy(plans)

    def tidy(self) -> None:
        """Remove what the store has of components and versions that do not run."""
        with self._one_at_a_time:
            self._planner.tidy(self._supervisor.plans_in_order())

    def resume(self, deployed: Deployed, changes: Sequence[Change] = ()) -> None:
        """Make the run what was kept on disk, and carry out what components changed since.

        :raises NucleusError: if recipes or artifacts are not there any more; configuration is as it was kept
        """
        with self._one_at_a_time:
            self._configuration.restore(deployed.configuration)
            for change in changes:
                self._configuration.replay(change.component, change.path, change.value, change.stamp_ms)
            plans = self._planner.plans(
                self._planner.draft({name: [version] for name, version in deployed.versions.items()}),
                {name: RunWith(**entry) for name, entry in deployed.run_with.items()},
            )
            self._apply(plans, deployed.targets)

    def go_back(self, state: DeployedState) -> None:
        """Make the run what it was at an earlier moment.

        :raises NucleusError: if the components could not be set going
        """
        with self._one_at_a_time:
            self._configuration.restore(state.configuration)
            self._tell("rolled back", state.plans)
            self._keep(state.plans, state.targets)
            self._apply(state.plans, state.targets)

    def _apply(self, plans: Sequence[ComponentPlan], targets: Targets) -> None:
        future = asyncio.run_coroutine_threadsafe(self._supervisor.apply(plans), self._loop)
        try:
            future.result(_APPLY_LIMIT_S)
        except concurrent.futures.CancelledError as error:
            raise NucleusStoppedError("the nucleus was stopped during the deployment") from error
        except concurrent.futures.TimeoutError as error:
            raise NucleusError(f"the deployment was not carried out in {_APPLY_LIMIT_S:g} s") from error
        self.targets = targets
        self._forget_others(plans)
        self._applied(plans)

    def _tell(self, what: str, plans: Sequence[ComponentPlan]) -> None:
        """Log which versions change."""
        before = {name: plan.version for name, plan in self._supervisor.plans().items()}
        after = {plan.name: plan.version for plan in plans}
        for name in sorted(before.keys() | after.keys()):
            old, new = before.get(name, "none"), after.get(name, "none")
            if old != new:
                logger.info("deployment %s: %s %s -> %s", what, name, old, new)

    def _forget_others(self, plans: Sequence[ComponentPlan]) -> None:
        """Remove the configuration of components that are not among ``plans`` but were deployed."""
        for name in self._supervisor.plans().keys() - {plan.name for plan in plans}:
            self._configuration.remove(name)

    def _keep(
        self,
        plans: Sequence[ComponentPlan],
        targets: Targets,
        deployment_id: str = "",
        before: DeployedState | None = None,
    ) -> None:
        if self._kept is None:
            return
        self._planner.sync()
        with self._configuration.frozen():
            state = DeployedState(targets, self._configuration.snapshot(), plans)
            previous = None if before is None else before.saved()
            self._kept.save(SavedState(state.saved(), deployment_id, previous))

    def _run_with(self, deployment: Deployment) -> dict[str, RunWith]:
        found = {name: plan.run_with for name, plan in self._supervisor.plans().items()}
        for name, component in deployment.components.items():
            if component.run_with is not None:
                found[name] = component.run_with.applied(found.get(name, RunWith()))
        return found

    def _targets_with(self, deployment: Deployment) -> Targets:
        roots = {name: component.version for name, component in deployment.components.items() if component.root}
        return {**self.targets, deployment.group: roots}

    def _proposed(self, deployment: Deployment, draft: Draft) -> dict[str, dict[str, Any]]:
        """Return the new configuration of the components that keep their version and get another configuration."""
        trial = self._configuration.copy()
        self._planner.configure(draft, deployment.components, trial)
        proposed = {}
        for name, plan in self._supervisor.plans().items():
            recipe = draft.resolution.recipes.get(name)
            if recipe is None or recipe.component_version != plan.version:
                continue
            new = trial.find(name, ())
            if new != self._configuration.find(name, ()):
                proposed[name] = new
        return proposed

    def _wait_for(self, work: Coroutine[Any, Any, None], cancelled: threading.Event) -> None:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        while True:
            try:
                return future.result(_POLL_S)
            except concurrent.futures.TimeoutError:
                if self._stopped.is_set():
                    raise NucleusStoppedError("the nucleus was stopped during the deployment") from None
                if cancelled.is_set():
                    future.cancel()
                    raise DeploymentCancelledError("the deployment was cancelled") from None

    def _done(self, deployment: Deployment) -> None:
        if deployment.notify_s is not None and not self._stopped.is_set():
            self._loop.call_soon_threadsafe(self._updates.done, deployment.deployment_id)


def _roots(targets: Targets) -> dict[str, list[str]]:
    roots: dict[str, list[str]] = {}
    for components in targets.values():
        for name, requirement in components.items():
            roots.setdefault(name, []).append(requirement)
    return roots
