"""The architecture as imports: components meet only through topics, rings and recipes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPONENTS = sorted(path for path in ROOT.glob("components/*/vedette_*") if path.is_dir())
SHARED_PROBE = "vedette.doctor.bubblewrap"  # the sandbox and the doctor find out the same way whether it works
NOT_FOR_COMPONENTS = tuple(
    f"vedette.{part}"
    for part in ("cli", "cloud", "nucleus", "compiler", "build", "doctor", "projects", "validation", "diagram")
)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "_rings" not in path.parts]


def test_there_is_nothing_to_check() -> None:
    assert len(COMPONENTS) >= 4


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_component_reaches_into_another_part(component: Path) -> None:
    others = tuple(other.name for other in COMPONENTS if other != component)
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(component)
        for name in imported(path)
        if (name.startswith(NOT_FOR_COMPONENTS) and not name.startswith(SHARED_PROBE)) or name.split(".")[0] in others
    ]
    assert not wrong


def test_shared_package_imports_a_component() -> None:
    names = tuple(component.name for component in COMPONENTS)
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(ROOT / "src" / "vedette")
        for name in imported(path)
        if name.split(".")[0] in names
    ]
    assert not wrong


def test_only_the_command_line_imports_the_command_line() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(ROOT / "src" / "vedette")
        for name in imported(path)
        if name.startswith("vedette.cli") and "cli" not in path.relative_to(ROOT / "src" / "vedette").parts[0]
    ]
    assert not wrong


CARRIED_BY_PANORAMASDK = sources(ROOT / "src/vedette/rings") + sources(
    ROOT / "components/app_runtime/vedette_app_runtime/sdk"
)
STANDARD_LIBRARY_OF_37 = frozenset(
    [
        "abc",
        "array",
        "abc",
        "ast",
        "atexit",
        "builtins",
        "collections",
        "concurrent",
        "contextlib",
        "ctypes",
        "enum",
        "errno",
        "fcntl",
        "functools",
        "importlib",
        "io",
        "itertools",
        "json",
        "logging",
        "mmap",
        "os",
        "queue",
        "select",
        "selectors",
        "signal",
        "socket",
        "stat",
        "struct",
        "sys",
        "threading",
        "time",
        "traceback",
        "types",
        "typing",
        "warnings",
        "weakref",
    ]
)


@pytest.mark.parametrize("path", CARRIED_BY_PANORAMASDK, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_panoramasdk_asks_for_more_than_python_37_and_numpy(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 7))
    # cv2 is used where the application's own environment has it (imports inside functions only).
    allowed = STANDARD_LIBRARY_OF_37 | {"numpy", "cv2", "panoramasdk"}
    assert not [name for name in imported(path) if name.split(".")[0] not in allowed]


def test_a_module_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "misc", "functions", "shared"}
    wrong = [
        str(path.relative_to(ROOT))
        for folder in ("src", "components", "tests", "scripts", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if path.stem in vague or path.parent.name in vague
    ]
    assert not wrong


def test_a_package_is_not_on_the_architecture_page() -> None:
    page = (ROOT / "docs" / "design" / "architecture.md").read_text()
    packages = {path.parent.name for path in (ROOT / "src" / "vedette").glob("*/__init__.py")}
    assert not {name for name in packages if f"src/vedette/{name}`" not in page and f"`{name}`" not in page}
