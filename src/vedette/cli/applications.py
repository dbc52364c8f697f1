"""Arguments of ``vedette application``."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.fleet import Bucket
from vedette.cli.options import JsonFlag

application_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Applications that were deployed: where, how they are, what of."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the application instance.")]
Target = Annotated[
    str | None, typer.Option(metavar="TARGET", help="thing/NAME or thing-group/NAME, if it is on several.")
]
Device = Annotated[str | None, typer.Option(metavar="THING", help="As this device reports it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(application_app, name="application")


@application_app.command("list")
def list_command(
    device: Annotated[str | None, typer.Option(metavar="THING", help="Only those that this device gets.")] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only this status, for example DEPLOYMENT_FAILED.")
    ] = None,
    removed: Annotated[bool, typer.Option("--all", help="Removed ones as well.")] = False,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the applications of the account and their status.

    vedette application list --device shop-01

    vedette application list --all --json
    """
    from vedette.cli.deployed import list_applications
    from vedette.cli.device import Caller

    caller = Caller(profile, region, as_json)
    raise typer.Exit(list_applications(caller, bucket=bucket, device=device, status=status, removed=removed))


@application_app.command()
def describe(
    name: Name,
    target: Target = None,
    device: Device = None,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Say what an application is, how its deployment stands, and with --device how it is there.

    vedette application describe people-counter

    vedette application describe people-counter --device shop-01 --json
    """
    from vedette.cli.deployed import Asked, describe_application
    from vedette.cli.device import Caller

    raise typer.Exit(describe_application(Asked(name, target, device, bucket), Caller(profile, region, as_json)))


@application_app.command()
def nodes(
    name: Name,
    target: Target = None,
    device: Device = None,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List an application's nodes on a device: code, models, cameras, outputs, each with its state.

    vedette application nodes people-counter --device shop-01
    """
    from vedette.cli.deployed import Asked, show_nodes
    from vedette.cli.device import Caller

    raise typer.Exit(show_nodes(Asked(name, target, device, bucket), Caller(profile, region, as_json)))


@application_app.command()
def dependencies(
    name: Name,
    target: Target = None,
    device: Device = None,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the packages that an application is made of, with exact versions.

    vedette application dependencies people-counter --device shop-01 --json
    """
    from vedette.cli.deployed import Asked, show_dependencies
    from vedette.cli.device import Caller

    raise typer.Exit(show_dependencies(Asked(name, target, device, bucket), Caller(profile, region, as_json)))


@application_app.command()
def manifest(
    name: Name,
    overrides: Annotated[
        bool, typer.Option("--overrides", help="The override documents instead of the graph.")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Write all documents there.")] = None,
    target: Target = None,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write the graph of an application, or its overrides, byte for byte as they were deployed.

    vedette application manifest people-counter > graph.json

    vedette application manifest people-counter --overrides
    """
    from vedette.cli.deployed import Asked, show_documents
    from vedette.cli.device import Caller

    caller = Caller(profile, region, as_json)
    raise typer.Exit(show_documents(Asked(name, target, None, bucket), caller, overrides=overrides, out=out))


@application_app.command()
def wait(
    name: Name,
    target: Target = None,
    limit: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long at most.")] = 1800.0,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Follow an application until it is deployed or removed; the exit code tells how it went.

    vedette application wait people-counter && echo running
    """
    from vedette.cli.deployed import Asked, wait_for
    from vedette.cli.device import Caller

    raise typer.Exit(wait_for(Asked(name, target, None, bucket), Caller(profile, region, as_json), limit_s=limit))
