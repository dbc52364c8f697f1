"""The resolved application: what the compiler writes (``application.json``) and the application's host reads.

The manifest is fixed content of the component's artifact; the configuration is what a deployment may change: cameras,
parameter values, ports, sandbox.
"""

from vedette.application.configuration import (
    ApplicationConfiguration,
    ApplicationConfigurationError,
    CameraAttachment,
    EnvironmentChoice,
    Launch,
    Limits,
    Origin,
    PortRoute,
    Sandbox,
)
from vedette.application.constraint import broken_constraint
from vedette.application.manifest import (
    MANIFEST_FILE,
    ApplicationManifest,
    ApplicationManifestError,
    ContainerAsset,
    Entry,
    InboundPort,
    MediaInput,
    MediaOutput,
    ModelNode,
    ParameterInput,
)
from vedette.application.parameter import (
    ParameterType,
    ParameterValue,
    ParameterValueError,
    coerce_parameter,
    default_value,
)
from vedette.application.shadow import MAX_SHADOW_BYTES, desired_parameters, shadow_bytes, shadow_name

__all__ = [
    "MANIFEST_FILE",
    "MAX_SHADOW_BYTES",
    "ApplicationConfiguration",
    "ApplicationConfigurationError",
    "ApplicationManifest",
    "ApplicationManifestError",
    "CameraAttachment",
    "ContainerAsset",
    "Entry",
    "EnvironmentChoice",
    "InboundPort",
    "Launch",
    "Limits",
    "MediaInput",
    "MediaOutput",
    "ModelNode",
    "Origin",
    "ParameterInput",
    "ParameterType",
    "ParameterValue",
    "ParameterValueError",
    "PortRoute",
    "Sandbox",
    "broken_constraint",
    "coerce_parameter",
    "default_value",
    "desired_parameters",
    "shadow_bytes",
    "shadow_name",
]
