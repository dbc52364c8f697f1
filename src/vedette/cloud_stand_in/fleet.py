"""Deployments, the devices of their targets, and the jobs that carry them out."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from vedette.cloud_stand_in.component_store import ComponentStore
from vedette.cloud_stand_in.errors import ConflictError, NotFoundError, ValidationError
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.recipe import Recipe
from vedette.nucleus.resolution import resolve

OPEN: Final = ("QUEUED", "IN_PROGRESS")
_COUNTED: Final = {
    "CANCELED": "numberOfCanceledThings",
    "SUCCEEDED": "numberOfSucceededThings",
    "FAILED": "numberOfFailedThings",
    "REJECTED": "numberOfRejectedThings",
    "QUEUED": "numberOfQueuedThings",
    "IN_PROGRESS": "numberOfInProgressThings",
    "TIMED_OUT": "numberOfTimedOutThings",
}


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Device:
    """A simulated core device: what it is in, and what runs on it."""

    name: str
    groups: frozenset[str] = frozenset()
    """ARNs of thing groups."""
    online: bool = True
    does: Mapping[str, str] = field(default_factory=dict)
    """What it tells with the end of a job that is no deployment."""
    fails: str = ""
    """Why it cannot carry out deployments; empty if it can."""
    nucleus: str = "java"
    components: dict[str, str] = field(default_factory=dict)
    roots: frozenset[str] = frozenset()
    executions: dict[str, "Execution"] = field(default_factory=dict)
    """By job or deployment id."""


@dataclass
class Execution:
    """What one device makes of one job."""

    status: str = "QUEUED"
    reason: str = ""
    details: dict[str, str] = field(default_factory=dict)
    changed: datetime = field(default_factory=_now)

    def end(self, status: str, reason: str = "") -> None:
        """Note the outcome."""
        self.status, self.reason, self.changed = status, reason, _now()


@dataclass
class Job:
    """A job of AWS IoT on things."""

    job_id: str
    targets: list[str]
    document: str
    description: str = ""
    status: str = "IN_PROGRESS"
    created: datetime = field(default_factory=_now)
    abort: Mapping[str, Any] | None = None


class Fleet:
    """Deployments and devices of one account and region; the caller holds a lock."""

    def __init__(self, region: str, account: str, components: ComponentStore) -> None:
        """Begin without devices and deployments."""
        self._region, self._account = region, account
        self._components = components
        self.devices: dict[str, Device] = {}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, Job] = {}
        self._tokens: dict[str, str] = {}
        self._resolved: dict[tuple[str, ...], dict[str, str] | str] = {}

    # -- deployments -----------------------------------------------------------------------------------------------

    def create_deployment(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """CreateDeployment: the next revision of its target.

        :raises ValidationError: for configuration that is no JSON object, or components that nobody published
        """
        token = arguments.get("clientToken", "")
        if token and token in self._tokens:
            return self._created(self.deployments[self._tokens[token]])
        target = arguments["targetArn"]
        for name, said in arguments.get("components", {}).items():
            self._check_component(name, said)
        earlier = self.of_target(target)
        for deployment in earlier:
            deployment["isLatestForTarget"] = False
            deployment["deploymentStatus"] = "INACTIVE"
            self._cancel_open(deployment["deploymentId"])
        deployment_id = str(uuid.uuid4())
        made: dict[str, Any] = {
            "targetArn": target,
            "revisionId": str(len(earlier) + 1),
            "deploymentId": deployment_id,
            "deploymentName": arguments.get("deploymentName", ""),
            "deploymentStatus": "ACTIVE",
            "components": arguments.get("components", {}),
            "deploymentPolicies": {
                "failureHandlingPolicy": "ROLLBACK",
                "componentUpdatePolicy": {"timeoutInSeconds": 60, "action": "NOTIFY_COMPONENTS"},
                "configurationValidationPolicy": {"timeoutInSeconds": 30},
                **arguments.get("deploymentPolicies", {}),
            },
            "iotJobConfiguration": arguments.get("iotJobConfiguration", {}),
            "creationTimestamp": _now(),
            "isLatestForTarget": True,
            "tags": dict(arguments.get("tags") or {}),
        }
        if ":thinggroup/" in target:
            made["iotJobId"] = deployment_id
            made["iotJobArn"] = f"arn:aws:iot:{self._region}:{self._account}:job/{deployment_id}"
            abort = made["iotJobConfiguration"].get("abortConfig")
            self.jobs[deployment_id] = Job(deployment_id, [target], "", abort=abort)
        self.deployments[deployment_id] = made
        for device in self._devices_of([target]):
            device.executions[deployment_id] = Execution()
        if token:
            self._tokens[token] = deployment_id
        self._resolved.clear()
        return self._created(made)

    def _check_component(self, name: str, said: Mapping[str, Any]) -> None:
        update = said.get("configurationUpdate", {})
        if "merge" in update:
            try:
                merge = json.loads(update["merge"])
            except ValueError as error:
                raise ValidationError(f"merge of {name} is not JSON: {error}") from error
            if not isinstance(merge, dict):
                raise ValidationError(f"merge of {name} is not a JSON object")
        if not all(pointer == "" or pointer.startswith("/") for pointer in update.get("reset", ())):
            raise ValidationError(f"reset of {name} holds no JSON pointers")
        versions = {made.recipe.component_version for made in self._components.versions(name)}
        if said["componentVersion"] not in versions:
            raise ValidationError(f"Component {name} version {said['componentVersion']} not found")

    def _cancel_open(self, deployment_id: str) -> None:
        for device in self.devices.values():
            execution = device.executions.get(deployment_id)
            if execution is not None and execution.status in OPEN:
                execution.end("CANCELED")
        if deployment_id in self.jobs and self.jobs[deployment_id].status == "IN_PROGRESS":
            self.jobs[deployment_id].status = "CANCELED"

    @staticmethod
    def _created(made: Mapping[str, Any]) -> dict[str, Any]:
        return {key: made[key] for key in ("deploymentId", "iotJobId", "iotJobArn") if key in made}

    def of_target(self, target: str) -> list[dict[str, Any]]:
        """Return the revisions of a target, oldest first."""
        return [made for made in self.deployments.values() if made["targetArn"] == target]

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        """GetDeployment.

        :raises NotFoundError: if it is not there
        """
        if deployment_id not in self.deployments:
            raise NotFoundError(f"The deployment {deployment_id} is not found")
        return self.deployments[deployment_id]

    def list_deployments(self, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the items of ListDeployments, newest first."""
        keys = ("targetArn", "revisionId", "deploymentId", "deploymentName", "creationTimestamp", "deploymentStatus",
                "isLatestForTarget")  # fmt: skip
        wanted = arguments.get("targetArn")
        every = arguments.get("historyFilter") == "ALL"
        return [
            {key: made[key] for key in keys if made.get(key) not in {None, ""}}
            for made in reversed(self.deployments.values())
            if wanted in {None, made["targetArn"]} and (every or made["isLatestForTarget"])
        ]

    def cancel_deployment(self, deployment_id: str) -> dict[str, Any]:
        """CancelDeployment."""
        made = self.deployment(deployment_id)
        self._cancel_open(deployment_id)
        made["deploymentStatus"] = "CANCELED"
        return {"message": f"Deployment {deployment_id} is canceled"}

    def delete_deployment(self, deployment_id: str) -> dict[str, Any]:
        """DeleteDeployment.

        :raises ConflictError: while it is active
        """
        if self.deployment(deployment_id)["deploymentStatus"] == "ACTIVE":
            raise ConflictError("An active deployment cannot be deleted: cancel it first")
        del self.deployments[deployment_id]
        return {}

    # -- devices ---------------------------------------------------------------------------------------------------

    def add_devices(self, names: Iterable[str], groups: Iterable[str] = (), **facts: Any) -> None:
        """Let core devices of these names appear in thing groups (ARNs); known ones get the groups in addition."""
        joined = frozenset(groups)
        for name in names:
            known = self.devices.get(name)
            if known is not None:
                known.groups |= joined
                continue
            device = Device(name, joined, **facts)
            self.devices[name] = device
            for made in self.deployments.values():
                if made["isLatestForTarget"] and made["targetArn"] in self._targets_of(device):
                    device.executions[made["deploymentId"]] = Execution()

    def device(self, name: str) -> Device:
        """Return a device.

        :raises NotFoundError: if there is none of that name
        """
        if name not in self.devices:
            raise NotFoundError(f"The core device {name} is not found")
        return self.devices[name]

    def thing_arn(self, name: str) -> str:
        """Return the ARN of a thing."""
        return f"arn:aws:iot:{self._region}:{self._account}:thing/{name}"

    def _targets_of(self, device: Device) -> frozenset[str]:
        return device.groups | {self.thing_arn(device.name)}

    def _devices_of(self, targets: Iterable[str]) -> list[Device]:
        wanted = set(targets)
        return [device for device in self.devices.values() if wanted & self._targets_of(device)]

    def work(self, most: int | None = None) -> int:
        """Let devices that are online carry out what is queued, at most so many; return how many did."""
        done = 0
        for device in self.devices.values():
            for job_id, execution in list(device.executions.items()):
                if not device.online or execution.status not in OPEN or done == most:
                    continue
                self._carry_out(device, job_id, execution)
                done += 1
        self._settle()
        return done

    def _carry_out(self, device: Device, job_id: str, execution: Execution) -> None:
        if job_id not in self.deployments:
            execution.details = {} if device.fails else dict(device.does)
            execution.end("FAILED" if device.fails else "SUCCEEDED", device.fails)
            return
        outcome = device.fails or self._resolution(device)
        if isinstance(outcome, str):
            execution.end("FAILED", f"FAILED_NO_STATE_CHANGE: {outcome}")
            return
        device.components = dict(outcome)
        device.roots = frozenset(self.roots_of(device))
        execution.end("SUCCEEDED")

    def roots_of(self, device: Device) -> dict[str, list[str]]:
        """Return what all of a device's targets want: component -> versions."""
        roots: dict[str, list[str]] = {}
        for target in sorted(self._targets_of(device)):
            for made in self.of_target(target):
                if made["isLatestForTarget"]:
                    for name, said in made["components"].items():
                        roots.setdefault(name, []).append(said["componentVersion"])
        return roots

    def _resolution(self, device: Device) -> dict[str, str] | str:
        """Return the versions that a device installs, or why there are none."""
        targets = tuple(sorted(t for t in self._targets_of(device) if self.of_target(t)))
        if targets not in self._resolved:
            try:
                found = resolve(self.roots_of(device), _Recipes(self._components))
                self._resolved[targets] = {name: r.component_version for name, r in found.recipes.items()}
            except NucleusError as error:
                self._resolved[targets] = str(error)
        return self._resolved[targets]

    def _settle(self) -> None:
        for job in self.jobs.values():
            counts = self.counts(job.job_id)
            if job.status == "IN_PROGRESS" and job.abort is not None:
                self._abort(job, counts)
            open_ones = counts["numberOfQueuedThings"] + counts["numberOfInProgressThings"]
            if job.status == "IN_PROGRESS" and not open_ones and job.job_id not in self.deployments:
                job.status = "COMPLETED"  # those of deployments are continuous: they wait for new members
        for made in self.deployments.values():
            if made["deploymentStatus"] == "ACTIVE" and ":thing/" in made["targetArn"]:
                device = self.devices.get(made["targetArn"].rpartition("/")[2])
                status = device.executions[made["deploymentId"]].status if device is not None else "QUEUED"
                if status in {"SUCCEEDED", "FAILED"}:
                    made["deploymentStatus"] = "COMPLETED" if status == "SUCCEEDED" else "FAILED"

    def _abort(self, job: Job, counts: Mapping[str, int]) -> None:
        executed = sum(counts.values()) - counts["numberOfQueuedThings"] - counts["numberOfInProgressThings"]
        for rule in (job.abort or {}).get("criteriaList", ()):
            kinds = list(_COUNTED) if rule["failureType"] == "ALL" else [rule["failureType"]]
            bad = sum(counts[_COUNTED[kind]] for kind in kinds if kind in {"FAILED", "REJECTED", "TIMED_OUT"})
            enough = executed >= rule["minNumberOfExecutedThings"]
            if enough and 100 * bad / executed >= rule["thresholdPercentage"]:
                self._cancel_open(job.job_id)
                if job.job_id in self.deployments:
                    self.deployments[job.job_id]["deploymentStatus"] = "CANCELED"

    # -- jobs ------------------------------------------------------------------------------------------------------

    def create_job(self, arguments: Mapping[str, Any]) -> Job:
        """CreateJob on things and groups.

        :raises ConflictError: if there is one of that id with other content
        :raises NotFoundError: if a thing is unknown
        """
        made = Job(
            arguments["jobId"],
            list(arguments["targets"]),
            arguments.get("document", ""),
            arguments.get("description", ""),
        )
        known = self.jobs.get(made.job_id)
        if known is not None:
            if (known.targets, known.document) != (made.targets, made.document):
                raise ConflictError(f"Job {made.job_id} already exists with different properties")
            return known
        self.jobs[made.job_id] = made
        for device in self._devices_of(made.targets):
            device.executions[made.job_id] = Execution()
        return made

    def cancel_job(self, job_id: str) -> Job:
        """CancelJob: devices that have begun go on.

        :raises NotFoundError: if it is not there
        """
        job = self.job(job_id)
        for device in self.devices.values():
            execution = device.executions.get(job_id)
            if execution is not None and execution.status == "QUEUED":
                execution.end("CANCELED")
        job.status = "CANCELED"
        return job

    def counts(self, job_id: str) -> dict[str, int]:
        """Return how many things are in which state of a job."""
        found = dict.fromkeys(_COUNTED.values(), 0)
        for device in self.devices.values():
            if job_id in device.executions:
                found[_COUNTED[device.executions[job_id].status]] += 1
        return found

    def job(self, job_id: str) -> Job:
        """Return a job.

        :raises NotFoundError: if it is not there
        """
        if job_id not in self.jobs:
            raise NotFoundError(f"Job {job_id} cannot be found")
        return self.jobs[job_id]

    def device_document(self, target: str) -> dict[str, Any]:
        """Return the newest deployment of ``target`` as its devices get it.

        :raises NotFoundError: if there is no deployment
        """
        made = next((m for m in reversed(self.of_target(target)) if m["isLatestForTarget"]), None)
        if made is None:
            raise NotFoundError(f"{target} has no deployment")
        kind, _, target_name = target.rpartition(":")[2].partition("/")
        policies = made["deploymentPolicies"]
        return {
            "deploymentId": made["deploymentId"],
            "configurationArn": f"arn:aws:greengrass:{self._region}:{self._account}:configuration:{kind}/{target_name}:"
            f"{made['revisionId']}",
            "creationTimestamp": int(made["creationTimestamp"].timestamp() * 1000),
            "requiredCapabilities": ["LARGE_CONFIGURATION", "LINUX_RESOURCE_LIMITS"],
            "components": {
                component: {
                    "version": said["componentVersion"],
                    **({"runWith": said["runWith"]} if "runWith" in said else {}),
                    **({"configurationUpdate": _update(said)} if "configurationUpdate" in said else {}),
                }
                for component, said in made["components"].items()
            },
            "componentUpdatePolicy": {
                "timeout": policies["componentUpdatePolicy"].get("timeoutInSeconds", 60),
                "action": policies["componentUpdatePolicy"].get("action", "NOTIFY_COMPONENTS"),
            },
            "configurationValidationPolicy": {
                "timeout": policies["configurationValidationPolicy"].get("timeoutInSeconds", 30)
            },
            "failureHandlingPolicy": policies["failureHandlingPolicy"],
        }


def _update(said: Mapping[str, Any]) -> dict[str, Any]:
    update = said["configurationUpdate"]
    return {
        **({"merge": json.loads(update["merge"])} if "merge" in update else {}),
        **({"reset": update["reset"]} if "reset" in update else {}),
    }


class _Recipes:
    """The published recipes, as the resolver reads them."""

    def __init__(self, components: ComponentStore) -> None:
        self._components = components

    def versions(self, name: str) -> list[Recipe]:
        """Return every version, newest first."""
        return [made.recipe for made in self._components.versions(name)]
