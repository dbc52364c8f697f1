"""Core devices of an account: what AWS knows of them, in the words that Panorama's users know."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.device_health import DeviceHealth, read_health
from vedette.cloud.errors import CloudError, InvalidRequestError, NotFoundError
from vedette.cloud.jobs import OPEN, create_job
from vedette.cloud.panorama_words import progress_of
from vedette.cloud.targets import Target

DESCRIPTION: Final = "description"
PROVISIONED: Final = "provisioned"
PANORAMA_ID: Final = "panoramaId"
"""Attributes of a device's thing."""
_REBOOT: Final = "vedette-reboot-"
_MAX_DESCRIPTION: Final = 255
_MAX_ATTRIBUTE: Final = 800
_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,@/:#-")


@dataclass(frozen=True)
class Device:
    """One core device."""

    name: str
    status: str
    """ONLINE, OFFLINE, ERROR, PENDING, REBOOTING, AWAITING_PROVISIONING or NOT_AVAILABLE."""
    connected: bool | None
    """None where the account's fleet index does not tell."""
    healthy: bool
    seen: str = ""
    """When it last told its state, RFC 3339."""
    architecture: str = ""
    nucleus: str = ""
    groups: tuple[str, ...] = ()
    description: str = ""
    components: tuple[Mapping[str, Any], ...] = ()
    deployments: tuple[Mapping[str, Any], ...] = ()
    jobs: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    arn: str = ""
    provisioned: str = ""
    """When it was provisioned, RFC 3339."""
    panorama_id: str = ""
    """Its id in Panorama, where it was one; other commands take it for the name."""
    health: DeviceHealth = field(default_factory=DeviceHealth)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        known = {
            "name": self.name,
            "status": self.status,
            "connected": self.connected,
            "healthy": self.healthy,
            "seen": self.seen,
            "architecture": self.architecture,
            "nucleus": self.nucleus,
            "groups": list(self.groups),
            "description": self.description,
        }
        more = {
            "components": list(self.components),
            "deployments": list(self.deployments),
            "jobs": list(self.jobs),
            "tags": dict(self.tags),
            "arn": self.arn,
            "provisioned": self.provisioned,
            "panorama_id": self.panorama_id,
            "machine": dict(self.health.machine),
            "network": dict(self.health.network),
            "health": dict(self.health.summary),
            "applications": list(self.health.applications),
            "health_at": self.health.at.isoformat() if self.health.at is not None else "",
        }
        return {**known, **{key: value for key, value in more.items() if value}}


def status_of(*, known: bool, connected: bool | None, healthy: bool, deployment: str = "", job: str = "") -> str:
    """Return a device's status in one word.

    :param known: whether it has ever reported to Greengrass
    :param connected: what the fleet index says; None where it says nothing
    :param deployment: state of its newest deployment
    :param job: operation of a job that is open
    """
    if not known:
        return "AWAITING_PROVISIONING"
    if connected is False:
        return "OFFLINE"
    if job == "REBOOT":
        return "REBOOTING"
    if deployment in OPEN:
        return "PENDING"
    if not healthy or deployment in {"FAILED", "REJECTED", "TIMED_OUT"}:
        return "ERROR"
    return "ONLINE" if connected else "NOT_AVAILABLE"


def list_devices(cloud: Cloud, group: Target | None = None, prefix: str = "") -> list[Device]:
    """Return the core devices, of a group or of all, by name.

    :raises CloudError: if AWS does not answer
    """
    where = {"thingGroupArn": group.arn} if group is not None else {}
    items = [
        item
        for item in cloud.pages("greengrassv2", "list_core_devices", "coreDevices", maxResults=100, **where)
        if item["coreDeviceThingName"].startswith(prefix)
    ]
    connected = connectivity(cloud)
    found = []
    for item in items:
        name, healthy = item["coreDeviceThingName"], item["status"] == "HEALTHY"
        linked = connected.get(name) if connected is not None else None
        found.append(
            Device(
                name,
                status_of(known=True, connected=linked, healthy=healthy),
                linked,
                healthy,
                item["lastStatusUpdateTimestamp"].isoformat(),
                item.get("architecture", ""),
            )
        )
    return sorted(found, key=lambda device: device.name)


def connectivity(cloud: Cloud, name: str | None = None) -> dict[str, bool] | None:
    """Return which things are connected, by the fleet index; None if the account has it switched off."""
    query = f"thingName:{name}" if name is not None else "thingName:*"
    try:
        things = cloud.pages("iot", "search_index", "things", queryString=query, maxResults=100)
        return {
            thing["thingName"]: bool(thing["connectivity"].get("connected"))
            for thing in things
            if "connectivity" in thing
        }
    except CloudError:
        return None


def describe_device(cloud: Cloud, name: str) -> Device:
    """Return all that AWS knows of a device.

    :raises NotFoundError: if there is no thing of that name
    :raises CloudError: if AWS does not answer
    """
    thing = find_thing(cloud, name)
    name = str(thing["thingName"])
    attributes = thing.get("attributes", {})
    facts: dict[str, Any] = {
        "arn": str(thing.get("thingArn", "")),
        "provisioned": str(attributes.get(PROVISIONED, "")),
        "panorama_id": str(attributes.get(PANORAMA_ID, "")),
        "description": read_description(attributes.get(DESCRIPTION, "")),
    }
    groups = tuple(
        item["groupName"] for item in cloud.pages("iot", "list_thing_groups_for_thing", "thingGroups", thingName=name)
    )
    try:
        core = cloud.call("greengrassv2", "get_core_device", coreDeviceThingName=name)
    except NotFoundError:
        status = status_of(known=False, connected=None, healthy=False)
        return Device(name, status, None, healthy=False, groups=groups, **facts)
    connected = (connectivity(cloud, name) or {}).get(name)
    deployments = [
        {
            "deployment_id": item["deploymentId"],
            "name": item["deploymentName"],
            "target": item["targetArn"].rpartition(":")[2],
            "status": item["coreDeviceExecutionStatus"],
            "progress": progress_of(item["coreDeviceExecutionStatus"]),
            "reason": item.get("reason", ""),
            "changed": item["modifiedTimestamp"].isoformat(),
        }
        for item in cloud.pages(
            "greengrassv2", "list_effective_deployments", "effectiveDeployments", coreDeviceThingName=name
        )
    ]
    components = [
        {
            "name": item["componentName"],
            "version": item["componentVersion"],
            "state": item.get("lifecycleState", ""),
            "root": bool(item.get("isRoot")),
        }
        for item in cloud.pages(
            "greengrassv2",
            "list_installed_components",
            "installedComponents",
            coreDeviceThingName=name,
            topologyFilter="ALL",
        )
    ]
    jobs = list_jobs(cloud, name)
    newest = max(deployments, key=lambda item: item["changed"], default={"status": ""})["status"]
    rebooting = any(job["status"] in OPEN and str(job["job_id"]).startswith(_REBOOT) for job in jobs)
    healthy = core["status"] == "HEALTHY"
    return Device(
        name,
        status_of(
            known=True,
            connected=connected,
            healthy=healthy,
            deployment=newest,
            job="REBOOT" if rebooting else "",
        ),
        connected,
        healthy,
        core["lastStatusUpdateTimestamp"].isoformat(),
        core.get("architecture", ""),
        core.get("coreVersion", ""),
        groups,
        components=tuple(components),
        deployments=tuple(deployments),
        jobs=tuple(jobs),
        tags=core.get("tags", {}),
        health=read_health(cloud, name),
        **facts,
    )


def find_thing(cloud: Cloud, name: str) -> dict[str, Any]:
    """Return the thing of a device, by its name or by the id that it had in Panorama (``device-...``).

    :raises NotFoundError: if there is none
    """
    try:
        return cloud.call("iot", "describe_thing", thingName=name)
    except NotFoundError:
        missing = NotFoundError(f"there is no device `{name}`", hint="vedette device list")
        if not name.startswith("device-"):
            raise missing from None
    found = cloud.call("iot", "list_things", attributeName=PANORAMA_ID, attributeValue=name).get("things", ())
    if not found:
        raise missing
    return cloud.call("iot", "describe_thing", thingName=found[0]["thingName"])


def list_jobs(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    """Return the jobs of a device that are not deployments, newest first.

    :raises CloudError: if AWS does not answer
    """
    found = []
    for item in cloud.pages("iot", "list_job_executions_for_thing", "executionSummaries", thingName=name):
        summary = item["jobExecutionSummary"]
        if item["jobId"].startswith("vedette-"):
            changed = summary.get("lastUpdatedAt")
            found.append(
                {
                    "job_id": item["jobId"],
                    "status": summary["status"],
                    "progress": progress_of(summary["status"], reboot=item["jobId"].startswith(_REBOOT)),
                    "changed": changed.isoformat() if changed is not None else "",
                }
            )
    return sorted(found, key=lambda job: str(job["changed"]), reverse=True)


def reboot(cloud: Cloud, targets: Iterable[Target], token: str | None = None) -> str:
    """Ask devices to reboot, by a job that vedette.DeviceMonitor carries out; return the job's id.

    :raises CloudError: if AWS refuses
    """
    return create_job(cloud, "REBOOT", targets, token=token or "")


def written_description(text: str) -> str:
    """Return a description as a thing's attribute takes it: without blanks, ``=XX`` for what is not taken.

    :raises InvalidRequestError: if it is too long
    """
    encoded = "".join(c if c in _SAFE else "".join(f"={byte:02X}" for byte in c.encode()) for c in text)
    if len(text) > _MAX_DESCRIPTION or len(encoded) > _MAX_ATTRIBUTE:
        raise InvalidRequestError(
            f"the description has {len(text)} characters: a device holds {_MAX_DESCRIPTION}, fewer of special ones"
        )
    return encoded


def read_description(attribute: str) -> str:
    """Return the description that a thing's attribute holds."""
    import quopri

    return quopri.decodestring(attribute.encode("ascii", "replace")).decode("utf-8", "replace")


def describe(cloud: Cloud, name: str, text: str) -> None:
    """Change a device's description.

    :raises InvalidRequestError: if it is too long
    :raises CloudError: if AWS refuses
    """
    attributes = {DESCRIPTION: written_description(text)}
    cloud.call("iot", "update_thing", thingName=name, attributePayload={"attributes": attributes, "merge": True})


def decommission(cloud: Cloud, name: str) -> list[str]:
    """Take a device out of the account: certificates, thing, core device. Return what was done, in words.

    It may be repeated; data on the device stays there.

    :raises CloudError: if AWS refuses
    """
    done = []
    try:
        principals = cloud.call("iot", "list_thing_principals", thingName=name).get("principals", ())
    except NotFoundError:
        principals = ()
    for arn in principals:
        certificate = arn.rpartition("/")[2]
        cloud.call("iot", "update_certificate", certificateId=certificate, newStatus="INACTIVE")
        for policy in cloud.pages("iot", "list_attached_policies", "policies", target=arn):
            cloud.call("iot", "detach_policy", policyName=policy["policyName"], target=arn)
        cloud.call("iot", "detach_thing_principal", thingName=name, principal=arn)
        cloud.call("iot", "delete_certificate", certificateId=certificate, forceDelete=True)
        done.append(f"certificate {certificate[:12]}… deactivated and deleted")
    for delete, words in ((_delete_core_device, "core device deleted"), (_delete_thing, "thing deleted")):
        try:
            delete(cloud, name)
        except NotFoundError:
            continue
        done.append(words)
    return done


def _delete_core_device(cloud: Cloud, name: str) -> None:
    cloud.call("greengrassv2", "delete_core_device", coreDeviceThingName=name)


def _delete_thing(cloud: Cloud, name: str) -> None:
    cloud.call("iot", "describe_thing", thingName=name)  # deleting what is not there is no error
    cloud.call("iot", "delete_thing", thingName=name)
