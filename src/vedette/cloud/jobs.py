"""Jobs that vedette.DeviceMonitor does on devices: asked for, followed to their end, withdrawn."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from json import dumps
from typing import Any, Final, Literal

from vedette.cloud.access import Cloud
from vedette.cloud.errors import NotFoundError
from vedette.cloud.targets import Target

PERIOD_S: Final = 2.0
OPEN: Final = frozenset({"QUEUED", "IN_PROGRESS"})
Operation = Literal["REBOOT", "DOCTOR", "DIAGNOSTICS"]


class JobOutcome(Enum):
    """How a job ended, as far as it was followed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """On every device that has answered."""
    PARTLY = "partly"
    WAITING = "waiting"
    """None has failed, and some have not answered: they do it when they are back."""


@dataclass(frozen=True)
class JobExecution:
    """What one device makes of a job."""

    device: str
    status: str
    """As AWS IoT calls it: QUEUED, IN_PROGRESS, SUCCEEDED, FAILED, TIMED_OUT, REJECTED, REMOVED or CANCELED."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What the device told with its end."""

    @property
    def open(self) -> bool:
        """Whether more is to come."""
        return self.status in OPEN

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"device": self.device, "status": self.status, "details": dict(self.details)}


def create_job(
    cloud: Cloud,
    operation: Operation,
    targets: Iterable[Target],
    more: Mapping[str, Any] | None = None,
    token: str = "",
) -> str:
    """Ask devices to do something once, those that are away as soon as they are back; return the job's id.

    :param more: what the operation needs to know, as docs/guide/device-jobs.md has it
    :param token: the same one makes the same job, not a second one
    :raises CloudError: if AWS refuses
    """
    job_id = f"vedette-{operation.lower()}-{token or uuid.uuid4()}"
    cloud.call(
        "iot",
        "create_job",
        jobId=job_id,
        targets=[target.arn for target in targets],
        document=dumps({"operation": operation, **(more or {})}),
        description=f"{operation.capitalize()}, asked for by vedette",
    )
    return job_id


def cancel_job(cloud: Cloud, job_id: str) -> None:
    """Withdraw a job from the devices that have not begun it.

    :raises NotFoundError: if there is no such job
    :raises CloudError: if AWS refuses
    """
    cloud.call("iot", "cancel_job", jobId=job_id, comment="Withdrawn by vedette")


def job_executions(cloud: Cloud, job_id: str, known: Mapping[str, JobExecution] | None = None) -> list[JobExecution]:
    """Return what each device makes of a job, by name.

    :param known: of an earlier look: a device that had ended there is not asked about again
    :raises NotFoundError: if there is no such job
    :raises CloudError: if AWS does not answer
    """
    found = []
    for item in cloud.pages("iot", "list_job_executions_for_job", "executionSummaries", jobId=job_id):
        name, status = item["thingArn"].rpartition("/")[2], item["jobExecutionSummary"]["status"]
        before = (known or {}).get(name)
        if before is not None and before.status == status and not before.open:
            found.append(before)
            continue
        details = {} if status in OPEN else _details(cloud, job_id, name)
        found.append(JobExecution(name, status, details))
    return sorted(found, key=lambda execution: execution.device)


def follow_job(
    cloud: Cloud,
    job_id: str,
    *,
    limit_s: float,
    wait: Callable[[float], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[list[JobExecution]]:
    """Give out what all devices make of a job whenever that changes, until all have ended or the time is over.

    :raises NotFoundError: if there is no such job
    :raises CloudError: if AWS does not answer
    """
    wait = wait or threading.Event().wait
    begun = clock()
    known: dict[str, JobExecution] = {}
    while True:
        # Before the executions: those of a job that is over do not change any more.
        job = cloud.call("iot", "describe_job", jobId=job_id)["job"]
        found = job_executions(cloud, job_id, known)
        # AWS IoT tells late that a job is over; while it still looks for devices it names the targets.
        rolled_out = found and not job.get("jobProcessDetails", {}).get("processingTargets")
        over = job["status"] not in {"IN_PROGRESS", "SCHEDULED"} or (
            rolled_out and not any(execution.open for execution in found)
        )
        news = {execution.device: execution for execution in found}
        if news != known or over:
            yield found
        known = news
        if over or clock() - begun >= limit_s:
            return
        wait(PERIOD_S)


def outcome_of(executions: Iterable[JobExecution]) -> JobOutcome:
    """Return how a job ended: removed and withdrawn executions count as failed."""
    states = ["open" if e.open else "good" if e.status == "SUCCEEDED" else "bad" for e in executions]
    if "bad" in states:
        return JobOutcome.PARTLY if "good" in states or "open" in states else JobOutcome.FAILED
    return JobOutcome.WAITING if "open" in states or not states else JobOutcome.SUCCEEDED


def _details(cloud: Cloud, job_id: str, thing: str) -> dict[str, str]:
    try:
        answer = cloud.call("iot", "describe_job_execution", jobId=job_id, thingName=thing)
    except NotFoundError:
        return {}  # deleted meanwhile
    details: dict[str, str] = answer["execution"].get("statusDetails", {}).get("detailsMap", {})
    return details
