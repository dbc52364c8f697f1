"""``vedette deploy``: shows a plan, asks, carries it out, follows it on every device."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.cli.application import OneProject, compile_project, compiling
from vedette.cli.arguments import read_pairs
from vedette.cli.aws import speaking_to_aws
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_CHANGES, EXIT_FAILED, EXIT_PARTLY, EXIT_USAGE, Failure
from vedette.cli.instance import answering
from vedette.cli.publish import tell_identity, tell_publications, upload_progress
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud import Cloud
    from vedette.cloud.bucket import Bucket
    from vedette.cloud.carrying_out import Made
    from vedette.cloud.document import Change
    from vedette.cloud.following import Standing
    from vedette.cloud.planning import Application, Current, Order, Plan, TargetPlan
    from vedette.cloud.targets import Target
    from vedette.messages import CameraSource

SCHEMA: Final = "deploy"
_MARKS: Final = {"+": "green", "~": "yellow", "-": "red"}
_MOST_SHOWN: Final = 20


@dataclass(frozen=True)
class DeployOptions:
    """What ``vedette deploy`` was asked for; see its help."""

    directories: Sequence[Path]
    targets: Sequence[str]
    overrides: Sequence[Path] = ()
    cameras: Sequence[str] = ()
    subs: Sequence[str] = ()
    sub_missing: str | None = None
    settings: Sequence[str] = ()
    opened: Sequence[str] = ()
    role: str | None = None
    graph: str | None = None
    instance: str | None = None
    cameras_file: Path | None = None
    transport: str = "tcp"
    max_fps: float | None = None
    replace: Sequence[str] = ()
    remove: Sequence[str] = ()
    copy: str | None = None
    copy_from: str | None = None
    bucket: str | None = None
    nucleus: str = "java"
    role_alias: str | None = None
    description: str = ""
    tags: Sequence[str] = ()
    ask: bool = False
    cloud_logs: bool = True
    panorama_logs: bool | None = None
    monitor: bool = True
    on_failure: str | None = None
    per_minute: int | None = None
    abort_percent: float | None = None
    abort_after: int = 1
    timeout_minutes: int | None = None
    plan_only: bool = False
    detailed_exit_code: bool = False
    yes: bool = False
    wait: bool = True
    quiet_s: float = 120.0
    limit_s: float = 1800.0
    as_json: bool = False
    profile: str | None = None
    region: str | None = None


def deploy(options: DeployOptions, credentials: Credentials, terminal: Terminal) -> int:
    """Deploy, replace, copy or remove applications; returns the exit code.

    :raises Failure: for what does not fit together, and when AWS refuses
    """
    from vedette.cloud import Cloud
    from vedette.cloud.bucket import bucket_of
    from vedette.cloud.planning import make_plan
    from vedette.cloud.targets import find_targets

    with answering(SCHEMA, as_json=options.as_json):
        _check(options)
        folder = Path(tempfile.mkdtemp(prefix="vedette-deploy-"))
        try:
            with speaking_to_aws():
                cloud = Cloud(profile=options.profile, region=options.region)
                tell_identity(cloud, terminal)
                targets = find_targets(cloud, options.targets)
                bucket = bucket_of(cloud, options.bucket)
                applications = _applications(options, credentials, folder, cloud, bucket, terminal)
                order = _order(options, applications, targets)
                plan = make_plan(cloud, order, bucket)
                return _go_on(options, cloud, bucket, plan, terminal)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _check(options: DeployOptions) -> None:
    if not (options.directories or options.remove or options.copy):
        raise Failure("nothing to deploy", hint="vedette deploy my-app --to thing-group/NAME", exit_code=EXIT_USAGE)
    if options.ask and len(options.directories) != 1:
        raise Failure("--ask is for one application in a folder", exit_code=EXIT_USAGE)
    if options.copy and options.directories:
        raise Failure("--copy takes an application's name in place of a folder", exit_code=EXIT_USAGE)
    own = {
        "--name": options.instance,
        "--override": options.overrides,
        "--camera": options.cameras,
        "--set": options.settings,
        "--open": options.opened,
        "--role": options.role,
        "--graph": options.graph,
        "--description": options.description,
        "--ask": options.ask,
    }
    given = [name for name, value in own.items() if value]
    if len(options.directories) > 1 and given:
        raise Failure(
            f"{given[0]} says something of one application, and {len(options.directories)} are given",
            hint="deploy that one by itself",
            exit_code=EXIT_USAGE,
        )
    if options.nucleus not in {"java", "lite"}:
        raise Failure(f"--nucleus takes java or lite, got `{options.nucleus}`", exit_code=EXIT_USAGE)
    if options.on_failure not in {None, "rollback", "keep"}:
        raise Failure(f"--on-failure takes rollback or keep, got `{options.on_failure}`", exit_code=EXIT_USAGE)


def _applications(
    options: DeployOptions,
    credentials: Credentials,
    folder: Path,
    cloud: "Cloud",
    bucket: "Bucket",
    terminal: Terminal,
) -> "list[Application]":
    from vedette.cloud.applications import check_tags, from_compiled, from_record
    from vedette.cloud.cameras import AccountCameras, CameraRegistry
    from vedette.cloud.records import record_to_copy
    from vedette.cloud.targets import find_targets

    if options.copy is not None:
        place = find_targets(cloud, [options.copy_from])[0].arn if options.copy_from else None
        return [from_record(cloud, record_to_copy(bucket, options.copy, place), options.instance)]
    # Override documents name cameras of the account as Panorama's did: account::NAME.NAME.
    registered = AccountCameras(CameraRegistry(cloud))
    tags = dict(read_pairs(options.tags, "--tag"))
    check_tags(tags)
    options = _asked(options, registered, terminal)
    found = []
    for number, directory in enumerate(options.directories):
        project = OneProject(
            directory,
            options.overrides,
            options.cameras,
            options.settings,
            options.opened,
            options.role,
            options.graph,
            options.instance,
            options.cameras_file,
            options.transport,
            options.max_fps,
            options.subs,
            options.sub_missing,
        )
        compiled = compile_project(project, credentials, terminal, secrets_of_account=True, registered=registered)
        with compiling(directory, terminal):
            documents = _documents(directory, compiled.graph, options.overrides)
            found.append(
                from_compiled(
                    compiled.compiled,
                    folder / str(number),
                    compiled.secrets,
                    documents,
                    monitor=options.monitor,
                    description=options.description,
                    tags=tags,
                )
            )
    return found


def _asked(options: DeployOptions, registered: "Mapping[str, CameraSource]", terminal: Terminal) -> DeployOptions:
    """Put what is answered among the options, where ``--ask`` was given."""
    if not options.ask:
        return options
    from vedette.cli.questions import ask

    (directory,) = options.directories
    settings = dict(read_pairs(options.settings, "--set"))
    names = sorted(registered)
    answers = ask(directory, options.overrides, options.cameras, settings, options.graph, names, terminal)
    return replace(
        options, cameras=(*options.cameras, *answers.cameras), settings=(*options.settings, *answers.settings)
    )


def _documents(directory: Path, graph: Path | None, overrides: Sequence[Path]) -> dict[str, str]:
    """Return the texts that are kept with an instance, to the byte: its graph and override documents."""
    texts: dict[str, str] = {}
    for path in [*([graph] if graph is not None else ()), *overrides]:
        name = str(path.relative_to(directory)) if path.is_relative_to(directory) else path.name
        while name in texts:
            name = f"_{name}"
        texts[name] = path.read_bytes().decode(errors="replace")
    return texts


def _order(options: DeployOptions, applications: "list[Application]", targets: "list[Target]") -> "Order":
    from vedette.cloud.planning import Order, Policies
    from vedette.cloud.provisioning import ROLE_ALIAS

    policies = Policies(
        on_failure={"rollback": "ROLLBACK", "keep": "DO_NOTHING", None: None}[options.on_failure],
        per_minute=options.per_minute,
        abort_percent=options.abort_percent,
        abort_after=options.abort_after,
        timeout_minutes=options.timeout_minutes,
    )
    leaving = (*options.replace, *options.remove)
    nucleus: Any = options.nucleus
    return Order(
        tuple(applications),
        leaving,
        tuple(targets),
        policies,
        nucleus,
        options.cloud_logs,
        options.panorama_logs,
        options.role_alias or ROLE_ALIAS,
    )


def _go_on(options: DeployOptions, cloud: "Cloud", bucket: "Bucket", plan: "Plan", terminal: Terminal) -> int:
    tell_plan(plan, terminal)
    if not plan.changed:
        where = ", ".join(str(item.target) for item in plan.targets[:3])
        terminal.line(f"No changes. {where} already {'has' if len(plan.targets) == 1 else 'have'} all of this.")
        return _end(options, plan, [], [], 0)
    terminal.line(summary(plan))
    if options.plan_only:
        return _end(options, plan, [], [], EXIT_CHANGES if options.detailed_exit_code else 0)
    confirm(options, terminal)
    made = _carry_out(cloud, bucket, plan, terminal)
    if not options.wait or not made:
        return _end(options, plan, made, [], 0)
    standings = _follow(options, cloud, made, terminal)
    return _end(options, plan, made, standings, exit_code_of(standings))


def _carry_out(cloud: "Cloud", bucket: "Bucket", plan: "Plan", terminal: Terminal) -> "list[Made]":
    from vedette.cloud.carrying_out import carry_out
    from vedette.cloud.planning import plan_target

    def again(target: "Target", current: "Current | None", arns: Mapping[str, str]) -> "TargetPlan":
        # Versions of AWS's components are those that the plan has shown.
        return plan_target(plan.order, target, current, arns, plan.aws)

    return carry_out(cloud, bucket, plan, again, _Teller(terminal))


class _Teller:
    """Says what has been done."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.uploaded: Callable[[int, int], None] = upload_progress(terminal)

    def published(self, item: Any) -> None:
        """Say that a version was made."""
        self._terminal.done("published", f"{item.component.name} {item.component.version}")

    def wrote_secret(self, name: str) -> None:
        """Say that a secret was written."""
        self._terminal.done("secret", name)

    def deployed(self, made: "Made") -> None:
        """Say that a deployment was created."""
        self._terminal.done("deployed", f"{made.target}, revision {made.revision}")


def tell_plan(plan: "Plan", terminal: Terminal) -> None:
    """Show what carrying the plan out will do, and what stays."""
    tell_publications(plan.to_publish, terminal)
    for item in plan.to_tag:
        said = ", ".join(f"{key}={value}" for key, value in sorted(item.retagged.items()))
        terminal.done("tag", f"~ {item.component.name} {item.component.version}   {said}")
    for secret in plan.secrets:
        if secret.state.value == "there":
            terminal.skipped("secret", f"{secret.name} is there")
        else:
            mark = "+" if secret.state.value == "create" else "~"
            terminal.done("secret", f"{mark} {secret.name} (its value is not shown)")
    for note in plan.notes:
        terminal.warn("note", note)
    for target in plan.targets[:_MOST_SHOWN]:
        _tell_target(target, terminal)
    if len(plan.targets) > _MOST_SHOWN:
        terminal.line(f"  and {len(plan.targets) - _MOST_SHOWN} more targets (--json shows all)")


def _tell_target(item: "TargetPlan", terminal: Terminal) -> None:
    if not item.changed:
        terminal.skipped("deploy", f"{item.target} stays at revision {item.revision}")
        return
    terminal.done("deploy", f"~ {item.target}   revision {item.revision} → {item.revision + 1}")
    for change in item.changes[: 2 * _MOST_SHOWN]:
        terminal.line(f"      {terminal.paint(change.kind, _MARKS[change.kind])} {_shown(change)}")
    if len(item.changes) > 2 * _MOST_SHOWN:
        terminal.line(f"      and {len(item.changes) - 2 * _MOST_SHOWN} more (--json shows all)")
    if item.keeps:
        terminal.line(f"      stays: {', '.join(item.keeps)}")
    if item.leaves:
        terminal.line(f"      leaves: {', '.join(item.leaves)}")


def _shown(change: "Change") -> str:
    if change.before and change.after:
        return f"{change.what}   {change.before} → {change.after}"
    return f"{change.what}   {change.after or change.before}".rstrip()


def summary(plan: "Plan") -> str:
    """Return the plan in one line."""
    changed = sum(item.changed for item in plan.targets)
    parts = [
        f"{len(plan.to_publish)} to publish",
        *([f"{len(plan.to_tag)} to tag"] if plan.to_tag else []),
        f"{len(plan.to_write)} secrets to write",
        f"{changed} deployment{'' if changed == 1 else 's'} to change",
    ]
    return f"Plan: {', '.join(parts)}"


def confirm(options: DeployOptions, terminal: Terminal) -> None:
    """Ask whether to go on.

    :raises Failure: if the answer is no, or nobody can be asked
    """
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nobody can be asked whether to carry this out", hint="--yes carries it out, --plan ends here")
    terminal.clear_status()
    sys.stderr.write("Carry out? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failure("nothing was changed")


def _follow(options: DeployOptions, cloud: "Cloud", made: "list[Made]", terminal: Terminal) -> "list[Standing]":
    from vedette.cloud.following import follow

    ended = []
    for standing in follow(cloud, made, quiet_s=options.quiet_s, limit_s=options.limit_s):
        for device, reason in standing.failures.items():
            terminal.failed(device, reason)
        counts = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in standing.counts.items() if count)
        if standing.outcome is None:
            terminal.status(f"  {standing.target}: {counts or 'no devices yet'}")
            continue
        ended.append(standing)
        terminal.clear_status()
        tell = terminal.done if standing.outcome.value == "succeeded" else terminal.warn
        words = {
            "waiting": "; the others follow when they are back",
            "replaced": "; another deployment came after this one",
        }
        tell(
            standing.outcome.value,
            f"{standing.target}: {counts or 'no devices'}{words.get(standing.outcome.value, '')}",
        )
    return ended


def exit_code_of(standings: "Sequence[Standing]") -> int:
    """Return 0 if nothing failed, 1 if everything did, 4 if a part of the fleet did."""
    outcomes = {standing.outcome.value for standing in standings if standing.outcome is not None}
    if outcomes <= {"succeeded", "waiting"}:
        return 0
    return EXIT_FAILED if outcomes == {"failed"} else EXIT_PARTLY


def _end(
    options: DeployOptions, plan: "Plan", made: "Sequence[Made]", standings: "Sequence[Standing]", code: int
) -> int:
    if options.as_json:
        document = {
            "schema": f"vedette.{SCHEMA}/1",
            "ok": code in {0, EXIT_CHANGES},
            "plan": plan.document(),
            "deployments": [item.document() for item in made],
            "outcomes": [item.document() for item in standings],
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return code
