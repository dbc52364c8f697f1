"""``vedette logs --cloud``: the same logs, read from CloudWatch."""

import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from vedette.cli.aws import speaking_to_aws
from vedette.cli.failure import Failure
from vedette.cli.log_lines import Wanted

if TYPE_CHECKING:
    from vedette.cloud.logs import CloudLine

_POLL_S: Final = 3.0
_LOOK_BACK_S: Final = 3600.0
"""Without --since."""
_LATE_MS: Final = 120_000
"""The log manager uploads lines in parts: what comes late by so much is still shown with --follow."""


def show_cloud_logs(
    name: str | None,
    *,
    lines: int,
    follow: bool,
    level: str | None,
    since_s: float | None,
    device: str | None,
    profile: str | None,
    region: str | None,
) -> int:
    """Print the newest lines of every log that fits ``name``, then what is added, until Ctrl-C.

    :raises Failure: when AWS refuses, or no log of that name is there
    """
    from vedette.cloud import Cloud
    from vedette.cloud.logs import CloudLogs

    with speaking_to_aws():
        logs = CloudLogs(Cloud(profile=profile, region=region))
        labels = logs.labels()
        chosen = {label: group for label, group in labels.items() if name is None or name in label}
        if not chosen:
            known = ", ".join(sorted(labels)) or "none: does aws.greengrass.LogManager run, and may it write?"
            raise Failure(f"no log of `{name or ''}` in CloudWatch", hint=f"there are: {known}")
        start_ms = int((time.time() - (since_s or _LOOK_BACK_S)) * 1000)
        wanted = {label: Wanted(level) for label in chosen}
        newest: dict[str, int] = {}
        seen: set[str] = set()
        for label, group in sorted(chosen.items()):
            # Lines that are not wanted count for nothing, so they are left out before the newest are taken.
            found = [line for line in logs.since(label, group, start_ms, device) if wanted[label].takes(line.text)]
            for line in found[-lines:] if lines else []:
                _show(line)
            newest[label] = max((line.time_ms for line in found), default=start_ms)
            seen |= {line.id for line in found}
        stop = threading.Event()
        while follow:
            stop.wait(_POLL_S)
            for label, group in sorted(chosen.items()):
                for line in logs.since(label, group, newest[label] - _LATE_MS, device):
                    if line.id not in seen and wanted[label].takes(line.text):
                        _show(line)
                    seen.add(line.id)
                    newest[label] = max(newest[label], line.time_ms)
    return 0


def _show(line: "CloudLine") -> None:
    where = f"{line.device} {line.label}" if line.device else line.label
    sys.stdout.write(f"{where} {line.text}\n")
    sys.stdout.flush()
