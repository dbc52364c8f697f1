"""Every `$ vedette ...` line of README and docs is a command with options that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from vedette.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES = [
    pytest.param(line[2:], id=f"{page.relative_to(ROOT)}: {line[2:60]}")
    for page in PAGES
    for line in re.findall(r"^\$ vedette .*$", page.read_text(), re.MULTILINE)
]


ROOT_COMMAND: Any = typer.main.get_command(app)


def parse(line: str) -> None:
    command = ROOT_COMMAND
    _, *arguments = shlex.split(line, comments=True)
    name = "vedette"
    while hasattr(command, "commands"):
        name = arguments.pop(0)
        assert name in command.commands, f"No such command {name}"
        command = command.commands[name]
    command.make_context(name, arguments)


def test_no_command_is_documented() -> None:
    assert len(LINES) >= 10


@pytest.mark.parametrize("line", LINES)
def test_a_documented_command_does_not_exist(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("vedette staus", "No such command staus"),
        ("vedette camera tset x", "No such command tset"),
        ("vedette run", "Missing argument"),
        ("vedette compile a -o b --camra c", "No such option"),
    ],
)
def test_a_command_that_does_not_exist_is_found_good(line: str, said: str) -> None:
    try:
        parse(line)
    except Exception as error:  # noqa: BLE001 - click's and our own
        shown = error.format_message() if hasattr(error, "format_message") else str(error)
        assert said in shown
    else:
        pytest.fail("it was found good")
