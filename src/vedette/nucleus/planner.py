"""Turns a deployment into component plans: resolves, unpacks, sets configuration, fills variables in."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vedette.nucleus.aws_components import PROVIDED, TOKEN_EXCHANGE, why_type_does_not_run
from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.deployment import ComponentDeployment
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.plan import ComponentPlan, plan_steps
from vedette.nucleus.recipe import (
    Artifact,
    Lifecycle,
    Platform,
    Recipe,
    Scope,
    Variables,
    interpolate_names,
    lifecycle_for,
)
from vedette.nucleus.resolution import Resolution, resolve
from vedette.nucleus.run_with import RunWith
from vedette.nucleus.store import ComponentStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Prepared:
    lifecycle: Lifecycle
    content: str


@dataclass(frozen=True)
class Draft:
    """A deployment of which everything is there: chosen recipes, unpacked artifacts. Nothing has changed yet."""

    resolution: Resolution
    prepared: Mapping[str, _Prepared]


class Planner:
    """Makes plans in three steps: ``draft`` finds everything, ``configure`` sets configuration, ``plans`` fills in."""

    def __init__(
        self,
        *,
        root: Path,
        store: ComponentStore,
        configuration: ConfigurationStore,
        thing_name: str,
        platform: Platform,
        lite: bool = False,
        lends: bool = False,
    ) -> None:
        """Prepare.

        :param lite: plan as nucleus lite does; a change of configuration by a deployment restarts a component
        :param lends: whether components that ask for AWS credentials get any
        """
        self._lite = lite
        self._lends = lends
        self._said = False
        self._configured_by: dict[str, str] = {}
        self._root = root
        self._store = store
        self._configuration = configuration
        self._thing_name = thing_name
        self._platform = platform

    def draft(self, roots: Mapping[str, Sequence[str]]) -> Draft:
        """Choose versions for ``roots`` (component -> version requirements) and unpack what they need.

        :raises NucleusError: with every finding
        """
        resolution = resolve({name: texts for name, texts in roots.items() if name not in PROVIDED}, self._store)
        findings: list[str] = []
        prepared: dict[str, _Prepared] = {}
        for name in resolution.order:
            result = self._prepare(resolution.recipes[name])
            if isinstance(result, _Prepared):
                prepared[name] = result
            else:
                findings += result
        if findings:
            raise NucleusError(*findings)
        return Draft(resolution, prepared)

    def configure(
        self, draft: Draft, changes: Mapping[str, ComponentDeployment], configuration: ConfigurationStore
    ) -> None:
        """Set the components' defaults and a deployment's changes in ``configuration``."""
        for name in draft.resolution.order:
            self._configure(draft.resolution.recipes[name], changes.get(name, ComponentDeployment()), configuration)

    def note_configured(self, names: Iterable[str], deployment_id: str) -> None:
        """Take note that a deployment changes the configuration of components."""
        if self._lite:
            self._configured_by.update(dict.fromkeys(names, deployment_id))

    def tidy(self, plans: Sequence[ComponentPlan]) -> None:
        """Remove from the store what no plan of ``plans`` needs, but what somebody put there."""
        self._store.tidy({(plan.name, plan.version) for plan in plans})

    def sync(self) -> None:
        """Wait until what plans need is on the disk."""
        self._store.sync()

    def plans(self, draft: Draft, run_with: Mapping[str, RunWith]) -> list[ComponentPlan]:
        """Return the plans in start order, filled in with the configuration of this moment."""
        return [
            replace(self._plan(name, draft.resolution, draft.prepared[name]), run_with=run_with.get(name, RunWith()))
            for name in draft.resolution.order
        ]

    def _prepare(self, recipe: Recipe) -> _Prepared | Sequence[str]:
        """Return lifecycle and content of a component, or what is wrong."""
        unfit = why_type_does_not_run(recipe.component_type)
        if unfit is not None:
            return [f"{recipe.component_name} is of type {recipe.component_type}: {unfit}"]
        try:
            lifecycle, artifacts = lifecycle_for(recipe, self._platform)
            content = self._store.prepare(recipe, _distinct(artifacts))
        except NucleusError as error:
            return error.findings
        if TOKEN_EXCHANGE in recipe.component_dependencies and not self._lends and not self._said:
            self._said = True
            logger.warning(
                "%s depends on %s: it gets no AWS credentials, as this nucleus was given none to lend "
                "(vedette nucleus start --credentials-of PROFILE)",
                recipe.component_name,
                TOKEN_EXCHANGE,
            )
        return _Prepared(lifecycle, content)

    def _configure(self, recipe: Recipe, change: ComponentDeployment, configuration: ConfigurationStore) -> None:
        name = recipe.component_name
        defaults = recipe.component_configuration.default_configuration
        configuration.set_defaults(name, self._interpolated(defaults))
        if change.merge or change.reset:
            configuration.apply(name, self._interpolated(change.merge), change.reset)

    def _interpolated(self, document: Mapping[str, object]) -> dict[str, object]:
        filled = interpolate_names(document, root=self._root, thing_name=self._thing_name)
        return dict(filled)

    def _plan(self, name: str, resolution: Resolution, prepared: _Prepared) -> ComponentPlan:
        recipe = resolution.recipes[name]
        dependencies = {
            key: self._scope(resolution.recipes[key])
            for key in recipe.component_dependencies
            if key in resolution.recipes
        }
        variables = Variables(
            own=self._scope(recipe), root=self._root, thing_name=self._thing_name, dependencies=dependencies
        )
        return ComponentPlan(
            name=name,
            version=recipe.component_version,
            steps=plan_steps(prepared.lifecycle, variables, lite=self._lite),
            work_folder=self._root / "work" / name,
            content=prepared.content,
            hard_dependencies=resolution.hard_dependencies(name),
            artifact_folders=(
                self._store.artifacts_folder(name, recipe.component_version),
                self._store.decompressed_folder(name, recipe.component_version),
            ),
            exchanges_tokens=TOKEN_EXCHANGE in recipe.component_dependencies,
            configured_by=self._configured_by.get(name, ""),
        )

    def _scope(self, recipe: Recipe) -> Scope:
        name, version = recipe.component_name, recipe.component_version
        return Scope(
            artifacts=self._store.artifacts_folder(name, version),
            decompressed=self._store.decompressed_folder(name, version),
            work=self._root / "work" / name,
            configuration=self._configuration.find(name, ()) or {},
        )


def _distinct(artifacts: Sequence[Artifact]) -> list[Artifact]:
    return list({artifact.uri: artifact for artifact in artifacts}.values())
