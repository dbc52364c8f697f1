"""Arguments of ``vedette package``: packages of a project, as panorama-cli made them, and those that are published."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.fleet import Bucket
from vedette.cli.options import JsonFlag

package_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Packages of a project: new ones, models, container images, names; and what is published in the account.",
)

Project = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Panorama project; default: this folder.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the package.")]
Graph = Annotated[str | None, typer.Option(metavar="NAME", help="Graph to change, where the project has several.")]
Asset = Annotated[
    str | None, typer.Option(metavar="NAME", help="Asset of the package; only needed where it has several.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME:SHAPE[:TYPE]",
        help="Input of a model, as data:1,3,224,224; may be given several times.",
    ),
]
Framework = Annotated[str | None, typer.Option(metavar="NAME", help="Framework: PYTORCH, TENSORFLOW or MXNET.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(package_app, name="package")


@package_app.command("new")
def new(
    name: Name,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="code, model, camera or output.")] = "code",
    version: Annotated[str, typer.Option(metavar="MAJOR.MINOR", help="Version of the package.")] = "1.0",
    url: Annotated[str, typer.Option(metavar="URL", help="Address of a camera, without user and password.")] = "",
    framework: Framework = None,
    inputs: Inputs = None,
    directory: Project = Path(),
    graph: Graph = None,
    dry_run: DryRun = False,
) -> None:
    """Make a package and its node, and join it with what is there (panorama-cli create-package).

    vedette package new CODE --dir my-app

    vedette package new SQUEEZENET --type model --input data:1,3,224,224 --dir my-app
    """
    from vedette.cli.packaging import new_package

    raise typer.Exit(
        new_package(
            directory,
            name,
            kind,
            version=version,
            url=url,
            framework=framework,
            inputs=tuple(inputs or ()),
            graph=graph,
            dry_run=dry_run,
        )
    )


@package_app.command("add")
def add(
    kind: Annotated[str, typer.Argument(metavar="camera|output", help="What Panorama brought along.")],
    name: Annotated[str, typer.Argument(metavar="NODE", help="Name of the node.")],
    directory: Project = Path(),
    graph: Graph = None,
    dry_run: DryRun = False,
) -> None:
    """Add a camera that is chosen at deployment, or the display (panorama-cli add-panorama-package).

    vedette package add camera front_door --dir my-app

    vedette package add output screen --dir my-app
    """
    from vedette.cli.packaging import add_system_node

    raise typer.Exit(add_system_node(directory, kind, name, graph=graph, dry_run=dry_run))


@package_app.command("add-model")
def add_model(
    name: Name,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="ONNX or TFLite file, .tar.gz archive, or s3://BUCKET/KEY; default: descriptor only."
        ),
    ] = None,
    descriptor: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Descriptor; default: descriptor.json of the package.")
    ] = None,
    inputs: Inputs = None,
    framework: Framework = None,
    asset: Asset = None,
    directory: Project = Path(),
    graph: Graph = None,
    dry_run: DryRun = False,
) -> None:
    """Put a model and its descriptor into assets/, or a descriptor that was edited (panorama-cli add-raw-model).

    vedette package add-model SQUEEZENET squeezenet.onnx --input data:1,3,224,224 --dir my-app

    vedette package add-model SQUEEZENET --dir my-app
    """
    from vedette.cli.packaging import add_model as run

    raise typer.Exit(
        run(
            directory,
            name,
            model,
            descriptor=descriptor,
            inputs=tuple(inputs or ()),
            framework=framework,
            asset=asset,
            graph=graph,
            dry_run=dry_run,
        )
    )


@package_app.command("build")
def build(
    name: Name,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Export this image instead of building the Dockerfile.")
    ] = None,
    tar: Annotated[Path | None, typer.Option(metavar="FILE", help="Take what `docker export` wrote.")] = None,
    engine: Annotated[str | None, typer.Option(metavar="docker|podman", help="Default: the one that is there.")] = None,
    local_image: Annotated[bool, typer.Option("--local-image", help="Do not pull newer base images.")] = False,
    asset: Asset = None,
    directory: Project = Path(),
    graph: Graph = None,
) -> None:
    """Make the container asset of a code package (panorama-cli build-container, export-container).

    It is for Panorama's tools: Vedette runs applications from their sources and needs none.

    vedette package build CODE --dir my-app

    vedette package build CODE --tar exported.tar --dir my-app
    """
    from vedette.cli.packaging import build_container

    raise typer.Exit(
        build_container(
            directory, name, image=image, tar=tar, engine=engine, pull=not local_image, asset=asset, graph=graph
        )
    )


@package_app.command("rename")
def rename(
    name: Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    directory: Project = Path(),
    dry_run: DryRun = False,
) -> None:
    """Give a package another name: folder, package.json, graphs and overrides (rename-package.sh).

    vedette package rename CODE SHOP_CODE --dir my-app

    vedette package rename CODE SHOP_CODE --dry-run
    """
    from vedette.cli.packaging import rename_package

    raise typer.Exit(rename_package(directory, name, new_name, dry_run=dry_run))


Published = Annotated[str, typer.Argument(metavar="NAME", help="Published package, as `vedette package list` says it.")]
Objects = Annotated[bool, typer.Option("--artifacts", help="Delete artifacts that no other version has, too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@package_app.command("list")
def list_command(
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only application, model or suite.")] = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List what is published in the account: applications, models, Vedette's own components.

    vedette package list --kind model
    """
    from vedette.cli.device import Caller
    from vedette.cli.published import list_published

    raise typer.Exit(list_published(Caller(profile, region, as_json), kind=kind))


@package_app.command("describe")
def describe(
    name: Published,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Only this version.")] = None,
    bucket: Bucket = None,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Say which versions a published package has, where they are kept and deployed, and who may read them.

    vedette package describe vedette.app.people-counter --json
    """
    from vedette.cli.device import Caller
    from vedette.cli.published import describe_published

    raise typer.Exit(describe_published(name, version, Caller(profile, region, as_json), bucket=bucket))


@package_app.command("delete")
def delete(
    name: Published,
    versions: Annotated[
        list[str] | None, typer.Argument(metavar="[VERSION]...", help="Versions to delete; default: all of them.")
    ] = None,
    objects: Objects = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Delete a published package, or versions of it; refused while one is deployed.

    vedette package delete vedette.app.people-counter 1.0.7141

    vedette package delete vedette.app.people-counter --artifacts --yes
    """
    from vedette.cli.device import Caller
    from vedette.cli.published import delete_published
    from vedette.cli.terminal import Terminal

    caller = Caller(profile, region, as_json, yes)
    raise typer.Exit(delete_published(name, tuple(versions or ()), caller, Terminal(), objects=objects))


@package_app.command("prune")
def prune(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Published packages; default: all of them.")
    ] = None,
    keep: Annotated[int, typer.Option(metavar="N", min=1, help="How many of the newest versions stay.")] = 5,
    objects: Objects = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Delete old versions that nothing uses; one that is deployed stays and is named (cleanup-patches.sh).

    vedette package prune vedette.app.people-counter --keep 3

    vedette package prune --artifacts --yes
    """
    from vedette.cli.device import Caller
    from vedette.cli.published import prune_published
    from vedette.cli.terminal import Terminal

    caller = Caller(profile, region, as_json, yes)
    raise typer.Exit(prune_published(tuple(names or ()), caller, Terminal(), keep=keep, objects=objects))
