"""Things and thing groups that deployments go to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from vedette.cloud.access import Cloud, Identity
from vedette.cloud.errors import InvalidRequestError, NotFoundError

_NAME: Final = re.compile(r"[A-Za-z0-9:_-]{1,128}")
_ARN: Final = re.compile(r"arn:aws[a-z-]*:iot:[a-z0-9-]+:[0-9]{12}:(?P<kind>thing|thinggroup)/(?P<name>.+)")
_WORDS: Final = {"thing": "thing", "group": "thinggroup", "thing-group": "thinggroup", "thinggroup": "thinggroup"}
_ONE_BY_ONE: Final = 10
"""Up to so many groups are asked for one by one; beyond, all of the account's are listed."""

Kind = Literal["thing", "thinggroup"]


@dataclass(frozen=True, order=True)
class Target:
    """One thing or thing group."""

    kind: Kind
    name: str
    arn: str

    def __str__(self) -> str:
        return f"{'thing' if self.kind == 'thing' else 'thing-group'}/{self.name}"


def find_targets(cloud: Cloud, said: Sequence[str]) -> list[Target]:
    """Return the targets that were named: an ARN, ``thing/NAME``, ``thing-group/NAME``, or a NAME.

    :raises InvalidRequestError: for what is no name, or names a thing and a group
    :raises NotFoundError: for what does not exist
    """
    groups = _listed_groups(cloud) if len(said) > _ONE_BY_ONE else None
    found: dict[str, Target] = {}
    for text in said:
        target = _find(cloud, text, groups)
        found.setdefault(target.arn, target)
    return list(found.values())


def thing_arn(identity: Identity, name: str) -> str:
    """Return a thing's ARN."""
    return f"arn:{identity.partition}:iot:{identity.region}:{identity.account}:thing/{name}"


def group_arn(identity: Identity, name: str) -> str:
    """Return a thing group's ARN."""
    return f"arn:{identity.partition}:iot:{identity.region}:{identity.account}:thinggroup/{name}"


def groups_of(cloud: Cloud, target: Target) -> Sequence[str]:
    """Return the names of the groups that a thing is in; none for a group.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    if target.kind != "thing":
        return ()
    return [
        item["groupName"]
        for item in cloud.pages("iot", "list_thing_groups_for_thing", "thingGroups", thingName=target.name)
    ]


def _find(cloud: Cloud, text: str, groups: set[str] | None) -> Target:
    match = _ARN.fullmatch(text)
    kind: str | None
    if match is not None:
        kind, name = match["kind"], match["name"]
    else:
        word, slash, rest = text.partition("/")
        kind, name = (_WORDS.get(word, ""), rest) if slash else (None, text)
    if kind == "" or not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"`{text[:200]}` is no target: expected thing/NAME, thing-group/NAME or an ARN of one",
            hint="names have letters, digits, `:`, `_` and `-`, at most 128",
        )
    is_thing = kind != "thinggroup" and _thing_exists(cloud, name)
    is_group = kind != "thing" and (name in groups if groups is not None else _group_exists(cloud, name))
    if is_thing and is_group:
        raise InvalidRequestError(
            f"`{name}` is a thing and a thing group", hint=f"--to thing/{name} or --to thing-group/{name}"
        )
    identity = cloud.identity()
    if is_thing:
        return Target("thing", name, thing_arn(identity, name))
    if is_group:
        return Target("thinggroup", name, group_arn(identity, name))
    words = {"thing": "thing", "thinggroup": "thing group"}.get(kind or "", "thing or thing group")
    raise NotFoundError(
        f"there is no {words} `{name}` in account {identity.account}, {identity.region}",
        hint="vedette device list, or aws iot list-thing-groups",
    )


def _listed_groups(cloud: Cloud) -> set[str]:
    return {item["groupName"] for item in cloud.pages("iot", "list_thing_groups", "thingGroups", maxResults=250)}


def _thing_exists(cloud: Cloud, name: str) -> bool:
    try:
        cloud.call("iot", "describe_thing", thingName=name)
    except NotFoundError:
        return False
    return True


def _group_exists(cloud: Cloud, name: str) -> bool:
    try:
        cloud.call("iot", "describe_thing_group", thingGroupName=name)
    except NotFoundError:
        return False
    return True
