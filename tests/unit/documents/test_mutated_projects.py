"""Broken projects give findings, never an exception: neither the reader nor the commands that show what it found."""

import copy
import io
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vedette.cli.failure import Failure
from vedette.cli.output import Output
from vedette.cli.show import FORMATS, ShowOptions, show
from vedette.cli.validate import validate
from vedette.compiler import compile_application
from vedette.documents import DocumentError, errors, load_project, resolve
from vedette.documents.document import parse_document
from vedette.documents.json_schema import json_schema
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


SCHEMAS = {
    "nodeGraph": "graph",
    "nodeGraphOverrides": "override",
    "nodePackage": "package",
    "mlModelDescriptor": "descriptor",
    "runtimeDescriptor": "descriptor",
}
VALIDATORS = {root: jsonschema.Draft7Validator(json_schema(kind)) for root, kind in SCHEMAS.items()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
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
        command(folder.root, folder.root / folder.override, data)
        same_verdict(document)
    finally:
        (folder.root / name).write_bytes(original)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
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
        command(folder.root, folder.root / folder.override, data)
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


def command(root: Path, override: Path, data: st.DataObject) -> None:
    """Run a command on the project: it ends with 0 or 1, JSON parses, SVG is XML, text is for any terminal."""
    written, talk = terminal(data), terminal(data)
    form = data.draw(st.sampled_from(["validate", "validate --json", *FORMATS]))
    if form.startswith("validate"):
        code = validate(root, written, as_document=form.endswith("json"), verify=False)
    else:
        overrides = (override,) if data.draw(st.booleans()) else ()
        settings_ = ("detection_threshold=3",) if data.draw(st.booleans()) else ()
        options = ShowOptions(directory=root, overrides=overrides, settings=settings_, format=form, origin=True)
        code = show(options, {}, written, talk)
    assert code in {0, 1}
    text = text_of(written)
    assert "\x1b" not in text
    if form in {"json", "validate --json"}:
        document = json.loads(text)
        assert document["ok"] == (code == 0)
        assert document["ok"] or any(finding["severity"] == "error" for finding in document["findings"])
    elif form == "svg" and text:
        ET.fromstring(text)
    else:
        assert text or code == 1


def terminal(data: st.DataObject) -> Output:
    encoding = data.draw(st.sampled_from(["utf-8", "latin-1", "ascii"]))
    return Output(io.TextIOWrapper(io.BytesIO(), encoding=encoding), {})


def text_of(output: Output) -> str:
    stream: Any = output._stream
    stream.flush()
    text: str = stream.buffer.getvalue().decode(stream.encoding)
    return text


def same_verdict(document: Any) -> None:
    """What an editor says with our schema is what the reader says."""
    root = next(iter(document), "") if isinstance(document, dict) else ""
    if root in VALIDATORS:
        read = parse_document(json.dumps(document), Path("x.json"), "x.json")
        template = read.model is None and not errors(read.findings)
        assert VALIDATORS[root].is_valid(document) == (read.model is not None) or template


def test_show_takes_any_format(folder: Folder) -> None:
    with pytest.raises(Failure, match="--format takes tree, mermaid, svg, json"):
        show(ShowOptions(directory=folder.root, format="png"), {}, Output(io.StringIO(), {}), Output(io.StringIO(), {}))


def _many(folder: Folder) -> None:
    for number in range(300):
        folder.write(f"graphs/g{number}/graph.json", "{}")


HOSTILE: dict[str, Callable[[Folder], object]] = {
    "deep nesting": lambda f: f.write(f.graph, "[" * 200_000),
    "large file": lambda f: f.write(f.graph, b'{"nodeGraph": "' + b"x" * (3 << 20)),
    "long line": lambda f: f.write(f.graph, '{"nodeGraph": {"x": "' + "y" * 900_000 + '"}}'),
    "many errors": lambda f: f.write(f.graph, json.dumps({"nodeGraph": {f"k{n}": n for n in range(3_000)}})),
    "many graphs": _many,
    "same key": lambda f: f.write(f.graph, '{"nodeGraph": {' + '"a": 1, ' * 5000 + '"a": 2}}'),
    "utf-16": lambda f: f.write(f.graph, (f.root / f.graph).read_text().encode("utf-16")),
    "latin-1": lambda f: f.write(f.graph, '{"nodeGraph": "\xfc"}'.encode("latin-1")),
    "nul": lambda f: f.write(f.graph, b"\0" * 100),
    "empty": lambda f: f.write(f.graph, b""),
    "escape sequences": lambda f: f.write(f.graph, json.dumps({"nodeGraph": {"\x1b[2J\x1b]0;x\x07\u202e": 1}})),
    "raw escape in a source": lambda f: f.write(f"{Path(f.code).parent}/x.py", b"a = \x1b[2J )\n"),
    "link to itself": lambda f: _link(f, f.graph, f.root / f.graph),
    "link out": lambda f: _link(f, f.graph, Path("/etc/passwd")),
    "folder link out": lambda f: _link(f, f"{Path(f.code).parent}/lib", Path("/usr")),
    "folder for a file": lambda f: _folder(f, f.graph),
    "fifo": lambda f: _fifo(f, f.graph),
    "fifo among sources": lambda f: _fifo(f, f"{Path(f.code).parent}/pipe.py"),
    "asset out of assets": lambda f: f.edit(
        f.model, lambda p: p["assets"][0]["implementations"][0].update(assetUri="../../../../etc/passwd")
    ),
    "descriptor out of assets": lambda f: f.edit(
        f.model, lambda p: p["assets"][0]["implementations"][0].update(descriptorUri="/etc/passwd")
    ),
    "name that is no text": lambda f: f.write(os.fsdecode(b"graphs/\xff\xfe/graph.json"), "{"),
    "source of another encoding": lambda f: f.write(f"{Path(f.code).parent}/x.py", b"# coding: klingon\n"),
    "source that is too deep": lambda f: f.write(f"{Path(f.code).parent}/x.py", "a" + ".b" * 100_000),
}


def _link(folder: Folder, name: str, target: Path) -> None:
    path = folder.root / name
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _folder(folder: Folder, name: str) -> None:
    (folder.root / name).unlink()
    (folder.root / name).mkdir()


def _fifo(folder: Folder, name: str) -> None:
    (folder.root / name).unlink(missing_ok=True)
    os.mkfifo(folder.root / name)


@pytest.mark.parametrize("fault", HOSTILE)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_hostile_project_breaks_a_command(folder: Folder, fault: str, encoding: str) -> None:
    HOSTILE[fault](folder)
    for form in ("validate", "validate --json", *FORMATS):
        written = Output(io.TextIOWrapper(io.BytesIO(), encoding=encoding), {})
        if form.startswith("validate"):
            code = validate(folder.root, written, as_document=form.endswith("json"), verify=True)
        else:
            code = show(ShowOptions(directory=folder.root, format=form), {}, written, Output(io.StringIO(), {}))
        assert code in {0, 1}
        text = text_of(written)
        assert "\x1b" not in text
        assert "root:" not in text, "a file outside of the project was read"
        if "json" in form:
            json.loads(text)
        elif form == "validate":
            assert max(map(len, text.splitlines())) < 2000
