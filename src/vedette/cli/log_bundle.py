"""``vedette logs --bundle``: what a device knows of itself in one archive, without network and passwords."""

import json
import os
import platform
import time
from datetime import datetime, timezone
from pathlib import Path

import vedette
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal
from vedette.diagnostics import Source, bundle, log_sources
from vedette.doctor import checks_to_json, run_checks
from vedette.nucleus.control import request
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.instances import Instance, find_instances


def write_bundle(terminal: Terminal, root: Path, target: Path) -> int:
    """Write the archive; a folder gets one with a name of its own.

    :raises Failure: when there is nothing, or it cannot be written
    """
    logs = log_sources(root)
    if not logs:
        raise Failure(f"no logs that you may read below {root}", hint="another folder with --root, or another user")
    instance = next((each for each in _instances() if Path(each.root) == root), None)
    name = instance.thing_name if instance is not None else platform.node() or "device"
    sources = [
        Source("device.json", _device),
        Source("doctor.json", lambda: checks_to_json(run_checks())),
        *([] if instance is None else [Source("health.json", lambda: json.dumps(_health(instance), indent=2))]),
        *logs,
    ]
    data, names = bundle(sources)
    if target.is_dir():
        moment = datetime.fromtimestamp(time.time(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        target = target / f"vedette-logs-{name}-{moment}.zip"
    try:
        # Not for others: what an application logs is its own affair.
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Failure(f"{target} cannot be written: {error.strerror}") from error
    terminal.done(str(target), f"{len(names)} files, {len(data) / 1e3:.0f} kB, passwords taken out")
    return 0


def _instances() -> list[Instance]:
    try:
        return find_instances()
    except NucleusError:
        return []


def _health(instance: Instance) -> object:
    return request(instance.control_socket, "health")


def _device() -> str:
    facts = {
        "vedette": vedette.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "architecture": platform.machine(),
    }
    return json.dumps(facts, indent=2)
