"""What the policies of a role allow: its IAM actions, as they are written there."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from vedette.cloud.access import Cloud
from vedette.cloud.errors import InvalidRequestError, NotFoundError

_MOST: Final = 1000
"""More policies than a role can have (10 to 20 attached ones; inline ones of 10,240 characters together)."""


def allowed_actions(cloud: Cloud, role: str) -> list[str]:
    """Return the actions that a role's policies allow, sorted: ``sns:Publish``, ``s3:*``; ``*`` for everything.

    What is denied again, conditions, resources and boundaries are not taken off: what is called in vain needs its
    endpoint as well.

    :param role: its ARN
    :raises InvalidRequestError: if it is no role's ARN, or of another account, or there is none
    :raises CloudError: if AWS does not answer, or these credentials may not read it
    """
    parts = role.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise InvalidRequestError(f"`{role}` is no ARN of a role", hint="arn:aws:iam::ACCOUNT:role/NAME")
    if parts[4] != cloud.identity().account:
        raise InvalidRequestError(
            f"the role {role} belongs to another account than {cloud.identity().account}",
            hint="--profile NAME with credentials of its account, or --policy FILE",
        )
    found: set[str] = set()
    for document in _documents(cloud, role.rpartition("/")[2], role):
        found.update(actions_of(document))
    return sorted(found)


def actions_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the actions that a policy's statements allow; ``*`` where all but some are.

    :raises InvalidRequestError: if it is no policy
    """
    statements = document.get("Statement")
    listed = [statements] if isinstance(statements, Mapping) else statements
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise InvalidRequestError("this is no policy: there is no list `Statement`", hint="a document as IAM has it")
    for statement in listed:
        if statement.get("Effect") != "Allow":
            continue
        actions = statement.get("Action", "*" if "NotAction" in statement else [])
        yield from ([actions] if isinstance(actions, str) else map(str, actions))


def _documents(cloud: Cloud, name: str, role: str) -> Iterator[Mapping[str, Any]]:
    try:
        inline = cloud.call("iam", "list_role_policies", RoleName=name, MaxItems=_MOST)["PolicyNames"]
    except NotFoundError:
        raise InvalidRequestError(
            f"the role {role} does not exist", hint="scripts/create-stack application-role makes one for an application"
        ) from None
    for policy in inline:
        yield _read(cloud.call("iam", "get_role_policy", RoleName=name, PolicyName=policy)["PolicyDocument"])
    attached = cloud.call("iam", "list_attached_role_policies", RoleName=name, MaxItems=_MOST)["AttachedPolicies"]
    for policy in attached:
        arn = policy["PolicyArn"]
        version = cloud.call("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = cloud.call("iam", "get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"]
        yield _read(found["Document"])


def _read(document: Any) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return read
