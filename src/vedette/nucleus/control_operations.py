"""What a running nucleus answers on its control socket, beside its owner's own operations.

Names and shapes are those of the IPC operations where there is one, so that whoever knows one knows the other.
"""

import base64
import binascii
import json
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vedette.nucleus.control import ControlServer, Operation
from vedette.nucleus.deployment_document import read_document
from vedette.nucleus.errors import ControlError, NucleusError
from vedette.nucleus.ipc.deployment_desk import ConfigurationChange, DeploymentRecord, LocalDeploymentRequest
from vedette.nucleus.ipc.errors import IpcRefusal
from vedette.nucleus.ipc.operations.deployments import deployment_document
from vedette.nucleus.run_with import read_run_with
from vedette.nucleus.secret_editing import list_secrets, set_secret
from vedette.nucleus.view import ComponentView

if TYPE_CHECKING:
    from vedette.nucleus.nucleus import Nucleus

SOURCE = "vedette"
"""Who publishes what the command line publishes."""
_SUBSCRIPTION_MESSAGES = 1000


def serve_nucleus(control: ControlServer, nucleus: "Nucleus") -> None:
    """Register the operations."""
    operations: Mapping[str, Operation] = {
        "nucleus": lambda _: describe(nucleus),
        "component-details": lambda request: details(nucleus, _text(request, "name")),
        "component-restart": lambda request: restart(nucleus, _text(request, "name")),
        "component-stop": lambda request: stop(nucleus, _text(request, "name")),
        "deployment-create": lambda request: create(nucleus, request),
        "deployment-status": lambda request: deployment(nucleus, request.get("deployment_id")),
        "deployment-list": lambda _: [deployment_document(r) for r in nucleus.local_deployments.records()],
        "deployment-cancel": lambda request: cancel(nucleus, _text(request, "deployment_id")),
        "publish": lambda request: publish(nucleus, request),
        "shadow-get": lambda request: shadow(nucleus, request, None),
        "shadow-set": lambda request: shadow(nucleus, request, request.get("document")),
        "secret-set": lambda request: secret_set(nucleus, request),
        "secret-list": lambda _: secret_list(nucleus),
    }
    for name, operation in operations.items():
        control.serve(name, operation)
    control.serve_stream("subscribe", lambda request: subscribe(nucleus, _text(request, "topic")))


def describe(nucleus: "Nucleus") -> dict[str, Any]:
    """Return what a nucleus is and what it has."""
    return {
        "run_id": nucleus.run_id,
        "root": str(nucleus.root),
        "personality": nucleus.personality.name,
        "thing_name": nucleus.thing_name,
        "socket": str(nucleus.socket),
        "iot_core": ("local loop-back, nothing leaves this machine" if nucleus.cloud is None else nucleus.cloud.state),
        "resume_error": None if nucleus.resume_error is None else str(nucleus.resume_error),
        "ipc": nucleus.describe_ipc(),
        "components": [view.document() for view in nucleus.components()],
    }


def _view(nucleus: "Nucleus", name: str) -> ComponentView:
    views = nucleus.components()
    found = next((view for view in views if view.name == name), None)
    if found is None:
        raise ControlError(
            f"no component `{name}` is deployed; there are: {', '.join(v.name for v in views) or 'none'}"
        )
    return found


def details(nucleus: "Nucleus", name: str) -> dict[str, Any]:
    """Return a component with its configuration."""
    view = _view(nucleus, name)
    return {**view.document(), "configuration": nucleus.configuration.find(name, ()) or {}}


def restart(nucleus: "Nucleus", name: str) -> None:
    """Begin to restart a component."""
    view = _view(nucleus, name)
    if not nucleus.with_components(lambda components: components.restart_component(name)):
        raise ControlError(
            f"component `{name}` is {view.state.value}, which a restart does not help: deploy it again"
            + (f" ({view.detail})" if view.detail else "")
        )


def stop(nucleus: "Nucleus", name: str) -> None:
    """Begin to stop a component."""
    _view(nucleus, name)
    nucleus.with_components(lambda components: components.stop_component(name))


def create(nucleus: "Nucleus", request: Mapping[str, Any]) -> str:
    """Queue a local deployment; return its id."""
    if request.get("document") is not None:
        return _create(nucleus, _from_document(request))
    try:
        wanted = LocalDeploymentRequest(
            add=dict(request.get("add") or {}),
            remove=tuple(request.get("remove") or ()),
            configuration=_changes(request),
            group=request.get("group") or "",
            recipe_folder=request.get("recipe_folder"),
            artifact_folder=request.get("artifact_folder"),
            roll_back=bool(request.get("roll_back", True)),
            notify_s=request.get("notify_s"),
            run_with={name: read_run_with(said) for name, said in (request.get("run_with") or {}).items()},
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ControlError(f"the deployment cannot be read: {error}") from error
    return _create(nucleus, wanted)


def _from_document(request: Mapping[str, Any]) -> LocalDeploymentRequest:
    try:
        read = read_document(request["document"])
        # What this machine alone has otherwise comes after what the document says of its whole target.
        configuration = dict(read.configuration)
        for name, change in _changes(request).items():
            configuration[name] = configuration.get(name, ConfigurationChange()).then(change)
    except NucleusError as error:
        raise ControlError(str(error)) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ControlError(f"the deployment cannot be read: {error}") from error
    return replace(
        read,
        configuration=configuration,
        recipe_folder=request.get("recipe_folder"),
        artifact_folder=request.get("artifact_folder"),
    )


def _changes(request: Mapping[str, Any]) -> dict[str, ConfigurationChange]:
    return {
        name: ConfigurationChange(merge=change.get("MERGE") or {}, reset=tuple(change.get("RESET") or ()))
        for name, change in (request.get("configuration") or {}).items()
    }


def _create(nucleus: "Nucleus", wanted: LocalDeploymentRequest) -> str:
    desk = nucleus.local_deployments
    if wanted.artifact_folder and desk.artifacts_inside(wanted.artifact_folder):
        raise ControlError(f"the component store lies in {wanted.artifact_folder}: name the artifacts' own folder")
    return desk.create(wanted)


def deployment(nucleus: "Nucleus", deployment_id: object) -> dict[str, Any]:
    """Return a local deployment; without an id the newest."""
    records = nucleus.local_deployments.records()
    found: DeploymentRecord | None
    if deployment_id is None:
        found = records[-1] if records else None
    else:
        # The first characters will do, as with commits.
        found = next((record for record in records if record.deployment_id.startswith(str(deployment_id))), None)
    if found is None:
        raise ControlError(f"no deployment {deployment_id}" if deployment_id else "there was no local deployment yet")
    return deployment_document(found)


def cancel(nucleus: "Nucleus", deployment_id: str) -> None:
    """Ask for a local deployment to be cancelled."""
    found = deployment(nucleus, deployment_id)
    if not nucleus.local_deployments.cancel(found["deploymentId"]):
        raise ControlError(f"deployment {found['deploymentId']} has ended already: it is {found['status']}")


def publish(nucleus: "Nucleus", request: Mapping[str, Any]) -> int:
    """Publish bytes (base64); return to how many subscribers they went."""
    try:
        payload = base64.b64decode(_text(request, "payload"), validate=True)
    except binascii.Error as error:
        raise ControlError("payload is not base64") from error
    try:
        return nucleus.broker.publish(_text(request, "topic"), payload, SOURCE)
    except IpcRefusal as refusal:
        raise ControlError(str(refusal)) from refusal


def subscribe(nucleus: "Nucleus", topic_filter: str) -> tuple[Iterator[dict[str, Any] | None], Callable[[], None]]:
    """Return the messages of a topic filter (None where a second passes without one), and the closer."""
    messages: queue.Queue[dict[str, Any]] = queue.Queue(_SUBSCRIPTION_MESSAGES)
    dropped = 0

    def hear(topic: str, payload: bytes, source: str) -> None:
        nonlocal dropped
        message = {"topic": topic, "source": source, "payload": base64.b64encode(payload).decode()}
        try:
            messages.put_nowait(message)
        except queue.Full:
            dropped += 1

    try:
        close = nucleus.broker.subscribe(topic_filter, hear)
    except IpcRefusal as refusal:
        raise ControlError(str(refusal)) from refusal

    def events() -> Iterator[dict[str, Any] | None]:
        while True:
            try:
                yield {**messages.get(timeout=1.0), "dropped": dropped}
            except queue.Empty:
                yield None

    return events(), close


def shadow(nucleus: "Nucleus", request: Mapping[str, Any], document: object) -> dict[str, Any]:
    """Return a shadow, after an update where there is a document."""
    thing, name = request.get("thing") or nucleus.thing_name, request.get("shadow") or ""
    try:
        if document is not None:
            payload = json.dumps(document).encode()
            nucleus.with_shadows(lambda shadows: shadows.update(thing, name, payload))
        return nucleus.with_shadows(lambda shadows: shadows.get(thing, name))
    except IpcRefusal as refusal:
        raise ControlError(f"shadow `{name or 'classic'}` of thing `{thing}`: {refusal}") from refusal


def secret_set(nucleus: "Nucleus", request: Mapping[str, Any]) -> None:
    """Keep a secret in the nucleus's file of secrets."""
    try:
        set_secret(nucleus.secrets_file, _text(request, "name"), _text(request, "value"))
    except NucleusError as error:
        raise ControlError(str(error)) from None


def secret_list(nucleus: "Nucleus") -> list[dict[str, str]]:
    """Return names and ARNs of the secrets, never values."""
    try:
        return list_secrets(nucleus.secrets_file)
    except NucleusError as error:
        raise ControlError(str(error)) from None


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ControlError(f"{key} is missing, expected a text")
    return value
