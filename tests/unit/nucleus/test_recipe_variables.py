"""Recipe variables: every one of them, and shell text that only looks like one."""

from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.recipe import Scope, Variables, interpolate_names


def scope(name: str, configuration: dict[str, Any] | None = None) -> Scope:
    base = Path("/r/packages")
    return Scope(base / "artifacts" / name, base / "unarchived" / name, Path("/r/work") / name, configuration or {})


VARIABLES = Variables(
    own=scope("a", {"port": 8790, "on": True, "name": "x y", "list": [1, {"k": None}], "a/b": {"c~d": "deep"}}),
    root=Path("/r"),
    thing_name="thing-1",
    dependencies={"dep.X": scope("dep.X", {"k": "v"})},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{configuration:/port}", "8790"),
        ("{configuration:/on}", "true"),
        ("{configuration:/name}", "x y"),
        ("{configuration:/list}", '[1,{"k":null}]'),
        ("{configuration:/list/1}", '{"k":null}'),
        ("{configuration:/a~1b/c~0d}", "deep"),
        ("{configuration:/missing}", "{configuration:/missing}"),
        ("{configuration:/list/7}", "{configuration:/list/7}"),
        ("{artifacts:path}/m.onnx", "/r/packages/artifacts/a/m.onnx"),
        ("{artifacts:decompressedPath}/x", "/r/packages/unarchived/a/x"),
        ("{work:path}", "/r/work/a"),
        ("{kernel:rootPath}/work/b", "/r/work/b"),
        ("{iot:thingName}", "thing-1"),
        ("{dep.X:work:path}{dep.X:configuration:/k}", "/r/work/dep.Xv"),
        ("{stranger:work:path}", "{stranger:work:path}"),
        ("${HOME} {} awk '{print $1}' {work:other}", "${HOME} {} awk '{print $1}' {work:other}"),
    ],
)
def test_a_variable_gets_a_wrong_value(text: str, expected: str) -> None:
    assert VARIABLES.render(text) == expected


def test_a_value_that_looks_like_a_variable_is_rendered_again() -> None:
    own = scope("a", {"v": "{work:path}"})
    assert Variables(own=own, root=Path("/r"), thing_name="t").render("{configuration:/v}") == "{work:path}"


def test_configuration_keeps_the_thing_s_placeholder() -> None:
    document = {"resources": ["$aws/things/{iot:thingName}/shadow"], "n": 1, "{iot:thingName}": {"a": None}}
    assert interpolate_names(document, root=Path("/r"), thing_name="t") == {
        "resources": ["$aws/things/t/shadow"],
        "n": 1,
        "t": {"a": None},
    }
