"""A component as it is to be run: its recipe's lifecycle with every variable filled in."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from vedette.nucleus.recipe import DEFAULT_TIMEOUTS_S, Lifecycle, Variables
from vedette.nucleus.run_with import RunWith

LITE_STEPS: Final = frozenset({"bootstrap", "install", "startup", "run"})
_INSTALL_STEPS: Final = ("bootstrap", "install")


@dataclass(frozen=True)
class PlannedStep:
    """A lifecycle step, ready to run; ``timeout_s`` None: no limit."""

    name: str
    script: str
    timeout_s: float | None
    environment: Mapping[str, str] = field(default_factory=dict)
    requires_privilege: bool = False
    skip_if: str | None = None


class Change(Enum):
    """What a new plan for a component that is there asks for."""

    NONE = "none"
    RESTART = "restart"
    REINSTALL = "reinstall"


@dataclass(frozen=True)
class ComponentPlan:
    """A component as it is to be run. ``content``: digest of its artifacts."""

    name: str
    version: str
    steps: Mapping[str, PlannedStep]
    work_folder: Path
    content: str = ""
    hard_dependencies: Sequence[str] = ()
    artifact_folders: Sequence[Path] = ()
    """What a user that it runs as must be able to read."""
    run_with: RunWith = field(default_factory=RunWith)
    exchanges_tokens: bool = False
    """Whether it depends on the token exchange service, and so may have AWS credentials."""
    configured_by: str = ""
    """The deployment that last changed its configuration, where such a change restarts it (nucleus lite)."""

    def change_from(self, old: "ComponentPlan") -> Change:
        """Tell what has to happen for ``old`` to become this: AWS's rules, plus artifacts rebuilt under one version."""
        if self.install_key != old.install_key:
            return Change.REINSTALL
        if (self.run_key, self.configured_by) != (old.run_key, old.configured_by):
            return Change.RESTART
        return Change.NONE

    @property
    def install_key(self) -> tuple[str, str, str, str]:
        """Return what a new installation depends on."""
        return self.version, self.content, self.run_with.posix_user, self._digest(install=True)

    @property
    def run_key(self) -> str:
        """Return what a restart depends on."""
        return self._digest(install=False)

    @property
    def bootstrap_key(self) -> str:
        """Return what another run of the bootstrap step depends on."""
        step = self.steps.get("bootstrap")
        return "" if step is None else _key([self.version, self.content, _content(step)])

    def _digest(self, *, install: bool) -> str:
        return _key(
            [_content(step) for name, step in sorted(self.steps.items()) if (name in _INSTALL_STEPS) is install]
        )


def _content(step: PlannedStep) -> list[object]:
    return [step.name, step.script, step.timeout_s, dict(step.environment), step.requires_privilege, step.skip_if]


def _key(content: list[object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plan_steps(lifecycle: Lifecycle, variables: Variables, *, lite: bool = False) -> dict[str, PlannedStep]:
    """Return the steps of ``lifecycle`` with recipe variables filled in.

    :param lite: leave out what nucleus lite does not do: shutdown, recover, uninstall, Skipif
    """
    planned: dict[str, PlannedStep] = {}
    for name, step in lifecycle.steps().items():
        if lite and name not in LITE_STEPS:
            continue
        environment = {**lifecycle.set_env, **step.set_env}
        planned[name] = PlannedStep(
            name=name,
            script=variables.render(step.script),
            timeout_s=step.timeout if step.timeout is not None else DEFAULT_TIMEOUTS_S.get(name),
            environment={key: variables.render(value) for key, value in environment.items()},
            requires_privilege=step.requires_privilege,
            skip_if=None if step.skip_if is None or lite else variables.render(step.skip_if),
        )
    return planned
