"""Requirements files as people write them."""

from pathlib import Path

import pytest
from vedette_app_runtime.environments.errors import RequirementsInvalid
from vedette_app_runtime.environments.requirement import RequirementSet, parse_line, read_requirements


def _read(tmp_path: Path, text: str) -> RequirementSet:
    (tmp_path / "requirements.txt").write_text(text)
    wanted = RequirementSet()
    read_requirements(tmp_path / "requirements.txt", wanted)
    return wanted


def _lines(wanted: RequirementSet) -> list[str]:
    return [requirement.line() for requirement in wanted.requirements]


def test_the_samples_own_file_is_read(tmp_path: Path) -> None:
    wanted = _read(tmp_path, "boto3==1.24.*\nopencv-python==4.6.*\n")
    assert _lines(wanted) == ["boto3==1.24.*", "opencv-python==4.6.*"]
    assert wanted.bounded


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# a comment\n\n  numpy  # and another\n", ["numpy"]),
        ("\ufeffnumpy\r\nboto3\r\n", ["numpy", "boto3"]),
        ("PyYAML>=5,<6\n", ["pyyaml<6,>=5"]),
        ("torch \\\n  ==1.13.1\n", ["torch==1.13.1"]),
        ("uvicorn[standard]==0.20 ; python_version < '3.12'\n", ['uvicorn[standard]==0.20 ; python_version < "3.12"']),
        ("six==1.16.0 --hash=sha256:abc --hash=sha256:def\n", ["six==1.16.0"]),
        ("numpy\nnumpy\n", ["numpy"]),
        (
            "git+https://example.com/team/tracker.git@v1#egg=tracker\n",
            ["tracker @ git+https://example.com/team/tracker.git@v1"],
        ),
        (
            "https://example.com/w/thing-1.0-py3-none-any.whl\n",
            ["thing @ https://example.com/w/thing-1.0-py3-none-any.whl"],
        ),
    ],
)
def test_a_line_keeps_its_meaning(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert _lines(_read(tmp_path, text)) == lines


def test_a_file_named_in_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("boto3\n")
    assert _lines(_read(tmp_path, "-r more.txt\nnumpy\n")) == ["boto3", "numpy"]


def test_files_that_name_each_other_end_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(RequirementsInvalid, match="in a circle"):
        _read(tmp_path, "-r requirements.txt\n")


def test_a_line_that_is_none_names_its_place(tmp_path: Path) -> None:
    with pytest.raises(RequirementsInvalid, match=r"requirements.txt line 2: 'opencv python' is not a requirement"):
        _read(tmp_path, "numpy\nopencv python\n")


def test_a_missing_file_is_an_error_that_says_which(tmp_path: Path) -> None:
    with pytest.raises(RequirementsInvalid, match=r"cannot read gone.txt"):
        _read(tmp_path, "-r gone.txt\n")


def test_an_index_goes_to_the_resolver_and_never_into_a_message(tmp_path: Path) -> None:
    wanted = _read(
        tmp_path, "-i https://user:secret@index.example/simple\n--extra-index-url=https://two.example\nnumpy\n"
    )
    assert wanted.options == [
        "--index-url https://user:secret@index.example/simple",
        "--extra-index-url https://two.example",
    ]
    assert not any("secret" in sentence for sentence in wanted.ignored)


def test_a_wheel_among_the_files_is_taken_and_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "own_lib-1.0-py3-none-any.whl").write_bytes(b"")
    wanted = _read(tmp_path, "./own_lib-1.0-py3-none-any.whl\n./gone-1.0-py3-none-any.whl\n")
    assert [requirement.name for requirement in wanted.requirements] == ["own-lib"]
    assert wanted.ignored == [
        "requirements.txt line 2: ./gone-1.0-py3-none-any.whl is not among the application's files"
    ]


@pytest.mark.parametrize(
    ("text", "bounded"),
    [
        ("numpy", False),
        ("numpy>=1.18", False),
        ("numpy!=1.19", False),
        ("numpy~=1.18", True),
        ("numpy<2", True),
        ("numpy==1.18.2", True),
    ],
)
def test_only_upper_limits_date_an_application(text: str, bounded: bool) -> None:
    assert parse_line(text, "test").bounded is bounded
