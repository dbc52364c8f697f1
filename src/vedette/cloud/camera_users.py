"""Which applications use which cameras, by the newest deployment of every target, and how those cameras are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.device_health import read_health
from vedette.cloud.document import instance_of, merged

_WORKERS: Final = 8
_GROUP: Final = ":thinggroup/"


@dataclass(frozen=True, order=True)
class Use:
    """An application that has a camera."""

    instance: str
    target: str
    """ARN of the thing or thing group that it is deployed to."""

    def __str__(self) -> str:
        kind, _, name = self.target.rpartition(":")[2].partition("/")
        return f"{self.instance} on {'thing-group' if kind == 'thinggroup' else kind}/{name}"


def camera_users(cloud: Cloud) -> Mapping[str, Sequence[Use]]:
    """Return the users of each camera by its name; one call for each target, however many devices it has.

    :raises vedette.cloud.CloudError: if AWS refuses
    """
    newest = list(cloud.pages("greengrassv2", "list_deployments", "deployments", historyFilter="LATEST_ONLY"))
    active = [item for item in newest if item.get("deploymentStatus") not in {"CANCELED", "INACTIVE"}]
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(
            pool.map(
                lambda item: cloud.call("greengrassv2", "get_deployment", deploymentId=item["deploymentId"]), active
            )
        )
    users: dict[str, set[Use]] = defaultdict(set)
    for deployment in found:
        components = deployment.get("components", {})
        for component, said in components.items():
            instance = instance_of(component, components)
            if instance is not None:
                for name in _cameras(merged(said)):
                    users[name].add(Use(instance, deployment["targetArn"]))
    return {name: sorted(uses) for name, uses in users.items()}


def camera_states(cloud: Cloud, users: Mapping[str, Sequence[Use]]) -> Mapping[str, Mapping[str, str]]:
    """Return what devices said last of each camera: name -> device -> words. One call a device that uses one.

    :raises vedette.cloud.CloudError: if AWS refuses
    """
    targets = {use.target for uses in users.values() for use in uses}
    devices = {target.rpartition("/")[2] for target in targets if _GROUP not in target}
    for target in (target for target in targets if _GROUP in target):
        listed = cloud.pages("greengrassv2", "list_core_devices", "coreDevices", thingGroupArn=target, maxResults=100)
        devices |= {item["coreDeviceThingName"] for item in listed}
    names = sorted(devices)
    with ThreadPoolExecutor(_WORKERS) as pool:
        healths = list(pool.map(lambda name: read_health(cloud, name), names))
    states: dict[str, dict[str, str]] = defaultdict(dict)
    for device, health in zip(names, healths, strict=True):
        for camera in health.cameras:
            states[str(camera.get("name", ""))][device] = str(camera.get("words") or camera.get("state", ""))
    return states


def _cameras(configuration: Mapping[str, Any]) -> set[str]:
    nodes = configuration.get("cameras")
    every = [camera for node in nodes.values() for camera in node] if isinstance(nodes, Mapping) else []
    return {str(camera["name"]) for camera in every if isinstance(camera, Mapping) and camera.get("name")}
