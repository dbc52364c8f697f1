"""What AWS takes as a recipe and as the input of CreateDeployment, as JSON schemas.

Written after the recipe schema of GDK 1.6 (which lower-cases keys before it looks) and the API reference of
CreateDeployment.
"""

from typing import Any

NAME = r"^[a-zA-Z0-9-_.]{1,128}\Z"
SEMVER = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\Z"
STEP: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "required": ["script"],
            "additionalProperties": False,
            "properties": {
                "script": {"type": "string"},
                "timeout": {"type": "integer", "minimum": 1},
                "setenv": {"type": "object", "additionalProperties": {"type": "string"}},
                "requiresprivilege": {"type": "boolean"},
                "skipif": {"type": "string", "pattern": r"^!?(onpath|exists)\s+.*"},
            },
        },
    ]
}
STEPS = ("bootstrap", "install", "startup", "run", "shutdown", "recover", "uninstall")

RECIPE: dict[str, Any] = {
    "type": "object",
    "required": ["recipeformatversion", "componentname", "componentversion", "manifests"],
    "additionalProperties": False,
    "properties": {
        "recipeformatversion": {"enum": ["2020-01-25"]},
        "componentname": {"type": "string", "pattern": NAME, "not": {"pattern": r"^aws\.greengrass\."}},
        "componentversion": {"type": "string", "pattern": SEMVER, "maxLength": 64},
        "componentdescription": {"type": "string", "maxLength": 512},
        "componentpublisher": {"type": "string"},
        "componenttype": {"enum": ["aws.greengrass.generic"]},
        "componentconfiguration": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"defaultconfiguration": {"type": "object"}},
        },
        "componentdependencies": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {
                "type": "object",
                "required": ["versionrequirement"],
                "additionalProperties": False,
                "properties": {
                    "versionrequirement": {"type": "string", "minLength": 1},
                    "dependencytype": {"enum": ["SOFT", "HARD"]},
                },
            },
        },
        "manifests": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["platform", "lifecycle", "artifacts"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "platform": {"type": "object", "additionalProperties": {"type": "string"}},
                    "lifecycle": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": dict.fromkeys(STEPS, STEP),
                    },
                    "artifacts": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["uri"],
                            "additionalProperties": False,
                            "properties": {
                                "uri": {"type": "string", "pattern": r"^s3://[^/]+/[^/]+/[^/]+/[^/]+\Z"},
                                "unarchive": {"enum": ["ZIP", "NONE"]},
                            },
                        },
                    },
                },
            },
        },
    },
}

CREATE_DEPLOYMENT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "targetArn": {"type": "string", "pattern": r"^arn:[^:]*:iot:[^:]*:[0-9]+:(thing|thinggroup)/.+\Z"},
        "deploymentName": {"type": "string", "minLength": 1, "maxLength": 256},
        "components": {
            "type": "object",
            "propertyNames": {"minLength": 1, "maxLength": 128},
            "additionalProperties": {
                "type": "object",
                "required": ["componentVersion"],
                "additionalProperties": False,
                "properties": {
                    "componentVersion": {"type": "string", "pattern": SEMVER, "maxLength": 64},
                    "configurationUpdate": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "merge": {"type": "string", "minLength": 1, "maxLength": 10_485_760},
                            "reset": {"type": "array", "items": {"type": "string", "maxLength": 256}},
                        },
                    },
                },
            },
        },
        "deploymentPolicies": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "failureHandlingPolicy": {"enum": ["ROLLBACK", "DO_NOTHING"]},
                "componentUpdatePolicy": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "timeoutInSeconds": {"type": "integer", "minimum": 1},
                        "action": {"enum": ["NOTIFY_COMPONENTS", "SKIP_NOTIFY_COMPONENTS"]},
                    },
                },
                "configurationValidationPolicy": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"timeoutInSeconds": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}


def lower_keys(value: Any) -> Any:
    """Return ``value`` with the keys of all its objects in lower case, as GDK compares them."""
    if isinstance(value, dict):
        return {key.lower(): lower_keys(item) for key, item in value.items()}
    return [lower_keys(item) for item in value] if isinstance(value, list) else value
