"""Recipes of applications and models: valid for AWS, the Java nucleus and nucleus lite.

Nucleus lite reads keys with regard to case (lower-case steps), wants ``runtime: '*'``, and knows no recipe variables of
other components; hence ``{kernel:rootPath}/work/<component>/current``.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import vedette
from vedette.application import ApplicationManifest, shadow_name
from vedette.compiler.component import BUCKET
from vedette.messages import ApplicationStatus, CameraDemand, CameraStatus, ModelDemand, ModelStatus, OutputStatus

MAX_BYTES: Final = 16_000
APPLICATION_ARCHIVE: Final = "application"
MODEL_ARCHIVE: Final = "model"
_INSTALL_TIMEOUT_S: Final = 900
"""An application's environment may have to be made from nothing: hundreds of MB of wheels on a slow line."""
_PYTHON: Final = 'exec "{kernel:rootPath}/work/vedette.Runtime/bin/python"'
# A nucleus installs components side by side: dependencies are waited for before run only, not before install.
_AWAIT_RUNTIME: Final = """until [ -x "{kernel:rootPath}/work/vedette.Runtime/bin/python" ] \\
  && [ -d "{kernel:rootPath}/work/vedette.AppRuntime/current" ]; do sleep 0.2; done
"""
_HOST: Final = '-m vedette_app_runtime %s --application "{artifacts:decompressedPath}/application" --work "{work:path}"'
_PYTHONPATH: Final = {"PYTHONPATH": "{kernel:rootPath}/work/vedette.AppRuntime/current"}
TOKEN_EXCHANGE: Final = "aws.greengrass.TokenExchangeService"
"""A nucleus tells where credentials are to components alone that depend on it."""
_PUBLISHER: Final = "Vedette"


def suite_dependencies(manifest: ApplicationManifest) -> dict[str, str]:
    """Return which of Vedette's components an application needs, and how: HARD or SOFT."""
    dependencies = {"vedette.AppRuntime": "HARD"}
    if manifest.media_inputs():
        dependencies["vedette.CameraIngest"] = "SOFT"
    if manifest.models:
        dependencies["vedette.ModelInference"] = "SOFT"
    return {**dependencies, "vedette.Display": "SOFT"}


_UNINSTALL: Final = 'find "{work:path}" -mindepth 1 -delete'
"""Storage, logs and root file system go with the component; a new version or another configuration does not run this.

The nucleus itself removes artifacts and recipes. Nucleus lite has no such step.
"""


def application_recipe(
    name: str, instance: str, manifest: ApplicationManifest, models: Mapping[str, str], *, role: bool = False
) -> dict[str, Any]:
    """Return the recipe of an application, without its version.

    :param models: component names and exact versions
    :param role: whether it may be given an AWS role, for which its host needs the device's own credentials
    """
    suite = f"^{vedette.__version__}"
    dependencies = {name: _dependency(suite, kind) for name, kind in suite_dependencies(manifest).items()}
    dependencies |= {model: _dependency(version, "HARD") for model, version in sorted(models.items())}
    if role:
        dependencies[TOKEN_EXCHANGE] = _dependency("^2.0.3", "HARD")
    choice = ' --environment "{configuration:/environment}"' if manifest.container is not None else ""
    more = ' --artifacts "{artifacts:path}"' if manifest.container is not None else ""
    return _recipe(
        name,
        f"Panorama application {manifest.name}, instance {instance}",
        {"instance": instance, "accessControl": _access_control(name, instance, manifest)},
        dependencies,
        {
            "install": {
                "Script": f"{_AWAIT_RUNTIME}{_PYTHON} {_HOST % 'install'}{more}{choice}",
                "Timeout": _INSTALL_TIMEOUT_S,
                "Setenv": dict(_PYTHONPATH),
            },
            "run": {"Script": f"{_PYTHON} {_HOST % 'run'}{more}", "Setenv": dict(_PYTHONPATH)},
            "uninstall": _UNINSTALL,
        },
        APPLICATION_ARCHIVE,
        beside=() if manifest.container is None else (manifest.container.file,),
    )


def model_recipe(name: str, package: str, version: str) -> dict[str, Any]:
    """Return the recipe of a model package, without its version. It has no process: it leaves the link ``current``."""
    # Made beside and renamed: an application that starts at this moment finds the old link or the new one.
    link = [
        "set -e",
        'ln -sfn "{artifacts:decompressedPath}/model" "{work:path}/current.new"',
        'mv -Tf "{work:path}/current.new" "{work:path}/current"',
    ]
    return _recipe(
        name,
        f"Models of Panorama package {package} {version}",
        {},
        {},
        {"install": "\n".join(link), "uninstall": _UNINSTALL},
        MODEL_ARCHIVE,
    )


def with_version(recipe: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return the recipe with its version, which also names the place of the artifact."""
    result: dict[str, Any] = {}
    for key, value in recipe.items():
        result[key] = value
        if key == "ComponentName":
            result["ComponentVersion"] = version
    manifest = dict(recipe["Manifests"][0])
    place = f"s3://{BUCKET}/{recipe['ComponentName']}/{version}"
    manifest["Artifacts"] = [{**artifact, "URI": f"{place}/{artifact['URI']}"} for artifact in manifest["Artifacts"]]
    result["Manifests"] = [manifest]
    return result


def _access_control(name: str, instance: str, manifest: ApplicationManifest) -> dict[str, Any]:
    """Only what the topic table of docs/design/architecture.md gives the host of this one application."""
    publish = [ApplicationStatus.topic(instance)]
    if manifest.outputs:
        publish.append(OutputStatus.topic(f"{instance}.*"))
    subscribe: list[str] = []
    if manifest.media_inputs():
        # Which cameras is for the deployment to say, so no recipe can name them.
        publish.append(CameraDemand.topic("*"))
        subscribe.append(CameraStatus.topic("+"))
    if manifest.models:
        publish += sorted({ModelDemand.topic(model.model_id) for model in manifest.models})
        subscribe.append(ModelStatus.topic("+"))
    policies = {
        f"{name}:pubsub:1": _policy("Tell the state of the application and what it needs", ["PublishToTopic"], publish)
    }
    if subscribe:
        policies[f"{name}:pubsub:2"] = _policy("Hear the state of cameras and models", ["SubscribeToTopic"], subscribe)
    # The thing's name is left open: written as {iot:thingName} it would need a setting of the Java nucleus.
    shadow = f"$aws/things/*/shadow/name/{shadow_name(instance)}"
    told = [f"{shadow}/update/documents", f"{shadow}/delete/accepted"]
    policies[f"{name}:pubsub:3"] = _policy("Hear of changes of its own shadow", ["SubscribeToTopic"], told)
    own = _policy("Its own shadow", ["GetThingShadow", "UpdateThingShadow"], [shadow])
    # For nuclei without a shadow manager.
    asked = _policy("Ask AWS IoT for its own shadow", ["PublishToIoTCore"], [f"{shadow}/get", f"{shadow}/update"])
    answers = [f"{shadow}/get/+", *(f"{shadow}/update/{what}" for what in ("accepted", "delta", "rejected")), told[1]]
    heard = _policy("Hear what AWS IoT says of it", ["SubscribeToIoTCore"], answers)
    return {
        "aws.greengrass.ipc.pubsub": policies,
        "aws.greengrass.ShadowManager": {f"{name}:shadow:1": own},
        "aws.greengrass.ipc.mqttproxy": {f"{name}:mqttproxy:1": asked, f"{name}:mqttproxy:2": heard},
    }


def _policy(description: str, operations: Iterable[str], resources: Iterable[str]) -> dict[str, Any]:
    return {
        "policyDescription": description,
        "operations": [f"aws.greengrass#{operation}" for operation in operations],
        "resources": list(resources),
    }


def _dependency(requirement: str, kind: str) -> dict[str, str]:
    return {"VersionRequirement": requirement, "DependencyType": kind}


def _recipe(
    name: str,
    description: str,
    configuration: Mapping[str, Any],
    dependencies: Mapping[str, Any],
    lifecycle: Mapping[str, Any],
    archive: str,
    *,
    beside: Sequence[str] = (),
) -> dict[str, Any]:
    recipe: dict[str, Any] = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentType": "aws.greengrass.generic",
        "ComponentDescription": description[:512],
        "ComponentPublisher": _PUBLISHER,
        "ComponentConfiguration": {"DefaultConfiguration": dict(configuration)},
    }
    if dependencies:
        recipe["ComponentDependencies"] = dict(dependencies)
    recipe["Manifests"] = [
        {
            "Name": "linux",
            "Platform": {"os": "linux", "runtime": "*"},
            "Lifecycle": dict(lifecycle),
            "Artifacts": [{"URI": f"{archive}.zip", "Unarchive": "ZIP"}, *({"URI": name} for name in beside)],
        }
    ]
    return recipe
