"""The deployment of a compiled application: as CreateDeployment takes it, and as a device gets it.

Both name every component in its exact version: without that, a dependency floats to the newest that is published.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import vedette
from vedette.compiler.compilation import Compiled
from vedette.compiler.recipes import suite_dependencies

UPDATE_TIMEOUT_S: Final = 60
VALIDATION_TIMEOUT_S: Final = 30
_TARGET: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iot:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"(?P<kind>thing|thinggroup)/(?P<name>[A-Za-z0-9:_-]{1,128})"
)
_NAMESPACE: Final = uuid.UUID("6f1c0d4e-5a7b-5c0e-9b0a-3d2f5e8c7a41")


class TargetError(ValueError):
    """The target is no ARN of a thing or thing group."""


@dataclass(frozen=True)
class Target:
    """A thing or thing group of AWS IoT."""

    arn: str

    def __post_init__(self) -> None:
        """Check the ARN.

        :raises TargetError: if it names neither a thing nor a thing group
        """
        if _TARGET.fullmatch(self.arn) is None:
            raise TargetError(
                f"target `{self.arn[:200]}` is no thing and no thing group: "
                "expected arn:aws:iot:<region>:<account>:thinggroup/<name>"
            )

    def configuration_arn(self, revision: int = 1) -> str:
        """Return the ARN under which the device knows a revision of the deployment to this target."""
        match = _TARGET.fullmatch(self.arn)
        if match is None:
            raise TargetError(self.arn)
        prefix = f"arn:{match['partition']}:greengrass:{match['region']}:{match['account']}"
        return f"{prefix}:configuration:{match['kind']}/{match['name']}:{revision}"


def components_of(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """Return every root component of the deployment: component -> version, and merge and reset where it has them.

    The suite's components are named in this release's version, the application's in its own; its models come as its
    dependencies, which name their exact versions.
    """
    suite = {"vedette.Runtime": "HARD", **suite_dependencies(compiled.manifest)}
    pinned = {name: {"version": vedette.__version__} for name in suite}
    return {**pinned, **compiled.deployment()}


def create_deployment(compiled: Compiled, target: Target | None = None) -> dict[str, Any]:
    """Return the input of CreateDeployment; without ``target`` it lacks the one key that is required, ``targetArn``."""
    document: dict[str, Any] = {"targetArn": target.arn} if target is not None else {}
    return {
        **document,
        "deploymentName": compiled.configuration["instance"],
        "components": {name: _for_cloud(said) for name, said in components_of(compiled).items()},
        "deploymentPolicies": {
            "failureHandlingPolicy": "ROLLBACK",
            "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": UPDATE_TIMEOUT_S},
            "configurationValidationPolicy": {"timeoutInSeconds": VALIDATION_TIMEOUT_S},
        },
    }


def device_document(compiled: Compiled, target: Target | None = None) -> dict[str, Any]:
    """Return the document that a core device gets of the deployment.

    It has no ``creationTimestamp`` (equal input gives equal bytes), and ``configurationArn`` only for a target.
    """
    components = {name: _for_device(said) for name, said in components_of(compiled).items()}
    content = json.dumps([components, target.arn if target is not None else ""], sort_keys=True)
    arn = {"configurationArn": target.configuration_arn()} if target is not None else {}
    return {
        "deploymentId": str(uuid.uuid5(_NAMESPACE, content)),
        **arn,
        "components": components,
        "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeout": UPDATE_TIMEOUT_S},
        "configurationValidationPolicy": {"timeout": VALIDATION_TIMEOUT_S},
        "failureHandlingPolicy": "ROLLBACK",
    }


def _for_cloud(said: Mapping[str, Any]) -> dict[str, Any]:
    update: dict[str, Any] = {}
    if said.get("reset"):
        update["reset"] = list(said["reset"])
    if said.get("merge"):
        update["merge"] = json.dumps(said["merge"], ensure_ascii=False, separators=(",", ":"))
    return {"componentVersion": said["version"], **({"configurationUpdate": update} if update else {})}


def _for_device(said: Mapping[str, Any]) -> dict[str, Any]:
    update = {key: said[key] for key in ("reset", "merge") if said.get(key)}
    return {"version": said["version"], **({"configurationUpdate": update} if update else {})}
