"""application.json and the component's configuration survive what a nucleus does to them."""

import json
from typing import Any

import pytest

from vedette.application import (
    ApplicationConfiguration,
    ApplicationConfigurationError,
    ApplicationManifest,
    ApplicationManifestError,
    CameraAttachment,
    Entry,
    MediaInput,
    MediaOutput,
    ModelNode,
    ParameterInput,
    ParameterType,
    ParameterValueError,
    coerce_parameter,
    default_value,
)
from vedette.messages import CameraSource, Tensor

MANIFEST = ApplicationManifest(
    name="people-counter",
    code_package="PEOPLE_COUNTER_CODE",
    version="1.0",
    entry=Entry(path="python3", name="/panorama/application.py", arguments=["-u"]),
    inputs=[
        MediaInput(port="video_in", nodes=["camera_node"]),
        ParameterInput(port="threshold", node="detection_threshold", type="float32", default=20.0),
    ],
    outputs=[MediaOutput(port="video_out", node="output_node")],
    models=[
        ModelNode(
            node="model_node",
            component="vedette.model.NANODET_G",
            file="nanodet.onnx",
            format="onnx",
            model_id="0123456789abcdef",
            inputs=[Tensor(name="data", dtype="float32", shape=[1, 3, 416, 416])],
        )
    ],
)


def test_manifest_changes_on_its_way_through_json() -> None:
    again = ApplicationManifest.decode(MANIFEST.encode())
    assert again == MANIFEST
    assert type(again.parameters()[0].default) is float
    assert again.encode() == MANIFEST.encode()
    assert again.entry.argv() == ["python3", "/panorama/application.py", "-u"]


def test_whole_float_default_comes_back_as_an_integer() -> None:
    document = json.loads(MANIFEST.encode())
    document["inputs"][1]["default"] = 20
    assert type(ApplicationManifest.decode(json.dumps(document).encode()).parameters()[0].default) is float


@pytest.mark.parametrize(
    ("key", "value"),
    [("source_root", "../../etc"), ("requirements_file", "/etc/passwd"), ("unknown", 1), ("schema_version", 2)],
)
def test_manifest_with_a_dangerous_or_unknown_field_is_taken(key: str, value: object) -> None:
    document = json.loads(MANIFEST.encode()) | {key: value}
    with pytest.raises(ApplicationManifestError, match=key):
        ApplicationManifest.decode(json.dumps(document).encode())


def test_manifest_that_is_not_json_gives_a_foreign_error() -> None:
    with pytest.raises(ApplicationManifestError, match=r"application\.json"):
        ApplicationManifest.decode(b"\xff{")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("float32", 20, 20.0),
        ("float32", "20", 20.0),
        ("float32", "1e-3", 0.001),
        ("int32", 7.0, 7),
        ("int32", "-7", -7),
        ("boolean", "true", True),
        ("boolean", "False", False),
        ("boolean", True, True),
        ("string", "20", "20"),
        ("string", "", ""),
    ],
)
def test_value_keeps_the_type_of_its_transport(kind: ParameterType, value: object, expected: object) -> None:
    result = coerce_parameter(kind, value)
    assert result == expected
    assert type(result) is type(expected) is type(default_value(kind))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int32", 2**31),
        ("int32", 1.5),
        ("int32", "1.0"),
        ("int32", True),
        ("int32", None),
        ("float32", "high"),
        ("float32", "nan"),
        ("float32", 1e39),
        ("float32", 10**400),
        ("float32", "1_000"),
        pytest.param("int32", 10**5000, id="int32-huge"),
        ("int32", float("inf")),
        ("float32", False),
        ("boolean", 1),
        ("boolean", "yes"),
        ("string", 20),
        ("string", None),
    ],
)
def test_value_of_another_type_is_taken(kind: ParameterType, value: object) -> None:
    with pytest.raises(ParameterValueError, match=kind):
        coerce_parameter(kind, value)


def configuration(**changes: Any) -> dict[str, Any]:
    return {
        "accessControl": {"aws.greengrass.ipc.pubsub": {}},
        "instance": "people-counter",
        "cameras": {"camera_node": [{"name": "gate", "url": "rtsp://10.0.0.1/1", "launch": "onSignal"}]},
        "parameters": {"detection_threshold": "35"},
        "parameterOrigins": {"detection_threshold": "deployment"},
        "ports": [{"containerPort": "80", "hostPort": 8080.0}],
    } | changes


def test_configuration_as_text_or_floats_is_refused() -> None:
    read = ApplicationConfiguration.from_component(configuration())
    assert read.value_of(MANIFEST.parameters()[0]) == 35.0
    assert read.ports[0].container_port == 80
    assert read.ports[0].host_port == 8080
    assert read.sandbox == "required"
    assert ApplicationConfiguration.from_component(read.as_configuration()) == read
    assert "containerPort" in read.as_configuration()["ports"][0]


def test_parameter_without_configured_value_loses_its_default() -> None:
    read = ApplicationConfiguration.from_component(configuration(parameters={}))
    assert read.value_of(MANIFEST.parameters()[0]) == 20.0


def test_ill_typed_parameter_reaches_the_application() -> None:
    read = ApplicationConfiguration.from_component(configuration(parameters={"detection_threshold": "high"}))
    with pytest.raises(ApplicationConfigurationError, match=r"parameters\.detection_threshold"):
        read.value_of(MANIFEST.parameters()[0])


@pytest.mark.parametrize("changes", [{"sandbox": "no"}, {"camera": {}}, {"ports": [{"containerPort": 0}]}])
def test_configuration_with_a_mistake_is_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(ApplicationConfigurationError, match=next(iter(changes))):
        ApplicationConfiguration.from_component(configuration(**changes))


def test_name_of_a_node_that_is_not_there_goes_unnoticed() -> None:
    read = ApplicationConfiguration.from_component(configuration(parameters={"treshold": 1}, cameras={"cam": []}))
    assert read.unknown_names(MANIFEST) == ["cameras.cam", "parameters.treshold"]


def test_launch_mode_makes_another_camera_of_the_same_source() -> None:
    attachment = CameraAttachment(name="gate", url="rtsp://10.0.0.1/1", launch="onSignal")
    assert attachment.camera_id == CameraSource(name="gate", url="rtsp://10.0.0.1/1").camera_id
    assert "launch" not in attachment.source.model_dump()
