"""What device jobs do: start the machine anew, look for what it lacks, collect diagnostics."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Final

from vedette.aws_calls import AwsCaller, AwsError
from vedette.diagnostics import Source, bundle
from vedette_device_monitor.jobs import Deed, Job, Outcome

_REBOOTS: Final[Sequence[Sequence[str]]] = (("systemctl", "reboot"), ("sudo", "-n", "systemctl", "reboot"))
"""As the user of components is allowed: by a rule of polkit, or one of sudo."""
_COMMAND_S: Final = 60.0
_EXAMINE: Final = "import sys; from vedette.doctor import *; sys.stdout.write(checks_to_json(run_checks()))"
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def run_command(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command without input."""
    return subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_COMMAND_S
    )


def reboot(run: Run = run_command) -> Deed:
    """Return the deed of REBOOT: it is told as done when the machine has started again."""

    def deed(_job: Job) -> Outcome:
        said = []
        for command in _REBOOTS:
            try:
                done = run(command)
            except (OSError, subprocess.TimeoutExpired) as error:
                said.append(f"{command[0]}: {type(error).__name__}")
                continue
            if done.returncode == 0:
                return Outcome(None, {})
            said.append(f"{command[0]}: {done.stderr.strip()[:200]}")
        return Outcome(
            False,
            {"reason": f"the user of components may not restart the machine ({'; '.join(said)}); see the jobs page"},
        )

    return deed


def examined(run: Run = run_command) -> str:
    """Return what the doctor finds, as its JSON; in a process of its own, since it loads decoders and models' engines.

    :raises OSError: when it cannot be started
    :raises subprocess.TimeoutExpired: when it does not end
    """
    return run([sys.executable, "-c", _EXAMINE]).stdout


def doctor(run: Run = run_command) -> Deed:
    """Return the deed of DOCTOR: what the machine lacks to run applications."""

    def deed(_job: Job) -> Outcome:
        try:
            checks = json.loads(examined(run))["checks"]
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
            return Outcome(False, {"reason": f"the checks gave no result: {type(error).__name__}"})
        wrong = [check for check in checks if check["state"] in {"failed", "warning"}]
        details = {"checks": str(len(checks)), "wrong": str(len(wrong))}
        for number, check in enumerate(wrong[:6], 1):
            details[f"finding{number}"] = f"{check['name']}: {check['finding']} {check['fix']}".strip()
        return Outcome(True, details)

    return deed


def diagnostics(
    sources: Callable[[Job], Sequence[Source]], s3: AwsCaller, thing: str, bucket: str, *, now: Callable[[], float]
) -> Deed:
    """Return the deed of DIAGNOSTICS: a bundle, without passwords, in S3.

    :param bucket: where the job names none; a job may name another only where the device's role lets it write
    """

    def deed(job: Job) -> Outcome:
        where = job.document.get("bucket") or bucket
        if not isinstance(where, str) or not where.replace("-", "").replace(".", "").isalnum():
            return Outcome(False, {"reason": "no bucket: name one in the job, or configure diagnosticsBucket"})
        moment = datetime.fromtimestamp(now(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        key = f"diagnostics/{plain(thing)}/{moment}-{plain(job.job_id)}.zip"
        data, names = bundle(sources(job))
        try:
            s3.call("s3:PutObject", data, {"Content-Type": "application/zip"}, method="PUT", path=f"/{where}/{key}")
        except AwsError as error:
            return Outcome(False, {"reason": str(error), "bytes": str(len(data))})
        return Outcome(True, {"bucket": where, "key": key, "bytes": str(len(data)), "files": str(len(names))})

    return deed


def plain(text: str) -> str:
    """Return a text as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:100]
