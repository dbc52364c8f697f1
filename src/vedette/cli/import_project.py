"""``vedette import``: one account id everywhere in a project, and a check of its assets."""

from pathlib import Path

from vedette.cli.application import show_findings
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal
from vedette.documents import errors, load_project
from vedette.projects import ImportPlan, ProjectError, apply_changes, check_assets, plan_import


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
