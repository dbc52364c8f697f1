"""The picture of an application in each form: complete, well-formed, readable."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vedette.diagram import Picture, as_document, as_mermaid, as_svg, as_tree, picture_of
from vedette.diagram.svg_layout import Box, lay_out
from vedette.documents import load_project, resolve
from vedette.messages import CameraSource
from vedette.resources import examples_dir

EXAMPLE = examples_dir() / "people-counter"
OVERRIDE = EXAMPLE / "graphs/people-counter/override.json"
SVG = "{http://www.w3.org/2000/svg}"


def picture(*overrides: Path, cameras: Any = None, settings: Any = None) -> Picture:
    project = load_project(EXAMPLE)
    resolution = resolve(project, overrides, cameras, settings, complete=False)
    assert resolution.parts is not None
    return picture_of(resolution.parts, project, overrides)


def hostile(text: str) -> Picture:
    """Return a picture with ``text`` wherever a document may have text."""
    plain = picture(OVERRIDE)
    assert plain.code is not None
    return dataclasses.replace(
        plain,
        name=text,
        description=text,
        code=dataclasses.replace(plain.code, title=text, command=text),
        parameters=[dataclasses.replace(item, title=text, description=text, value=text) for item in plain.parameters],
        cameras=[dataclasses.replace(item, title=text, description=text) for item in plain.cameras],
    )


HOSTILE = [
    '"]; click n1 "javascript:x"',
    "<script>&\"'</script>",
    "a\nb\x1b[31m\u202e",
    "\u65e5" * 300,
    "#quot;`%%{init}",
]


def test_tree_leaves_something_out() -> None:
    text = as_tree(picture(OVERRIDE), origin=True)
    for line in (
        "people-counter   graphs/people-counter/graph.json + graphs/people-counter/override.json",
        "PEOPLE_COUNTER 1.0",
        "runs python3 /panorama/application.py",
        "├─ video_in    media     ← camera_node",
        "├─ video_out   media     → output_node",
        "└─ data   1x3x416x416",
        "├─ LOBBY   address given at deployment",
        "float32 = 55.0      override ← graphs/people-counter/override.json:",
        "int32 = 0           graph ← graphs/people-counter/graph.json:",
        '"Threshold" Minimum confidence for a detection, percent',
        "panorama::hdmi_data_sink.hdmi0",
    ):
        assert line in text
    assert "not connected" not in text


def test_value_has_another_origin_than_its_own() -> None:
    cameras = {"camera_node": [CameraSource(name="dock", url="rtsp://viewer:hunter2@10.0.0.1/s")]}
    drawn = picture(cameras=cameras, settings={"detection_threshold": "30"})
    text = as_tree(drawn, origin=True)
    assert "float32 = 30.0      deployment ← --set" in text
    assert "dock   rtsp://10.0.0.1/s, with login" in text
    document = as_document(drawn)
    assert document["parameters"][0]["origin"] == "deployment"
    assert document["cameras"][0]["cameras"][0] == {
        "name": "dock",
        "address": "rtsp://10.0.0.1/s",
        "launch": "onAppStart",
        "login": True,
    }
    assert "hunter2" not in str(document) + text + as_svg(drawn) + as_mermaid(drawn)


def test_password_parameter_is_shown() -> None:
    plain = picture()
    secret = dataclasses.replace(plain.parameters[0], name="db_password", value=None, default=None)
    assert "float32 = ***" in as_tree(dataclasses.replace(plain, parameters=[secret]))


def test_ascii_tree_has_other_characters() -> None:
    assert as_tree(picture(OVERRIDE), unicode=False).isascii()


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_document_breaks_the_tree(text: str) -> None:
    plain = len(as_tree(hostile("x")).splitlines())
    drawn = as_tree(hostile(text))
    assert len(drawn.splitlines()) == plain
    assert "\x1b" not in drawn


@pytest.mark.parametrize("text", ["x", *HOSTILE])
def test_svg_is_not_well_formed(text: str) -> None:
    root = ET.fromstring(as_svg(hostile(text)))
    assert root.tag == f"{SVG}svg"
    assert not root.findall(f".//{SVG}script")
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter(f"{SVG}text"):
        assert 0 < float(element.attrib["x"]) < width
        assert 0 < float(element.attrib["y"]) < height


def boxes_of(drawn: Picture) -> list[Box]:
    return lay_out(drawn, top=76).boxes


@pytest.mark.parametrize("drawn", [picture(), picture(OVERRIDE), hostile("\u65e5" * 300)], ids=range(3))
def test_boxes_overlap(drawn: Picture) -> None:
    boxes = boxes_of(drawn)
    assert len(boxes) == 1 + len([*drawn.cameras, *drawn.parameters, *drawn.outputs, *drawn.models])
    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            beside = box.x + box.width <= other.x or other.x + other.width <= box.x
            above = box.y + box.height <= other.y or other.y + other.height <= box.y
            assert beside or above, (box.name, other.name)


def test_ports_stand_over_each_other_or_outside_of_the_code() -> None:
    drawn = picture()
    assert drawn.code is not None
    ports = [*drawn.code.inputs, dataclasses.replace(drawn.code.inputs[0], name="extra", connected=False)]
    drawn = dataclasses.replace(drawn, code=dataclasses.replace(drawn.code, inputs=ports))
    layout = lay_out(drawn, top=76)
    (code,) = [box for box in layout.boxes if box.kind == "code"]
    for left in (True, False):
        heights = sorted(pin.y for pin in layout.pins if pin.left == left)
        assert all(after - before >= 17 for before, after in pairwise(heights))
        assert code.y < heights[0] <= heights[-1] < code.y + code.height
    assert {pin.label for pin in layout.pins} == {*(port.name for port in ports), "video_out", "call()"}
    assert len(layout.lines) == 6


def test_straight_edge_is_bent() -> None:
    assert all(line.y1 == line.y2 and line.x1 < line.x2 for line in lay_out(picture(), top=76).lines)


@pytest.mark.parametrize("text", ["x", *HOSTILE])
def test_mermaid_has_what_it_would_read_as_syntax(text: str) -> None:
    lines = as_mermaid(hostile(text)).splitlines()
    assert lines[0] == "flowchart LR"
    node = re.compile(
        r'  [nr]\d+(\(\["|\("|\[\["|\["|\(\(")[^"\[\]{}<>`%]*(<br/>[^"\[\]{}<>`%]*)*'
        r'("\]\)|"\)|"\]\]|"\]|"\)\))(:::\w+)?'
    )
    edge = re.compile(r'  \w+ (-- "[^"]*" -->|-\. "call\(\)" \.->|-->) \w+')
    style = re.compile(r"  classDef \w+ fill:#\w+,stroke:#\w+,color:#\w+")
    for line in lines[1:]:
        assert node.fullmatch(line) or edge.fullmatch(line) or style.fullmatch(line), line


def test_document_has_other_keys() -> None:
    document = as_document(picture())
    assert list(document) == [
        "name", "graph", "overrides", "description", "code", "models", "cameras", "outputs", "parameters", "others",
        "edges", "routes", "loose",
    ]  # fmt: skip
    assert document["models"][0]["inputs"] == [{"name": "data", "dtype": None, "shape": [1, 3, 416, 416]}]
    assert document["edges"][0] == {
        "producer": "camera_node",
        "producer_port": "video_out",
        "consumer": "code_node",
        "consumer_port": "video_in",
    }
