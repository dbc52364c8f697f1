"""The scripts that Panorama's users know: each calls a command that exists, with what it was given."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from vedette.cli.main import app

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
CALLS = {
    "register-camera": (["lobby", "viewer", "rtsp://h/1"], "camera add lobby --user viewer --url rtsp://h/1"),
    "deregister-camera": (["lobby", "--delete-secret"], "camera remove lobby --delete-secret"),
    "push": (["thing-group/shop", "--yes"], "deploy . --to thing-group/shop --yes"),
    "view-logs": (["shop-app", "shop-01"], "logs shop-app --cloud --follow -n 150 --device shop-01"),
    "pause-camera": (["shop-01", "app", "lobby", "RESUME"], "camera resume app lobby --device shop-01"),
    "provision-device": (["shop-01", "--group", "shop"], "device provision shop-01 --group shop"),
    "reboot-device": (["shop-01", "--yes"], "device reboot shop-01 --yes"),
    "check-updates": (["thing-group/shop"], "device update thing-group/shop"),
    "rename-package": (["CODE", "SHOP", "--dir", "x"], "package rename CODE SHOP --dir x"),
    "samplify": ([], "import . --account 123456789012"),
    "update-model-config": (["NET"], "package add-model NET"),
    "cleanup-patches": (["vedette.app.x", "3", "--yes"], "package prune vedette.app.x --keep 3 --yes"),
    "package-app": (["x", "--plan"], "publish x --plan"),
    "monitor-deployment": (["x", "--wait", "9"], "application wait x --wait 9"),
    "open-container": (["x", "ls"], "shell x ls"),
    "delete-application": (["x", "shop-01", "--yes"], "deploy --remove x --to thing/shop-01 --yes"),
}


def run(
    script: str, *arguments: str, folder: Path, stdin: str = "", cwd: Path | None = None, role: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run a copy of the script, whose ``vedette`` and ``aws`` write down how they were called."""
    copy = folder / "checkout"
    for program in (copy / ".venv" / "bin" / "vedette", copy / ".venv" / "bin" / "aws"):
        program.parent.mkdir(parents=True, exist_ok=True)
        said = f"echo {role}\n" if program.name == "aws" else ""
        program.write_text(f'#!/bin/sh\necho "{program.name} $*" >> {folder}/calls\n{said}')
        program.chmod(0o755)
    (copy / "scripts").mkdir(exist_ok=True)
    (copy / "scripts" / script).write_text((SCRIPTS / script).read_text())
    if not (copy / "infra").exists():
        (copy / "infra").symlink_to(ROOT / "infra")
    environ = {**os.environ, "PATH": f"{copy}/.venv/bin:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", copy / "scripts" / script, *arguments],
        env=environ, input=stdin, capture_output=True, text=True, timeout=30, check=False, cwd=cwd or folder,
    )  # fmt: skip


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("script", CALLS)
def test_a_script_calls_something_else_than_it_says(tmp_path: Path, script: str) -> None:
    arguments, expected = CALLS[script]
    done = run(script, *arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert calls(tmp_path) == [f"vedette {expected}"]
    command: Any = typer.main.get_command(app)
    words, name = expected.split(), "vedette"
    while hasattr(command, "commands"):
        name = words.pop(0)
        command = command.commands[name]
    command.make_context(name, words)
    about = (SCRIPTS / script).read_text().splitlines()[1]
    assert f"vedette {expected.split()[0]}" in about


@pytest.mark.parametrize("script", [*(name for name, call in CALLS.items() if call[0]), "delete-stack", "create-stack"])
def test_a_script_does_not_say_how_it_is_used(tmp_path: Path, script: str) -> None:
    assert os.access(SCRIPTS / script, os.X_OK)
    done = run(script, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"usage: scripts/{script}")
    assert calls(tmp_path) == []


def test_the_files_of_a_deployment_are_not_honoured_or_not_written(tmp_path: Path) -> None:
    project = tmp_path / "counter"
    project.mkdir()
    done = run("deploy", folder=tmp_path, cwd=project)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: scripts/deploy")
    done = run("deploy", "shop-01", "--yes", folder=tmp_path, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "gets no AWS role" in done.stderr
    assert calls(tmp_path)[-1] == "vedette deploy . --name counter --to thing/shop-01 --yes"
    assert (project / "device-id.txt").read_text() == "shop-01\n"
    (project / "application-id.txt").write_text("counter-2\n")
    assert run("deploy", folder=tmp_path, cwd=project).returncode == 0
    assert calls(tmp_path)[-1] == "vedette deploy . --name counter-2 --to thing/shop-01"
    assert run("monitor-deployment", folder=tmp_path, cwd=project).returncode == 0
    assert calls(tmp_path)[-1] == "vedette application wait counter-2"
    assert run("delete-application", "--yes", folder=tmp_path, cwd=project).returncode == 0
    assert calls(tmp_path)[-1] == "vedette deploy --remove counter-2 --to thing/shop-01 --yes"


def test_the_role_of_the_stack_is_left_out(tmp_path: Path) -> None:
    done = run("deploy", "thing-group/shop", folder=tmp_path, role="arn:aws:iam::123456789012:role/counter")
    assert done.returncode == 0, done.stderr
    role = "--role arn:aws:iam::123456789012:role/counter"
    assert calls(tmp_path)[-1] == f"vedette deploy . --name {tmp_path.name} --to thing-group/shop {role}"


def test_a_stack_is_not_made_as_asked(tmp_path: Path) -> None:
    done = run("create-stack", "device-role", "ArtifactBucket=my-bucket", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = calls(tmp_path)
    assert first.startswith("aws cloudformation deploy --stack-name vedette-device-role --template-file ")
    assert "--capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset" in first
    assert first.endswith("--parameter-overrides ArtifactBucket=my-bucket")
    assert "describe-stacks --stack-name vedette-device-role" in second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "there is no template none"),
        (["device-role"], "device-role needs ArtifactBucket=VALUE"),
        (["device-role", "ArtifactBucket=b", "Bukket=x"], "no parameter Bukket=x"),
        (["device-role", "ArtifactBucket"], "no parameter ArtifactBucket"),
    ],
)
def test_a_stack_is_made_of_a_mistake(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run("create-stack", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert calls(tmp_path) == []


def test_a_stack_is_deleted_unasked(tmp_path: Path) -> None:
    done = run("delete-stack", "artifacts", folder=tmp_path)
    assert done.returncode == 2
    assert "give --yes" in done.stderr
    assert calls(tmp_path) == []
    assert run("delete-stack", "artifacts", "--yes", folder=tmp_path).returncode == 0
    assert calls(tmp_path)[0] == "aws cloudformation delete-stack --stack-name vedette-artifacts"
