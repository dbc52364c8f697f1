"""``vedette new``: a new application that runs at once."""

from pathlib import Path

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.projects import ProjectError, check_name, create_project, make_skeleton
from vedette.resources import ResourceError


def new_application(name: str, terminal: Terminal, *, camera_only: bool, with_model: bool) -> int:
    """Make the folder ``name`` with an application in it; returns the exit code.

    :raises Failure: for a name that cannot be used, or a folder that is there already
    """
    if camera_only and with_model:
        raise Failure("--camera-only and --with-model exclude each other", exit_code=EXIT_USAGE)
    folder = Path(name)
    try:
        check_name(folder.name)
    except ProjectError as error:
        raise Failure(str(error), hint=error.hint, exit_code=EXIT_USAGE) from error
    if not folder.parent.is_dir():
        raise Failure(f"`{folder.parent}` is no folder", hint=f"mkdir -p {folder.parent}")
    try:
        skeleton = make_skeleton(folder.name, with_model=with_model)
        create_project(folder, skeleton)
    except (ProjectError, ResourceError) as error:
        hint = error.hint if isinstance(error, ProjectError) else None
        raise Failure(str(error), hint=hint) from error
    for place in sorted([*skeleton.texts, *skeleton.copies]):
        terminal.line(f"  {folder}/{place}")
    terminal.done("made", f"{folder}")
    terminal.line(f"next: {terminal.paint(f'vedette run {folder} --camera camera_node=VIDEO', 'cyan')}")
    return 0
