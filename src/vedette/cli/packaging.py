"""``vedette package``: changes packages of a project, all of a change or nothing."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from vedette.cli.application import show_findings
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.documents import Project, errors, load_project
from vedette.projects import ProjectError, apply_changes
from vedette.projects.asset_edits import package_named, plan_container, plan_model
from vedette.projects.containers import build_image, export_image, find_engine, pack_exported
from vedette.projects.editing import ProjectEdit
from vedette.projects.packages import KINDS, Framework, NewPackage, PackageKind, plan_package, plan_system_node
from vedette.projects.renaming import plan_rename


def new_package(
    directory: Path,
    name: str,
    kind: str,
    *,
    version: str,
    url: str,
    framework: str | None,
    inputs: tuple[str, ...],
    graph: str | None,
    dry_run: bool,
) -> int:
    """Make a package; returns the exit code.

    :raises Failure: if it cannot be made
    """
    if kind not in KINDS:
        raise Failure(f"--type takes {', '.join(KINDS)}, got `{kind}`", exit_code=EXIT_USAGE)
    if url and kind != "camera":
        raise Failure("--url belongs to --type camera", exit_code=EXIT_USAGE)
    if (inputs or framework) and kind != "model":
        raise Failure("--input and --framework belong to --type model", exit_code=EXIT_USAGE)
    chosen = cast("Framework", framework or "PYTORCH")
    wanted = NewPackage(name, cast("PackageKind", kind), version, url, chosen, inputs)
    return _edit(directory, lambda project: plan_package(project, wanted, graph), dry_run=dry_run)


def add_system_node(directory: Path, kind: str, name: str, *, graph: str | None, dry_run: bool) -> int:
    """Add a camera or the display to a graph; returns the exit code.

    :raises Failure: if it cannot be added
    """
    if kind not in ("camera", "output"):
        raise Failure(f"`{kind}` is neither camera nor output", exit_code=EXIT_USAGE)
    return _edit(
        directory,
        lambda project: plan_system_node(project, "camera" if kind == "camera" else "output", name, graph),
        dry_run=dry_run,
    )


def add_model(
    directory: Path,
    name: str,
    model: str | None,
    *,
    descriptor: Path | None,
    inputs: tuple[str, ...],
    framework: str | None,
    asset: str | None,
    graph: str | None,
    dry_run: bool,
) -> int:
    """Put a model into a package; returns the exit code.

    :raises Failure: if it cannot be read or put there
    """
    with _model_file(model) as file:
        return _edit(
            directory,
            lambda project: plan_model(
                project,
                name,
                file,
                asset=asset,
                descriptor=descriptor,
                framework=framework,
                inputs=inputs,
                graph=graph,
            ),
            dry_run=dry_run,
        )


def build_container(
    directory: Path,
    name: str,
    *,
    image: str | None,
    tar: Path | None,
    engine: str | None,
    pull: bool,
    asset: str | None,
    graph: str | None,
) -> int:
    """Make a container asset; returns the exit code.

    :raises Failure: if it cannot be made
    """
    if image is not None and tar is not None:
        raise Failure("--image and --tar exclude each other", exit_code=EXIT_USAGE)
    terminal = Terminal()
    project = _good_project(directory, terminal)
    try:
        package = package_named(project, name)
        # Beside the assets: images have up to gigabytes, and /tmp may be memory.
        project.assets.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vedette-build-", dir=project.assets) as folder:
            archive = Path(folder) / "image.tar.gz"
            if tar is not None:
                pack_exported(tar, archive)
            else:
                program = find_engine(engine)
                tag = image or build_image(program, package.folder, f"vedette-{package.name.lower()}", pull=pull)
                terminal.waiting("export", tag)
                export_image(program, tag, archive)
            _apply(plan_container(project, name, archive, asset=asset, graph=graph), terminal, dry_run=False)
    except (ProjectError, OSError) as error:
        raise _failure(error) from error
    return 0


def rename_package(directory: Path, name: str, new_name: str, *, dry_run: bool) -> int:
    """Give a package another name; returns the exit code.

    :raises Failure: if it cannot be renamed
    """
    terminal = Terminal()
    project = _good_project(directory, terminal)
    try:
        files, folder = plan_rename(project, name, new_name)
        for change in files:
            terminal.line(f"  file    {change.path.relative_to(project.root)}")
        terminal.line(f"  folder  packages/{folder.path.name} -> {folder.name}")
        if not dry_run:
            apply_changes(files, [folder])
    except (ProjectError, OSError) as error:
        raise _failure(error) from error
    if dry_run:
        terminal.skipped("package", f"{name} would become {new_name}; nothing was changed")
    else:
        terminal.done("package", f"{name} is {new_name}")
    return 0


def _edit(directory: Path, plan: Callable[[Project], ProjectEdit], *, dry_run: bool) -> int:
    terminal = Terminal()
    project = _good_project(directory, terminal)
    try:
        _apply(plan(project), terminal, dry_run=dry_run)
    except (ProjectError, OSError) as error:
        raise _failure(error) from error
    return 0


def _good_project(directory: Path, terminal: Terminal) -> Project:
    project = load_project(directory)
    if wrong := errors(project.findings()):
        show_findings(wrong, terminal)
        raise Failure(f"{directory} has {len(wrong)} error{'' if len(wrong) == 1 else 's'}, nothing was changed")
    return project


def _apply(edit: ProjectEdit, terminal: Terminal, *, dry_run: bool) -> None:
    changed = edit.changed
    if not dry_run:
        edit.apply()
    for what, detail in edit.said:
        (terminal.skipped if dry_run else terminal.done)(what, detail)
    for place in changed:
        terminal.line(f"  {place}")
    if dry_run:
        terminal.line("nothing was changed")
    elif not changed:
        terminal.line("no changes")


def _failure(error: ProjectError | OSError) -> Failure:
    if isinstance(error, ProjectError):
        return Failure(str(error), hint=error.hint)
    return Failure(f"{error.filename}: {error.strerror}")


@contextmanager
def _model_file(model: str | None) -> Iterator[Path | None]:
    """Give the model as a file here; one in S3 is fetched.

    :raises Failure: if it is not there
    """
    if model is None:
        yield None
    elif not model.startswith("s3://"):
        if not Path(model).is_file():
            raise Failure(f"there is no file `{model}`", hint="expected a model file or s3://BUCKET/KEY")
        yield Path(model)
    else:
        from vedette.cloud.errors import CloudError
        from vedette.cloud.objects import fetch_object

        with tempfile.TemporaryDirectory(prefix="vedette-model-") as folder:
            try:
                file = fetch_object(model, Path(folder))
            except CloudError as error:
                raise Failure(str(error), hint=error.hint) from error
            yield file
