"""Which files end up in /panorama: Dockerfiles as users write them."""

from pathlib import Path
from typing import Any

import pytest

from vedette.documents.code_files import collect
from vedette.documents.dockerfile import read_copies
from vedette.documents.findings import Finding

Folder = Any


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "packages" / "1-CODE-1.0"
    for name in (
        "src/app.py",
        "src/lib/tool.py",
        "src/lib/__pycache__/tool.pyc",
        "data/x.txt",
        "a b.txt",
        "package.json",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def targets(package: Path, dockerfile: str | None, found: list[Finding] | None = None) -> dict[str, str]:
    if dockerfile is not None:
        (package / "Dockerfile").write_text(dockerfile)
    files = collect(package, package.parents[1], [] if found is None else found).files
    return {file.target: file.source.relative_to(package).as_posix() for file in files}


SRC = {"app.py": "src/app.py", "lib/tool.py": "src/lib/tool.py"}


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM x\nCOPY src /panorama", SRC),
        ("FROM x\nCOPY src/ /panorama/", SRC),
        ("FROM x\nCOPY --chown=1:1 src /panorama/\nENTRYPOINT x", SRC),
        ('FROM x\ncopy ["src", "/panorama"]', SRC),
        ("FROM x\nCOPY src \\\n  # comment\n  /panorama", SRC),
        ("FROM x\nWORKDIR /panorama\nCOPY src .", SRC),
        ("FROM x\nWORKDIR /\nWORKDIR panorama\nCOPY ./src ./", SRC),
        ("FROM x\nCOPY src /panorama\nWORKDIR /opt\nRUN x", SRC),
        ("FROM x AS build\nCOPY data /panorama\nFROM y\nCOPY --from=build /a /b\nADD src /panorama", SRC),
        ("FROM x\nCOPY data /panorama/data", {"data/x.txt": "data/x.txt"}),
        ("FROM x\nCOPY src/app.py /panorama", {"app.py": "src/app.py"}),
        ("FROM x\nCOPY src/app.py /panorama/main.py", {"main.py": "src/app.py"}),
        ("FROM x\nCOPY src/*.py data/x.txt /panorama/", {"app.py": "src/app.py", "x.txt": "data/x.txt"}),
        ('FROM x\nCOPY "a b.txt" /panorama/', {"a b.txt": "a b.txt"}),
        ("FROM x\nCOPY /../../src /panorama", SRC),
        (None, SRC),
        ("FROM x\nRUN nothing", SRC),
        ("FROM x\nCOPY data /opt/data", SRC),
    ],
)
def test_files_are_not_where_docker_puts_them(package: Path, dockerfile: str | None, expected: dict[str, str]) -> None:
    assert targets(package, dockerfile) == expected


def test_whole_folder_is_not_copied(package: Path) -> None:
    found = targets(package, "FROM x\nWORKDIR /panorama\nCOPY . .")
    assert set(found) == {"Dockerfile", "a b.txt", "data/x.txt", "package.json", "src/app.py", "src/lib/tool.py"}
    (package / ".dockerignore").write_text("# comment\ndata\nsrc/**\n!src/app.py\n*.txt\n")
    assert set(targets(package, "FROM x\nWORKDIR /panorama\nCOPY . .")) == {
        ".dockerignore",
        "Dockerfile",
        "package.json",
        "src/app.py",
    }


def test_package_without_src_has_no_files(package: Path) -> None:
    (package / "src").rename(package / "code")
    assert "code/app.py" in targets(package, None)


def test_links_out_of_the_project_are_followed(package: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (package / "src" / "folder").symlink_to(outside)
    (package / "src" / "file").symlink_to(outside / "secret")
    (package / "src" / "within").symlink_to(package / "data" / "x.txt")
    (package / "src" / "loop").symlink_to("loop")
    found: list[Finding] = []
    assert set(targets(package, "FROM x\nCOPY src /panorama", found)) == {*SRC, "within"}
    assert {item.code for item in found} == {"V007"}
    assert {Path(item.file).name for item in found} >= {"folder", "file"}


@pytest.mark.parametrize(
    "line",
    ["COPY $SRC /panorama", "COPY src", "ADD https://x/y /panorama/", 'COPY "src /panorama', "COPY <<EOF /panorama/x"],
)
def test_line_that_cannot_be_understood_passes_in_silence(line: str) -> None:
    copies = read_copies(f"FROM x\n{line}\n")
    assert copies.copies == ()
    assert [number for number, _ in copies.problems] == [2]
