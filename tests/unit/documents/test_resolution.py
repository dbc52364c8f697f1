"""What graph, overrides, packages, cameras and settings come to."""

import json
from pathlib import Path
from typing import Any

import pytest

from vedette.application import PortRoute
from vedette.documents import Resolution, ResolvedApplication, load_project, resolve
from vedette.documents.resolution import OpenedPort
from vedette.messages import CameraSource

Folder = Any
GATE = CameraSource(name="gate", url="rtsp://10.0.0.1:8554/1")
YARD = CameraSource(name="yard", url="/videos/yard.mp4", loop=False)


def resolved(folder: Folder, *arguments: Any, **named: Any) -> ResolvedApplication:
    result = resolve(load_project(folder.root), *arguments, **named)
    assert result.application is not None, [str(item) for item in result.findings]
    return result.application


def codes(result: Resolution) -> set[str]:
    return {item.code for item in result.findings}


def test_ports_are_named_by_nodes(folder: Folder) -> None:
    application = resolved(folder, (), {"camera_node": [GATE]})
    assert [(port.port, port.nodes) for port in application.media_inputs] == [("video_in", ["camera_node"])]
    assert [(port.port, port.node) for port in application.outputs] == [
        ("video_out", "output_node"),
        ("second_out", None),
    ]
    parameters = {item.input.port: item for item in application.parameters}
    assert parameters["threshold"].input.node == "detection_threshold"
    assert [model.node for model in application.models] == ["model_node"]
    assert application.models[0].unit.inputs[0].shape == [1, 3, 224, 224]
    assert application.code.entry.argv() == ["python3", "/panorama/application.py"]
    assert application.routes == (), "a rule of the graph alone opens a port"


def test_a_rule_is_confirmed_by_the_command_line_in_vain(folder: Folder) -> None:
    for opened, routes in (
        ([OpenedPort(8080)], [PortRoute(container_port=80, host_port=8080)]),
        ([OpenedPort(8443, 80)], [PortRoute(container_port=80, host_port=8443)]),
        ([OpenedPort(8001)], [PortRoute(container_port=8001, host_port=8001)]),
    ):
        result = resolve(load_project(folder.root), cameras={"camera_node": [GATE]}, opened=opened)
        assert result.application is not None
        assert list(result.application.routes) == routes


def test_parameter_has_the_wrong_type_or_default(folder: Folder) -> None:
    application = resolved(folder, (), {"camera_node": [GATE]})
    values = {item.input.port: item.value for item in application.parameters}
    assert values == {"threshold": 20.0, "log_level": "INFO", "frames": 0, "verbose": False, "unconnected": 7}
    assert [type(value) for value in values.values()] == [float, str, int, bool, int]
    assert {item.origin for item in application.parameters} == {"graph"}
    assert application.parameters[0].input.title == "Threshold"
    assert application.parameters[0].input.constraint_text == "0 to 100"


def test_value_comes_from_the_wrong_place(folder: Folder) -> None:
    application = resolved(
        folder,
        [folder.root / folder.override],
        {"CAMERA_A": [GATE], "CAMERA_B": [YARD]},
        {"detection_threshold": "35"},
    )
    found = {item.input.node: (item.value, item.origin) for item in application.parameters}
    assert found["detection_threshold"] == (35.0, "deployment")
    assert found["log_level"] == ("DEBUG", "override")
    assert found["frames"] == (0, "graph")
    configuration = application.configuration()
    assert configuration.parameters["log_level"] == "DEBUG"
    assert configuration.parameter_origins["detection_threshold"] == "deployment"
    assert [item.input.default for item in application.parameters if item.input.node == "log_level"] == ["INFO"]


def test_setting_is_beaten_by_an_override(folder: Folder) -> None:
    cameras = {"camera_node": [GATE]}
    application = resolved(folder, [folder.root / folder.override], cameras, {"log_level": "ERROR"})
    (found,) = [item for item in application.parameters if item.input.node == "log_level"]
    assert (found.value, found.origin) == ("ERROR", "deployment")


def test_several_cameras_of_an_override_become_one_or_lose_their_order(folder: Folder) -> None:
    application = resolved(folder, [folder.root / folder.override], {"CAMERA_B": [YARD], "CAMERA_A": [GATE]})
    attached = application.cameras["camera_node"]
    assert [(item.name, item.launch) for item in attached] == [("gate", "onAppStart"), ("yard", "onSignal")]
    assert list(application.cameras) == ["camera_node"]


def test_cameras_of_the_graph_node_do_not_stand_in_for_the_override(folder: Folder) -> None:
    application = resolved(folder, [folder.root / folder.override], {"camera_node": [YARD, GATE]})
    assert [item.name for item in application.cameras["camera_node"]] == ["yard", "gate"]
    assert application.cameras["camera_node"][0].loop is False


def test_camera_is_not_known_by_the_name_it_had_in_panorama(folder: Folder) -> None:
    # GIVEN an override whose node is called otherwise than the camera it stands for, as AWS's sample has it
    node = {"name": "camera_node_override", "interface": "123456789012::MY_CAMERA.MY_CAMERA"}
    override = {
        "envelopeVersion": "2021-01-01",
        "packages": [{"name": "123456789012::MY_CAMERA", "version": "1.0"}],
        "nodes": [node],
        "nodeOverrides": [{"replace": "camera_node", "with": [{"name": "camera_node_override"}]}],
    }
    document = folder.write("my.json", json.dumps({"nodeGraphOverrides": override}))
    # THEN both names serve
    for name in ("MY_CAMERA", "camera_node_override"):
        application = resolved(folder, [document], {name: [GATE]})
        assert [item.name for item in application.cameras["camera_node"]] == ["gate"]
    # WHEN two nodes are of that camera, or the node is given as well, its name is no longer clear
    both = resolve(load_project(folder.root), [document], {"MY_CAMERA": [GATE], "camera_node_override": [YARD]})
    assert "V054" in codes(both)
    override["nodes"] = [node, {**node, "name": "again"}]
    override["nodeOverrides"] = [{"replace": "camera_node", "with": [{"name": node["name"]}, {"name": "again"}]}]
    document = folder.write("my.json", json.dumps({"nodeGraphOverrides": override}))
    assert "V054" in codes(resolve(load_project(folder.root), [document], {"MY_CAMERA": [GATE]}))


def test_later_override_document_does_not_win(folder: Folder) -> None:
    text = (folder.root / folder.override).read_text().replace('"DEBUG"', '"WARNING"')
    second = folder.write("graphs/my-app/site.json", text)
    application = resolved(folder, [folder.root / folder.override, second], {"camera_node": [GATE]})
    assert [item.value for item in application.parameters if item.input.node == "log_level"] == ["WARNING"]


def test_override_outside_of_the_project_is_refused(folder: Folder) -> None:
    elsewhere = folder.root.parent / "site.json"
    elsewhere.write_text((folder.root / folder.override).read_text())
    assert resolved(folder, [elsewhere], {"camera_node": [GATE]}).instance == "sample"


def test_override_of_routes_alone_is_refused_or_adds_a_second_route(folder: Folder) -> None:
    rule = {"node": "code_node", "containerPort": 80, "hostPort": 8443}
    document = {"nodeGraphOverrides": {"envelopeVersion": "2021-01-01", "networkRoutingRules": [rule]}}
    override = folder.write("ports.json", json.dumps(document))
    application = resolved(folder, [override], {"camera_node": [GATE]})
    assert [(route.container_port, route.host_port) for route in application.routes] == [(80, 8443)]


@pytest.mark.parametrize("port", [7999, 9001, 80])
def test_a_document_opens_a_port_that_an_appliance_would_refuse(folder: Folder, port: int) -> None:
    rule = {"node": "code_node", "containerPort": 80, "hostPort": port}
    document = {"nodeGraphOverrides": {"envelopeVersion": "2021-01-01", "networkRoutingRules": [rule]}}
    override = folder.write("ports.json", json.dumps(document))
    project = load_project(folder.root)
    result = resolve(project, [override], {"camera_node": [GATE]})
    assert result.application is None
    assert "V063" in codes(result)
    # AND whoever deploys may open it, or another one in its place
    for host in (port, 8080):
        application = resolved(folder, [override], {"camera_node": [GATE]}, opened=[OpenedPort(host, 80)])
        assert [(route.container_port, route.host_port) for route in application.routes] == [(80, host)]


def test_camera_package_with_an_address_of_its_own_is_not_found(folder: Folder) -> None:
    strings = {
        "username": "viewer", "password": "hunter2", "streamUrl": "rtsp://10.0.0.9/live",
        "subStreamUrl": "rtsp://10.0.0.9/small",
    }  # fmt: skip
    package = {
        "nodePackage": {
            "envelopeVersion": "2021-01-01",
            "interfaces": [
                {
                    "name": "rtsp_v1_interface",
                    "category": "media_source",
                    "asset": "rtsp_v1_asset",
                    "inputs": [{"name": name, "type": "string", "default": text} for name, text in strings.items()],
                    "outputs": [{"name": "video_out", "type": "media"}],
                }
            ],
        }
    }
    folder.write("packages/278046373397-RTSP_STREAM-1.0/package.json", json.dumps(package))

    def change(graph: dict[str, Any]) -> None:
        graph["packages"].append({"name": "123456789012::RTSP_STREAM", "version": "1.0"})
        graph["nodes"][2] = {"name": "camera_node", "interface": "123456789012::RTSP_STREAM.rtsp_v1_interface"}

    folder.edit(folder.graph, change)
    application = resolved(folder)
    (camera,) = application.cameras["camera_node"]
    assert (camera.url, camera.sub) == ("rtsp://10.0.0.9/live", "rtsp://10.0.0.9/small")
    assert camera.secret is not None
    assert dict(application.secrets[camera.secret]) == {
        "Username": "viewer",
        "Password": "hunter2",
        "StreamUrl": "rtsp://10.0.0.9/live",
        "SubStreamUrl": "rtsp://10.0.0.9/small",
    }
    replaced = resolved(folder, (), {"camera_node": [GATE]})
    assert [item.name for item in replaced.cameras["camera_node"]] == ["gate"]
    assert replaced.secrets == {}


def test_small_stream_of_a_camera_is_lost_or_shows_a_password(folder: Folder) -> None:
    main, small = "rtsp://10.0.0.1/main", "rtsp://10.0.0.1/sub"
    cases = {
        (f"rtsp://a:pw@{main[7:]}", small): "a",
        (f"rtsp://a:pw@{main[7:]}", f"rtsp://a:pw@{small[7:]}"): "a",
        (main, f"rtsp://a:pw@{small[7:]}"): "a",
        (main, small): None,
    }
    for (url, sub), user in cases.items():
        application = resolved(folder, (), {"camera_node": [CameraSource(name="gate", url=url, sub=sub)]})
        (attached,) = application.cameras["camera_node"]
        assert (attached.url, attached.sub) == (main, small)
        held = dict(application.secrets[attached.secret]) if attached.secret else {"Username": None}
        assert held["Username"] == user
        assert not user or (held["StreamUrl"], held["SubStreamUrl"]) == (main, small)
        assert "pw" not in repr(application)


def test_two_logins_or_a_bad_address_of_a_small_stream_are_taken(folder: Folder) -> None:
    for url, sub in (("rtsp://a:1@h/m", "rtsp://b:2@h/s"), ("rtsp://h/m", "ftp://h/s"), ("rtsp://h/m", "rtsp://h:x/s")):
        result = resolve(load_project(folder.root), (), {"camera_node": [CameraSource(name="gate", url=url, sub=sub)]})
        assert "V055" in codes(result)


def test_small_stream_in_the_secret_is_forgotten(folder: Folder) -> None:
    camera = CameraSource(name="gate", secret="vedette/camera/gate", sub="", sub_missing="main")
    (attached,) = resolved(folder, (), {"camera_node": [camera]}).cameras["camera_node"]
    assert attached.source == camera


@pytest.mark.parametrize("url", ["http://10.0.0.1/mjpg", "https://viewer:pw@10.0.0.1/snap.jpg"])
def test_camera_over_http_is_refused(folder: Folder, url: str) -> None:
    (attached,) = resolved(folder, (), {"camera_node": [CameraSource(name="gate", url=url)]}).cameras["camera_node"]
    assert attached.url.startswith("http")
    assert "pw" not in attached.url


def test_password_of_an_address_stays_where_it_is_seen(folder: Folder) -> None:
    camera = CameraSource(name="gate", url="rtsp://admin:p%40ss@10.0.0.1/1")
    application = resolved(folder, (), {"camera_node": [camera]})
    (attached,) = application.cameras["camera_node"]
    assert attached.url == "rtsp://10.0.0.1/1"
    assert application.secrets[str(attached.secret)]["Password"] == "p@ss"
    assert "p@ss" not in repr(application)
    assert "p%40ss" not in repr(application)
    other = resolved(folder, (), {"camera_node": [CameraSource(name="gate", url="rtsp://admin:new@10.0.0.1/1")]})
    assert other.cameras == application.cameras, "a new password makes no other camera"


def test_project_cannot_be_checked_without_cameras(folder: Folder) -> None:
    result = resolve(load_project(folder.root), [folder.root / folder.override], complete=False)
    assert result.findings == ()
    assert result.application is not None
    assert codes(resolve(load_project(folder.root))) == {"V042", "V065"}


def test_two_account_ids_in_one_project_matter(folder: Folder) -> None:
    folder.rename("packages/123456789012-SAMPLE_CODE-1.0", "packages/999999999999-SAMPLE_CODE-1.0")
    assert resolved(folder, (), {"camera_node": [GATE]}).code.package.account == "999999999999"


def test_graph_account_does_not_choose_between_twins(folder: Folder) -> None:
    for name in ("package.json", "descriptor.json", "application.py"):
        text = (folder.root / "packages/123456789012-SAMPLE_CODE-1.0" / name).read_text()
        folder.write(f"packages/000000000000-SAMPLE_CODE-1.0/{name}", text)
    assert resolved(folder, (), {"camera_node": [GATE]}).code.package.account == "123456789012"


def test_application_without_camera_and_edges_is_refused(folder: Folder) -> None:
    def change(graph: dict[str, Any]) -> None:
        graph["nodes"] = graph["nodes"][:1]
        graph["edges"] = []

    folder.edit(folder.graph, change)
    application = resolved(folder)
    assert application.media_inputs[0].nodes == []
    assert all(port.node is None for port in application.outputs)
    assert application.cameras == {}


def test_second_graph_document_cannot_be_chosen(folder: Folder) -> None:
    text = (folder.root / folder.graph).read_text().replace('"INFO"', '"ERROR"')
    folder.write("graphs/my-app/graph_with_hdmi.json", text)
    folder.write("graphs/other/graph.json", text)
    project = load_project(folder.root)
    cameras = {"camera_node": [GATE]}
    for name, expected in [
        (None, "INFO"),
        ("my-app", "INFO"),
        ("my-app/graph_with_hdmi.json", "ERROR"),
        ("graphs/my-app/graph_with_hdmi.json", "ERROR"),
        ("other", "ERROR"),
    ]:
        result = resolve(project, (), cameras, graph=name)
        assert result.application is not None
        assert [item.value for item in result.application.parameters if item.input.node == "log_level"] == [expected]


def test_blanks_matter(folder: Folder) -> None:
    text = "".join((folder.root / folder.graph).read_text().split())
    folder.write(folder.graph, text)
    assert resolved(folder, (), {"camera_node": [GATE]}).models


def test_cameras_on_two_edges_are_two_providers(folder: Folder) -> None:
    def change(graph: dict[str, Any]) -> None:
        graph["nodes"].append({**graph["nodes"][2], "name": "camera_2"})
        graph["edges"].append({"producer": "camera_2.video_out", "consumer": "code_node.video_in"})

    folder.edit(folder.graph, change)
    cameras = {"camera_node": [GATE], "camera_2": [YARD]}
    assert resolved(folder, (), cameras).media_inputs[0].nodes == ["camera_node", "camera_2"]
    folder.edit(folder.code, lambda p: p["interfaces"][0]["inputs"][0].update(maxConnections=1))
    assert "V017" in codes(resolve(load_project(folder.root), (), cameras))


@pytest.mark.parametrize("key", ["inferenceAccelerators", "nvAccelerators"])
def test_gpu_requirement_is_lost(folder: Folder, key: str) -> None:
    accelerator = {"deviceType": "nvhost_gpu", "sharedResourcePolicy": {"policy": "allow_all"}}
    implementation = {
        "type": "container",
        "assetUri": "x.tar.gz",
        "requirements": [{"type": "hardware_access", key: [accelerator]}],
    }
    assert not resolved(folder, (), {"camera_node": [GATE]}).gpu
    folder.edit(folder.code, lambda p: p.update(assets=[{"name": "code_asset", "implementations": [implementation]}]))
    assert resolved(folder, (), {"camera_node": [GATE]}).gpu


def test_model_node_cannot_be_overridden(folder: Folder) -> None:
    base = Path(folder.model).parent
    text = (folder.root / folder.model).read_text()
    folder.write("packages/123456789012-OTHER-1.0/package.json", text)
    folder.write("packages/123456789012-OTHER-1.0/other.tflite", b"other")
    folder.write(
        "packages/123456789012-OTHER-1.0/descriptor.json", (folder.root / base / "descriptor.json").read_text()
    )
    folder.edit(folder.graph, lambda g: g["nodes"][1].update(overridable=True))
    override = {
        "envelopeVersion": "2021-01-01",
        "packages": [{"name": "1::OTHER", "version": "1.0"}],
        "nodes": [{"name": "other_model", "interface": "1::OTHER.interface"}],
        "nodeOverrides": [{"replace": "model_node", "with": [{"name": "other_model"}]}],
    }
    path = folder.write("model.json", json.dumps({"nodeGraphOverrides": override}))
    (model,) = resolved(folder, [path], {"camera_node": [GATE]}).models
    assert (model.node, model.unit.package.name, model.unit.format) == ("model_node", "OTHER", "tflite")


def test_findings_of_documents_that_are_not_used_stop_the_application(folder: Folder) -> None:
    folder.write("graphs/my-app/broken.json", "{")
    folder.write("packages/1-OTHER-1.0/package.json", "{")
    project = load_project(folder.root)
    assert {item.code for item in project.findings()} == {"V004"}
    assert resolve(project, (), {"camera_node": [GATE]}).application is not None


def test_notes_beside_the_graph_are_taken_for_documents(folder: Folder) -> None:
    folder.write("graphs/my-app/cameras.json", '{"lobby": 1}')
    assert load_project(folder.root).findings() == []
