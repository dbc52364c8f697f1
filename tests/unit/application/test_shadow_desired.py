"""What a shadow wants: typed, checked, and what cannot be used told with its reason; ``reported`` within its room."""

from typing import Any

import pytest

from vedette.application import ApplicationManifest
from vedette.application.desired import Desired, merge_patch, merged, read_desired, reported, state_bytes

MANIFEST = ApplicationManifest.model_validate(
    {
        "name": "shop",
        "code_package": "SHOP",
        "version": "1.0",
        "entry": {"path": "python3", "name": "/panorama/application.py"},
        "inputs": [
            {"kind": "media", "port": "video_in", "nodes": ["front", "yard"]},
            {"kind": "parameter", "port": "limit", "node": "limit_node", "type": "int32", "default": 1},
            {
                "kind": "parameter",
                "port": "zone",
                "node": "zone_node",
                "type": "string",
                "default": "A1",
                "constraint_regex": "^[A-Z][0-9]$",
                "constraint_text": "a letter and a digit",
            },
            {"kind": "parameter", "port": "loose", "node": None, "type": "boolean", "default": False},
        ],
    }
)
CAMERAS = [("front", "door"), ("front", "hall"), ("yard", "yard")]


def read(document: object) -> Desired:
    return read_desired(document, MANIFEST, CAMERAS)


def test_good_entries_are_lost_beside_wrong_ones() -> None:
    desired = read(
        {
            "parameters": {"limit_node": "7", "zone_node": "zz", "colour_node": 1, "loose": True},
            "cameras": {"door": "pause", "yard": "RESUME", "roof": "PAUSE", "front": 1},
            "logLevel": "debug",
            "restart": "now",
            "welcome": {},
        }
    )
    assert desired.parameters == {"limit_node": 7}
    assert desired.paused == {"door": True, "yard": False}
    assert (desired.log_level, desired.restart) == ("DEBUG", "now")
    assert set(desired.rejected) == {
        "parameters.zone_node", "parameters.colour_node", "parameters.loose", "cameras.roof", "cameras.front",
        "welcome",
    }  # fmt: skip
    assert desired.rejected["parameters.zone_node"] == "a letter and a digit"
    assert desired.rejected["welcome"] == "unknown key"


@pytest.mark.parametrize("document", [[], "x", 1, True, {"parameters": []}, {"cameras": "PAUSE"}, {"restart": [1]}])
def test_a_document_of_the_wrong_shape_ends_the_host(document: Any) -> None:
    desired = read(document)
    assert (desired.parameters, desired.paused, desired.restart) == ({}, {}, None)
    assert len(desired.rejected) == 1


def test_nothing_is_wanted_of_an_empty_shadow() -> None:
    assert read(None) == read({}) == read({"parameters": {}}) == Desired()


def test_a_node_is_paused_although_its_camera_is_to_go_on() -> None:
    desired = read({"cameras": {"front": "PAUSE", "door": "RESUME"}})
    assert not desired.pauses("front", "door", otherwise=False)
    assert desired.pauses("front", "hall", otherwise=False)
    assert desired.pauses("yard", "yard", otherwise=True)


def _reported(desired: Desired, room: int, count: int = 200) -> dict[str, Any]:
    parameters: dict[str, Any] = {f"node_{n}": (n, "graph") for n in range(count)}
    return reported(
        parameters={**parameters, "mine": (1, "shadow")},
        cameras={"front": True},
        log_level="INFO",
        desired=desired,
        restart=None,
        room=room,
    )


@pytest.mark.parametrize("room", [8000, 5500, 600, 300, 150, 60, 10])
def test_the_answer_does_not_fit_into_the_shadow(room: int) -> None:
    desired = Desired(rejected={f"key {n}": "unknown key " * 30 for n in range(100)})
    document = _reported(desired, room)
    assert state_bytes(document) <= room
    assert document.get("left_out", room < 30)


def test_own_values_are_left_out_before_others() -> None:
    document = _reported(Desired(), 1000)
    assert document["parameters"] == {"mine": 1}
    assert document["origins"] == {"mine": "shadow"}


def test_the_same_report_is_sent_again_and_again() -> None:
    wanted = {"a": {"b": 1, "c": 2.0}, "rejected": {}, "t": True}
    patch = merge_patch({"a": {"b": 1, "x": 9}, "old": 3, "t": 1}, wanted)
    assert patch == {"a": {"c": 2.0, "x": None}, "old": None, "t": True}
    after = merged({"a": {"b": 1, "x": 9}, "old": 3, "t": 1}, patch)
    assert merge_patch(after, wanted) == {}
    assert merge_patch({"a": {"b": 1.0, "c": 2}, "t": True}, wanted) == {}
