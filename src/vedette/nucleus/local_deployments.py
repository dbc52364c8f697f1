"""Local deployments: asked for over IPC or by the command line, queued, carried out one after the other."""

import functools
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from vedette.nucleus.deploying import Deployer
from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.errors import (
    ConfigurationRejectedError,
    DeploymentCancelledError,
    LifecycleError,
    NucleusError,
    NucleusStoppedError,
    RecipeError,
    ResolutionError,
)
from vedette.nucleus.ipc.deployment_desk import ConfigurationChange, DeploymentRecord, LocalDeploymentRequest
from vedette.nucleus.run_with import RunWithChange
from vedette.nucleus.state_store import SavedState
from vedette.nucleus.states import ComponentState
from vedette.nucleus.store import ComponentStore
from vedette.nucleus.view import ComponentView

logger = logging.getLogger(__name__)

LOCAL_GROUP: Final = "LOCAL_DEPLOYMENT"
"""Target of local deployments without a group, as in the Java nucleus."""
_KEPT: Final = 100
_UP_LIMIT_S: Final = 3600.0
"""Components that are installed or keep failing come to an end by themselves; this is only the last resort."""
_SETTLED_S: Final = 1.0
"""The Java nucleus looks at the components once in this time."""
_STACKS: Final[Sequence[tuple[type[NucleusError], Sequence[str], Sequence[str]]]] = (
    (ConfigurationRejectedError, ("COMPONENT_CONFIGURATION_NOT_VALID",), ()),
    (ResolutionError, ("COMPONENT_VERSION_REQUIREMENTS_NOT_MET",), ("REQUEST_ERROR",)),
    (RecipeError, ("RECIPE_PARSE_ERROR",), ("COMPONENT_RECIPE_ERROR",)),
    (LifecycleError, ("COMPONENT_UPDATE_ERROR", "COMPONENT_BROKEN"), ("COMPONENT_ERROR",)),
)
"""Error -> the Java nucleus's error codes and types (its ``DeploymentErrorCode.java``)."""


class LocalDeployments:
    """Takes and carries out local deployments; methods may be called from any thread."""

    def __init__(
        self,
        *,
        deployer: Deployer,
        store: ComponentStore,
        wait_running: Callable[[Sequence[str], float], None],
        views: Callable[[], Sequence[ComponentView]],
        records: Sequence[DeploymentRecord] = (),
        changed: Callable[[Sequence[DeploymentRecord]], None] = lambda _records: None,
        rolls_back: bool = True,
        runs_with: bool = False,
    ) -> None:
        """Start to work.

        :param wait_running: waits until components are up; LifecycleError when one breaks
        :param views: returns every component
        :param records: deployments of earlier runs
        :param changed: called with all records after every change
        :param rolls_back: False for nucleus lite, which never does
        :param runs_with: whether components can run as other users and within limits
        """
        self._deployer = deployer
        self._store = store
        self._wait_running = wait_running
        self._views = views
        self._closing = threading.Event()
        self._changed = changed
        self._rolls_back = rolls_back
        self._runs_with = runs_with
        self._records = {record.deployment_id: record for record in records}
        self._cancelled: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="deployments", daemon=True)
        self._thread.start()

    # -- DeploymentDesk

    def create(self, request: LocalDeploymentRequest) -> str:
        """Queue a deployment and return its id."""
        deployment_id = str(uuid.uuid4())
        with self._lock:
            self._records[deployment_id] = DeploymentRecord(deployment_id, created_ms=time.time_ns() // 1_000_000)
            self._cancelled[deployment_id] = threading.Event()
            for oldest in [key for key in self._records if key not in self._cancelled][: len(self._records) - _KEPT]:
                del self._records[oldest]
        self._changed(self.records())
        self._queue.put(lambda: self._guarded(deployment_id, lambda: self._one(deployment_id, request)))
        return deployment_id

    def take_up(self, saved: SavedState) -> None:
        """Go on with what a nucleus before this one left: its last deployment is judged, the others have failed.

        Call it once, when what ``saved`` says has been started again.
        """
        for record in self.records():
            if record.status not in {"QUEUED", "IN_PROGRESS"}:
                continue
            if record.deployment_id == saved.deployment_id:
                self._cancelled[record.deployment_id] = threading.Event()
                self._queue.put(functools.partial(self._guarded, record.deployment_id, lambda: self._judge(saved)))
            else:
                error = NucleusError("the nucleus ended before the deployment was carried out")
                self._fail(record.deployment_id, error, "FAILED_NO_STATE_CHANGE")

    def find(self, deployment_id: str) -> DeploymentRecord | None:
        """Return a deployment, None when there is none of that id."""
        with self._lock:
            return self._records.get(deployment_id)

    def records(self) -> Sequence[DeploymentRecord]:
        """Return every deployment that is remembered, oldest first."""
        with self._lock:
            return list(self._records.values())

    def cancel(self, deployment_id: str) -> bool:
        """Ask for a deployment to be cancelled; False when it has finished. LookupError when there is none."""
        with self._lock:
            if deployment_id not in self._records:
                raise LookupError(deployment_id)
            event = self._cancelled.get(deployment_id)
            if event is None:
                return False
            event.set()
            return True

    def artifacts_inside(self, folder: str) -> bool:
        """Tell whether the store of artifacts lies in ``folder``."""
        return self._store.artifacts.resolve().is_relative_to(Path(folder).resolve())

    def later(self, job: Callable[[], None]) -> None:
        """Do something when no local deployment is under way."""
        self._queue.put(job)

    def abandon(self) -> None:
        """Leave a deployment that waits for its components to the next start of the nucleus."""
        self._closing.set()

    def close(self, timeout_s: float = 1.0) -> None:
        """Take no more deployments."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(timeout_s)

    # -- carrying out

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if self._closing.is_set():
                return
            try:
                job()
            except NucleusError as error:
                logger.warning("%s", error)

    def _guarded(self, deployment_id: str, job: Callable[[], None]) -> None:
        try:
            job()
        except NucleusStoppedError:
            logger.info("deployment %s goes on when the nucleus starts again", deployment_id)
        except Exception:  # the next deployment must not suffer from a fault in this one
            logger.exception("deployment %s failed inside the nucleus", deployment_id)
            self._end(deployment_id, status="FAILED", cause="the nucleus itself failed; its log says why")

    def _one(self, deployment_id: str, request: LocalDeploymentRequest) -> None:
        cancelled = self._cancelled[deployment_id]
        if cancelled.is_set():
            self._end(deployment_id, status="CANCELED")
            return
        self._note(deployment_id, status="IN_PROGRESS")
        before = self._deployer.state()
        try:
            self._store.add(request.recipe_folder, request.artifact_folder)
            deployment = self._deployment(deployment_id, request)
            draft = self._deployer.prepare(deployment, cancelled)
        except DeploymentCancelledError:
            self._end(deployment_id, status="CANCELED")
            return
        except NucleusError as error:
            self._fail(deployment_id, error, "FAILED_NO_STATE_CHANGE")
            return
        roll_back = request.roll_back and self._rolls_back
        try:
            self._deployer.carry_out(deployment, draft, before if roll_back else None)
            self._wait_settled(draft.resolution.order)
        except NucleusStoppedError:
            raise
        except NucleusError as error:
            if not roll_back:
                self._fail(deployment_id, error, "FAILED_ROLLBACK_NOT_REQUESTED")
                return
            names = [plan.name for plan in before.plans]
            detail = self._roll_back(deployment_id, lambda: self._deployer.go_back(before), names)
            self._fail(deployment_id, error, detail)
            return
        self._deployer.confirm()
        self._end(deployment_id, status="SUCCEEDED", detail="SUCCESSFUL")

    def _judge(self, saved: SavedState) -> None:
        """Bring a deployment to its end whose nucleus was gone before its components were up."""
        previous = saved.previous
        try:
            self._wait_settled(list(saved.deployed.versions))
        except NucleusStoppedError:
            raise
        except NucleusError as error:
            if previous is None:
                self._fail(saved.deployment_id, error, "FAILED_ROLLBACK_NOT_REQUESTED")
                return

            def go_back() -> None:
                self._deployer.resume(previous)
                self._deployer.confirm()

            detail = self._roll_back(saved.deployment_id, go_back, list(previous.versions))
            self._fail(saved.deployment_id, error, detail)
            return
        self._deployer.confirm()
        self._end(saved.deployment_id, status="SUCCEEDED", detail="SUCCESSFUL")

    def _wait_settled(self, names: Sequence[str]) -> None:
        """Wait until components are up and have been so for a moment: a script that fails at once was RUNNING too."""
        while True:
            try:
                self._wait_running(names, _UP_LIMIT_S)
            except NucleusError as error:
                if self._closing.is_set():
                    raise NucleusStoppedError("the nucleus was stopped during the deployment") from error
                raise
            running = [view for view in self._views() if view.name in names and view.state is ComponentState.RUNNING]
            left = max((_SETTLED_S - (time.time() - view.since) for view in running), default=0.0)
            if left <= 0:
                return
            if self._closing.wait(min(left, _SETTLED_S)):
                raise NucleusStoppedError("the nucleus was stopped during the deployment")

    def _roll_back(self, deployment_id: str, go_back: Callable[[], None], names: Sequence[str]) -> str:
        logger.warning("deployment %s failed; what ran before comes back", deployment_id)
        try:
            go_back()
            self._wait_settled(names)
            self._deployer.tidy()
        except NucleusStoppedError:
            raise
        except NucleusError as error:
            logger.warning("deployment %s could not be rolled back: %s", deployment_id, error)
            return "FAILED_UNABLE_TO_ROLLBACK"
        return "FAILED_ROLLBACK_COMPLETE"

    def _deployment(self, deployment_id: str, request: LocalDeploymentRequest) -> Deployment:
        if request.run_with and not self._runs_with:
            logger.warning(
                "runWith of %s is not applied: components run as the nucleus's own user, without limits; that takes a "
                "nucleus that runs as root (nucleus lite has no runWith for components)",
                ", ".join(sorted(request.run_with)),
            )
        group = request.target or (f"thinggroup/{request.group}" if request.group else LOCAL_GROUP)
        before = {} if request.whole else self._deployer.targets.get(group, {})
        roots = {
            name: version
            for name, version in {**before, **request.add}.items()
            if name not in request.remove or name in request.add
        }
        unknown = sorted((request.configuration.keys() | request.run_with.keys()) - roots.keys())
        try:
            return Deployment(
                deployment_id=deployment_id,
                group=group,
                notify_s=request.notify_s,
                validation_s=request.validation_s,
                components={
                    name: _component(
                        roots.get(name),
                        request.configuration.get(name),
                        request.run_with.get(name) if self._runs_with else None,
                    )
                    for name in (*roots, *unknown)
                },
            )
        except ValidationError as error:
            findings = [f"{'/'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
            raise NucleusError(*findings) from error

    def _fail(self, deployment_id: str, error: NucleusError, detail: str) -> None:
        codes, types = next(((codes, types) for kind, codes, types in _STACKS if isinstance(error, kind)), ((), ()))
        self._end(
            deployment_id,
            status="FAILED",
            detail=detail,
            cause=str(error),
            error_stack=("DEPLOYMENT_FAILURE", *codes),
            error_types=tuple(types),
        )

    def _end(self, deployment_id: str, **changes: Any) -> None:
        with self._lock:
            self._cancelled.pop(deployment_id, None)
        self._note(deployment_id, **changes)

    def _note(self, deployment_id: str, **changes: Any) -> None:
        with self._lock:
            record = self._records[deployment_id] = replace(self._records[deployment_id], **changes)
        logger.info("deployment %s is %s%s", deployment_id, record.status, f": {record.cause}" if record.cause else "")
        self._changed(self.records())


def _component(
    version: str | None, change: ConfigurationChange | None, run_with: RunWithChange | None
) -> ComponentDeployment:
    change = change or ConfigurationChange()
    return ComponentDeployment(
        version=version or "*",
        merge=change.merge,
        reset=list(change.reset),
        root=version is not None,
        run_with=run_with,
    )
