"""Deployment documents: as a core device gets them, and as CreateDeployment takes them.

::

    {"configurationArn": "arn:aws:greengrass:R:A:configuration:thinggroup/G:2",        device
     "components": {"A": {"version": "1.0.0", "configurationUpdate": {"reset": ["/x"], "merge": {"fps": 5}}}},
     "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeout": 60},
     "configurationValidationPolicy": {"timeout": 30}, "failureHandlingPolicy": "ROLLBACK"}

    {"targetArn": "arn:aws:iot:R:A:thinggroup/G",                                       CreateDeployment
     "components": {"A": {"componentVersion": "1.0.0", "configurationUpdate": {"merge": "{\\"fps\\": 5}"}}},
     "deploymentPolicies": {"componentUpdatePolicy": {"timeoutInSeconds": 60}, ...}}

A document says all that its target has: components that it leaves out go. Sources: the Java nucleus's
``deployment/model/Configuration`` and ``FcsDeploymentConfig_Full.json``; the service model of greengrassv2.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import ConfigurationChange, LocalDeploymentRequest
from vedette.nucleus.run_with import RunWithChange, read_run_with

__all__ = ["read_document"]

_TARGET: Final = re.compile(
    r"arn:[^:]*:(?:iot|greengrass):[^:]*:[^:]*:(?:configuration:)?(thinggroup|thing)/([^/]+?)(?::\d+)?"
)
_UPDATE_S: Final = 60.0
_VALIDATION_S: Final = 20.0
"""What the Java nucleus takes where a document names no time."""
_ACTIONS: Final = frozenset({"NOTIFY_COMPONENTS", "SKIP_NOTIFY_COMPONENTS"})


@dataclass(frozen=True)
class _Component:
    version: str
    change: ConfigurationChange | None
    run_with: RunWithChange | None


def read_document(document: Any) -> LocalDeploymentRequest:
    """Return the deployment that a document describes.

    :raises NucleusError: with a finding for each thing that is missing or of another kind than expected
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("components"), Mapping):
        raise NucleusError("the deployment document has no object `components`")
    findings: list[str] = []
    components: dict[str, _Component] = {}
    for name, said in document["components"].items():
        try:
            components[str(name)] = _component(said)
        except ValueError as error:
            findings.append(f"components/{name}: {error}")
    try:
        target = _target(document)
        policies = _object(document, "deploymentPolicies") or document
        update = _object(policies, "componentUpdatePolicy") or {}
        action = update.get("action") or "NOTIFY_COMPONENTS"
        if action not in _ACTIONS:
            raise ValueError(
                f"componentUpdatePolicy/action is {action!r}, expected one of {', '.join(sorted(_ACTIONS))}"
            )
        failure = policies.get("failureHandlingPolicy") or "ROLLBACK"
        if failure not in {"ROLLBACK", "DO_NOTHING"}:
            raise ValueError(f"failureHandlingPolicy is {failure!r}, expected ROLLBACK or DO_NOTHING")
        notify_s = _seconds(update, _UPDATE_S)
        validation_s = _seconds(_object(policies, "configurationValidationPolicy") or {}, _VALIDATION_S)
    except ValueError as error:
        findings.append(str(error))
    if findings:
        raise NucleusError(*(f"deployment document: {finding}" for finding in findings))
    return LocalDeploymentRequest(
        add={name: component.version for name, component in components.items()},
        configuration={name: found.change for name, found in components.items() if found.change is not None},
        target=target,
        whole=True,
        run_with={name: found.run_with for name, found in components.items() if found.run_with is not None},
        roll_back=failure == "ROLLBACK",
        notify_s=notify_s if action == "NOTIFY_COMPONENTS" else None,
        validation_s=validation_s,
    )


def _component(said: Any) -> _Component:
    if not isinstance(said, Mapping):
        raise ValueError(f"it is {type(said).__name__}, expected an object")  # noqa: TRY004 -- one kind of finding
    version = said.get("version", said.get("componentVersion"))
    if not isinstance(version, str) or not version:
        raise ValueError("`version` is missing, expected a text")
    run_with_said = _object(said, "runWith")
    run_with = None if not run_with_said else read_run_with(run_with_said)
    update = _object(said, "configurationUpdate")
    if update is None:
        return _Component(version, None, run_with)
    merge = update.get("merge") or {}
    if isinstance(merge, str):
        try:
            merge = json.loads(merge)
        except ValueError as error:
            raise ValueError(f"configurationUpdate/merge is no JSON: {error}") from error
    reset = update.get("reset") or []
    if not isinstance(merge, Mapping):
        raise ValueError("configurationUpdate/merge is no object")  # noqa: TRY004 -- as above
    if not isinstance(reset, list) or not all(isinstance(pointer, str) for pointer in reset):
        raise ValueError("configurationUpdate/reset is no list of JSON pointers")
    return _Component(version, ConfigurationChange(merge=merge, reset=tuple(reset)), run_with)


def _target(document: Mapping[str, Any]) -> str:
    arn = document.get("configurationArn") or document.get("targetArn") or ""
    if not arn:
        return ""
    match = _TARGET.fullmatch(str(arn))
    if match is None:
        raise ValueError(f"{arn!r} names no thing and no thing group")
    return f"{match[1]}/{match[2]}"


def _object(document: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = document.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{key} is {type(value).__name__}, expected an object")
    return value


def _seconds(policy: Mapping[str, Any], default_s: float) -> float:
    value = policy.get("timeout", policy.get("timeoutInSeconds", default_s))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"a time limit is {value!r}, expected seconds")
    return float(value)
