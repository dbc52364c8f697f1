"""Arguments of the commands that read a project and change nothing: validate, show, schema."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(metavar="[DIR]", help="Panorama project; default: this folder.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(validate)


def validate(
    directory: Directory = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every asset again, also those known from an earlier run.")
    ] = False,
) -> None:
    """Say everything that is wrong with a project, and where.

    vedette validate my-app

    vedette validate my-app --json
    """
    from vedette.cli.output import Output
    from vedette.cli.validate import validate as run

    raise typer.Exit(run(directory, Output(), as_document=as_json, verify=verify))
