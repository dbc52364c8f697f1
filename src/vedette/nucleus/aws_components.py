"""AWS's own components: which ones the local nucleus stands in for, and what to do about the others.

Source: AWS's list of public components (developer guide, "AWS-provided components").
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["PROVIDED", "TOKEN_EXCHANGE", "way_out", "why_type_does_not_run"]

TOKEN_EXCHANGE: Final = "aws.greengrass.TokenExchangeService"
PROVIDED: Final[Mapping[str, str]] = {
    "aws.greengrass.Nucleus": "the local nucleus itself",
    "aws.greengrass.Cli": "the vedette command line",
    "aws.greengrass.SecretManager": "secrets from the secrets file",
    "aws.greengrass.ShadowManager": "shadows kept on this machine",
    TOKEN_EXCHANGE: "credentials of an AWS profile, where the nucleus was given one",
    "aws.greengrass.LogManager": "logs stay on this machine",
}
"""AWS's own components that a recipe may depend on here, and what stands in for them."""
_LAMBDA: Final = "Lambda functions do not run here: make the function a component with a `run` step"
_NOT_HERE: Final[Mapping[str, str]] = {
    "aws.greengrass.DockerApplicationManager": (
        "Docker images are not loaded here: load the image with `docker pull`, and take this dependency and the "
        "docker: artifact out of the recipe for local runs; its lifecycle may call docker"
    ),
    "aws.greengrass.StreamManager": (
        "there is no stream manager here: try it on a device, or put a recipe of that name in its place, of a "
        "component that speaks stream manager's protocol"
    ),
    "aws.greengrass.LambdaManager": _LAMBDA,
    "aws.greengrass.LambdaLauncher": _LAMBDA,
    "aws.greengrass.LambdaRuntimes": _LAMBDA,
    "aws.greengrass.LegacySubscriptionRouter": _LAMBDA,
}
_PREFIX: Final = "aws.greengrass."
_LABS: Final = "aws.greengrass.labs."
_TYPES: Final[Mapping[str, str]] = {
    "aws.greengrass.lambda": _LAMBDA,
    "aws.greengrass.plugin": (
        "plugins run inside AWS's Java nucleus and nowhere else: try it on a device, or put a recipe of that name "
        "with a `run` step in its place"
    ),
    "aws.greengrass.nucleus": "this is the nucleus: take it out of the deployment",
}


def way_out(name: str) -> str:
    """Return what to do about a component that the store does not have."""
    if name in _NOT_HERE:
        return _NOT_HERE[name]
    if name.startswith(_PREFIX) and not name.startswith(_LABS):
        return (
            "it is one of AWS's own components, which come from AWS's cloud: take the dependency out of the recipe for "
            "local runs, or put a recipe of that name in its place"
        )
    return "build it or add its recipe"


def why_type_does_not_run(component_type: str) -> str | None:
    """Return why components of a type do not run here and what to do, None for those that do."""
    return _TYPES.get(component_type.lower())
