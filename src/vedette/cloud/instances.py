"""Application instances of an account: where they are, how they stand, what they are made of.

Put together from the targets' deployments, the records in the bucket, and for one device the shadows that its
components report to. Only what is asked of one device costs calls for that device.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from vedette.application import ApplicationManifest
from vedette.application.shadow import shadow_name
from vedette.cloud.access import Cloud
from vedette.cloud.bucket import Bucket
from vedette.cloud.carrying_out import Made
from vedette.cloud.document import HEALTH_SHADOW, SUITE, application_of, instances, merged
from vedette.cloud.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from vedette.cloud.following import Standing, standing_of
from vedette.cloud.panorama_words import STATUS, status_of
from vedette.cloud.planning import Current, current_of, latest_deployments
from vedette.cloud.publishing import component_arn
from vedette.cloud.records import read_records
from vedette.cloud.targets import Target
from vedette.nucleus.recipe import parse_recipe

_ABSTRACT_CAMERA: Final = "panorama::abstract_rtsp_media_source"
_SINK: Final = "panorama::hdmi_data_sink"
_MODEL: Final = "vedette.model."


@dataclass(frozen=True)
class Place:
    """An application instance on one target."""

    instance: str
    target: Target
    removed: bool
    current: Current | None
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was kept of it when it was deployed; empty if it was deployed by other means."""
    standing: Standing | None = None

    @property
    def component(self) -> tuple[str, str]:
        """Return name and version of its component."""
        name = application_of(self.instance, self.current.components) if self.current is not None else None
        if name is not None and self.current is not None:
            return name, str(self.current.components[name]["componentVersion"])
        kept = self.record.get("component", {})
        return str(kept.get("name", "")), str(kept.get("version", ""))

    @property
    def configuration(self) -> dict[str, Any]:
        """Return its configuration as it is deployed, or was."""
        name, _ = self.component
        if not self.removed and self.current is not None:
            return merged(self.current.components[name])
        return merged(self.record.get("components", {}).get(name, {}))

    @property
    def status(self) -> str:
        """Return ApplicationInstanceStatus."""
        return status_of(self.standing.counts if self.standing is not None else {}, removed=self.removed)

    def summary(self) -> dict[str, Any]:
        """Return it for a list: what ListApplicationInstances told."""
        name, version = self.component
        return {
            "name": self.instance,
            "application": self.record.get("application", ""),
            "target": str(self.target),
            "component": name,
            "version": version,
            "status": self.status,
            "status_description": STATUS[self.status],
            "description": self.record.get("description", ""),
        }


def list_places(cloud: Cloud, bucket: Bucket, instance: str | None = None) -> list[Place]:
    """Return every application instance on every target, removed ones as well, by name.

    :param instance: only this one
    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    deployments = {str(each["targetArn"]): each for each in latest_deployments(cloud)}
    records = {
        (record["instance"], record["target"]): record
        for record in (read_records(bucket, instance) if bucket.exists() else ())
    }
    named = {
        (name, arn)
        for arn, each in deployments.items()
        for name in instances(each.get("components", {}))
        if instance in {None, name}
    }
    standings: dict[str, Standing] = {}
    places = []
    for name, arn in sorted(named | records.keys()):
        target, each = _target(arn), deployments.get(arn)
        if each is not None and arn not in standings:
            standings[arn] = standing_of(cloud, _made(target, each))
        places.append(
            Place(
                name,
                target,
                (name, arn) not in named,
                current_of(each) if each is not None else None,
                records.get((name, arn), {}),
                standings.get(arn),
            )
        )
    return places


def one_place(cloud: Cloud, bucket: Bucket, instance: str, target: Target | None = None) -> Place:
    """Return one instance on one target.

    :param target: where it is on several
    :raises NotFoundError: if there is none of that name
    :raises InvalidRequestError: if it is on several targets and none is named
    """
    found = [place for place in list_places(cloud, bucket, instance) if target is None or place.target == target]
    if not found:
        where = f" on {target}" if target is not None else ""
        raise NotFoundError(f"there is no application `{instance}`{where}", hint="vedette application list --all")
    there = [place for place in found if not place.removed] or found
    if len(there) > 1:
        raise InvalidRequestError(
            f"`{instance}` is on {len(there)} targets",
            hint=f"say which: --target {' or '.join(str(p.target) for p in there)}",
        )
    return there[0]


def _target(arn: str) -> Target:
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return Target("thing" if kind == "thing" else "thinggroup", name, arn)


def _made(target: Target, deployment: Mapping[str, Any]) -> Made:
    job = deployment.get("iotJobId") if target.kind == "thinggroup" else None
    return Made(target, deployment["deploymentId"], int(deployment.get("revisionId") or 0), job)


# -- what it is made of ------------------------------------------------------------------------------------------------


def dependencies_of(cloud: Cloud, place: Place) -> list[dict[str, str]]:
    """Return the packages of an instance: its own, its models' and Vedette's, each with the version that is deployed.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    name, version = place.component
    data = cloud.call(
        "greengrassv2", "get_component", arn=component_arn(cloud, name, version), recipeOutputFormat="JSON"
    )["recipe"]
    recipe = parse_recipe(data, name)
    deployed = place.current.components if place.current is not None else {}
    found = [{"name": name, "version": version, "requirement": version, "kind": "application"}]
    for needed, dependency in sorted(recipe.component_dependencies.items()):
        requirement = dependency.version_requirement
        exact = str(deployed.get(needed, {}).get("componentVersion") or requirement.removeprefix("=").strip())
        kind = "model" if needed.startswith(_MODEL) else "suite" if needed in SUITE else "other"
        found.append({"name": needed, "version": exact, "requirement": requirement, "kind": kind})
    return found


def documents_of(place: Place) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the manifest's and the override documents' texts by file name, as they were deployed.

    :raises NotFoundError: if nothing was kept of it
    """
    documents: Mapping[str, str] = place.record.get("documents", {})
    if not documents:
        raise NotFoundError(
            f"no documents are kept of `{place.instance}` on {place.target}: vedette has not deployed it"
        )
    graphs = {name: text for name, text in documents.items() if _is_graph(text)}
    return graphs, {name: text for name, text in documents.items() if name not in graphs}


def _is_graph(text: str) -> bool:
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return False
    return isinstance(document, dict) and "nodeGraph" in document


# -- on one device -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnDevice:
    """What one device reports of an instance."""

    device: str
    connected: bool | None
    health: Mapping[str, Any] = field(default_factory=dict)
    """The device's health, see docs/guide/monitoring.md; empty if it reports none."""
    reported: Mapping[str, Any] = field(default_factory=dict)
    desired: Mapping[str, Any] = field(default_factory=dict)
    components: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Component -> version and state in the nucleus."""

    def application(self, instance: str) -> Mapping[str, Any]:
        """Return what the health tells of an application; empty for one that it does not know."""
        return next((each for each in self.health.get("applications", ()) if each.get("instance") == instance), {})


def read_device(cloud: Cloud, device: str, instance: str, *, connected: bool | None) -> OnDevice:
    """Ask for what a device reports: two shadows, and the components that are installed.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    health = _shadow(cloud, device, HEALTH_SHADOW).get("reported", {})
    own = _shadow(cloud, device, shadow_name(instance))
    try:
        listed = list(
            cloud.pages(
                "greengrassv2",
                "list_installed_components",
                "installedComponents",
                coreDeviceThingName=device,
                topologyFilter="ALL",
            )
        )
    except NotFoundError:
        raise NotFoundError(f"there is no core device `{device}`", hint="vedette device list") from None
    components = {
        item["componentName"]: (str(item["componentVersion"]), str(item.get("lifecycleState", ""))) for item in listed
    }
    return OnDevice(device, connected, health, own.get("reported", {}), own.get("desired", {}), components)


def _shadow(cloud: Cloud, device: str, name: str) -> Mapping[str, Any]:
    try:
        answer = cloud.call("iot-data", "get_thing_shadow", thingName=device, shadowName=name)
    except (NotFoundError, AccessDeniedError):
        return {}
    state = json.loads(answer["payload"].read()).get("state", {})
    return state if isinstance(state, dict) else {}


def health_status(instance: str, on: OnDevice) -> tuple[str, str]:
    """Return HealthStatus of an instance on a device, and the sentence that goes with it."""
    if on.connected is False:
        return "NOT_AVAILABLE", "the device is offline"
    entry = on.application(instance)
    if not entry:
        return "NOT_AVAILABLE", "the device reports nothing of it"
    return str(entry.get("health") or "NOT_AVAILABLE"), str(entry.get("detail") or entry.get("words") or "")


@dataclass(frozen=True)
class NodeInstance:
    """One node of a running instance: the columns of ListApplicationInstanceNodeInstances."""

    node_instance_id: str
    node_id: str
    package_name: str
    package_version: str
    node_name: str
    current_status: str

    def document(self) -> dict[str, str]:
        """Return it for JSON."""
        return asdict(self)


def node_instances(
    instance: str, manifest: ApplicationManifest, versions: Mapping[str, str], on: OnDevice
) -> list[NodeInstance]:
    """Return the nodes of an instance on a device: code, cameras, models, outputs. Calls nothing.

    :param versions: of the models' components
    """
    code, told = manifest.code_package, on.application(instance).get("nodes", {})
    wanted = [(manifest.code_node, code, manifest.version)]
    wanted += [(node, _ABSTRACT_CAMERA, "1.0") for port in manifest.media_inputs() for node in port.nodes]
    for model in manifest.models:
        package, _, _ = model.component.removeprefix(_MODEL).rpartition(".")
        wanted.append((model.node, package, versions.get(model.component, "")))
    wanted += [(output.node, _SINK, "1.0") for output in manifest.outputs if output.node is not None]
    return [
        NodeInstance(
            node,
            f"{package}.{node}",
            package,
            version,
            node,
            "NOT_AVAILABLE" if on.connected is False else str(told.get(node, "NOT_AVAILABLE")),
        )
        for node, package, version in wanted
    ]


def manifest_of(place: Place) -> ApplicationManifest:
    """Return the resolved manifest that was kept of an instance.

    :raises NotFoundError: if none was kept
    """
    kept = place.record.get("manifest")
    if not kept:
        raise NotFoundError(
            f"nothing is kept of `{place.instance}` on {place.target}: deploy it with vedette once more"
        )
    return ApplicationManifest.decode(base64.b64decode(kept))
