"""What applications of one device take from one another, found before a deployment: ports, lists, shadow values.

A thing is also in groups, whose deployments come to the same device. What a group's devices have besides is not asked
for: that would be calls for each device. There the device says it, when the application starts.
"""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.application import ApplicationManifest
from vedette.application.shadow import shadow_name
from vedette.cloud.access import Cloud
from vedette.cloud.document import SECRET_MANAGER, SHADOW_MANAGER, Components, instance_of, merged
from vedette.cloud.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from vedette.cloud.targets import Target

_ANYWHERE: Final = frozenset({"", "0.0.0.0"})  # noqa: S104 - compared with, not bound
_LISTS: Final = ((SECRET_MANAGER, "cloudSecrets", "secrets"), (SHADOW_MANAGER, "synchronize", "shadows"))


@dataclass(frozen=True)
class Port:
    """A port of the device that an application opens."""

    instance: str
    port: int
    address: str
    where: str
    """The target that the application comes from."""

    def clashes(self, other: "Port") -> bool:
        """Tell whether the two cannot both be opened."""
        same = self.address == other.address or bool({self.address, other.address} & _ANYWHERE)
        return self.instance != other.instance and self.port == other.port and same


def ports_of(components: Components, where: str) -> Iterator[Port]:
    """Give out the ports that a deployment's applications open."""
    for name in components:
        instance = instance_of(name, components)
        routes = merged(components[name]).get("ports", ()) if instance is not None else ()
        for route in routes if isinstance(routes, list) else ():
            if isinstance(route, Mapping) and isinstance(route.get("hostPort"), int):
                yield Port(str(instance), route["hostPort"], str(route.get("address") or ""), where)


def refuse_port_clashes(
    target: Target, after: Components, new: Collection[str], neighbours: Mapping[str, Components]
) -> None:
    """Refuse a deployment in which one of the ``new`` applications opens a port that another of the device has.

    :param neighbours: what the same device gets by other deployments: target -> components
    :raises InvalidRequestError: naming both applications and the port
    """
    found = [*ports_of(after, str(target))]
    found += [port for where, components in neighbours.items() for port in ports_of(components, where)]
    for port in found:
        if port.instance not in new or port.where != str(target):
            continue
        other = next((known for known in found if port.clashes(known)), None)
        if other is not None:
            elsewhere = f" (deployed to {other.where})" if other.where != str(target) else ""
            raise InvalidRequestError(
                f"port {port.port} of {target} is opened by `{other.instance}`{elsewhere} and by `{port.instance}`",
                hint=f"open another one: --open {port.port + 1}:CONTAINER_PORT, or the override's hostPort",
            )


def lists_replaced(target: Target, after: Components, neighbours: Mapping[str, Components]) -> list[str]:
    """Say which lists of AWS's components a thing has from several deployments: the newest replaces them whole."""
    notes = []
    for component, key, word in _LISTS:
        if not merged(after.get(component, {})).get(key):
            continue
        others = [where for where, found in neighbours.items() if merged(found.get(component, {})).get(key)]
        if others:
            notes.append(
                f"{target} has applications of {', '.join(others)} as well: {component} keeps one list of {word} for a "
                f"device, that of its newest deployment. Vedette reads missing secrets from AWS itself; deploy to one "
                "target to have all of them without a connection, too"
                if word == "secrets"
                else f"{target} has applications of {', '.join(others)} as well: {component} synchronises the {word} "
                "of its newest deployment alone"
            )
    return notes


def values_hidden(cloud: Cloud, target: Target, instance: str, record: Mapping[str, Any]) -> list[str]:
    """Say which values of a deployment a thing's shadow hides; one call.

    :param record: of the application, see ``records``
    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    wanted = _values(record)
    if not wanted:
        return []
    try:
        answer = cloud.call("iot-data", "get_thing_shadow", thingName=target.name, shadowName=shadow_name(instance))
    except (NotFoundError, AccessDeniedError):
        return []
    state = json.loads(answer["payload"].read()).get("state", {})
    values = state.get("desired", {}).get("parameters", {})
    hidden = {node: values[node] for node in sorted(wanted.keys() & values.keys()) if values[node] != wanted[node]}
    if not hidden:
        return []
    said = ", ".join(f"{node} = {value!r} (here {wanted[node]!r})" for node, value in hidden.items())
    gone = json.dumps({"state": {"desired": {"parameters": dict.fromkeys(hidden)}}}, separators=(",", ":"))
    return [
        f"the shadow of `{instance}` on {target} goes before this deployment: {said}. To take it away: "
        f"aws iot-data update-thing-shadow --thing-name {target.name} --shadow-name {shadow_name(instance)} "
        f"--cli-binary-format raw-in-base64-out --payload '{gone}' /dev/stdout"
    ]


def _values(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each parameter node as the deployment has it: set, or the manifest's."""
    found: dict[str, Any] = {}
    if record.get("manifest"):
        manifest = ApplicationManifest.decode(base64.b64decode(record["manifest"]))
        found = {port.node: port.default for port in manifest.parameters() if port.node is not None}
    component = record.get("component", {}).get("name", "")
    said: Mapping[str, Any] = record.get("components", {}).get(component, {})
    return {**found, **merged(said).get("parameters", {})}
