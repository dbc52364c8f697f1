"""Broken projects give findings, never an exception."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vedette.compiler import compile_application
from vedette.documents import DocumentError, errors, load_project, resolve
from vedette.messages import CameraSource

Folder = Any
CAMERA = {"camera_node": [CameraSource(name="c", url="rtsp://h/1")]}
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.0, 1.5, 65536, 2**70, "", "x", "a.b", "123::P.i", "string", "int32", "float32", "media",
    "x" * 300, "../../../etc/passwd", "/etc/passwd", "a\0b", "ä\U0001f600", "{Name}", "(a+)+$", "rtsp://u:p@h:x/", [],
    {}, [1], {"a": 1}, "code_node", "camera_node", "onSignal", "interface", "model_asset", ["ONNX"],
]  # fmt: skip
KEYS = [
    "name",
    "type",
    "value",
    "interface",
    "default",
    "with",
    "replace",
    "requirements",
    "assetUri",
    "launch",
    "entry",
]


def places(value: Any, pointer: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if pointer:
        yield pointer
    for step, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(below, (*pointer, step))


def mutate(document: Any, data: st.DataObject) -> None:
    pointer = data.draw(st.sampled_from(list(places(document))))
    parent = document
    for step in pointer[:-1]:
        parent = parent[step]
    deed = data.draw(st.sampled_from(["set", "delete", "add", "copy"]))
    if deed == "set":
        parent[pointer[-1]] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    elif deed == "delete" and len(document) + len(pointer) > 2:
        del parent[pointer[-1]]
    elif isinstance(parent, dict):
        parent[data.draw(st.sampled_from(KEYS))] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    elif isinstance(parent, list):
        parent.append(copy.deepcopy(data.draw(st.sampled_from(parent))))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_mutated_document_raises(folder: Folder, data: st.DataObject) -> None:
    names = [folder.graph, folder.override, folder.code, folder.code_descriptor, folder.model, folder.model_descriptor]
    name = data.draw(st.sampled_from(names))
    original = (folder.root / name).read_bytes()
    try:
        document = json.loads(original)
        for _ in range(data.draw(st.integers(1, 3))):
            if document:
                mutate(document, data)
        (folder.root / name).write_text(json.dumps(document))
        look_at(folder.root, folder.root / folder.override)
    finally:
        (folder.root / name).write_bytes(original)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_damaged_bytes_raise(folder: Folder, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([folder.graph, folder.override, folder.code, folder.model_descriptor]))
    original = (folder.root / name).read_bytes()
    try:
        at = data.draw(st.integers(0, len(original)))
        cut = data.draw(st.integers(0, 40))
        put = data.draw(
            st.binary(max_size=8) | st.sampled_from([b'"', b"{", b"[", b"\\", b"\xff", b"\\ud800", b"1e999", b"-"])
        )
        (folder.root / name).write_bytes(original[:at] + put + original[at + cut :])
        look_at(folder.root, folder.root / folder.override)
    finally:
        (folder.root / name).write_bytes(original)


def look_at(root: Path, override: Path) -> None:
    project = load_project(root)
    for finding in project.findings():
        assert str(finding)
    for overrides, cameras, complete in (([], CAMERA, True), ([override], {}, False)):
        result = resolve(project, overrides, cameras, {"detection_threshold": "3"}, complete=complete)
        assert (result.application is None) == bool(errors(result.findings))
        if result.application is not None:
            with suppress(DocumentError):
                compile_application(result.application)
