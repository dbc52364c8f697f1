"""The type stubs of panoramasdk say what panoramasdk is."""

import ast
import inspect
from pathlib import Path

import panoramasdk

STUBS = Path(__file__).parents[3] / "components/app_runtime/stubs/panoramasdk-stubs/__init__.pyi"

INTERNAL = {"rebind", "lent"}
"""What the parts of panoramasdk use of one another; not for applications."""


def members(tree: ast.Module) -> dict[str, dict[str, list[str] | None]]:
    """Return class -> public member -> names of its arguments (None: an attribute or property)."""
    found: dict[str, dict[str, list[str] | None]] = {}
    for each in tree.body:
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            own = found.setdefault(each.name, {})
            for member in each.body:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    is_property = bool(member.decorator_list)
                    own[member.name] = None if is_property else [argument.arg for argument in member.args.args]
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    own[member.target.id] = None
    return found


def test_stubs_and_the_sdk_differ() -> None:
    stubs = members(ast.parse(STUBS.read_text()))
    assert sorted(stubs) == sorted(panoramasdk.__all__)
    for name, own in stubs.items():
        real = getattr(panoramasdk, name)
        offered = {key for key, value in vars(real).items() if inspect.isfunction(value) or isinstance(value, property)}
        ports = {"inputs", "outputs", "name"}
        assert own.keys() - ports == {key for key in offered if not key.startswith("_")} - INTERNAL, name
        for member, arguments in own.items():
            if arguments is not None:
                assert list(inspect.signature(getattr(real, member)).parameters) == arguments
