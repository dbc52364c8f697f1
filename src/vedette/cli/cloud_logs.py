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
_NONE: Final = "none: does aws.greengrass.LogManager or vedette.DeviceMonitor send logs, and may it?"
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
        known = logs.logs()
        # A name that no log has may be that of a node: only the lines of an application's log tell.
        chosen = [log for log in known if log.fits(name)] or [log for log in known if log.device]
        if device is not None:
            chosen = [log for log in chosen if log.device in ("", device)]
        if not chosen:
            labels = ", ".join(sorted({log.label for log in known})) or _NONE
            raise Failure(f"no log of `{name or ''}` in CloudWatch", hint=f"there are: {labels}")
        start_ms = int((time.time() - (since_s or _LOOK_BACK_S)) * 1000)
        wanted: dict[tuple[str, str], Wanted] = {}

        def takes(line: "CloudLine") -> bool:
            if name is not None and name not in line.label:
                return False
            # Lines of one stream belong together: what has no level goes with the one before it.
            return wanted.setdefault((line.device, line.label), Wanted(level)).takes(line.text)

        newest: dict[str, int] = {}
        seen: set[str] = set()
        shown = 0
        for log in sorted(chosen, key=lambda log: (log.label, log.group)):
            # Lines that are not wanted count for nothing, so they are left out before the newest are taken.
            found = [line for line in logs.since(log, start_ms, device) if takes(line)]
            for stream in sorted({line.label for line in found}):
                for line in [line for line in found if line.label == stream][-lines:] if lines else []:
                    _show(line)
            shown += len(found)
            newest[log.group] = max((line.time_ms for line in found), default=start_ms)
            seen |= {line.id for line in found}
        if not shown and not follow and not any(log.fits(name) for log in chosen):
            raise Failure(
                f"no log of `{name}` in CloudWatch",
                hint=f"there are: {', '.join(sorted({log.label for log in known}))}",
            )
        stop = threading.Event()
        while follow:
            stop.wait(_POLL_S)
            for log in chosen:
                for line in logs.since(log, newest[log.group] - _LATE_MS, device):
                    if line.id not in seen and takes(line):
                        _show(line)
                    seen.add(line.id)
                    newest[log.group] = max(newest[log.group], line.time_ms)
    return 0


def _show(line: "CloudLine") -> None:
    where = f"{line.device} {line.label}" if line.device else line.label
    sys.stdout.write(f"{where} {line.text}\n")
    sys.stdout.flush()
