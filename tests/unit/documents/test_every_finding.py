"""Each finding code has a fault that brings it about, at the right place."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vedette.cli.conversion import conversion_deferred
from vedette.compiler import compile_application
from vedette.documents import CODES, DocumentError, Finding, load_project, resolve
from vedette.messages import CameraSource
from vedette.validation import validate

CAMERA = CameraSource(name="camera_node", url="rtsp://10.0.0.1/1")
Folder = Any


BAD_FRAMES = b'{"preprocess": {"resize": "zoom"}}'


class Case(NamedTuple):
    """A fault in the project, and how it is looked at."""

    code: str
    text: str
    """Part of the finding, or its place."""
    spoil: Callable[[Folder], object] = bool
    override: bool = False
    cameras: Mapping[str, list[CameraSource]] = {"camera_node": [CAMERA]}
    settings: Mapping[str, object] = {}
    instance: str | None = None
    graph: str | None = None


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 5
            opened.addfile(info, io.BytesIO(b"model"))
    return buffer.getvalue()


def model_asset(folder: Folder, data: bytes, name: str | None = None) -> None:
    """Put ``data`` under assets/, named by its hash unless ``name`` is given, and take the plain file away."""
    (folder.root / folder.model).with_name("squeezenet.onnx").unlink()
    uri = name or f"{sha256(data).hexdigest()}.tar.gz"
    folder.write(f"assets/{uri}", data)
    folder.edit(folder.model, lambda p: p["assets"][0]["implementations"][0].update(assetUri=uri))


def edit_node(node: str, /, **changes: object) -> Callable[[Folder], object]:
    def change(folder: Folder) -> None:
        folder.edit(folder.graph, lambda g: next(n for n in g["nodes"] if n["name"] == node).update(changes))

    return change


def edit_edge(index: int, **changes: object) -> Callable[[Folder], object]:
    return lambda folder: folder.edit(folder.graph, lambda g: g["edges"][index].update(changes))


def edit_override(change: Callable[[dict[str, Any]], object]) -> Callable[[Folder], object]:
    return lambda folder: folder.edit(folder.override, change)


def edit_rule(**changes: object) -> Callable[[Folder], object]:
    return lambda folder: folder.edit(folder.graph, lambda g: g["networkRoutingRules"][0].update(changes))


def second_version(folder: Folder) -> None:
    folder.edit(folder.graph, lambda g: g["packages"][0].update(version="2.0"))


def two_codes(folder: Folder) -> None:
    node = {"name": "code_2", "interface": "123456789012::SAMPLE_CODE.interface"}
    folder.edit(folder.graph, lambda g: g["nodes"].append(node))


def twin_package(folder: Folder) -> None:
    folder.write("packages/999999999999-SAMPLE_CODE-1.0/package.json", (folder.root / folder.code).read_text())


def many_models(folder: Folder, count: int = 400) -> None:
    def package(content: dict[str, Any]) -> None:
        first, asset = content["interfaces"][0], content["assets"][0]
        for number in range(count):
            name = f"interface_{number}"
            uri = f"{name}.onnx"
            folder.write(f"assets/{uri}", f"model {number}")
            implementation = {"type": "model", "assetUri": uri}
            content["assets"].append({**asset, "name": f"asset_{number}", "implementations": [implementation]})
            content["interfaces"].append({**first, "name": name, "asset": f"asset_{number}"})

    def graph(content: dict[str, Any]) -> None:
        for number in range(count):
            interface = f"123456789012::SQUEEZENET_PYTORCH.interface_{number}"
            content["nodes"].append({"name": f"m{number}", "interface": interface})

    folder.edit(folder.model, package)
    folder.edit(folder.graph, graph)


def only_in_image(folder: Folder) -> None:
    for path in (folder.root / folder.code).parent.iterdir():
        if path.name not in {"package.json", "descriptor.json"}:
            path.unlink()


def broken_container(folder: Folder) -> None:
    data = b"no archive"
    uri = f"{sha256(data).hexdigest()}.tar.gz"
    folder.write(f"assets/{uri}", data)
    implementation = {"type": "container", "assetUri": uri}
    folder.edit(folder.code, lambda p: p.update(assets=[{"name": "code_asset", "implementations": [implementation]}]))


def nested(folder: Folder) -> None:
    folder.write(folder.graph, '{"nodeGraph": ' + "[" * 100_000 + "]" * 100_000 + "}")


def text_of(folder: Folder, old: str, new: str) -> None:
    path = folder.root / folder.graph
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def huge_file(folder: Folder) -> None:
    path = (folder.root / folder.code).with_name("weights.bin")
    with path.open("wb") as opened:
        opened.truncate((2 << 30) + 1)  # sparse


def spoil_source(folder: Folder, text: str, name: str = "application.py") -> None:
    folder.write(f"{Path(folder.code).parent}/{name}", text)


def link_out(folder: Folder) -> None:
    outside = folder.root.parent / "outside.py"
    outside.write_text("secret")
    (folder.root / folder.code).with_name("link.py").symlink_to(outside)


CASES = [
    Case("V001", "graph.json file cannot be read", lambda f: _fifo(f.root / f.graph)),
    Case("V002", "bytes", lambda f: f.write(f.graph, b" " * (2 << 20))),
    Case("V003", "graph.json:1:2", lambda f: f.write(f.graph, b'{\xff"')),
    Case("V003", "UTF-16", lambda f: f.write(f.graph, '{"a": 1}'.encode("utf-16"))),
    Case(
        "V004",
        'graph.json:3:58 expected "," or "]" after value 1 of the list',
        lambda f: text_of(f, '"2021-01-01",\n        "packages": [\n            {', '"2021-01-01", "packages": [ {} {'),
    ),
    Case("V005", "nested deeper", nested),
    Case(
        "V006",
        "envelopeVersion",
        lambda f: text_of(f, '"packages": [', '"envelopeVersion": "2021-01-01", "packages": ['),
    ),
    Case("V007", "link.py", link_out),
    Case("V008", "byte order mark", lambda f: f.write(f.graph, b"\xef\xbb\xbf" + (f.root / f.graph).read_bytes())),
    Case("V009", 'did you mean "nodeGraph"?', lambda f: text_of(f, '"nodeGraph"', '"NodeGraph"')),
    Case(
        "V010",
        'node "verbose": key "interface" is missing',
        lambda f: f.edit(f.graph, lambda g: g["nodes"][7].pop("interface")),
    ),
    Case(
        "V010", 'key "type" is missing', lambda f: f.edit(f.code, lambda p: p["interfaces"][0]["inputs"][0].pop("type"))
    ),
    Case("V011", 'did you mean "overridable"?', edit_node("verbose", overrideable=True)),
    Case(
        "V012",
        'edge 3: consumer "code_node.treshold": package SAMPLE_CODE has no input "treshold"; did you mean "threshold"?',
        edit_edge(2, consumer="code_node.treshold"),
    ),
    Case("V012", "a parameter, which has no ports", edit_edge(2, producer="detection_threshold.value")),
    Case("V012", "names no input", edit_edge(2, consumer="code_node")),
    Case("V013", "expected a number, found text", edit_node("detection_threshold", value="20")),
    Case("V013", "expected an integer, found a number", edit_node("frames", value=1.5)),
    Case("V014", "expected at most 128 characters", edit_node("log_level", name="x" * 129)),
    Case(
        "V014",
        "may be left out, but not be null",
        lambda f: f.edit(f.graph, lambda g: g["networkRoutingRules"][0].update(hostPort=None)),
    ),
    Case("V014", 'expected "onDemand", "onAppStart" or "onSignal"', edit_node("camera_node", launch="never")),
    Case("V014", "has path but no name", lambda f: f.edit(f.code_descriptor, lambda d: d["entry"].pop("name"))),
    Case("V015", 'did you mean "camera_node"?', edit_edge(0, producer="camera_nod.video_out")),
    Case("V016", 'takes float32, but "log_level" gives string', edit_edge(3, consumer="code_node.threshold")),
    Case("V016", "takes no input", edit_edge(1, consumer="log_level")),
    Case(
        "V017",
        'has a provider already, "log_level"',
        lambda f: f.edit(f.graph, lambda g: g["edges"].append(dict(g["edges"][3]))),
    ),
    Case("V018", "another node has the same name", edit_node("frames", name="verbose")),
    Case("V018", "two cameras of the name", cameras={"camera_node": [CAMERA, CAMERA]}),
    Case("V019", "has no effect", edit_edge(1, producer="camera_node.video_out")),
    Case("V020", "graph wants SAMPLE_CODE 2.0, packages/ holds 1.0", second_version),
    Case("V021", 'did you mean "SAMPLE_CODE"?', edit_node("code_node", interface="123456789012::SAMPL_CODE.interface")),
    Case("V022", "interfaces: interface", edit_node("code_node", interface="123456789012::SAMPLE_CODE.other")),
    Case("V022", "is not known", edit_node("output_node", interface="panorama::hdmi_data_sink.hdmi1")),
    Case(
        "V023",
        'did you mean "model_asset"?',
        lambda f: f.edit(f.model, lambda p: p["interfaces"][0].update(asset="model_aset")),
    ),
    Case(
        "V023",
        'did you mean "code"?',
        lambda f: f.edit(
            f.code, lambda p: p.update(assets=[{"name": "code"}]) or p["interfaces"][0].update(asset="kode")
        ),
    ),
    Case("V024", "not in the list of packages", lambda f: f.edit(f.graph, lambda g: g["packages"].pop(0))),
    Case("V025", "has no graph", lambda f: (f.root / f.graph).unlink()),
    Case("V026", "is there twice", twin_package),
    Case("V027", 'no graph "other"', graph="other"),
    Case(
        "V028",
        "business_logic",
        lambda f: f.edit(f.graph, lambda g: g["nodes"].pop(0) and g.update(edges=[], networkRoutingRules=[])),
    ),
    Case("V029", "second code node", two_codes),
    Case("V030", "decorator title is empty", edit_node("log_level", decorator={"title": ""})),
    Case("V031", "calls of this model will fail", lambda f: (f.root / f.model).with_name("squeezenet.onnx").unlink()),
    Case("V032", "changed or damaged", lambda f: model_asset(f, archive("m.onnx"), f"{'0' * 64}.tar.gz")),
    Case("V033", "model of PYTORCH, it must be converted", lambda f: model_asset(f, archive("model.pth"))),
    Case("V083", "`vedette run` and `vedette compile` convert it", lambda f: model_asset(f, archive("model.pth"))),
    Case("V084", "preprocess.resize", lambda f: f.write(f"{Path(f.model).parent}/preprocess.json", BAD_FRAMES)),
    Case("V034", "not a tar archive", lambda f: model_asset(f, b"nothing")),
    Case("V034", "holds 2 models", lambda f: model_asset(f, archive("a.onnx", "b.onnx"))),
    Case("V034", "holds no model: readme", lambda f: model_asset(f, archive("readme"))),
    Case("V034", "package folder holds 2 models", lambda f: f.write(f"{Path(f.model).parent}/b.tflite", b"x")),
    Case("V035", "no descriptor", lambda f: (f.root / f.model_descriptor).unlink()),
    Case("V036", "not known how the code is started", lambda f: (f.root / f.code_descriptor).unlink()),
    Case("V036", "has no entry", lambda f: f.edit(f.code_descriptor, lambda d: d.pop("entry"))),
    Case("V037", "holds no code", only_in_image),
    Case("V079", "until then the sources are used", broken_container),
    Case(
        "V038",
        'did you mean "application.py"?',
        lambda f: f.edit(f.code_descriptor, lambda d: d["entry"].update(name="/panorama/aplication.py")),
    ),
    Case(
        "V039",
        "Dockerfile:2:1 copies missing, which is not in the package's folder",
        lambda f: f.write(f"{Path(f.code).parent}/Dockerfile", "FROM x\nCOPY missing /panorama\nCOPY . /panorama\n"),
    ),
    Case(
        "V039",
        "only what lies in /panorama is carried over",
        lambda f: f.write(f"{Path(f.code).parent}/Dockerfile", "FROM x\nCOPY . /panorama\nCOPY application.py /opt/\n"),
    ),
    Case(
        "V040",
        'did you mean "log_level"?',
        edit_override(lambda o: o["nodeOverrides"][0].update(replace="loglevel")),
        override=True,
    ),
    Case("V041", '"log_level" is not overridable', edit_node("log_level", overridable=False), override=True),
    Case("V041", "is not overridable, but a setting", settings={"frames": 1}),
    Case("V042", "an override is mandatory", cameras={}),
    Case("V042", "--set log_level=VALUE", edit_node("log_level", overrideMandatory=True)),
    Case(
        "V043",
        'is of type int32, but replaces "log_level" of type string',
        edit_override(lambda o: o["nodes"][2].update(interface="int32", value=1)),
        override=True,
    ),
    Case(
        "V043",
        "is a output node, but replaces",
        edit_override(lambda o: o["nodes"][0].update(interface="panorama::hdmi_data_sink.hdmi0")),
        override=True,
    ),
    Case(
        "V044",
        'did you mean "CAMERA_A"?',
        edit_override(lambda o: o["nodeOverrides"][1]["with"][0].update(name="CAMERAA")),
        override=True,
    ),
    Case(
        "V045",
        "replaced by 0 nodes",
        edit_override(lambda o: o["nodeOverrides"][1].update({"with": []})),
        override=True,
    ),
    Case(
        "V045",
        "expected exactly one node",
        edit_override(lambda o: o["nodeOverrides"][0]["with"].append({"name": "CAMERA_A"})),
        override=True,
    ),
    Case("V046", "--camera CAMERA_B=rtsp", override=True, cameras={"CAMERA_A": [CAMERA]}),
    Case(
        "V047",
        '"log_level" is replaced twice',
        edit_override(lambda o: o["nodeOverrides"].append(dict(o["nodeOverrides"][0]))),
        override=True,
    ),
    Case(
        "V047",
        '"CAMERA_A" is named twice',
        edit_override(lambda o: o["nodeOverrides"][1]["with"].append({"name": "CAMERA_A"})),
        override=True,
    ),
    Case("V048", "template", edit_override(lambda o: o["nodes"][0].update(name="{YourCamera}_node")), override=True),
    Case("V050", '"threshold" is a port, its node is "detection_threshold"', settings={"threshold": 1}),
    Case("V050", 'did you mean "log_level"?', settings={"loglevel": 1}),
    Case("V051", "takes a number (float32), got 'high'", settings={"detection_threshold": "high"}),
    Case("V051", "takes an integer", edit_node("frames", value=2**40)),
    Case("V053", "0 to 100", settings={"detection_threshold": -1}),
    Case("V054", 'did you mean "camera_node"?', cameras={"camera": [CAMERA]}),
    Case(
        "V055",
        "ftp://10.0.0.1/ cannot be used",
        cameras={"camera_node": [CameraSource(name="c", url="ftp://10.0.0.1/")]},
    ),
    Case("V055", "%40", cameras={"camera_node": [CameraSource(name="c", url="rtsp://u:p@a/b@10.0.0.1/")]}),
    Case("V055", "address is empty", cameras={"camera_node": [CameraSource(name="c")]}),
    Case("V055", "no source", cameras={"camera_node": []}),
    Case(
        "V056",
        "has 9 cameras",
        cameras={"camera_node": [CameraSource(name=str(n), url=f"rtsp://h/{n}") for n in range(9)]},
    ),
    Case("V060", "code node: code_node", edit_rule(node="output_node")),
    Case("V061", "inboundPorts: 80", edit_rule(containerPort=81)),
    Case(
        "V062",
        "host port 8080 is taken",
        lambda f: f.edit(
            f.graph,
            lambda g: g["networkRoutingRules"].append({"node": "code_node", "containerPort": 81, "hostPort": 8080}),
        ),
    ),
    Case("V065", "give --open 8080:80", lambda _: None),
    Case("V063", "host port 7000", edit_rule(hostPort=7000)),
    Case("V064", "70000 is no port", edit_rule(hostPort=70000)),
    Case(
        "V070",
        "gives no package name",
        lambda f: f.write(
            "packages/X/package.json", '{"nodePackage": {"envelopeVersion": "2021-01-01", "interfaces": []}}'
        ),
    ),
    Case("V071", "at most 100 letters", instance="a/b"),
    Case("V074", "AWS takes at most 16000", many_models),
    Case("V075", "a device shadow holds 8192", edit_node("log_level", value="x" * 8200)),
    Case("V076", "AWS takes at most 2147483648", huge_file),
    Case("V077", "configuration has", edit_node("log_level", value="x" * 9800)),
    Case("V077", "permissions has", lambda f: many_models(f, 120)),
    Case("V080", "application.py:2:6 Python cannot read the source", lambda f: spoil_source(f, "a = 1\nprint(a\n")),
    Case("V080", "the file to start is written for Python 2", lambda f: spoil_source(f, "print 1\n")),
    Case("V081", "old.py:1:1 source is written for Python 2", lambda f: spoil_source(f, "print 1\n", "old.py")),
    Case(
        "V082",
        "requirements.txt:2:1 2 requirements without an upper limit: boto3, numpy",
        lambda f: f.write(f"{Path(f.code).parent}/requirements.txt", "a==1\nboto3\nb~=2.0  # 3\nnumpy>=1.20\nc<2\n"),
    ),
]


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def findings_of(case: Case, folder: Folder) -> list[Finding]:
    project = load_project(folder.root)
    overrides = [folder.root / folder.override] if case.override else []
    cameras = {} if case.override and case.cameras is CASES[0].cameras else case.cameras
    result = resolve(project, overrides, cameras, case.settings, case.instance, graph=case.graph)
    found = list(result.findings)
    if result.application is not None:
        try:
            if case.code != "V076":  # 2 GiB of zeros take seconds to hash
                compile_application(result.application)
        except DocumentError as error:
            found += error.findings
    return list(dict.fromkeys([*found, *validate(project, conversion_deferred).findings]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.text[:40]}")
def test_fault_is_not_found(case: Case, folder: Folder) -> None:
    case.spoil(folder)
    found = findings_of(case, folder)
    assert [item for item in found if item.code == case.code and case.text in str(item)], [
        f"{item.code} {item}" for item in found
    ]
    assert all(str(item) and item.severity for item in found)


def test_code_has_no_fault_that_brings_it_about() -> None:
    assert {case.code for case in CASES} == set(CODES)


def test_good_project_has_findings(folder: Folder) -> None:
    project = load_project(folder.root)
    assert project.findings() == []
    result = resolve(project, (), {"camera_node": [CAMERA]})
    # THEN its port stays closed without an override, which is said, and nothing else
    assert [finding.code for finding in result.findings] == ["V065"]
    assert result.application is not None
    compile_application(result.application)


def test_finding_points_elsewhere_than_at_the_fault(folder: Folder) -> None:
    edit_edge(2, consumer="code_node.treshold")(folder)
    lines = (folder.root / folder.graph).read_text().splitlines()
    found = findings_of(Case("V012", ""), folder)
    (finding,) = [item for item in found if item.code == "V012"]
    text = lines[finding.line - 1][finding.column - 1 :][: finding.length]
    assert json.loads(text) == "code_node.treshold"
    assert str(finding).startswith(f"graphs/my-app/graph.json:{finding.line}:{finding.column} edge 3: consumer ")


def test_converted_model_beside_its_original_is_not_taken(folder: Folder) -> None:
    # GIVEN a project with the model that AWS published, which must be converted
    model_asset(folder, archive("squeezenet1_0.pth"))
    camera = {"camera_node": [CAMERA]}
    assert "V033" in {item.code for item in resolve(load_project(folder.root), (), camera).findings}
    # WHEN it is converted and put where the hint says
    folder.write(str(Path(folder.model).with_name("converted.onnx")), b"model")
    result = resolve(load_project(folder.root), (), camera)
    # THEN that one is taken
    assert result.application is not None, [str(item) for item in result.findings]
    assert [model.unit.file.name for model in result.application.models] == ["converted.onnx"]
