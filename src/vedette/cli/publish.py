"""``vedette publish``: components and applications into an account's Greengrass, each version once."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.build import OWN_COMPONENTS, BuildError, build_component, wheels_wanted
from vedette.cli.aws import speaking_to_aws
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud.publishing import Publication, Publishable

SCHEMA: Final = "publish"


@dataclass(frozen=True)
class PublishOptions:
    """What ``vedette publish`` was asked for; see its help."""

    names: Sequence[str] = ()
    """Vedette's components, or folders of applications."""
    instance: str | None = None
    graph: str | None = None
    overrides: Sequence[Path] = ()
    bucket: str | None = None
    wheels: str | None = None
    plan_only: bool = False
    as_json: bool = False
    profile: str | None = None
    region: str | None = None


def publish_all(options: PublishOptions, terminal: Terminal) -> int:
    """Build components, compile applications, and publish what is not there yet; returns the exit code.

    :raises Failure: if something cannot be built, or AWS refuses
    """
    from vedette.cloud import Cloud
    from vedette.cloud.bucket import bucket_of
    from vedette.cloud.publishing import plan_publications, publish, refuse_others

    with answering(SCHEMA, as_json=options.as_json), speaking_to_aws():
        known = [component.name for component in OWN_COMPONENTS]
        own = [name for name in options.names if name in known]
        projects = [Path(name) for name in options.names if name not in known]
        unknown = [path for path in projects if not path.is_dir()]
        if unknown:
            raise Failure(f"`{unknown[0]}` is none of Vedette's components, and no folder", hint=", ".join(known))
        if (options.instance or options.overrides or options.graph) and len(projects) != 1:
            raise Failure("--name, --graph and --override are for one application", exit_code=EXIT_USAGE)
        cloud = Cloud(profile=options.profile, region=options.region)
        tell_identity(cloud, terminal)
        folder = Path(tempfile.mkdtemp(prefix="vedette-publish-"))
        try:
            items = _built(own if options.names else known, folder, options.wheels, terminal)
            for number, directory in enumerate(projects):
                items += _compiled(directory, folder / str(number), options, terminal)
            publications = plan_publications(cloud, items)
            documents = [item.document() for item in publications]
            tell_publications(publications, terminal)
            refuse_others(publications)
            made: list[Publication] = []
            if not options.plan_only:
                bucket = bucket_of(cloud, options.bucket)
                made = publish(cloud, bucket, publications, upload_progress(terminal))
                terminal.clear_status()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if options.as_json:
        print_json(SCHEMA, components=documents, published=[item.component.name for item in made])
    elif not options.plan_only:
        terminal.done(
            "published", f"{len(made)} of {len(publications)} versions; the others were there" if made else "no changes"
        )
    return 0


def _built(names: Sequence[str], folder: Path, wheels: str | None, terminal: Terminal) -> "list[Publishable]":
    from vedette.cloud.publishing import publishable

    environ: Mapping[str, str] = os.environ if wheels is None else {"VEDETTE_WHEELS": wheels}
    items = []
    try:
        pythons = wheels_wanted(environ)
        for name in names:
            terminal.waiting(
                "build", f"{name}{' with wheels, which takes minutes' if name == 'vedette.Runtime' and pythons else ''}"
            )
            built = build_component(name, folder, bucket="BUCKET_NAME", wheels=pythons)
            items.append(publishable(built.recipe, built.artifacts, {"vedette:suite": built.version}))
    except (BuildError, OSError) as error:
        raise Failure(f"cannot be built: {error}") from error
    terminal.clear_status()
    return items


def _compiled(directory: Path, folder: Path, options: PublishOptions, terminal: Terminal) -> "list[Publishable]":
    """Return an application's components and models. Cameras and values are the deployment's: none is needed here."""
    from vedette.cli.application import OneProject, compile_project, compiling
    from vedette.cloud.applications import from_compiled

    project = OneProject(directory, options.overrides, graph=options.graph, instance=options.instance)
    compiled = compile_project(project, {}, terminal, complete=False)
    with compiling(directory, terminal):
        return list(from_compiled(compiled.compiled, folder, {}, {}).publishables)


def tell_identity(cloud: Any, terminal: Terminal) -> None:
    """Say who acts where, above every plan."""
    who = cloud.identity()
    terminal.line(f"account {who.account}, {who.region}, {who.arn.rpartition(':')[2]}")


def tell_publications(publications: "Sequence[Publication]", terminal: Terminal) -> None:
    """Say what is published and what will be."""
    for item in publications:
        component = item.component
        text = f"{component.name} {component.version}"
        if item.state.value in {"new", "failed"}:
            terminal.done("publish", f"+ {text}   {megabytes(item.size)}")
        elif item.state.value == "unknown":
            terminal.warn("publish", f"{text} is there, published by other means: its content is not compared")
        elif item.state.value == "there":
            terminal.skipped("publish", f"{text} is there")
        else:
            terminal.failed("publish", f"{text} is there with other content")


def megabytes(size: int) -> str:
    """Return a size for people."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} kB"


def upload_progress(terminal: Terminal) -> Callable[[int, int], None]:
    """Return what keeps the status line of uploads."""

    def show(done: int, total: int) -> None:
        terminal.status(f"  uploading {megabytes(done)} of {megabytes(total)}")

    return show


def write_stdout(text: str) -> None:
    """Write a result."""
    sys.stdout.write(text)
