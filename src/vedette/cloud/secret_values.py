"""Camera secrets of a deployment in AWS Secrets Manager: what is there, and what has to be written."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.errors import AccessDeniedError, AlreadyThereError, InvalidRequestError, NotFoundError

_DESCRIPTION: Final = "Camera of Vedette: Username, Password, StreamUrl"


class SecretState(Enum):
    """What has to be done about a secret."""

    CREATE = "create"
    SET = "set"
    THERE = "there"


@dataclass(frozen=True)
class SecretPlan:
    """One secret that an application's cameras need; its value is never shown."""

    name: str
    state: SecretState
    arn: str = ""
    value: Mapping[str, str] | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"secret": self.name, "state": self.state.value}


def plan_secrets(cloud: Cloud, names: Sequence[str], values: Mapping[str, Mapping[str, str]]) -> list[SecretPlan]:
    """Find out which secrets are there with the value that was given, if one was given.

    :raises InvalidRequestError: if a secret is not there and no value was given
    :raises CloudError: if AWS does not answer
    """
    return [_plan(cloud, name, values.get(name)) for name in names]


def _plan(cloud: Cloud, name: str, value: Mapping[str, str] | None) -> SecretPlan:
    try:
        found = cloud.call("secretsmanager", "describe_secret", SecretId=name)
    except NotFoundError:
        if value is None:
            raise InvalidRequestError(
                f"secret `{name}` is not in Secrets Manager, and nothing says what it holds",
                hint="give the camera with user and password: --camera NODE=rtsp://USER:PASSWORD@HOST/PATH",
            ) from None
        return SecretPlan(name, SecretState.CREATE, value=value)
    if found.get("DeletedDate"):
        raise InvalidRequestError(
            f"secret `{name}` is marked for deletion", hint=f"aws secretsmanager restore-secret --secret-id {name}"
        )
    arn = found["ARN"]
    if value is None:
        return SecretPlan(name, SecretState.THERE, arn)
    try:
        known = json.loads(cloud.call("secretsmanager", "get_secret_value", SecretId=arn)["SecretString"])
    except (AccessDeniedError, NotFoundError, ValueError, KeyError):
        # Who may write secrets and not read them cannot compare: the value is written.
        known = None
    return SecretPlan(name, SecretState.THERE if known == dict(value) else SecretState.SET, arn, value)


def write_secrets(cloud: Cloud, plans: Sequence[SecretPlan]) -> dict[str, str]:
    """Create and set what the plans say; return name -> ARN of all. May be repeated at any time.

    :raises CloudError: if AWS refuses
    """
    return {plan.name: _write(cloud, plan) for plan in plans}


def _write(cloud: Cloud, plan: SecretPlan) -> str:
    if plan.state is SecretState.THERE or plan.value is None:
        return plan.arn
    text = json.dumps(dict(plan.value), ensure_ascii=False)
    if plan.state is SecretState.CREATE:
        try:
            answer = cloud.call(
                "secretsmanager",
                "create_secret",
                Name=plan.name,
                Description=_DESCRIPTION,
                SecretString=text,
                ClientRequestToken=str(uuid.uuid4()),
            )
            return str(answer["ARN"])
        except AlreadyThereError:
            pass  # an answer was lost, or somebody else was faster: the value is ours in the end
    answer = cloud.call(
        "secretsmanager",
        "put_secret_value",
        SecretId=plan.arn or plan.name,
        SecretString=text,
        ClientRequestToken=str(uuid.uuid4()),
    )
    return str(answer["ARN"])
