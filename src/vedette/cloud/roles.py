"""Whether devices can give an application its AWS role: asked before a deployment, not found out on the devices.

Two keys turn it: the role trusts the devices' token exchange role, and that role is allowed to take it. The second
stands where Panorama had ``iam:PassRole``: only who owns the account puts a role's ARN into infra/device-role.yaml.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from vedette.cloud.access import Cloud
from vedette.cloud.errors import AccessDeniedError, InvalidRequestError, NotFoundError, UnreachableError
from vedette.cloud.provisioning import ROLE_ALIAS

_ASSUME: Final = frozenset({"sts:AssumeRole", "sts:*", "*"})
_PANORAMA: Final = "panorama.amazonaws.com"


def check_roles(cloud: Cloud, roles: Iterable[str], alias: str = ROLE_ALIAS) -> list[str]:
    """Refuse roles that devices could not give to applications; return what could not be looked up.

    :param roles: ARNs
    :param alias: the role alias of the devices
    :raises InvalidRequestError: naming what to change
    :raises CloudError: if AWS does not answer
    """
    wanted = sorted(set(roles))
    if not wanted:
        return []
    names = ", ".join(wanted)
    try:
        found = cloud.call("iot", "describe_role_alias", roleAlias=alias)
    except NotFoundError:
        return [
            f"whether devices can take {names} was not looked up: there is no role alias {alias} (--role-alias NAME)"
        ]
    except AccessDeniedError as error:
        return [f"whether devices can take {names} was not looked up: {error}"]
    device = str(found["roleAliasDescription"]["roleArn"])
    try:
        for role in wanted:
            _check_trust(cloud, role, device)
            _check_permission(cloud, role, device)
    except (AccessDeniedError, UnreachableError) as error:
        return [f"whether devices can take {names} was not looked up: {error}"]
    return []


def _check_trust(cloud: Cloud, role: str, device: str) -> None:
    name = role.rpartition("/")[2]
    if role.split(":")[4] != device.split(":")[4]:
        return  # another account's role: only its owner can look
    try:
        found = cloud.call("iam", "get_role", RoleName=name)["Role"]
    except NotFoundError:
        raise InvalidRequestError(
            f"the role {role} does not exist", hint="scripts/create-stack application-role makes one for an application"
        ) from None
    document = found["AssumeRolePolicyDocument"]
    trust: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    if trusts(trust, device):
        return
    was = f": it trusts {_PANORAMA}, which is no more" if _PANORAMA in json.dumps(trust) else ""
    raise InvalidRequestError(
        f"the role {role} does not trust the devices' role {device}{was}",
        hint=f'let its trust policy allow sts:AssumeRole to {{"AWS": "{device}"}}, as infra/application-role.yaml does',
    )


def trusts(document: Mapping[str, Any], device: str) -> bool:
    """Tell whether a trust policy lets the devices' role in: by its ARN, or by the account that it is of."""
    account = device.split(":")[4]
    partition = device.split(":")[1]
    meant = {device, account, f"arn:{partition}:iam::{account}:root", "*"}
    statements = _listed(document.get("Statement"))
    allowed = False
    for statement in statements:
        principal = statement.get("Principal", {})
        who = _listed(principal.get("AWS") if isinstance(principal, Mapping) else principal)
        if not (meant & set(who) and _ASSUME & set(_listed(statement.get("Action")))):
            continue
        if statement.get("Effect") == "Deny" and not statement.get("Condition"):
            return False
        allowed |= statement.get("Effect") == "Allow"
    return allowed


def _check_permission(cloud: Cloud, role: str, device: str) -> None:
    answer = cloud.call(
        "iam",
        "simulate_principal_policy",
        PolicySourceArn=device,
        ActionNames=["sts:AssumeRole"],
        ResourceArns=[role],
    )
    if all(item["EvalDecision"] == "allowed" for item in answer.get("EvaluationResults", ())):
        return
    raise InvalidRequestError(
        f"the devices' role {device} may not take {role}",
        hint=f"add it to ApplicationRoleArns of infra/device-role.yaml: an administrator runs "
        f"scripts/create-stack device-role ArtifactBucket=... ApplicationRoleArns={role}",
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
