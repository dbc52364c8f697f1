"""What a component may do: the ``accessControl`` of its configuration, read anew at every request.

::

    accessControl:
      aws.greengrass.ipc.pubsub:                        # service
        com.example.cam.Ingest:pubsub:1:                # policy
          operations: [aws.greengrass#PublishToTopic]   # or '*'
          resources: ['cam/front/*']                    # '*' any characters; ${*} ${?} ${$} stand for themselves

Source: the Java nucleus's ``authorization`` package. A policy that it could not use is left out with one warning.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from vedette.nucleus.ipc.errors import UnauthorizedError
from vedette.nucleus.ipc.protocol import shape_name

__all__ = [
    "CLI",
    "LIFECYCLE",
    "METRICS",
    "MQTT_PROXY",
    "OPERATIONS",
    "PUBSUB",
    "SECRETS",
    "SHADOWS",
    "Authorizer",
    "PolicySource",
    "is_command_line",
    "resource_pattern",
]

_log = logging.getLogger(__name__)

PUBSUB: Final = "aws.greengrass.ipc.pubsub"
SECRETS: Final = "aws.greengrass.SecretManager"
SHADOWS: Final = "aws.greengrass.ShadowManager"
MQTT_PROXY: Final = "aws.greengrass.ipc.mqttproxy"
LIFECYCLE: Final = "aws.greengrass.ipc.lifecycle"
METRICS: Final = "aws.greengrass.ipc.componentmetric"
CLI: Final = "aws.greengrass.Cli"
OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    PUBSUB: frozenset({"PublishToTopic", "SubscribeToTopic"}),
    SECRETS: frozenset({"GetSecretValue"}),
    SHADOWS: frozenset({"GetThingShadow", "UpdateThingShadow", "DeleteThingShadow", "ListNamedShadowsForThing"}),
    MQTT_PROXY: frozenset({"PublishToIoTCore", "SubscribeToIoTCore"}),
    LIFECYCLE: frozenset({"PauseComponent", "ResumeComponent"}),
    METRICS: frozenset({"PutComponentMetric"}),
    CLI: frozenset(
        {
            "CreateDebugPassword",
            "CreateLocalDeployment",
            "GetComponentDetails",
            "GetLocalDeploymentStatus",
            "ListComponents",
            "ListLocalDeployments",
            "RestartComponent",
            "StopComponent",
        }
    ),
}
"""Operations that a policy of a service may name. CancelLocalDeployment is the command line's alone, as on a device."""
_OPEN_TO_COMMAND_LINE: Final = frozenset({PUBSUB, MQTT_PROXY})
_SPECIAL = re.compile(r"\$\{(?P<literal>.)\}|(?P<open>\$\{)|(?P<any>\*)|(?P<question>\?)", re.DOTALL)
# Topic wildcards count only as whole levels after another level; ``a/#`` allows ``a`` too.
_SPECIAL_MQTT = re.compile(rf"(?P<rest>/#\Z)|(?P<level>(?<=/)\+(?=/|\Z))|{_SPECIAL.pattern}", re.DOTALL)


class PolicySource(Protocol):
    """Where configuration is read; ``ConfigurationStore`` is one."""

    def find(self, component: str, key_path: tuple[str, ...]) -> Any:
        """Return the value at a key path of a component's configuration, None when there is none."""


def is_command_line(principal: str) -> bool:
    """Tell whether a principal is the command line, which may do everything that the command line's service offers."""
    return principal == CLI or principal.startswith("greengrass-cli#")


@lru_cache(maxsize=1024)
def resource_pattern(resource: str, *, mqtt: bool = False) -> re.Pattern[str]:
    """Return the pattern of a policy's resource; ValueError when the Java nucleus refuses it, with the reason.

    :param mqtt: read ``+`` and ``#`` as wildcards of topics, as for the policies of IoT Core topics
    """
    if not resource:
        raise ValueError("a resource is empty")
    parts: list[str] = []
    at = 0
    for found in (_SPECIAL_MQTT if mqtt else _SPECIAL).finditer(resource):
        parts.append(re.escape(resource[at : found.start()]))
        at = found.end()
        if mqtt and found["rest"]:
            parts.append("(?:/.*)?")
        elif mqtt and found["level"]:
            parts.append("[^/]*")
        elif found["any"]:
            parts.append(".*")
        elif found["literal"] in {"*", "?", "$"}:
            parts.append(re.escape(found["literal"]))
        elif found["question"]:
            raise ValueError(f"resource {resource!r} contains '?'; write ${{?}} for the character itself")
        else:
            raise ValueError(f"resource {resource!r} contains an escape that is none of ${{*}}, ${{?}} and ${{$}}")
    parts.append(re.escape(resource[at:]))
    return re.compile("".join(parts), re.DOTALL)


class Authorizer:
    """Answers whether a component may use an operation on a resource."""

    def __init__(self, policies: PolicySource, thing_name: str) -> None:
        """``thing_name`` replaces ``{iot:thingName}`` in resources."""
        self._policies = policies
        self._thing_name = thing_name
        self._warned: set[tuple[str, str, str]] = set()

    def check(self, component: str, service: str, operation: str, resource: str) -> None:
        """Return when allowed; otherwise UnauthorizedError, worded as the Java nucleus does."""
        if service in _OPEN_TO_COMMAND_LINE and is_command_line(component):
            return
        if operation not in OPERATIONS[service]:
            raise UnauthorizedError(f"Component {service} not registered for operation {shape_name(operation)}")
        for allowed in self._resources(component, service, operation):
            if allowed.fullmatch(resource):
                return
        raise UnauthorizedError(
            f"Principal {component} is not authorized to perform "
            f"{service}:{shape_name(operation)} on resource {resource}"
        )

    def _resources(self, component: str, service: str, operation: str) -> Iterator[re.Pattern[str]]:
        policies = self._policies.find(component, ("accessControl", service))
        if not isinstance(policies, Mapping):
            return
        for name, policy in policies.items():
            try:
                operations, resources = self._parse(service, policy)
            except ValueError as error:
                self._warn_once(component, name, str(error))
                continue
            if "*" in operations or shape_name(operation) in operations:
                yield from resources

    def _parse(self, service: str, policy: object) -> tuple[list[str], list[re.Pattern[str]]]:
        if not isinstance(policy, Mapping):
            raise ValueError("it is not an object")  # noqa: TRY004 -- one kind of error for a policy that cannot be used
        operations = _texts(policy.get("operations"), "operations")
        known = {shape_name(operation) for operation in OPERATIONS[service]} | {"*"}
        unknown = [operation for operation in operations if operation not in known]
        if unknown:
            raise ValueError(
                f"{service} has no operation {unknown[0]!r}; expected '*' or {', '.join(sorted(known - {'*'}))}"
            )
        resources = _texts(policy.get("resources"), "resources")
        mqtt = service == MQTT_PROXY
        return operations, [
            resource_pattern(resource.replace("{iot:thingName}", self._thing_name), mqtt=mqtt) for resource in resources
        ]

    def _warn_once(self, component: str, policy: str, reason: str) -> None:
        if (component, policy, reason) not in self._warned:
            self._warned.add((component, policy, reason))
            _log.warning("policy %s of %s is left out: %s", policy, component, reason)


def _texts(value: object, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{what} is missing, expected a list of strings")
    return value
