"""Follows deployments until every device is done or has failed: by the job of a group, by the device for a thing.

A group costs one call a look, however many devices it has; devices are asked one by one only where they failed.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.carrying_out import Made
from vedette.cloud.errors import AccessDeniedError, NotFoundError
from vedette.cloud.targets import Target

PERIOD_S: Final = 2.0
_MAX_REASONS: Final = 20
_DONE: Final = frozenset({"SUCCEEDED", "COMPLETED"})
_BAD: Final = frozenset({"FAILED", "REJECTED", "TIMED_OUT"})
_COUNTS: Final = {
    "numberOfSucceededThings": "succeeded",
    "numberOfFailedThings": "failed",
    "numberOfRejectedThings": "rejected",
    "numberOfTimedOutThings": "timed_out",
    "numberOfQueuedThings": "queued",
    "numberOfInProgressThings": "in_progress",
    "numberOfCanceledThings": "canceled",
    "numberOfRemovedThings": "removed",
}


class Outcome(Enum):
    """How a deployment ended, as far as it was followed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTLY = "partly"
    """Some devices failed, or the roll-out was stopped."""
    WAITING = "waiting"
    """Only devices that did not answer in time are left; they follow when they are back."""
    REPLACED = "replaced"
    """Another deployment to the same target came after it."""


@dataclass(frozen=True)
class Standing:
    """How a deployment stands: devices by state, and why some failed."""

    target: Target
    deployment_id: str
    counts: dict[str, int]
    failures: dict[str, str] = field(default_factory=dict)
    """Device -> reason."""
    outcome: Outcome | None = None

    @property
    def open(self) -> int:
        """Return how many devices are not done yet."""
        return self.counts.get("queued", 0) + self.counts.get("in_progress", 0)

    @property
    def bad(self) -> int:
        """Return how many devices failed."""
        return sum(self.counts.get(key, 0) for key in ("failed", "rejected", "timed_out"))

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "target": str(self.target),
            "deployment_id": self.deployment_id,
            "devices": {key: count for key, count in self.counts.items() if count},
            "failures": self.failures,
            **({"outcome": self.outcome.value} if self.outcome is not None else {}),
        }


def follow(
    cloud: Cloud,
    made: Sequence[Made],
    *,
    quiet_s: float,
    limit_s: float,
    wait: Callable[[float], object] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Standing]:
    """Give out how each deployment stands whenever that changes, and at last with its outcome.

    :param quiet_s: a deployment in which nothing moves for so long waits for devices that are away
    :param limit_s: how long to follow at most
    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    wait = wait or threading.Event().wait
    begun = clock()
    seen: dict[str, tuple[dict[str, int], float]] = {}
    open_ones = list(made)
    told: dict[str, set[str]] = {}
    while open_ones:
        still = []
        for item in open_ones:
            standing = standing_of(cloud, item, told.setdefault(item.deployment_id, set()))
            known, since = seen.get(item.deployment_id, ({}, clock()))
            if standing.counts != known:
                seen[item.deployment_id] = (standing.counts, clock())
            elif standing.outcome is None and (clock() - since > quiet_s or clock() - begun > limit_s):
                standing = _with(standing, Outcome.WAITING)
            if standing.outcome is not None or standing.counts != known or standing.failures:
                yield standing
            if standing.outcome is None:
                still.append(item)
        open_ones = still
        if open_ones:
            wait(PERIOD_S)


def _with(standing: Standing, outcome: Outcome) -> Standing:
    chosen = Outcome.PARTLY if standing.bad and outcome is Outcome.WAITING else outcome
    return Standing(standing.target, standing.deployment_id, standing.counts, standing.failures, chosen)


def standing_of(cloud: Cloud, made: Made, told: set[str] | None = None) -> Standing:
    """Return how a deployment stands now; one call, and some more where devices failed.

    :param told: devices whose failure is known already; those that are told now are added
    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    told = set() if told is None else told
    if made.job_id is None:
        return _of_thing(cloud, made)
    job = cloud.call("iot", "describe_job", jobId=made.job_id)["job"]
    details = job.get("jobProcessDetails", {})
    counts = {word: int(details.get(key, 0)) for key, word in _COUNTS.items()}
    standing = Standing(made.target, made.deployment_id, counts)
    if standing.bad > len(told):
        standing.failures.update(_reasons(cloud, made, told))
    if standing.open:
        return standing
    stopped = job.get("status") == "CANCELED" or counts["canceled"]
    if stopped and not standing.bad:
        return _with(standing, Outcome.REPLACED)
    if standing.bad and not counts["succeeded"]:
        return _with(standing, Outcome.FAILED)
    return _with(standing, Outcome.PARTLY if standing.bad or stopped else Outcome.SUCCEEDED)


def _reasons(cloud: Cloud, made: Made, told: set[str]) -> dict[str, str]:
    """Return devices that failed and have not been told of, with their reasons; a handful in all."""
    found: dict[str, str] = {}
    for status in sorted(_BAD):
        if len(told) >= _MAX_REASONS:
            break
        listed = cloud.call(
            "iot", "list_job_executions_for_job", jobId=made.job_id, status=status, maxResults=_MAX_REASONS
        ).get("executionSummaries", ())
        for item in listed:
            thing = item["thingArn"].rpartition("/")[2]
            if thing in told or len(told) >= _MAX_REASONS:
                continue
            told.add(thing)
            found[thing] = _reason(cloud, thing, made.deployment_id) or status.lower().replace("_", " ")
    return found


def _reason(cloud: Cloud, thing: str, deployment_id: str) -> str:
    effective = _effective(cloud, thing, deployment_id)
    return str(effective.get("reason") or "") if effective is not None else ""


def _effective(cloud: Cloud, thing: str, deployment_id: str) -> dict[str, Any] | None:
    try:
        listed = cloud.call(
            "greengrassv2", "list_effective_deployments", coreDeviceThingName=thing, maxResults=100
        ).get("effectiveDeployments", ())
    except (NotFoundError, AccessDeniedError):
        return None
    return next((item for item in listed if item["deploymentId"] == deployment_id), None)


def _of_thing(cloud: Cloud, made: Made) -> Standing:
    effective = _effective(cloud, made.target.name, made.deployment_id)
    status = effective["coreDeviceExecutionStatus"] if effective is not None else "QUEUED"
    word = "succeeded" if status in _DONE else status.lower()
    failures = {}
    outcome = None
    if status in _DONE:
        outcome = Outcome.SUCCEEDED
    elif status in _BAD:
        outcome = Outcome.FAILED
        failures[made.target.name] = str((effective or {}).get("reason") or word)
    elif status == "CANCELED":
        outcome = Outcome.REPLACED
    return Standing(made.target, made.deployment_id, {word: 1}, failures, outcome)
