"""CreateLocalDeployment, CancelLocalDeployment, GetLocalDeploymentStatus and ListLocalDeployments.

Source: aws-greengrass-cli ``CLIEventStreamAgent.java``.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from vedette.nucleus.ipc.authorization import Authorizer
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.deployment_desk import (
    ConfigurationChange,
    DeploymentDesk,
    DeploymentRecord,
    LocalDeploymentRequest,
)
from vedette.nucleus.ipc.errors import (
    InvalidArgumentsError,
    InvalidArtifactsDirectoryPathError,
    ResourceNotFoundError,
    UnparsableRequest,
)
from vedette.nucleus.ipc.operations.components import authorize_command
from vedette.nucleus.ipc.requests import mapping, text, texts
from vedette.nucleus.run_with import RunWithChange, read_run_with

__all__ = ["deployment_document", "deployment_operations", "read_request"]

_RESOURCE: Final = "LocalDeployment"
_POLICIES: Final = {None: True, "ROLLBACK": True, "DO_NOTHING": False}


def deployment_operations(desk: DeploymentDesk, authorizer: Authorizer) -> Mapping[str, Operation]:
    """Return the operations by name."""

    def create(call: Call) -> dict[str, Any]:
        authorize_command(authorizer, call.component, "CreateLocalDeployment", "*")
        request = read_request(call.request)
        if request.artifact_folder and desk.artifacts_inside(request.artifact_folder):
            raise InvalidArtifactsDirectoryPathError(
                "Requested artifacts directory path is parent of kernel artifacts directory path. "
                "Specify another path to avoid recursive copy"
            )
        if ":" in request.group:
            raise InvalidArgumentsError("Thing group name cannot contain colon characters")
        return {"deploymentId": desk.create(request)}

    def cancel(call: Call) -> dict[str, Any]:
        deployment_id = _deployment_id(call)
        authorize_command(authorizer, call.component, "CancelLocalDeployment", "*")
        try:
            accepted = desk.cancel(deployment_id)
        except LookupError as error:
            raise _missing(f"Cannot find the deployment id provided {deployment_id}", deployment_id) from error
        if not accepted:
            return {"message": "Cancellation request is not processed because deployment is already finished"}
        return {"message": f"Cancel request submitted. Deployment ID: {deployment_id}"}

    def status(call: Call) -> dict[str, Any]:
        deployment_id = _deployment_id(call)
        authorize_command(authorizer, call.component, "GetLocalDeploymentStatus", deployment_id)
        record = desk.find(deployment_id)
        if record is None:
            raise _missing("Cannot find deployment", deployment_id)
        return {"deployment": deployment_document(record)}

    def list_deployments(call: Call) -> dict[str, Any]:
        authorize_command(authorizer, call.component, "ListLocalDeployments", "*")
        documents = [deployment_document(record) for record in desk.records()]
        for document in documents:
            document.pop("deploymentStatusDetails", None)
        return {"localDeployments": documents}

    return {
        "CreateLocalDeployment": Operation(create),
        "CancelLocalDeployment": Operation(cancel),
        "GetLocalDeploymentStatus": Operation(status),
        "ListLocalDeployments": Operation(list_deployments),
    }


def read_request(request: dict[str, Any]) -> LocalDeploymentRequest:
    """Return the request of CreateLocalDeployment; UnparsableRequest when it is not of its shape."""
    policy = text(request, "failureHandlingPolicy")
    if policy not in _POLICIES:
        raise UnparsableRequest(f"failureHandlingPolicy is {policy!r}, expected ROLLBACK or DO_NOTHING")
    add = mapping(request, "rootComponentVersionsToAdd") or {}
    changes = mapping(request, "componentToConfiguration") or {}
    run_with = mapping(request, "componentToRunWithInfo") or {}
    return LocalDeploymentRequest(
        add={name: text(add, name) or "" for name in add},
        remove=tuple(texts(request, "rootComponentsToRemove")),
        configuration={name: _change(mapping(changes, name) or {}) for name in changes},
        group=text(request, "groupName") or "",
        recipe_folder=text(request, "recipeDirectoryPath") or None,
        artifact_folder=text(request, "artifactsDirectoryPath") or None,
        roll_back=_POLICIES[policy],
        run_with={name: _run_with(mapping(run_with, name) or {}) for name in run_with},
    )


def deployment_document(record: DeploymentRecord) -> dict[str, Any]:
    """Return a deployment as the service model has it (``LocalDeployment``)."""
    created = datetime.fromtimestamp(record.created_ms / 1000, timezone.utc)
    document: dict[str, Any] = {
        "deploymentId": record.deployment_id,
        "status": record.status,
        "createdOn": f"{created:%d-%m-%Y %H:%M:%S} UTC",
    }
    if record.detail is not None:
        details: dict[str, Any] = {"detailedDeploymentStatus": record.detail}
        if record.error_stack:
            details["deploymentErrorStack"] = list(record.error_stack)
            details["deploymentErrorTypes"] = list(record.error_types)
        if record.cause is not None:
            details["deploymentFailureCause"] = record.cause
        document["deploymentStatusDetails"] = details
    return document


def _change(change: dict[str, Any]) -> ConfigurationChange:
    return ConfigurationChange(merge=mapping(change, "MERGE") or {}, reset=tuple(texts(change, "RESET")))


def _run_with(said: dict[str, Any]) -> RunWithChange:
    try:
        return read_run_with(said)
    except ValueError as error:
        raise UnparsableRequest(str(error)) from error


def _deployment_id(call: Call) -> str:
    deployment_id = text(call.request, "deploymentId") or ""
    try:
        uuid.UUID(deployment_id)
    except ValueError as error:
        raise InvalidArgumentsError("Invalid deploymentId format received. DeploymentId is a UUID") from error
    return deployment_id


def _missing(message: str, deployment_id: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(message, resourceType=_RESOURCE, resourceName=deployment_id)
