"""Applications to deploy: from a compiled project, or from the record of one that was deployed before."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

import vedette
from vedette.application import ApplicationManifest
from vedette.cloud.access import Cloud
from vedette.cloud.document import DEVICE_MONITOR
from vedette.cloud.errors import CloudError, InvalidRequestError
from vedette.cloud.planning import Application
from vedette.cloud.publishing import Publishable, component_arn, publishable
from vedette.compiler import Compiled, application_component, create_deployment, needed_secrets, write_components
from vedette.compiler.component import content_digest
from vedette.compiler.naming import component_version
from vedette.compiler.recipes import application_recipe, with_version

APPLICATION_TAG: Final = "vedette:application"
DESCRIPTION_TAG: Final = "vedette:description"
_OWN: Final = "vedette:"


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse what AWS takes for no tags, or what is Vedette's.

    :raises InvalidRequestError: naming the first of them
    """
    for key, value in tags.items():
        if key.startswith((_OWN, "aws:")) or not 0 < len(key) <= 128 or _tag(key) != key:
            raise InvalidRequestError(
                f"`{key[:140]}` is no key of a tag of yours",
                hint="at most 128 letters, digits, blanks and _.:/=+@-, not beginning with vedette: or aws:",
            )
        if value and _tag(value) != value:
            raise InvalidRequestError(
                f"`{value[:260]}` is no value of a tag", hint="at most 256 letters, digits, blanks and _.:/=+@-"
            )


def from_compiled(
    compiled: Compiled,
    folder: Path,
    values: Mapping[str, Mapping[str, str]],
    documents: Mapping[str, str],
    *,
    monitor: bool = True,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> Application:
    """Pack a compiled project into ``folder`` and return it as an application to deploy.

    :param values: values of secrets that are known here
    :param documents: texts of graph and override documents, kept with the instance's record, by file name
    :param description: of the instance, for people
    :param tags: for its component
    :param monitor: let vedette.DeviceMonitor come along: metrics, alarms and device jobs, as an appliance had them
    :raises vedette.build.BuildError: if a file cannot be packed
    """
    instance = str(compiled.configuration["instance"])
    general = {APPLICATION_TAG: _tag(compiled.manifest.name)}
    own = {**(tags or {}), **({DESCRIPTION_TAG: _tag(description)} if description else {})}
    written = write_components(compiled.components, folder)
    items = [publishable(item.recipe, [item.artifact, *item.beside], general) for item in written]
    # Models belong to whoever uses them: tags of one application are its own component's.
    items = [
        replace(item, tags={**item.tags, **own}) if item.name == compiled.application.name else item for item in items
    ]
    secrets = tuple(secret.name for secret in needed_secrets(compiled))
    components = create_deployment(compiled)["components"]
    if monitor:
        # Not a dependency: an application runs without it, and under the local nucleus there is nothing to send to.
        components[DEVICE_MONITOR] = {"componentVersion": vedette.__version__}
    application = compiled.application
    record = {
        "instance": instance,
        **({"description": description} if description else {}),
        **({"tags": dict(tags)} if tags else {}),
        "application": compiled.manifest.name,
        "component": {"name": application.name, "version": application.version},
        "models": {model.name: model.version for model in compiled.models},
        "components": components,
        "secretNames": list(secrets),
        "packageVersion": compiled.manifest.version,
        "manifest": base64.b64encode(compiled.manifest.encode()).decode(),
        "files": [file.digest() for file in application.files],
        "documents": dict(documents),
    }
    return Application(instance, tuple(items), components, secrets, values, record)


def from_record(cloud: Cloud, record: Mapping[str, Any], instance: str | None = None) -> Application:
    """Return the application of a record, under another name if one is given. Its sources are not needed.

    :raises CloudError: if its component is not published any more
    """
    if instance is None or instance == record["instance"]:
        kept = {key: value for key, value in record.items() if key not in {"schema", "target", "state", "secrets"}}
        return Application(record["instance"], (), record["components"], tuple(record["secretNames"]), {}, kept)
    return _renamed(cloud, record, instance)


@dataclass(frozen=True)
class _KnownFile:
    """A file of an artifact of which only the digest is known."""

    line: str

    def digest(self) -> str:
        """Return place and digest, as ``ArtifactFile`` does."""
        return self.line


def _renamed(cloud: Cloud, record: Mapping[str, Any], instance: str) -> Application:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", instance):
        raise InvalidRequestError(f"`{instance}` is no name of an application: letters, digits, `.`, `_` and `-`")
    old = record["component"]
    manifest = ApplicationManifest.decode(base64.b64decode(record["manifest"]))
    used = {node.component for node in manifest.models}
    models = {name: version for name, version in record["models"].items() if name in used}
    name = application_component(instance)
    recipe = application_recipe(name, instance, manifest, models)
    files: Sequence[Any] = [_KnownFile(line) for line in record["files"]]
    version = component_version(record["packageVersion"], content_digest(recipe, tuple(files)))
    document = with_version(recipe, version)
    published = yaml.safe_load(
        cloud.call(
            "greengrassv2",
            "get_component",
            arn=component_arn(cloud, old["name"], old["version"]),
            recipeOutputFormat="JSON",
        )["recipe"]
    )
    uris = {uri.rpartition("/")[2]: uri for uri in _uris(published)}
    for artifact in document["Manifests"][0]["Artifacts"]:
        place = uris.get(artifact["URI"].rpartition("/")[2])
        if place is None:
            raise CloudError(f"{old['name']} {old['version']} has no artifact {artifact['URI']}")
        artifact["URI"] = place
    components = {key: said for key, said in record["components"].items() if key != old["name"]}
    components[name] = _renamed_configuration(record["components"][old["name"]], instance, version)
    kept = {
        **{key: value for key, value in record.items() if key not in {"schema", "target", "state", "secrets"}},
        "instance": instance,
        "component": {"name": name, "version": version},
        "components": components,
    }
    description = {DESCRIPTION_TAG: _tag(record["description"])} if record.get("description") else {}
    tags = {APPLICATION_TAG: _tag(manifest.name), **record.get("tags", {}), **description}
    item = Publishable(name, version, document, (), tags)
    return Application(instance, (item,), components, tuple(record["secretNames"]), {}, kept)


def _renamed_configuration(said: Mapping[str, Any], instance: str, version: str) -> dict[str, Any]:
    import json

    update = dict(said["configurationUpdate"])
    merge = {**json.loads(update["merge"]), "instance": instance}
    update["merge"] = json.dumps(merge, ensure_ascii=False, separators=(",", ":"))
    return {**said, "componentVersion": version, "configurationUpdate": update}


def _uris(recipe: Mapping[str, Any]) -> list[str]:
    return [a["URI"] for manifest in recipe.get("Manifests", ()) for a in manifest.get("Artifacts", ())]


def _tag(text: str) -> str:
    """Return what AWS takes as a tag's value."""
    return re.sub(r"[^\w\s.:/=+@-]", "-", text)[:256] or "-"
