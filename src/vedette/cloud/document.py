"""What a target's deployment says, and how one application changes it. Plain data; nothing is called.

A deployment replaces the one before it: components that it leaves out are uninstalled, lists in a component's
configuration are replaced whole. So a change begins with what is there, touches one application, and works out anew
the two lists that the applications of a target share: secrets for the nucleus's secret manager, and shadows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vedette.application.log_upload import log_configurations
from vedette.application.shadow import shadow_name

APPLICATION: Final = "vedette.app."
SUITE: Final = frozenset(
    {
        "vedette.Runtime",
        "vedette.AppRuntime",
        "vedette.CameraIngest",
        "vedette.ModelInference",
        "vedette.Display",
        "vedette.DeviceMonitor",
    }
)
"""Components that applications bring along and that leave with the last of them."""
SECRET_MANAGER: Final = "aws.greengrass.SecretManager"
SHADOW_MANAGER: Final = "aws.greengrass.ShadowManager"
LOG_MANAGER: Final = "aws.greengrass.LogManager"
DEVICE_MONITOR: Final = "vedette.DeviceMonitor"
HEALTH_SHADOW: Final = "vedette:health"
"""The shadow that vedette.DeviceMonitor reports to."""
TOKEN_EXCHANGE: Final = "aws.greengrass.TokenExchangeService"
Components = Mapping[str, Mapping[str, Any]]
"""Component -> what GetDeployment and CreateDeployment say of it."""
_LABELS: Final = ("AWSCURRENT",)


@dataclass(frozen=True)
class Change:
    """One line of a plan."""

    kind: Literal["+", "~", "-"]
    what: str
    before: str = ""
    after: str = ""

    def document(self) -> dict[str, str]:
        """Return it for JSON."""
        words = {"+": "add", "~": "change", "-": "remove"}
        known = {"before": self.before, "after": self.after}
        return {"change": words[self.kind], "what": self.what, **{k: v for k, v in known.items() if v}}


@dataclass(frozen=True)
class Wanted:
    """An application instance as a deployment shall have it."""

    instance: str
    components: Components
    """Its own component and the suite's, in CreateDeployment's form."""
    secrets: Mapping[str, str]
    """Name -> ARN of the secrets its cameras need."""


@dataclass(frozen=True)
class Aws:
    """AWS's own components of a deployment: which nucleus, and versions for what is not there yet."""

    nucleus: Literal["java", "lite"] = "java"
    versions: Mapping[str, str] = field(default_factory=dict)
    logs: bool = True
    """Whether logs of Vedette and its applications are sent to CloudWatch."""
    panorama_logs: bool | None = None
    """By vedette.DeviceMonitor under Panorama's names, not the log manager; None: as it is, on nucleus lite always."""


def application_of(instance: str, components: Components) -> str | None:
    """Return the component of an instance in a deployment, by the name in its configuration."""
    return next((name for name in components if instance_of(name, components) == instance), None)


def instance_of(component: str, components: Components) -> str | None:
    """Return the instance that a component is; None if it is no application."""
    if not component.startswith(APPLICATION):
        return None
    said = merged(components[component]).get("instance")
    return said if isinstance(said, str) else component.removeprefix(APPLICATION)


def instances(components: Components) -> list[str]:
    """Return the application instances of a deployment, by name."""
    return sorted(found for name in components if (found := instance_of(name, components)) is not None)


def merged(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration that a deployment merges into a component."""
    text = said.get("configurationUpdate", {}).get("merge")
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def with_application(components: Components, wanted: Wanted, aws: Aws) -> dict[str, Any]:
    """Return the components with an application put in or replaced; all else stays as it is."""
    result = deepcopy(dict(components))
    before = secrets_of(result)
    old = application_of(wanted.instance, result)
    if old is not None:
        del result[old]
    for name, said in wanted.components.items():
        # What somebody configured in the console of a component that comes along stays; its version is this release's.
        kept = result.get(name, {}) if name in SUITE else {}
        result[name] = {**kept, **said}
    return _shared(result, before, wanted.secrets, aws)


def without_application(components: Components, instance: str, aws: Aws) -> dict[str, Any]:
    """Return the components without an application; with the last one, the suite's leave too."""
    result = deepcopy(dict(components))
    before = secrets_of(result)
    name = application_of(instance, result)
    if name is None:
        return result
    del result[name]
    if not instances(result) and "vedette.Suite" not in result:
        result = {name: said for name, said in result.items() if name not in SUITE}
    return _shared(result, before, {}, aws)


def secrets_of(components: Components) -> set[str]:
    """Return the names of the secrets that the cameras of all applications use."""
    names: set[str] = set()
    for name, said in components.items():
        if name.startswith(APPLICATION):
            names |= _named_secrets(merged(said))
    return names


def _named_secrets(configuration: Mapping[str, Any]) -> set[str]:
    cameras = configuration.get("cameras", {})
    every = [camera for attached in cameras.values() for camera in attached] if isinstance(cameras, Mapping) else []
    return {camera["secret"] for camera in every if isinstance(camera, Mapping) and camera.get("secret")}


def _shared(result: dict[str, Any], before: set[str], known: Mapping[str, str], aws: Aws) -> dict[str, Any]:
    """Work out what the applications of a target share."""
    now = secrets_of(result)
    if instances(result):
        _have(result, TOKEN_EXCHANGE, aws)
    own_logs = _own_logs(result, aws)
    if aws.nucleus == "lite":
        # Nucleus lite has neither secret manager nor shadow manager: the components ask AWS, with the device's role.
        return result
    listed = merged(result.get(SECRET_MANAGER, {})).get("cloudSecrets", [])
    kept = [entry for entry in listed if not _is_one_of(entry["arn"], before - now)]
    arns = {entry["arn"] for entry in kept}
    missing = sorted(arn for name, arn in known.items() if name in now and arn not in arns)
    secrets = [*kept, *({"arn": arn, "labels": list(_LABELS)} for arn in missing)]
    if secrets or listed:
        _have(result, SECRET_MANAGER, aws)
        _merge(result, SECRET_MANAGER, {"cloudSecrets": secrets})
    _shadows(result, aws)
    _logs(result, aws, by_monitor=own_logs)
    return result


def _shadows(result: dict[str, Any], aws: Aws) -> None:
    names = sorted(shadow_name(instance) for instance in instances(result))
    if DEVICE_MONITOR in result:
        names.append(HEALTH_SHADOW)
    configuration = merged(result.get(SHADOW_MANAGER, {}))
    core = configuration.get("synchronize", {}).get("coreThing", {})
    others = [name for name in core.get("namedShadows", []) if not name.startswith(("vedette-", "vedette:"))]
    if not names and not others and SHADOW_MANAGER not in result:
        return
    _have(result, SHADOW_MANAGER, aws)
    synchronize = {**configuration.get("synchronize", {}), "coreThing": {**core, "namedShadows": [*others, *names]}}
    _merge(result, SHADOW_MANAGER, {"synchronize": synchronize})


def _own_logs(result: dict[str, Any], aws: Aws) -> bool:
    """Have the monitor send logs, where it is to; tell whether it does."""
    if DEVICE_MONITOR not in result:
        return False
    before = str(merged(result[DEVICE_MONITOR]).get("logs", False)).lower() == "true"
    usual = before or aws.nucleus == "lite"
    wanted = aws.logs and (usual if aws.panorama_logs is None else aws.panorama_logs)
    if wanted != before:
        _merge(result, DEVICE_MONITOR, {"logs": wanted})
    return wanted


def _logs(result: dict[str, Any], aws: Aws, *, by_monitor: bool) -> None:
    """Have the log manager send what Vedette and its applications write; what it sends besides stays.

    :param by_monitor: vedette.DeviceMonitor sends it: then the log manager must not, or every line came twice
    """
    configuration = merged(result.get(LOG_MANAGER, {}))
    uploader = configuration.get("logsUploaderConfiguration", {})
    others = {
        name: entry
        for name, entry in uploader.get("componentLogsConfigurationMap", {}).items()
        if not name.startswith("vedette.")
    }
    own: Mapping[str, Any] = {}
    if aws.logs and instances(result) and not by_monitor:
        suite = (name for name in result if name in SUITE)
        own = log_configurations(suite, (name for name in result if name.startswith(APPLICATION)))
    if not own and LOG_MANAGER not in result:
        return
    _have(result, LOG_MANAGER, aws)
    uploader = {**uploader, "componentLogsConfigurationMap": {**others, **own}}
    _merge(result, LOG_MANAGER, {"logsUploaderConfiguration": uploader})


def _have(result: dict[str, Any], name: str, aws: Aws) -> None:
    if name not in result:
        # Unpinned, a component of AWS's would move to its newest version with any deployment.
        result[name] = {"componentVersion": aws.versions[name]}


def _merge(result: dict[str, Any], name: str, change: Mapping[str, Any]) -> None:
    said = dict(result[name])
    update = dict(said.get("configurationUpdate", {}))
    configuration = {**merged(said), **change}
    update["merge"] = json.dumps(configuration, ensure_ascii=False, separators=(",", ":"))
    said["configurationUpdate"] = update
    result[name] = said


def _is_one_of(arn: str, names: Iterable[str]) -> bool:
    """Tell whether an ARN is that of a secret of one of these names: AWS adds six characters to the name."""
    found = arn.partition(":secret:")[2]
    return any(found in {name, arn} or (found.startswith(f"{name}-") and len(found) == len(name) + 7) for name in names)


def changes(before: Components, after: Components) -> list[Change]:
    """Return what a deployment changes, component by component, with the configuration of those that stay."""
    added = sorted(after.keys() - before.keys())
    found = [Change("+", name, after=after[name]["componentVersion"]) for name in added]
    for name in sorted(after.keys() & before.keys()):
        old, new = before[name], after[name]
        if old["componentVersion"] != new["componentVersion"]:
            found.append(Change("~", name, old["componentVersion"], new["componentVersion"]))
        found += _configuration_changes(name, merged(old), merged(new))
        if old.get("runWith") != new.get("runWith"):
            found.append(Change("~", f"{name} runWith", _shown(old.get("runWith")), _shown(new.get("runWith"))))
        if _reset(old) != _reset(new):
            found.append(Change("~", f"{name} reset", _shown(_reset(old)), _shown(_reset(new))))
    gone = sorted(before.keys() - after.keys())
    return found + [Change("-", name, before=before[name]["componentVersion"]) for name in gone]


def _reset(said: Mapping[str, Any]) -> list[str]:
    return sorted(said.get("configurationUpdate", {}).get("reset", ()))


def _configuration_changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    found = [Change("+", f"{name} {key}", after=_shown(after[key])) for key in after.keys() - before.keys()]
    found += [Change("-", f"{name} {key}", before=_shown(before[key])) for key in before.keys() - after.keys()]
    found += [
        Change("~", f"{name} {key}", _shown(before[key]), _shown(after[key]))
        for key in after.keys() & before.keys()
        if before[key] != after[key]
    ]
    return sorted(found, key=lambda change: change.what)


def _leaves(value: Any, place: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}/{key}")
    else:
        yield place, value


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def equal(before: Components, after: Components) -> bool:
    """Tell whether two deployments say the same, however it is written."""
    return _plain(before) == _plain(after)


def _plain(components: Components) -> dict[str, Any]:
    return {
        name: (said["componentVersion"], merged(said), _reset(said), said.get("runWith") or {})
        for name, said in components.items()
    }


def suite_versions(components: Components) -> Mapping[str, str]:
    """Return the suite's components of a deployment and their versions."""
    return {name: said["componentVersion"] for name, said in components.items() if name in SUITE}


def sizes(components: Components) -> int:
    """Return about how many bytes the components of a deployment document have."""
    return len(json.dumps(components, ensure_ascii=False).encode())


def other_instances(components: Components, without: Sequence[str]) -> list[str]:
    """Return the applications that a change keeps."""
    return [name for name in instances(components) if name not in without]
