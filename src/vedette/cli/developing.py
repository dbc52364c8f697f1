"""Arguments of the commands for who develops an application: test, shell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import Overrides, Settings

_credentials: Mapping[str, tuple[str, str]] = {}


def register(app: typer.Typer, credentials: Mapping[str, tuple[str, str]]) -> None:
    """Add the commands to ``app``; ``credentials`` are those taken out of the command line, by clean URL."""
    global _credentials  # noqa: PLW0603 - typer calls plain functions
    _credentials = credentials
    app.command("test")(run_test)
    app.command(context_settings={"allow_interspersed_args": False})(shell)


def run_test(  # noqa: PLR0917 - typer reads the options off the signature
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Panorama project: graphs/, packages/, assets/.")],
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NODE=FILE", help="Video file for a camera node; it is played once.")
    ] = None,
    override: Overrides = None,
    setting: Settings = None,
    graph: Annotated[
        str | None, typer.Option(metavar="NAME", help="Graph to run, where the project has several.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write the record there, not to standard output.")
    ] = None,
    expect: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with an earlier record; a difference is a failure.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="How far numbers may be apart.")] = 0.001,
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Give up after this time.")] = 600.0,
    environment: Annotated[str, typer.Option(metavar="auto|container|sources", help="As with `vedette run`.")] = "auto",
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="As with `vedette run`.")] = False,
) -> None:
    """Run an application on video files, every frame once, and record its labels, boxes and parameters.

    vedette test my-app --camera camera_node=street.mp4 -o expected.jsonl

    vedette test my-app --camera camera_node=street.mp4 --expect expected.jsonl
    """
    from vedette.cli.run import RunOptions
    from vedette.cli.terminal import Terminal
    from vedette.cli.trial import run_trial

    options = RunOptions(
        directory=directory,
        overrides=tuple(override or ()),
        cameras=tuple(camera or ()),
        settings=tuple(setting or ()),
        graph=graph,
        fast=True,
        loop=False,
        record=True,
        environment=environment,
        sandbox=not no_sandbox,
    )
    raise typer.Exit(
        run_trial(options, _credentials, Terminal(), out=out, expect=expect, tolerance=tolerance, timeout_s=timeout)
    )


def shell(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Project that was run, or is running.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="What to run there; default: a shell.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Instance, where the project has had several.")
    ] = None,
) -> None:
    """Open a shell in the sandbox of an application: its files, its Python, its folders.

    vedette shell my-app

    vedette shell my-app python3 -c 'import cv2; print(cv2.__version__)'
    """
    from vedette.cli.sandbox_shell import open_shell

    # As of ssh, sudo and docker: what stands after -- is the command.
    words = command[1:] if command and command[0] == "--" else command or []
    raise typer.Exit(open_shell(directory, words, instance))
