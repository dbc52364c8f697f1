"""GetSecretValue, as the secret manager answers it."""

from collections.abc import Mapping
from typing import Any

from vedette.nucleus.ipc.authorization import SECRETS, Authorizer
from vedette.nucleus.ipc.call import Call, Operation
from vedette.nucleus.ipc.errors import ResourceNotFoundError, ServiceError
from vedette.nucleus.ipc.requests import text
from vedette.nucleus.secrets import SecretNotFoundError, SecretStore, SecretStoreError

__all__ = ["secret_operations"]

_CURRENT = "AWSCURRENT"


def secret_operations(store: SecretStore, authorizer: Authorizer) -> Mapping[str, Operation]:
    """Return the operations by name. Policies name ARNs, so a name is resolved before it is checked."""

    def get(call: Call) -> dict[str, Any]:
        secret_id = text(call.request, "secretId")
        if not secret_id:
            raise ServiceError("SecretId absent in the request")
        try:
            secret = store.get(secret_id)
        except SecretNotFoundError as error:
            raise ResourceNotFoundError(str(error), resourceType="secret") from error
        except SecretStoreError as error:
            raise ServiceError(str(error)) from error
        authorizer.check(call.component, SECRETS, "GetSecretValue", secret.arn)
        version, stage = text(call.request, "versionId"), text(call.request, "versionStage")
        if version and stage:
            raise ServiceError("Both versionId and Stage are set in the request")
        if version and version != secret.version_id:
            raise _missing(f"Version Id {version} not found for secret {secret_id}")
        if stage and stage != _CURRENT:
            raise _missing(f"Version stage {stage} not found for secret {secret_id}")
        return {
            "secretId": secret.arn,
            "versionId": secret.version_id,
            "versionStage": [_CURRENT],
            "secretValue": {"secretString": secret.value},
        }

    return {"GetSecretValue": Operation(get)}


def _missing(message: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(message, resourceType="secret")
