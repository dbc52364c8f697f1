"""``vedette import``: a project out of an archive, one account id everywhere in it, and a check of its assets."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vedette.cli.application import show_findings
from vedette.cli.aws import speaking_to_aws
from vedette.cli.failure import Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.terminal import Terminal
from vedette.documents import errors, load_project
from vedette.documents.model_files import sha256_of
from vedette.projects import ImportPlan, ProjectError, apply_changes, check_assets, plan_import
from vedette.projects.archives import is_archive, unpack_project

SCHEMA: Final = "import"
_ENDINGS: Final = re.compile(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$", re.IGNORECASE)


def import_from(
    source: str, out: Path | None, terminal: Terminal, *, account: str | None, dry_run: bool, as_json: bool
) -> int:
    """Take a project from a folder, an archive, or an archive in S3, and import it; returns the exit code.

    :raises Failure: as ``import_project`` does, and for an archive that holds no project
    """
    with answering(SCHEMA, as_json=as_json):
        facts: dict[str, Any] = {}
        with _archive(source) as archive:
            directory = Path(source)
            if archive is not None:
                facts["sha256"] = sha256_of(archive)
                directory = out or Path(_ENDINGS.sub("", archive.name))
                try:
                    unpack_project(archive, directory)
                except ProjectError as error:
                    raise Failure(str(error), hint=error.hint) from error
                terminal.done("unpacked", str(directory))
        import_project(directory, terminal, account=account, dry_run=dry_run)
    if as_json:
        packages = [{"name": each.name, "version": each.version} for each in load_project(directory).packages]
        print_json(SCHEMA, project=str(directory), packages=packages, **facts)
    return 0


@contextmanager
def _archive(source: str) -> Iterator[Path | None]:
    """Give the archive as a file here; None for a folder. One in S3 is fetched."""
    if source.startswith("s3://"):
        from vedette.cloud.objects import fetch_object

        with tempfile.TemporaryDirectory(prefix="vedette-import-") as folder, speaking_to_aws():
            yield fetch_object(source, Path(folder))
    else:
        yield Path(source) if is_archive(Path(source)) else None


def import_project(directory: Path, terminal: Terminal, *, account: str | None, dry_run: bool) -> int:
    """Check the project, then change it; every change is said. Returns the exit code.

    :raises Failure: for documents or assets that are wrong, or ids that cannot be told; nothing is changed then
    """
    project = load_project(directory)
    findings = project.findings()
    show_findings(findings, terminal)
    if wrong := errors(findings):
        raise Failure(f"{directory} has {len(wrong)} error{'' if len(wrong) == 1 else 's'}, nothing was changed")
    try:
        good, problems = check_assets(project)
    except OSError as error:
        raise Failure(f"assets cannot be checked: {error.filename}: {error.strerror}") from error
    for problem in problems:
        (terminal.failed if problem.wrong else terminal.warn)("asset", f"{problem.place}: {problem.message}")
    if any(problem.wrong for problem in problems):
        raise Failure("an asset is not what it is named, nothing was changed", hint="put the original file back")
    if good:
        terminal.done("assets", f"{good} files are there and whole")
    try:
        plan = plan_import(project, account)
        _tell(plan, terminal)
        if not dry_run:
            apply_changes(plan.files, plan.folders)
    except ProjectError as error:
        raise Failure(str(error), hint=error.hint) from error
    _sum_up(plan, terminal, dry_run=dry_run)
    return 0


def _tell(plan: ImportPlan, terminal: Terminal) -> None:
    for folder in plan.skipped:
        terminal.skipped("folder", f"{folder}: its name holds no account id")
    for change in plan.replacements:
        kind = "folder" if "::" not in change.old else "name"
        terminal.line(f"  {kind:<7} {change.place}  {change.old} -> {change.new}")


def _sum_up(plan: ImportPlan, terminal: Terminal, *, dry_run: bool) -> None:
    if not plan.replacements:
        terminal.done("account", f"{plan.account} stands everywhere already: no changes")
        return
    names = len(plan.replacements) - len(plan.folders)
    what = f"{names} names in {len(plan.files)} files, {len(plan.folders)} folders"
    if dry_run:
        terminal.skipped("account", f"{plan.account} would be put into {what}; nothing was changed")
    else:
        terminal.done("account", f"{plan.account} put into {what}")
