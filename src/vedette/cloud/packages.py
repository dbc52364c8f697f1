"""Published packages of an account: applications, models and Vedette's components, version by version.

A version that some target's deployment has, itself or by way of an application, is in use: it is never deleted.
Artifacts are kept by their content, so one may belong to several versions: it goes with the last of them.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import WORKERS, Bucket
from vedette.cloud.document import APPLICATION
from vedette.cloud.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from vedette.cloud.planning import latest_deployments
from vedette.cloud.publishing import component_arn
from vedette.nucleus.recipe import parse_recipe

PREFIX: Final = "vedette."
_MODEL: Final = "vedette.model."
_WORDS: Final[Mapping[str, str]] = {
    "REQUESTED": "REGISTER_PENDING",
    "INITIATED": "REGISTER_PENDING",
    "DEPLOYABLE": "REGISTER_COMPLETED",
    "FAILED": "FAILED",
    "DEPRECATED": "DELETING",
}
"""Greengrass's state of a version -> Panorama's."""


@dataclass(frozen=True)
class PackageVersion:
    """One published version."""

    name: str
    version: str
    arn: str
    state: str
    """REQUESTED, INITIATED, DEPLOYABLE, FAILED or DEPRECATED."""
    created: str = ""
    """RFC 3339."""
    message: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    used_by: tuple[str, ...] = ()
    """Targets whose deployment has it."""

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "version": self.version,
            "arn": self.arn,
            "state": self.state,
            "status": _WORDS.get(self.state, self.state),
            "created": self.created,
            "message": self.message,
            "tags": dict(self.tags),
            "used_by": list(self.used_by),
        }


def kind_of(name: str) -> str:
    """Return what a package is: application, model or suite."""
    return "application" if name.startswith(APPLICATION) else "model" if name.startswith(_MODEL) else "suite"


def list_packages(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the packages, by name; components of others are left out.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    found = [
        {
            "name": item["componentName"],
            "kind": kind_of(item["componentName"]),
            "arn": item["arn"],
            "latest": item.get("latestVersion", {}).get("componentVersion", ""),
        }
        for item in cloud.pages("greengrassv2", "list_components", "components", scope="PRIVATE", maxResults=100)
        if item["componentName"].startswith(PREFIX)
    ]
    return sorted(found, key=lambda item: str(item["name"]))


def versions_of(cloud: Cloud, name: str) -> list[PackageVersion]:
    """Return the versions of a package, the one published last first.

    :raises NotFoundError: if there is none
    :raises InvalidRequestError: for a component that is none of Vedette's
    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    if not name.startswith(PREFIX):
        raise InvalidRequestError(f"`{name}` is no package of Vedette", hint="vedette package list")
    arn = component_arn(cloud, name, "x").rpartition(":versions:")[0]
    listed = list(cloud.pages("greengrassv2", "list_component_versions", "componentVersions", arn=arn))
    if not listed:
        raise NotFoundError(f"nothing is published as `{name}`", hint="vedette package list")
    used = versions_in_use(cloud)
    with ThreadPoolExecutor(WORKERS) as pool:
        described = list(
            pool.map(lambda item: cloud.call("greengrassv2", "describe_component", arn=item["arn"]), listed)
        )
    found = [_version(item, used) for item in described]
    return sorted(found, key=lambda item: (item.created, item.version), reverse=True)


def _version(item: Mapping[str, Any], used: Mapping[tuple[str, str], Collection[str]]) -> PackageVersion:
    status = item.get("status", {})
    reasons = [text for text in status.get("errors", {}).values() if text]
    name, version = str(item["componentName"]), str(item["componentVersion"])
    message = "; ".join(reasons) or str(status.get("message") or "")
    return PackageVersion(
        name,
        version,
        str(item["arn"]),
        str(status.get("componentState", "")),
        item["creationTimestamp"].isoformat(),
        "" if message == "NONE" else message,
        item.get("tags", {}),
        tuple(sorted(used.get((name, version), ()))),
    )


def versions_in_use(cloud: Cloud) -> dict[tuple[str, str], set[str]]:
    """Return the versions that targets' deployments have -> names of these targets; models by their applications.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    found: dict[tuple[str, str], set[str]] = {}
    for deployment in latest_deployments(cloud):
        target = str(deployment["targetArn"]).rpartition(":")[2]
        for name, said in deployment.get("components", {}).items():
            found.setdefault((name, str(said["componentVersion"])), set()).add(target)
    applications = [pair for pair in found if pair[0].startswith(APPLICATION)]
    with ThreadPoolExecutor(WORKERS) as pool:
        for pair, models in zip(applications, pool.map(lambda p: _models(cloud, *p), applications), strict=True):
            for model in models:
                found.setdefault(model, set()).update(found[pair])
    return found


def _models(cloud: Cloud, name: str, version: str) -> list[tuple[str, str]]:
    try:
        dependencies = _recipe(cloud, component_arn(cloud, name, version), name).component_dependencies
    except NotFoundError:
        return []
    return [
        (needed, said.version_requirement.removeprefix("=").strip())
        for needed, said in dependencies.items()
        if needed.startswith(_MODEL)
    ]


def _recipe(cloud: Cloud, arn: str, name: str) -> Any:
    data = cloud.call("greengrassv2", "get_component", arn=arn, recipeOutputFormat="JSON")["recipe"]
    return parse_recipe(data, name)


def artifacts_of(cloud: Cloud, version: PackageVersion) -> list[str]:
    """Return where a version's artifacts are, as ``s3://bucket/key``.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    recipe = _recipe(cloud, version.arn, version.name)
    return [artifact.uri for manifest in recipe.manifests for artifact in manifest.artifacts]


def accounts_of(bucket: Bucket, cloud: Cloud) -> dict[str, list[str]]:
    """Return the accounts that may read and write the bucket, by its policy: the owner always.

    :raises vedette.cloud.errors.CloudError: if AWS does not answer
    """
    own = cloud.identity().account
    readers, writers = {own}, {own}
    for statement in _policy(bucket, cloud):
        if statement.get("Effect") != "Allow":
            continue
        actions = _listed(statement.get("Action"))
        principal = statement.get("Principal", {})
        named = _listed(principal.get("AWS") if isinstance(principal, Mapping) else principal)
        who = {part if part == "*" else part.split(":")[4] if part.startswith("arn:") else part for part in named}
        if any(action in {"*", "s3:*"} or action.startswith("s3:Get") for action in actions):
            readers |= who
        if any(action in {"*", "s3:*"} or action.startswith("s3:Put") for action in actions):
            writers |= who
    return {"readers": sorted(readers), "writers": sorted(writers)}


def _policy(bucket: Bucket, cloud: Cloud) -> list[Mapping[str, Any]]:
    try:
        text = cloud.call("s3", "get_bucket_policy", Bucket=bucket.name)["Policy"]
    except (NotFoundError, AccessDeniedError):
        return []
    return _listed(json.loads(text).get("Statement"))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


# -- deleting ----------------------------------------------------------------------------------------------------------


def to_prune(versions: Iterable[PackageVersion], keep: int) -> tuple[list[PackageVersion], list[PackageVersion]]:
    """Return which versions pruning deletes, and which old ones it keeps because they are in use.

    :param versions: newest first
    :param keep: how many of the newest stay in any case
    """
    old = list(versions)[keep:]
    return [item for item in old if not item.used_by], [item for item in old if item.used_by]


def refuse_used(versions: Iterable[PackageVersion]) -> None:
    """Refuse to delete what is in use.

    :raises InvalidRequestError: naming the first version and where it is deployed
    """
    for item in versions:
        if item.used_by:
            raise InvalidRequestError(
                f"{item.name} {item.version} is deployed to {', '.join(item.used_by)}",
                hint="remove it there first: vedette deploy --remove NAME --to TARGET",
            )


def delete_versions(cloud: Cloud, versions: Collection[PackageVersion], *, objects: bool) -> list[str]:
    """Delete versions; return the artifacts that went with them.

    :param objects: delete the artifacts in the bucket as well, but for those that other versions have
    :raises InvalidRequestError: if one is in use
    :raises vedette.cloud.errors.CloudError: if AWS refuses; what is done stays done
    """
    refuse_used(versions)
    gone = {item.arn for item in versions}
    uris: set[str] = set()
    if objects:
        uris = {uri for item in versions for uri in artifacts_of(cloud, item)}
        uris -= _uris_of_others(cloud, gone)
    for item in versions:
        with suppress(NotFoundError):  # an answer that was lost, or somebody else who prunes
            cloud.call("greengrassv2", "delete_component", arn=item.arn)
    for uri in sorted(uris):
        name, _, key = uri.removeprefix("s3://").partition("/")
        cloud.call("s3", "delete_object", Bucket=name, Key=key)
    return sorted(uris)


def _uris_of_others(cloud: Cloud, without: Collection[str]) -> set[str]:
    names = [
        item["arn"]
        for item in cloud.pages("greengrassv2", "list_components", "components", scope="PRIVATE", maxResults=100)
    ]
    arns = [
        (item["arn"], item["componentName"])
        for name in names
        for item in cloud.pages("greengrassv2", "list_component_versions", "componentVersions", arn=name)
        if item["arn"] not in without
    ]
    with ThreadPoolExecutor(WORKERS) as pool:
        recipes = list(pool.map(lambda pair: _recipe(cloud, *pair), arns))
    return {a.uri for recipe in recipes for manifest in recipe.manifests for a in manifest.artifacts}
