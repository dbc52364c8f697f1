"""Publishes components: artifacts by their content, versions that never change, nothing twice."""

import hashlib
import json
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

import yaml

from vedette.cloud.access import Cloud
from vedette.cloud.bucket import WORKERS, Bucket, Progress, Upload, artifact_upload
from vedette.cloud.errors import AlreadyThereError, CloudError, InvalidRequestError, NotFoundError
from vedette.documents.model_files import sha256_of
from vedette.nucleus.recipe import MAX_RECIPE_BYTES

CONTENT_TAG: Final = "vedette:content"
"""Tag of a component version: digest of recipe and artifacts, so that equal and other content can be told apart."""
MAX_ARTIFACT_BYTES: Final = 2_000_000_000
_NAMESPACE: Final = uuid.UUID("a2f1c9be-1c55-5a0c-9a41-7d1a5d0f6b11")
_READY_WITHIN_S: Final = 180.0
_PERIOD_S: Final = 1.0


class State(Enum):
    """What is published of a component version."""

    NEW = "new"
    THERE = "there"
    OTHER = "other"
    """Published with other content."""
    UNKNOWN = "unknown"
    """Published by other means: with which content cannot be told."""
    FAILED = "failed"
    """AWS could not process it; it is made again."""


@dataclass(frozen=True)
class Publishable:
    """A component ready to be published: its recipe, and files for the artifacts the recipe names."""

    name: str
    version: str
    recipe: Mapping[str, Any]
    artifacts: tuple[Path, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> str:
        """Return a digest of recipe and artifacts that does not depend on where and by which zlib it was packed.

        :raises OSError: if an artifact cannot be read
        """
        parts = [json.dumps(_without_places(self.recipe), sort_keys=True)]
        parts += sorted(f"{path.name} {archive_content(path)}" for path in self.artifacts)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def recipe_for(self, bucket: str, uploads: Mapping[str, Upload]) -> bytes:
        """Return the recipe's text with the artifacts' places in ``bucket``; ``uploads`` by file name."""
        recipe = deepcopy(dict(self.recipe))
        for artifact in _artifacts(recipe):
            name = artifact["URI"].rpartition("/")[2]
            if name in uploads:
                artifact["URI"] = f"s3://{bucket}/{uploads[name].key}"
        return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=10_000).encode()


def publishable(recipe: Path, artifacts: Sequence[Path], tags: Mapping[str, str] | None = None) -> Publishable:
    """Read a component that a build wrote.

    :raises OSError: if the recipe cannot be read
    """
    document = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    name, version = document["ComponentName"], str(document["ComponentVersion"])
    # YAML reads an unquoted date as one; the service wants text.
    document["RecipeFormatVersion"] = str(document["RecipeFormatVersion"])
    return Publishable(name, version, document, tuple(artifacts), dict(tags or {}))


def archive_content(path: Path) -> str:
    """Return a digest of what is in a ZIP archive: names, modes and bytes of its files; of any other file, its bytes'.

    :raises OSError: if it cannot be read
    """
    if not zipfile.is_zipfile(path):  # an application's container
        return sha256_of(path)
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            inner = hashlib.sha256()
            with archive.open(info) as opened:
                while chunk := opened.read(1 << 20):
                    inner.update(chunk)
            digest.update(f"{info.filename}\0{info.external_attr >> 16:o}\0{inner.hexdigest()}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Publication:
    """What is to be done about one component version."""

    component: Publishable
    content: str
    state: State
    retagged: Mapping[str, str] = field(default_factory=dict)
    """Tags that a published version is to have and has not."""

    @property
    def size(self) -> int:
        """Return the bytes of its artifacts."""
        return sum(path.stat().st_size for path in self.component.artifacts)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        item = self.component
        tags = {"tags": dict(self.retagged)} if self.retagged else {}
        return {"component": item.name, "version": item.version, "state": self.state.value, "bytes": self.size, **tags}


def component_arn(cloud: Cloud, name: str, version: str) -> str:
    """Return the ARN of a version of an own component.

    :raises CloudError: if AWS does not say who calls
    """
    who = cloud.identity()
    return f"arn:{who.partition}:greengrass:{who.region}:{who.account}:components:{name}:versions:{version}"


def plan_publications(cloud: Cloud, components: Iterable[Publishable]) -> list[Publication]:
    """Find out what is published already; one call a component, side by side.

    :raises CloudError: if AWS does not answer, or something is larger than Greengrass takes
    :raises OSError: if an artifact cannot be read
    """
    items = list(components)
    cloud.identity()
    for item in items:
        _check_sizes(item)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda item: _state(cloud, item), items))


def _state(cloud: Cloud, item: Publishable) -> Publication:
    content = item.content()
    try:
        found = cloud.call("greengrassv2", "describe_component", arn=component_arn(cloud, item.name, item.version))
    except NotFoundError:
        return Publication(item, content, State.NEW)
    if found.get("status", {}).get("componentState") == "FAILED":
        return Publication(item, content, State.FAILED)
    known = found.get("tags", {}).get(CONTENT_TAG)
    if known is None:
        return Publication(item, content, State.UNKNOWN)
    if known != content:
        return Publication(item, content, State.OTHER)
    tags = found.get("tags", {})
    return Publication(item, content, State.THERE, {k: v for k, v in item.tags.items() if tags.get(k) != v})


def refuse_others(publications: Iterable[Publication]) -> None:
    """Refuse to go on with versions that are published with other content.

    :raises AlreadyThereError: naming the first of them
    """
    for item in publications:
        if item.state is State.OTHER:
            component = item.component
            raise AlreadyThereError(
                f"{component.name} {component.version} is already published with other content",
                hint="published versions never change: publish under another version",
            )


def retag(cloud: Cloud, publications: Iterable[Publication]) -> None:
    """Give published versions the tags that they lack.

    :raises CloudError: if AWS refuses
    """
    for item in publications:
        arn = component_arn(cloud, item.component.name, item.component.version)
        cloud.call("greengrassv2", "tag_resource", resourceArn=arn, tags=dict(item.retagged))


def publish(
    cloud: Cloud,
    bucket: Bucket,
    publications: Iterable[Publication],
    progress: Progress | None = None,
    *,
    wait: Callable[[float], object] | None = None,
    told: Callable[[Publication], None] | None = None,
) -> list[Publication]:
    """Upload what is missing and make the versions; return those that were made. May be repeated at any time.

    :param told: called with each version that was made
    :raises CloudError: if AWS refuses; what is done stays done
    :raises OSError: if an artifact cannot be read
    """
    todo = [item for item in publications if item.state in {State.NEW, State.FAILED}]
    if not todo:
        return []
    if not bucket.exists():
        bucket.make()
    uploads = {
        item.component.name: {u.path.name: u for u in map(artifact_upload, item.component.artifacts)} for item in todo
    }
    bucket.upload(bucket.missing(u for each in uploads.values() for u in each.values()), progress)
    wait = wait or threading.Event().wait
    for item in todo:
        if item.state is State.FAILED:
            arn = component_arn(cloud, item.component.name, item.component.version)
            cloud.call("greengrassv2", "delete_component", arn=arn)
        recipe = item.component.recipe_for(bucket.name, uploads[item.component.name])
        if len(recipe) > MAX_RECIPE_BYTES:
            raise InvalidRequestError(
                f"the recipe of {item.component.name} has {len(recipe)} bytes: AWS takes {MAX_RECIPE_BYTES}"
            )
        _make(cloud, item, recipe)
        if told is not None:
            told(item)
    for item in todo:
        _await_deployable(cloud, item.component, wait)
    return todo


def _make(cloud: Cloud, item: Publication, recipe: bytes) -> None:
    arn = component_arn(cloud, item.component.name, item.component.version)
    try:
        cloud.call(
            "greengrassv2",
            "create_component_version",
            inlineRecipe=recipe,
            tags={**item.component.tags, CONTENT_TAG: item.content},
            clientToken=str(uuid.uuid5(_NAMESPACE, f"{arn} {item.content} {hashlib.sha256(recipe).hexdigest()}")),
        )
    except AlreadyThereError:
        # Somebody else was faster, or an answer was lost: what counts is what is published now.
        refuse_others([_state(cloud, item.component)])


def _await_deployable(cloud: Cloud, item: Publishable, wait: Callable[[float], object]) -> None:
    arn = component_arn(cloud, item.name, item.version)
    for _ in range(int(_READY_WITHIN_S / _PERIOD_S)):
        status = cloud.call("greengrassv2", "describe_component", arn=arn).get("status", {})
        state = status.get("componentState")
        if state == "FAILED":
            reasons = "; ".join(f"{key}: {text}" for key, text in status.get("errors", {}).items())
            raise InvalidRequestError(
                f"AWS cannot use {item.name} {item.version}: {reasons or status.get('message', 'no reason given')}"
            )
        if state not in {"REQUESTED", "INITIATED"}:
            return
        wait(_PERIOD_S)
    raise CloudError(f"{item.name} {item.version} was not ready in {_READY_WITHIN_S:g} s", hint="run it again later")


def _check_sizes(item: Publishable) -> None:
    total = sum(path.stat().st_size for path in item.artifacts)
    if total > MAX_ARTIFACT_BYTES:
        raise InvalidRequestError(
            f"the artifacts of {item.name} have {total / 1e9:.1f} GB: Greengrass takes {MAX_ARTIFACT_BYTES / 1e9:g} GB "
            "a component"
        )


def _artifacts(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [artifact for manifest in recipe.get("Manifests", ()) for artifact in manifest.get("Artifacts", ())]


def _without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    plain = deepcopy(dict(recipe))
    for artifact in _artifacts(plain):
        artifact["URI"] = artifact["URI"].rpartition("/")[2]
    return plain
