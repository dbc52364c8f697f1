"""Sources and requirements: what is said of them, and what is not."""

from pathlib import Path

import pytest

from vedette.application import Entry
from vedette.documents.code_files import CodeFile, CodeFiles
from vedette.validation.requirements import check_requirements, unpinned, unpinned_in_dockerfile
from vedette.validation.sources import check_sources


def check(folder: Path, sources: dict[str, bytes], entry: str = "/panorama/app.py") -> list[str]:
    files = []
    for name, content in sources.items():
        (folder / name).write_bytes(content)
        files.append(CodeFile(name, folder / name))
    found = check_sources(CodeFiles(tuple(files), None, None), Entry(path="python3", name=entry), folder)
    return [f"{item.code} {item.place}" for item in found]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"import panoramasdk\nprint('x')\n",
        b"# -*- coding: latin-1 -*-\nx = '\xfc'\n",
        b"\xef\xbb\xbfx = 1\n",
        b"x = 1\r\ny = 2\r\n",
        b"x = '\\d'\n",  # a SyntaxWarning
        b"assert (1, 'x')\n",
    ],
)
def test_good_source_is_refused(tmp_path: Path, source: bytes) -> None:
    assert check(tmp_path, {"app.py": source}) == []


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (b"x = 1\nif x\n  pass\n", "app.py:2:5"),
        (b"def f():\nreturn 1\n", "app.py:2:1"),
        (b"x = '\xfc'\n", "app.py:1"),
        (b"x = 1\n\ty = 2\n", "app.py:2"),
        (b"return 1\n", "app.py:1:1"),
        (b"x = 1\0\n", "app.py"),
        (b"x = " + b"(" * 300, "app.py:1"),
        (b"x = a" + b".b" * 100_000, "app.py"),
        (b"x = " + b"-" * 200_000 + b"1", "app.py"),
        (b"print 'x'\n", "app.py:1:1"),
        (b"try:\n  pass\nexcept A, e:\n  pass\n", "app.py:3"),
    ],
)
def test_bad_source_passes_or_has_another_place(tmp_path: Path, source: bytes, place: str) -> None:
    (found,) = check(tmp_path, {"app.py": source})
    assert found.startswith(f"V080 {place}")


def test_old_script_beside_the_code_is_an_error(tmp_path: Path) -> None:
    assert check(tmp_path, {"app.py": b"import os\n", "tool.py": b"exec 'x'\n"}) == ["V081 tool.py:1:1"]


def test_file_that_is_no_python_is_compiled(tmp_path: Path) -> None:
    assert check(tmp_path, {"run.sh": b"if x; then\n", "big.py": b"(" * (1 << 20) + b"("}) == []


def test_thousands_of_findings(tmp_path: Path) -> None:
    assert len(check(tmp_path, {f"m{number}.py": b"(" for number in range(80)})) == 50


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("boto3", "boto3"),
        ("boto3>=1.2", "boto3"),
        ("boto3 != 1.2", "boto3"),
        ("boto3[crt]", "boto3"),
        ("boto3 ; python_version < '3.8'", "boto3"),
        ("boto3  # pinned == later", "boto3"),
        ("boto3==1.24.*", ""),
        ("boto3 (==1.2)", ""),
        ("boto3>=1,<2", ""),
        ("boto3~=1.2", ""),
        ("boto3 @ https://host/boto3.whl", ""),
        ("https://host/boto3.whl", ""),
        ("./wheels/boto3.whl", ""),
        ("-r other.txt", ""),
        ("--index-url https://user:secret@host/", ""),
        ("# boto3", ""),
        ("", ""),
    ],
)
def test_open_ended_requirement_passes(line: str, expected: str) -> None:
    assert [name for _, name in unpinned(line)] == ([expected] if expected else [])


def test_requirements_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"boto3\n\xff\n")
    assert [item.code for item in check_requirements(CodeFiles((), path, None), tmp_path)] == ["V003"]


# Lines of AWS's samples.
DOCKERFILE = """FROM base
# RUN pip install commented
RUN python3.8 -m pip install opencv-python==4.7.0.72 boto3==1.26.152
RUN pip install --no-cache-dir --upgrade pip && \\
    pip install --no-cache-dir -r requirements.txt
RUN python3.8 -m pip install --no-cache-dir Cython opencv-python==4.7.* "six>=1,<2" setuptools
RUN python3 -mpip install dist/torch-1.0.0-cp37-cp37m-linux_aarch64.whl --no-cache-dir
RUN apt-get install -y python3-pip; pip3 install -i https://example.com/simple boto3 ${TORCH_WHL}
RUN cd /src && python3 -m pip install . && python3 -m pip install git+https://example.com/x
ENTRYPOINT pip install entry
"""


def test_a_package_of_the_dockerfile_is_missed_or_made_up() -> None:
    assert list(unpinned_in_dockerfile(DOCKERFILE)) == [(6, "Cython"), (8, "boto3")]


def test_an_unpinned_dockerfile_passes(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (finding,) = check_requirements(CodeFiles((), None, tmp_path / "Dockerfile"), tmp_path)
    assert (finding.code, finding.place) == ("V082", "Dockerfile:6:45")
    assert "2 requirements without an upper limit: Cython, boto3" in finding.message
