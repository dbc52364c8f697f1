"""The deployment that changes the device now or changed it last, from the two that tell a component of it.

The nucleus announces that components are about to change, and that it is over (not on nucleus lite, and not how it
ended). AWS IoT's jobs, with which thing groups are deployed to, tell name, state and reason on every nucleus. Not
thread-safe, no I/O.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from vedette.application.log_streams import OCC_LOG
from vedette.log_events import STREAM, about
from vedette.messages import DeploymentState, DeploymentStatus
from vedette.redaction import redact

logger = logging.getLogger(__name__)

LINGER_S: Final = 60.0
"""How long the end of a deployment is told to the page and the screen; the health document keeps it."""
_STATES: Final = {
    "QUEUED": DeploymentState.QUEUED,
    "IN_PROGRESS": DeploymentState.IN_PROGRESS,
    "SUCCEEDED": DeploymentState.SUCCEEDED,
    "FAILED": DeploymentState.FAILED,
    "REJECTED": DeploymentState.FAILED,
    "TIMED_OUT": DeploymentState.FAILED,
    "CANCELED": DeploymentState.CANCELED,
    "REMOVED": DeploymentState.CANCELED,
}
"""States of a job's execution."""
_REASONS: Final = ("deployment-failure-cause", "detailed-deployment-status")
"""Keys of the details that the nucleus gives with a job's end. Source: the Java nucleus's ``DeploymentResult``."""


class Deployments:
    """The newest deployment known."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """``wall``: the Unix time."""
        self._wall = wall
        self._by_job = False
        """Whether ``status`` is of a job: its states say more than announcements."""
        self.status: DeploymentStatus | None = None
        """None: none was heard of since this process started."""

    def announced(self, deployment_id: str, *, begins: bool) -> None:
        """Take in what the nucleus announces."""
        if self._by_job and self.status is not None and self.status.state.under_way:
            return  # the job of it says how it ends
        if not begins and self._by_job and self.status is not None and self.status.deployment_id == deployment_id:
            return  # it has said so
        self._by_job = False
        self._set(deployment_id, "", DeploymentState.IN_PROGRESS if begins else DeploymentState.DONE, "")

    def job(self, execution: Mapping[str, Any]) -> bool:
        """Take in a job's execution; False where it is no deployment, or one that has become another's affair.

        Of one that has ended only the id and the state are needed, as long as it was heard of before.
        """
        document, job_id = execution.get("jobDocument"), execution.get("jobId")
        state = _STATES.get(str(execution.get("status")))
        if not isinstance(job_id, str) or state is None:
            return False
        name = ""
        if isinstance(document, Mapping):
            if "configurationArn" not in document:
                return False
            name = str(document.get("deploymentName") or "")[:256]
        elif self.status is None or self.status.deployment_id != job_id:
            return False
        else:
            name = self.status.name
        details = execution.get("statusDetails")
        reasons = [str(details[key]) for key in _REASONS if key in details] if isinstance(details, Mapping) else []
        detail = redact(reasons[0])[:300] if reasons and state is DeploymentState.FAILED else ""
        self._by_job = True
        self._set(job_id, name, state, detail)
        return True

    @property
    def to_tell(self) -> DeploymentStatus | None:
        """Return the status while others want to show it."""
        status = self.status
        if status is None or (not status.state.under_way and self._wall() - status.since > LINGER_S):
            return None
        return status

    def _set(self, deployment_id: str, name: str, state: DeploymentState, detail: str) -> None:
        before = self.status
        if before is not None and (before.deployment_id, before.state) == (deployment_id, state):
            return
        self.status = DeploymentStatus(
            deployment_id=deployment_id, name=name, state=state, since=self._wall(), detail=detail
        )
        words = f"{state.value}{': ' if detail else ''}{detail}"
        called = f"{name} {deployment_id}".strip()
        logger.info("deployment %s: %s", called, words, extra=about(STREAM, OCC_LOG))
