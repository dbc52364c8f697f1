"""Deployment documents in both forms, and what is wrong with others."""

from typing import Any

import pytest

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.deployment_document import read_document
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.deployment_desk import ConfigurationChange, LocalDeploymentRequest
from vedette.nucleus.run_with import RunWithChange

CHANGE = ConfigurationChange(merge={"fps": 5}, reset=("/old",))
RUN_WITH = {"posixUser": "ggc_user:video", "systemResourceLimits": {"memory": 512000, "cpus": 1.5}}
DEVICE = {
    "deploymentId": "x",
    "configurationArn": "arn:aws:greengrass:us-east-1:123456789012:configuration:thinggroup/cameras:2",
    "creationTimestamp": 1,
    "requiredCapabilities": ["LARGE_CONFIGURATION"],
    "components": {
        "A": {"version": "1.0.0", "configurationUpdate": {"merge": {"fps": 5}, "reset": ["/old"]}, "runWith": {}},
        "B": {"version": "2.0.0", "runWith": RUN_WITH},
    },
    "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeout": 120},
    "configurationValidationPolicy": {"timeout": 30},
    "failureHandlingPolicy": "DO_NOTHING",
}
CLOUD = {
    "targetArn": "arn:aws:iot:us-east-1:123456789012:thing/front-door",
    "deploymentName": "vision",
    "components": {
        "A": {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"fps": 5}', "reset": ["/old"]}},
        "B": {"componentVersion": "2.0.0"},
    },
    "deploymentPolicies": {
        "failureHandlingPolicy": "ROLLBACK",
        "componentUpdatePolicy": {"action": "SKIP_NOTIFY_COMPONENTS", "timeoutInSeconds": 60},
        "configurationValidationPolicy": {"timeoutInSeconds": 7},
    },
}


def test_document_of_a_device_is_read_otherwise() -> None:
    assert read_document(DEVICE) == LocalDeploymentRequest(
        add={"A": "1.0.0", "B": "2.0.0"},
        configuration={"A": CHANGE},
        target="thinggroup/cameras",
        whole=True,
        run_with={"B": RunWithChange("ggc_user:video", 512_000, 1.5)},
        roll_back=False,
        notify_s=120.0,
        validation_s=30.0,
    )


def test_input_of_create_deployment_is_read_otherwise() -> None:
    assert read_document(CLOUD) == LocalDeploymentRequest(
        add={"A": "1.0.0", "B": "2.0.0"},
        configuration={"A": CHANGE},
        target="thing/front-door",
        whole=True,
        notify_s=None,
        validation_s=7.0,
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "has no object `components`"),
        ({"components": {"A": {}}}, "components/A: `version` is missing"),
        ({"components": {"A": "1.0.0"}}, "components/A: it is str, expected an object"),
        ({"components": {"A": {"version": "1", "configurationUpdate": {"merge": "{"}}}}, "merge is no JSON"),
        ({"components": {"A": {"version": "1", "configurationUpdate": {"merge": [1]}}}}, "merge is no object"),
        ({"components": {"A": {"version": "1", "configurationUpdate": {"reset": "/x"}}}}, "list of JSON pointers"),
        ({"components": {"A": {"version": "1", "runWith": {"posixUser": 7}}}}, "runWith/posixUser is no text"),
        (
            {"components": {"A": {"version": "1", "runWith": {"systemResourceLimits": {"memory": 0}}}}},
            "memory is 0, expected a number above 0",
        ),
        ({"components": {}, "targetArn": "arn:aws:s3:::x"}, "names no thing and no thing group"),
        ({"components": {}, "failureHandlingPolicy": "CRY"}, "expected ROLLBACK or DO_NOTHING"),
        ({"components": {}, "componentUpdatePolicy": {"action": "ASK"}}, "componentUpdatePolicy/action is 'ASK'"),
        ({"components": {}, "componentUpdatePolicy": {"timeout": "soon"}}, "a time limit is 'soon'"),
    ],
)
def test_broken_document_is_taken(document: Any, words: str) -> None:
    with pytest.raises(NucleusError, match=words):
        read_document(document)


@pytest.mark.parametrize(
    ("said", "here"),
    [
        (ConfigurationChange(), ConfigurationChange({"fps": 9})),
        (ConfigurationChange({"fps": 5}), ConfigurationChange({"fps": 9})),
        (ConfigurationChange({"camera": {"name": "a", "size": [1]}}), ConfigurationChange({"camera": {"size": [3]}})),
        (ConfigurationChange({"camera": {"size": [1]}}, ("/fps",)), ConfigurationChange({}, ("/camera/size",))),
        (ConfigurationChange({"camera": {"name": "a"}, "fps": 5}), ConfigurationChange({"fps": 7}, ("",))),
        (ConfigurationChange({"a/b": 1, "a": 2}), ConfigurationChange({}, ("/a~1b", "/camera/nothing"))),
    ],
)  # fmt: skip
def test_what_this_machine_has_otherwise_does_not_come_after_the_document(
    said: ConfigurationChange, here: ConfigurationChange
) -> None:
    found = []
    for changes in ((said, here), (said.then(here),)):
        store = ConfigurationStore()
        store.set_defaults("A", {"fps": 1, "camera": {"name": "default", "size": [0]}})
        store.apply("A", {"fps": 2, "left": True})
        for change in changes:
            store.apply("A", change.merge, change.reset)
        found.append(store.get("A"))
    assert found[0] == found[1]
