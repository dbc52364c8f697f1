"""Arguments of the commands that read a project and change nothing: validate, show, schema, endpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.options import Cameras, CamerasFile, JsonFlag, Overrides, Settings

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Panorama project; default: this folder.")]


_credentials: Mapping[str, tuple[str, str]] = {}


def register(app: typer.Typer, credentials: Mapping[str, tuple[str, str]]) -> None:
    """Add the commands to ``app``; ``credentials`` are those taken out of the command line, by clean URL."""
    global _credentials  # noqa: PLW0603 - typer calls plain functions
    _credentials = credentials
    app.command()(validate)
    app.command()(show)
    app.command()(schema)
    app.command()(endpoints)


def validate(
    directory: Directory = Path(),
    as_json: JsonFlag = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every asset again, also those known from an earlier run.")
    ] = False,
) -> None:
    """Say everything that is wrong with a project, and where.

    vedette validate my-app

    vedette validate my-app --json
    """
    import gc

    gc.disable()  # a tenth of the processor time, in a process that ends at once
    from vedette.cli.output import Output
    from vedette.cli.validate import validate as run

    raise typer.Exit(run(directory, Output(), as_document=as_json, verify=verify))


def show(
    directory: Directory = Path(),
    form: Annotated[str, typer.Option("--format", metavar="tree|mermaid|svg|json", help="What to write.")] = "tree",
    origin: Annotated[
        bool, typer.Option("--origin", help="Say in which file and line each value and camera stands.")
    ] = False,
    override: Overrides = None,
    camera: Cameras = None,
    setting: Settings = None,
    graph: Annotated[
        str | None, typer.Option(metavar="NAME", help="Graph to show, where the project has several.")
    ] = None,
    cameras_file: CamerasFile = None,
) -> None:
    """Show what an application is made of: code, models, cameras, parameters, what is connected to what.

    vedette show my-app --override graphs/my-app/override.json --origin

    vedette show my-app --format svg > my-app.svg
    """
    import sys

    from vedette.cli.output import Output
    from vedette.cli.show import ShowOptions
    from vedette.cli.show import show as run

    options = ShowOptions(
        directory=directory,
        overrides=tuple(override or ()),
        cameras=tuple(camera or ()),
        settings=tuple(setting or ()),
        graph=graph,
        cameras_file=cameras_file,
        format=form,
        origin=origin,
    )
    raise typer.Exit(run(options, _credentials, Output(), Output(sys.stderr)))


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="graph, override, package, descriptor or package-override.")
    ],
) -> None:
    """Write the JSON Schema of a document kind, for editors.

    vedette schema graph > graph.schema.json

    vedette schema package > package.schema.json
    """
    from vedette.cli.output import Output
    from vedette.cli.schema import show_schema

    raise typer.Exit(show_schema(kind, Output()))


def endpoints(
    directory: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Panorama projects whose sources are looked at.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="Role of an application, whose policies are read; repeatable."),
    ] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A policy as JSON, in place of a role's; repeatable.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try from here whether each host answers: name, port, certificate.")
    ] = False,
    root: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="With --check: root of this device's nucleus, which knows hosts of the account."
        ),
    ] = Path("/greengrass/v2"),
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the hosts of AWS that a device and its applications need, for firewalls and sites without internet.

    vedette endpoints --region eu-west-1 --check

    vedette endpoints my-app --role arn:aws:iam::123456789012:role/vedette-app-counter --region eu-west-1
    """
    import sys

    from vedette.cli.endpoints import EndpointOptions
    from vedette.cli.endpoints import endpoints as run
    from vedette.cli.output import Output

    options = EndpointOptions(
        directories=tuple(directory or ()),
        roles=tuple(role or ()),
        policies=tuple(policy or ()),
        region=region,
        profile=profile,
        root=root,
        check=check,
        as_json=as_json,
    )
    raise typer.Exit(run(options, Output(), Output(sys.stderr)))
