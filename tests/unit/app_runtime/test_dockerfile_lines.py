"""Dockerfiles of Panorama applications: which libraries they install."""

import re
from pathlib import Path

import pytest
from vedette_app_runtime.environments.dockerfile import read_dockerfile, run_commands
from vedette_app_runtime.environments.requirement import RequirementSet


def _read(tmp_path: Path, text: str) -> RequirementSet:
    (tmp_path / "Dockerfile").write_text(text)
    sources = tmp_path / "src"
    sources.mkdir(exist_ok=True)
    wanted = RequirementSet()
    read_dockerfile(tmp_path / "Dockerfile", sources, wanted)
    return wanted


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("RUN pip3 install --no-cache-dir --no-input boto3==1.24.96", ["boto3==1.24.96"]),
        ("RUN pip install boto3 'opencv-python<4.7' \"six>1\"", ["boto3", "opencv-python<4.7", "six>1"]),
        ("RUN python3.7 -m pip install --upgrade pip setuptools && python3.7 -m pip install scipy", ["scipy"]),
        ("RUN apt-get update && apt-get install -y python3-opencv && pip3 install boto3", ["opencv-python", "boto3"]),
        ('RUN ["pip3", "install", "boto3"]', ["boto3"]),
        ("RUN sudo -H pip3 --no-cache-dir install -U boto3; pip3 install lap", ["boto3", "lap"]),
        ("RUN pip3 install --target /opt/x --timeout 60 boto3", ["boto3"]),
        ("run pip3 install boto3 \\\n  # the tracker\n  lap \\\n  && echo done", ["boto3", "lap"]),
        ("RUN --mount=type=cache,target=/root/.cache pip install boto3", ["boto3"]),
        ("RUN <<EOF\nset -e\npip install boto3 && pip install lap\nEOF\nRUN pip install six", ["boto3", "lap", "six"]),
        ("RUN --mount=type=cache,target=/x <<-'END'\n  pip install boto3\nEND", ["boto3"]),
        ("RUN uv pip install --system boto3", ["boto3"]),
        ("RUN conda install -y tensorflow && pip3 install boto3", ["boto3"]),
        ("RUN echo pip install boto3", []),
        ("RUN pip3 list", []),
        ("ENV X=pip3 install boto3", []),
        ("RUN pip3 install 'boto3", []),
    ],
)
def test_what_pip_is_asked_for_is_found(tmp_path: Path, line: str, names: list[str]) -> None:
    wanted = _read(tmp_path, f"FROM public.ecr.aws/panorama/panorama-application\n{line}\nCOPY src /panorama\n")
    assert [requirement.line() for requirement in wanted.requirements] == names


def test_the_requirements_file_of_the_image_is_the_one_among_the_sources(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/requirements.txt").write_text("boto3==1.24.*\n")
    wanted = _read(tmp_path, "COPY src /panorama\nRUN pip3 install -r /panorama/requirements.txt\n")
    assert [requirement.line() for requirement in wanted.requirements] == ["boto3==1.24.*"]
    assert wanted.ignored == []


def test_a_constraints_file_goes_to_the_resolver(tmp_path: Path) -> None:
    (tmp_path / "limits.txt").write_text("numpy<2\n")
    wanted = _read(tmp_path, "RUN pip3 install -c limits.txt boto3\n")
    assert wanted.options == [f"-c {(tmp_path / 'limits.txt').resolve()}"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("RUN pip3 install boto3==$VERSION", "depends on a variable"),
        (
            "RUN conda install -y tensorflow=2.5 && conda clean -tipsy",
            r"what conda installs \(tensorflow=2.5\) is left out",
        ),
        ("RUN /opt/conda/bin/mamba install -c conda-forge opencv", r"what conda installs \(opencv\)"),
        ("RUN pipenv install --system", "what pipenv installs is left out; write what it brings into requirements.txt"),
        ("RUN cd x && python3 setup.py install", "setup.py is not run"),
        ("RUN pip3 install -r /tmp/gone.txt", "/tmp/gone.txt is not among the application's files"),
        ("RUN apt-get install -y libgl1", "apt package libgl1 is not installed by Vedette"),
        ("RUN apt-get install -y cmake libgl1 x-dev git ffmpeg", "apt packages libgl1, ffmpeg are not installed"),
        ("RUN pip3 install https://user:pw@example.com/x-1.whl", r"https://\*\*\*@example.com/x-1.whl is an address"),
    ],
)
def test_what_is_left_out_is_said_with_its_line(tmp_path: Path, line: str, sentence: str) -> None:
    wanted = _read(tmp_path, f"FROM x\n\n{line}\n")
    assert wanted.requirements == []
    assert len(wanted.ignored) == 1
    assert wanted.ignored[0].startswith("Dockerfile line 3: ")
    assert re.search(sentence, wanted.ignored[0])


def test_a_continued_line_keeps_the_number_of_its_first() -> None:
    assert run_commands("FROM x\nRUN a \\\n b\nRUN c\n") == [(2, ["a", "b"]), (4, ["c"])]
