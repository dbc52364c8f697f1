"""Carries a plan out. Every step may be repeated: cut off anywhere and begun again, it ends in the same state.

Deployments of one target come from one writer at a time. CreateDeployment knows no condition, so whoever wants to
replace a deployment first claims the target in the bucket, in a document that is written under a condition. A claim
that was left behind is taken over by the same change at once, by another after a while.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import Bucket, Progress
from vedette.cloud.errors import AlreadyThereError, CloudError, PreconditionError
from vedette.cloud.planning import Current, Plan, TargetPlan, current_of, read_current
from vedette.cloud.publishing import Publication, publish, retag
from vedette.cloud.records import keep_records
from vedette.cloud.secret_values import write_secrets
from vedette.cloud.targets import Target

CLAIM_S: Final = 120.0
"""How long a claim holds that nobody has finished."""
_NAMESPACE: Final = uuid.UUID("d8b0f7c2-6c8e-5f39-8f5b-0a4a1f0b5c55")
_ROUNDS: Final = 5


@dataclass(frozen=True)
class Made:
    """A deployment that was created."""

    target: Target
    deployment_id: str
    revision: int
    job_id: str | None

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "target": str(self.target),
            "deployment_id": self.deployment_id,
            "revision": self.revision,
            **({"job_id": self.job_id} if self.job_id else {}),
        }


class Told(Protocol):
    """Hears how carrying out goes."""

    @property
    def uploaded(self) -> Progress:
        """Is called with how many bytes are up, of how many."""

    def published(self, item: Publication) -> None:
        """Hear of a version that was made."""

    def wrote_secret(self, name: str) -> None:
        """Hear of a secret that was written."""

    def deployed(self, made: Made) -> None:
        """Hear of a deployment that was created."""


def carry_out(
    cloud: Cloud,
    bucket: Bucket,
    plan: Plan,
    replan: Callable[[Target, Current | None, Mapping[str, str]], TargetPlan],
    told: Told,
    *,
    now: Callable[[], float] = time.time,
) -> list[Made]:
    """Publish, write secrets, keep records, create deployments; return the deployments that were created.

    :param replan: works a target out again from what it has, with the secrets' ARNs: ``planning.plan_target``
    :raises AlreadyThereError: if somebody else changes a target at the same time, or has since the plan
    :raises CloudError: if AWS refuses; what is done stays done, and running it again goes on
    """
    publish(cloud, bucket, plan.to_publish, told.uploaded, told=told.published)
    retag(cloud, plan.to_tag)
    arns = write_secrets(cloud, plan.secrets)
    for secret in plan.to_write:
        told.wrote_secret(secret.name)
    todo = [item for item in plan.targets if item.changed]
    if not (todo or plan.to_tag):
        return []
    if not bucket.exists():
        bucket.make()
    # Before the deployments: were it after them, a run that begins again would find no change and write no record.
    keep_records(bucket, plan, arns)
    made = []
    for item in todo:
        # The ARNs of secrets that the plan was to create are known only now.
        fresh = replan(item.target, item.current, arns)
        made.append(deploy_target(cloud, bucket, fresh, lambda target, current: replan(target, current, arns), now))
        told.deployed(made[-1])
    return made


def token_of(plan: TargetPlan) -> str:
    """Return the token of a change: equal for equal changes of the same deployment."""
    before = plan.current.deployment_id if plan.current is not None else ""
    content = json.dumps([plan.target.arn, before, plan.components, plan.policies, plan.job], sort_keys=True)
    return str(uuid.uuid5(_NAMESPACE, hashlib.sha256(content.encode()).hexdigest()))


def deploy_target(
    cloud: Cloud,
    bucket: Bucket,
    plan: TargetPlan,
    replan: Callable[[Target, Current | None], TargetPlan],
    now: Callable[[], float] = time.time,
) -> Made:
    """Create one target's deployment, as the only writer.

    :raises AlreadyThereError: if somebody else changes the target at the same time, or has since the plan
    :raises CloudError: if AWS refuses
    """
    key = f"targets/{plan.target.kind}/{plan.target.name}.json"
    token = token_of(plan)
    version = _claim(cloud, bucket, key, plan, token, now)
    latest = read_current(cloud, plan.target)
    if _id(latest) != _id(plan.current):
        _release(bucket, key, version, token, _id(latest), now)
        raise _overtaken(plan, latest)
    made = _create(cloud, plan, token)
    # Somebody who does not know of claims, in the console, may have been between the look and the creation.
    for _ in range(_ROUNDS):
        between = _predecessor(cloud, made)
        if _id(between) == _id(plan.current):
            break
        plan = replan(plan.target, between)
        made = _create(cloud, plan, token_of(plan))
    _release(bucket, key, version, token, made.deployment_id, now)
    return made


def _create(cloud: Cloud, plan: TargetPlan, token: str) -> Made:
    content: dict[str, Any] = {
        "targetArn": plan.target.arn,
        "deploymentName": plan.name,
        "components": plan.components,
        "deploymentPolicies": plan.policies,
        "clientToken": token,
    }
    if plan.job and plan.target.kind == "thinggroup":
        content["iotJobConfiguration"] = plan.job
    if plan.current is not None and plan.current.tags:
        content["tags"] = plan.current.tags
    answer = cloud.call("greengrassv2", "create_deployment", **content)
    found = current_of(cloud.call("greengrassv2", "get_deployment", deploymentId=answer["deploymentId"]))
    return Made(plan.target, found.deployment_id, found.revision, answer.get("iotJobId"))


def _predecessor(cloud: Cloud, made: Made) -> Current | None:
    """Return the deployment that ours has replaced."""
    listed = cloud.call(
        "greengrassv2", "list_deployments", targetArn=made.target.arn, historyFilter="ALL", maxResults=20
    ).get("deployments", ())
    earlier = [item for item in listed if int(item.get("revisionId") or 0) < made.revision]
    if not earlier:
        return None
    newest = max(earlier, key=lambda item: int(item.get("revisionId") or 0))
    return current_of(cloud.call("greengrassv2", "get_deployment", deploymentId=newest["deploymentId"]))


def _claim(cloud: Cloud, bucket: Bucket, key: str, plan: TargetPlan, token: str, now: Callable[[], float]) -> str:
    """Claim a target; return the version of the claim.

    :raises AlreadyThereError: if somebody else has claimed it
    """
    who = cloud.identity().arn
    found = bucket.read(key)
    version = None
    if found is not None:
        claim, version = found
        age = now() - float(claim.get("at", 0))
        held = claim.get("state") == "claimed" and claim.get("token") != token and age < CLAIM_S
        # A claim whose deployment is there has done its work, even if its owner did not come to say so.
        if held and claim.get("base") == _id(read_current(cloud, plan.target)):
            raise AlreadyThereError(
                f"{claim.get('by', 'somebody')} began to deploy to {plan.target} {max(age, 0):.0f} s ago",
                hint=f"run it again when that has ended; a claim left behind ends in {CLAIM_S - age:.0f} s",
            )
    claim = {"state": "claimed", "token": token, "base": _id(plan.current), "by": who, "at": now()}
    try:
        return bucket.write_over(key, claim, version)
    except PreconditionError:
        # Our own write, whose answer was lost, looks like somebody else's.
        again = bucket.read(key)
        if again is not None and again[0] == claim:
            return again[1]
        raise AlreadyThereError(
            f"somebody else deploys to {plan.target} at this moment", hint="run it again: the plan is made anew"
        ) from None


def _release(bucket: Bucket, key: str, version: str, token: str, deployment_id: str, now: Callable[[], float]) -> None:
    done = {"state": "done", "token": token, "deployment": deployment_id, "at": now()}
    try:
        bucket.write_over(key, done, version)
    except PreconditionError:
        return  # it took so long that somebody else has taken the claim over


def _overtaken(plan: TargetPlan, latest: Current | None) -> CloudError:
    revision = latest.revision if latest is not None else 0
    return AlreadyThereError(
        f"{plan.target} has changed since this plan was made: revision {plan.revision} was read, now it has {revision}",
        hint="run it again: the plan is made anew; nothing was deployed",
    )


def _id(current: Current | None) -> str:
    return current.deployment_id if current is not None else ""
