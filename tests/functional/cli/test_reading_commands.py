"""validate, show and schema as processes: exit codes, streams, pipes, terminals, what they load."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vedette.resources import examples_dir

EXAMPLE = examples_dir() / "people-counter"
GRAPH = "graphs/people-counter/graph.json"
TIMEOUT_S = 30


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "counter"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".vedette"))
    return root


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def vedette(environ: dict[str, str], *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "vedette.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, env=environ, **more)


def spoil(project: Path) -> None:
    path = project / GRAPH
    path.write_text(path.read_text().replace('"code_node.threshold"', '"code_node.treshold"'))


def test_good_project_fails(project: Path, environ: dict[str, str]) -> None:
    done = vedette(environ, "validate", cwd=project)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines()[-1].startswith("6 documents: no findings")


def test_broken_project_passes_or_is_not_explained(project: Path, environ: dict[str, str]) -> None:
    spoil(project)
    done = vedette(environ, "validate", project)
    assert (done.returncode, done.stderr) == (1, b"")
    lines = done.stdout.decode().splitlines()
    at = next(number for number, line in enumerate(lines) if re.match(r"error\[V012\]: edge \d: consumer", line))
    number = lines[at + 1].rpartition(":")[0].rpartition(":")[2]
    assert lines[at + 1].startswith(f"  --> {GRAPH}:{number}:")
    assert lines[at + 2].startswith(f"{number} | ")
    assert lines[at + 2][lines[at + 3].index("^") :].startswith('"code_node.treshold"')
    assert lines[at + 4] == 'hint: did you mean "threshold"?'
    assert lines[-1].startswith("6 documents: 1 error, ")


def test_syntax_error_of_a_source_has_no_line(project: Path, environ: dict[str, str]) -> None:
    source = next(project.glob("packages/*/src/application.py"))
    source.write_text(source.read_text() + "\ndef broken(:\n    pass\n")
    done = vedette(environ, "validate", project, "--json")
    document = json.loads(done.stdout)
    (found,) = [finding for finding in document["findings"] if finding["code"] == "V080"]
    assert done.returncode == 1
    assert found["file"] == source.relative_to(project).as_posix()
    assert source.read_text().splitlines()[found["line"] - 1] == "def broken(:"


VALIDATE_KEYS = {
    "schema", "ok", "project", "documents", "errors", "warnings", "elapsed_s", "applications", "findings",
}  # fmt: skip
SHOW_KEYS = {"schema", "ok", "project", "application", "findings"}
FINDING_KEYS = {"code", "severity", "message", "hint", "file", "line", "column", "length_characters"}


@pytest.mark.parametrize("fault", ["none", "broken", "no project", "no JSON"])
@pytest.mark.parametrize("command", [("validate", "--json"), ("show", "--format", "json")], ids=lambda c: c[0])
def test_json_does_not_parse_or_changes_its_keys(
    project: Path, environ: dict[str, str], fault: str, command: tuple[str, ...]
) -> None:
    if fault == "broken":
        spoil(project)
    elif fault == "no JSON":
        (project / GRAPH).write_text('{"nodeGraph": ')
    elif fault == "no project":
        project = project / "nowhere"
    done = vedette(environ, command[0], project, *command[1:])
    document = json.loads(done.stdout)
    assert done.returncode == (0 if fault == "none" else 1)
    assert document["ok"] is (fault == "none")
    assert document["schema"] == f"vedette.{command[0]}/1"
    assert set(document) == (VALIDATE_KEYS if command[0] == "validate" else SHOW_KEYS)
    for finding in document["findings"]:
        assert set(finding) == FINDING_KEYS
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "--nonsense"),
        ("validate", "a", "b"),
        ("show", str(EXAMPLE), "--format", "png"),
        ("show", str(EXAMPLE), "--set", "nothing"),
        ("show", str(EXAMPLE), "--camera", "camera_node=ftp://host/"),
        ("schema", "grph"),
        ("schema",),
    ],
)
def test_wrong_usage_has_another_exit_code(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    done = vedette(environ, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr
    assert b"Traceback" not in done.stderr


def test_show_with_findings_puts_them_into_the_data(project: Path, environ: dict[str, str]) -> None:
    spoil(project)
    done = vedette(environ, "show", project, "--format", "svg")
    assert done.returncode == 1
    assert done.stdout.startswith(b"<svg ")
    assert done.stdout.endswith(b"</svg>\n")
    assert b"error[V012]" in done.stderr


def test_password_of_a_camera_is_shown(environ: dict[str, str]) -> None:
    for form in ("tree", "mermaid", "svg", "json"):
        camera = "camera_node=rtsp://viewer:hunter2@10.0.0.1/s"
        done = vedette(environ, "show", EXAMPLE, "--camera", camera, "--format", form)
        assert done.returncode == 0
        assert b"10.0.0.1/s" in done.stdout or form == "mermaid"
        assert b"hunter2" not in done.stdout + done.stderr


def test_schema_of_a_kind_is_not_one(environ: dict[str, str]) -> None:
    done = vedette(environ, "schema", "graph")
    assert done.returncode == 0
    jsonschema.Draft7Validator(json.loads(done.stdout)).validate(json.loads((EXAMPLE / GRAPH).read_text()))


def test_reader_that_goes_away_makes_a_fuss(project: Path, environ: dict[str, str]) -> None:
    graph = json.loads((project / GRAPH).read_text())
    graph["nodeGraph"] |= {f"k{number}": "x" * 100 for number in range(400)}
    (project / GRAPH).write_text(json.dumps(graph, indent=1))
    for arguments in (["validate", project], ["validate", project, "--json"], ["schema", "package"]):
        command = [sys.executable, "-m", "vedette.cli.main", *map(str, arguments)]
        reading, writing = os.pipe()
        os.close(reading)
        try:
            done = subprocess.run(
                command, stdout=writing, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False, env=environ
            )
        finally:
            os.close(writing)
        assert done.stderr == b""
        assert done.returncode in {0, 1}


def on_terminal(environ: dict[str, str], *arguments: str | Path) -> bytes:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "vedette.cli.main", *map(str, arguments)]
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environ) as process:
        os.close(follower)
        written = b""
        try:
            while chunk := os.read(leader, 65536):
                written += chunk
        except OSError:  # what Linux answers once the other end is closed
            pass
        process.wait(TIMEOUT_S)
    os.close(leader)
    return written


def test_colour_follows_terminal_and_no_color(project: Path, environ: dict[str, str]) -> None:
    spoil(project)
    assert b"\x1b[31m" in on_terminal({**environ, "TERM": "xterm"}, "validate", project)
    assert b"\x1b" not in on_terminal({**environ, "TERM": "xterm", "NO_COLOR": "1"}, "validate", project)
    assert b"\x1b" not in on_terminal({**environ, "TERM": "dumb"}, "validate", project)
    assert b"\x1b" not in vedette(environ, "validate", project).stdout
    assert b"\x1b[31m" in vedette({**environ, "FORCE_COLOR": "1"}, "validate", project).stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_terminal_without_unicode_breaks_a_command(project: Path, environ: dict[str, str], encoding: str) -> None:
    path = project / GRAPH
    path.write_text(path.read_text().replace('"Threshold"', '"Schw\u00e4lle \u65e5\u672c"'))
    commands: list[list[str | Path]] = [["validate", project], ["show", project], ["show", project, "--format", "svg"]]
    for arguments in commands:
        done = vedette({**environ, "PYTHONIOENCODING": encoding}, *arguments)
        assert done.returncode == 0
        done.stdout.decode(encoding)
        assert b"Traceback" not in done.stderr


def test_name_of_a_folder_is_no_text(tmp_path: Path, environ: dict[str, str]) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".vedette"))
    spoil(root)
    commands: list[list[str | Path]] = [
        ["validate", root],
        ["validate", root, "--json"],
        ["show", root, "--format=json"],
    ]
    for arguments in commands:
        done = vedette(environ, *arguments)
        assert done.returncode == 1
        assert b"Traceback" not in done.stderr
        if "json" in str(arguments[-1]):
            json.loads(done.stdout)


def test_changed_asset_passes_because_it_was_good_once(project: Path, environ: dict[str, str], tmp_path: Path) -> None:
    assert vedette(environ, "validate", project).returncode == 0
    kept = tmp_path / "cache" / "vedette" / "assets.json"
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert kept.stat().st_mode & 0o777 == 0o600
    assert vedette(environ, "validate", project, "--verify").returncode == 0
    asset = next(project.glob("assets/*.tar.gz"))
    data = bytearray(asset.read_bytes())
    data[-20] ^= 1
    asset.write_bytes(bytes(data))
    assert b"V032" in vedette(environ, "validate", project).stdout
    assert b"V032" in vedette(environ, "validate", project, "--verify").stdout


@pytest.mark.parametrize("arguments", [("validate", str(EXAMPLE)), ("show", str(EXAMPLE)), ("--help",)])
def test_command_loads_what_it_does_not_need(environ: dict[str, str], arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "vedette.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, env=environ, text=True)
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded
    heavy = {"numpy", "cv2", "av", "onnxruntime", "awsiot", "awscrt", "websockets", "yaml", "rich", "packaging"}
    assert not loaded & (heavy | ({"pydantic"} if arguments == ("--help",) else set()))
