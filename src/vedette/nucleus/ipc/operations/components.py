"""ListComponents, GetComponentDetails, RestartComponent, StopComponent, PauseComponent and ResumeComponent.

Sources: aws-greengrass-cli ``CLIEventStreamAgent.java``, the Java nucleus's ``LifecycleIPCEventStreamAgent.java``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.errors import LifecycleError
from vedette.nucleus.ipc.authorization import CLI, LIFECYCLE, Authorizer, is_command_line
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.component_control import ComponentControl
from vedette.nucleus.ipc.errors import InvalidArgumentsError, ResourceNotFoundError
from vedette.nucleus.ipc.requests import text
from vedette.nucleus.view import ComponentView

__all__ = ["authorize_command", "component_operations"]


def authorize_command(authorizer: Authorizer, component: str, operation: str, resource: str) -> None:
    """Return when a component may use an operation of the command line's service; UnauthorizedError otherwise."""
    if not is_command_line(component):
        authorizer.check(component, CLI, operation, resource)


def component_operations(
    components: ComponentControl, configuration: ConfigurationStore, authorizer: Authorizer
) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def named(call: Call, operation: str) -> str:
        name = text(call.request, "componentName")
        if not name:
            raise InvalidArgumentsError("Component name cannot be empty")
        authorize_command(authorizer, call.component, operation, name)
        return name

    def details(view: ComponentView) -> dict[str, Any]:
        return {
            "componentName": view.name,
            "version": view.version,
            "state": view.state.value,
            "configuration": configuration.find(view.name, ()) or {},
        }

    def list_components(call: Call) -> dict[str, Any]:
        authorize_command(authorizer, call.component, "ListComponents", "*")
        return {"components": [details(view) for view in components.views()]}

    def get_details(call: Call) -> dict[str, Any]:
        name = named(call, "GetComponentDetails")
        for view in components.views():
            if view.name == name:
                return {"componentDetails": details(view)}
        raise _not_found(name)

    def restart(call: Call) -> dict[str, Any]:
        name = named(call, "RestartComponent")
        try:
            return {"restartStatus": "SUCCEEDED" if components.restart_component(name) else "FAILED"}
        except LookupError as error:
            raise _not_found(name) from error

    def stop(call: Call) -> dict[str, Any]:
        name = named(call, "StopComponent")
        try:
            components.stop_component(name)
        except LookupError as error:
            raise _not_found(name) from error
        return {"stopStatus": "SUCCEEDED"}

    return {
        "ListComponents": Operation(list_components),
        "GetComponentDetails": Operation(get_details),
        "RestartComponent": Operation(restart),
        "StopComponent": Operation(stop),
        "PauseComponent": Operation(_halting("PauseComponent", components.pause_component, authorizer)),
        "ResumeComponent": Operation(_halting("ResumeComponent", components.resume_component, authorizer)),
    }


def _halting(
    operation: str, change: Callable[[str], Awaitable[None]], authorizer: Authorizer
) -> Callable[[Call], Awaitable[dict[str, Any]]]:
    async def handle(call: Call) -> dict[str, Any]:
        name = text(call.request, "componentName")
        if not name:
            raise InvalidArgumentsError("Component name is required.")
        authorizer.check(call.component, LIFECYCLE, operation, name)
        try:
            await change(name)
        except LookupError as error:
            raise ResourceNotFoundError("Component with given name not found", resourceName=name) from error
        except LifecycleError as error:
            raise InvalidArgumentsError(str(error)) from error
        return {}

    return handle


def _not_found(name: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"Component with name {name} not found in Greengrass")
