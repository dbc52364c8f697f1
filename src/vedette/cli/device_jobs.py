"""``vedette device reboot``, ``doctor``, ``diagnose`` and ``job``: asks devices to do something and follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.cli.aws import speaking_to_aws
from vedette.cli.device import Caller, confirm
from vedette.cli.failure import EXIT_FAILED, EXIT_PARTLY, EXIT_USAGE, Failure
from vedette.cli.instance import answering, print_json
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud import Cloud
    from vedette.cloud.jobs import JobExecution, JobOutcome, Operation

SCHEMA: Final = "device-job"
_MAX_BUNDLE: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class Following:
    """Whether a job is followed, and for how long at most."""

    wait: bool = True
    limit_s: float = 600.0


@dataclass(frozen=True)
class Bundles:
    """Where bundles of diagnostics go, and what is in them."""

    bucket: str | None = None
    pictures: bool = False
    out: Path | None = None


def reboot(targets: list[str], following: Following, caller: Caller, terminal: Terminal) -> int:
    """Ask devices to restart their machines; returns the exit code."""
    return _ask("REBOOT", targets, {}, following, caller, terminal)


def doctor(targets: list[str], following: Following, caller: Caller, terminal: Terminal) -> int:
    """Ask devices what they lack; returns the exit code: 0 also with findings, which are no failure of the job."""
    return _ask("DOCTOR", targets, {}, following, caller, terminal)


def diagnose(targets: list[str], bundles: Bundles, following: Following, caller: Caller, terminal: Terminal) -> int:
    """Ask devices for bundles of diagnostics, and fetch them where a folder is named; returns the exit code.

    :raises Failure: if the folder is none, or bundles are to be fetched without waiting for them
    """
    if bundles.out is not None and not bundles.out.is_dir():
        raise Failure(f"`{bundles.out}` is no folder", hint=f"mkdir -p {bundles.out}", exit_code=EXIT_USAGE)
    if bundles.out is not None and not following.wait:
        raise Failure("--out has to wait for the bundles", hint="leave out --no-wait", exit_code=EXIT_USAGE)
    more: dict[str, Any] = {"bucket": bundles.bucket} if bundles.bucket else {}
    if bundles.pictures:
        more["pictures"] = True
    return _ask("DIAGNOSTICS", targets, more, following, caller, terminal, out=bundles.out)


def show_job(job_id: str, following: Following, caller: Caller, terminal: Terminal, *, cancel: bool) -> int:
    """Tell how a job stands, follow it, or withdraw it; returns the exit code."""
    from vedette.cloud.jobs import cancel_job

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        if cancel:
            confirm(f"withdraw {job_id}", caller, terminal)
            cancel_job(cloud, job_id)
        executions = _follow(cloud, job_id, following, terminal)
    return _end(job_id, executions, caller, terminal)


def exit_code_of(outcome: "JobOutcome") -> int:
    """Return 0 if none failed, 1 if all did, 4 if some did; devices that are away fail nothing."""
    return {"succeeded": 0, "waiting": 0, "failed": EXIT_FAILED, "partly": EXIT_PARTLY}[outcome.value]


def _ask(
    operation: "Operation",
    targets: list[str],
    more: Mapping[str, Any],
    following: Following,
    caller: Caller,
    terminal: Terminal,
    *,
    out: Path | None = None,
) -> int:
    from vedette.cloud.jobs import create_job
    from vedette.cloud.targets import find_targets

    with answering(SCHEMA, as_json=caller.as_json), speaking_to_aws():
        cloud = caller.cloud()
        found = find_targets(cloud, targets)
        words = ", ".join(str(target) for target in found)
        if operation == "REBOOT":
            confirm(f"reboot {words}", caller, terminal)
        job_id = create_job(cloud, operation, found, more)
        terminal.done("asked", f"{words}: job {job_id}")
        if not following.wait:
            if caller.as_json:
                print_json(SCHEMA, job_id=job_id, targets=[str(target) for target in found])
            terminal.line(f"a device that is away does it when it is back; next: vedette device job {job_id}")
            return 0
        executions = _follow(cloud, job_id, following, terminal)
        fetched = _fetch(cloud, executions, out) if out is not None else []
    for path in fetched:
        terminal.done("fetched", str(path))
    return _end(job_id, executions, caller, terminal)


def _follow(cloud: "Cloud", job_id: str, following: Following, terminal: Terminal) -> "list[JobExecution]":
    from vedette.cloud.jobs import follow_job

    executions: list[JobExecution] = []
    told: set[str] = set()
    for executions in follow_job(cloud, job_id, limit_s=following.limit_s if following.wait else 0.0):
        for execution in executions:
            if not execution.open and execution.device not in told:
                told.add(execution.device)
                _tell(execution, terminal)
        still = [execution for execution in executions if execution.open]
        if still:
            begun = sum(execution.status == "IN_PROGRESS" for execution in still)
            terminal.status(f"  {len(still)} of {len(executions)} devices to come, {begun} at it")
    terminal.clear_status()
    return executions


def _tell(execution: "JobExecution", terminal: Terminal) -> None:
    details = dict(execution.details)
    findings = [details.pop(key) for key in sorted(details) if key.startswith("finding")]
    reason = details.pop("reason", "")
    if execution.status != "SUCCEEDED":
        terminal.failed(execution.device, reason or execution.status.lower())
        return
    words = ", ".join(f"{key} {value}" for key, value in details.items())
    terminal.done(execution.device, words or "done")
    for finding in findings:
        terminal.warn(execution.device, finding)


def _end(job_id: str, executions: "Sequence[JobExecution]", caller: Caller, terminal: Terminal) -> int:
    from vedette.cloud.jobs import outcome_of

    outcome = outcome_of(executions)
    code = exit_code_of(outcome)
    if caller.as_json:
        devices = [execution.document() for execution in executions]
        print_json(SCHEMA, job_id=job_id, outcome=outcome.value, devices=devices)
    away = [execution.device for execution in executions if execution.open]
    if away:
        shown = ", ".join(away[:5]) + (f" and {len(away) - 5} more" if len(away) > 5 else "")
        terminal.warn("waiting", f"{shown}: done when they are back; vedette device job {job_id}")
    elif not executions:
        terminal.warn("nobody", "no device is in the target")
    return code


def _fetch(cloud: "Cloud", executions: "Sequence[JobExecution]", folder: Path) -> list[Path]:
    """Write the bundles of the devices that have made one; return where they are.

    :raises Failure: if one cannot be written
    """
    paths = []
    for execution in executions:
        bucket, key = execution.details.get("bucket"), execution.details.get("key")
        if execution.status != "SUCCEEDED" or not bucket or not key:
            continue
        path = folder / f"{execution.device.replace(':', '-')}-{key.rpartition('/')[2]}"
        body = cloud.call("s3", "get_object", Bucket=bucket, Key=key)["Body"]
        try:
            path.write_bytes(body.read(_MAX_BUNDLE))
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror}") from error
        finally:
            body.close()
        paths.append(path)
    return paths
