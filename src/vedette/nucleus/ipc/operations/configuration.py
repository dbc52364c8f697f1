"""GetConfiguration, UpdateConfiguration and SubscribeToConfigurationUpdate."""

from collections.abc import Mapping
from typing import Any

from vedette.nucleus.configuration import ConfigurationStore, KeyNotFoundError, KeyPath, StaleUpdateError
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import (
    FailedUpdateConditionCheckError,
    InvalidArgumentsError,
    ResourceNotFoundError,
)
from vedette.nucleus.ipc.protocol import to_json
from vedette.nucleus.ipc.requests import mapping, number, text, texts

__all__ = ["configuration_operations"]

_RESTRICTED = "accessControl"
"""Who may do what is decided by recipes and deployments, never by the component itself."""


def configuration_operations(store: ConfigurationStore) -> Mapping[str, Operation]:
    """Return the operations by name. Every component may read every other's configuration, as on a device."""

    def get(call: Call) -> dict[str, Any]:
        component, path = _target(call)
        value = _value(store, component, path)
        return {"componentName": component, "value": value if isinstance(value, dict) else {path[-1]: value}}

    def update(call: Call) -> dict[str, Any]:
        timestamp_s = number(call.request, "timestamp")
        if timestamp_s is None:
            raise InvalidArgumentsError("Timestamp is required")
        value = mapping(call.request, "valueToMerge")
        if value is None:
            raise InvalidArgumentsError("ValueToMerge is required")
        path = texts(call.request, "keyPath")
        if (path[0] == _RESTRICTED) if path else (_RESTRICTED in value):
            raise InvalidArgumentsError(f"Config update is not allowed for following fields [{_RESTRICTED}]")
        try:
            store.update(call.component, path, value, round(timestamp_s * 1000))
        except KeyNotFoundError as error:
            raise InvalidArgumentsError(f"Component config not found for component {call.component}") from error
        except StaleUpdateError as error:
            raise FailedUpdateConditionCheckError(str(error)) from error
        return {}

    def subscribe(call: Call) -> dict[str, Any]:
        component, path = _target(call)
        _value(store, component, path)

        def changed(changed_path: KeyPath) -> None:
            event = {"componentName": component, "keyPath": list(changed_path)}
            call.stream.send(to_json({"configurationUpdateEvent": event}))

        call.stream.on_close(store.listen(component, path, changed))
        return {}

    return {
        "GetConfiguration": Operation(get),
        "UpdateConfiguration": Operation(update, integers_as_floats=True),
        "SubscribeToConfigurationUpdate": Operation(subscribe, event_shape="ConfigurationUpdateEvents"),
    }


def _target(call: Call) -> tuple[str, KeyPath]:
    component = text(call.request, "componentName")
    return call.component if component is None else component, tuple(texts(call.request, "keyPath"))


def _value(store: ConfigurationStore, component: str, path: KeyPath) -> Any:
    try:
        return store.get(component, path)
    except KeyNotFoundError as error:
        raise ResourceNotFoundError("Key not found") from error
