"""``vedette test``: an application on video files, every frame once, its record compared with an earlier one."""

import json
import time
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from vedette.cli.application import compile_run
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.progress import Progress
from vedette.cli.run import RunOptions
from vedette.cli.session import Session, state_folder
from vedette.cli.stopping import StopOnSignal
from vedette.cli.terminal import Terminal
from vedette.health import ApplicationHealth, HealthDocument
from vedette.nucleus.errors import NucleusError

TRIAL_FOLDER: Final = "test"
"""Below the state folder: a test does not touch what a run keeps."""
_PERIOD_S: Final = 0.25
_QUIET_S: Final = 2.0
"""Who has waited for a frame for so long after the last one, and recorded nothing, has no more to do."""
_BUSY_S: Final = 30.0
"""One that does not wait works on its last frame, for so long at most."""
_SHOWN: Final = 5


def run_trial(
    options: RunOptions,
    credentials: Credentials,
    terminal: Terminal,
    *,
    out: Path | None,
    expect: Path | None,
    tolerance: float,
    timeout_s: float,
) -> int:
    """Run, record, compare; return the exit code.

    :raises Failure: for documents, cameras or settings that do not fit, or an application that fails
    """
    if not options.cameras:
        raise Failure(
            "nothing to test on: no camera is given",
            hint="--camera camera_node=street.mp4",
            exit_code=EXIT_USAGE,
        )
    expected = None if expect is None else read_record(expect)
    root = state_folder(options.directory.resolve()) / TRIAL_FOLDER
    with StopOnSignal() as stop:
        compiled = compile_run(options, credentials, root, terminal)
        terminal.line(compiled.headline)
        progress = Progress(terminal)
        suite: Mapping[str, Mapping[str, Any]] = {
            "vedette.CameraIngest": {},
            "vedette.ModelInference": {},
            "vedette.AppRuntime": {},
            "vedette.Display": {"port": 0},
        }
        recording = root / "work" / next(iter(compiled.deployments)) / "recording.jsonl"
        recording.unlink(missing_ok=True)
        try:
            with Session(root, secrets=compiled.secrets, listener=progress.hear, region=compiled.region) as session:
                session.deploy(compiled.deployments, suite)
                until = time.monotonic() + timeout_s
                size, grown_at = 0, time.monotonic()
                while not stop.wait(_PERIOD_S):
                    health = session.health()
                    progress.tell(health)
                    if (why := failure_of(health) or next(iter(progress.broken()), None)) is not None:
                        raise Failure(f"the application failed: {why}")
                    if (now_size := _size(recording)) != size:
                        size, grown_at = now_size, time.monotonic()
                    # Statuses of a busy machine come late: what was recorded lately is in none of them yet.
                    if is_done(health) and time.monotonic() - grown_at > _QUIET_S:
                        break
                    if time.monotonic() > until:
                        raise Failure(f"the recording was not played to its end within {timeout_s:.0f} s")
                terminal.clear_status()
                session.nucleus.stop(4.0)
        except NucleusError as error:
            raise Failure("; ".join(error.findings)) from error
        if stop.is_set():
            return EXIT_FAILED
    return _judge(recording, terminal, out=out, expected=expected, tolerance=tolerance)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _judge(
    recording: Path, terminal: Terminal, *, out: Path | None, expected: list[Any] | None, tolerance: float
) -> int:
    found = read_record(recording)
    frames = sum("frame" in entry for entry in found)
    if out is not None:
        out.write_text(recording.read_text(encoding="utf-8"), encoding="utf-8")
    elif expected is None:
        import sys

        sys.stdout.write(recording.read_text(encoding="utf-8"))
    if expected is None:
        terminal.done("test", f"{frames} frames recorded")
        return 0
    differences = compare(expected, found, tolerance)
    for difference in differences[:_SHOWN]:
        terminal.line(difference)
    if differences:
        more = f", {len(differences) - _SHOWN} more are not shown" if len(differences) > _SHOWN else ""
        terminal.failed("test", f"{len(differences)} lines differ from what was expected{more}")
        return EXIT_FAILED
    terminal.done("test", f"{frames} frames as expected")
    return 0


def read_record(path: Path) -> list[Any]:
    """Read a record: JSON lines.

    :raises Failure: when it cannot be read
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise Failure(f"{path} is not there: nothing was recorded") from None
    except (OSError, ValueError) as error:
        raise Failure(f"{path} is no record of `vedette test`: {error}") from error


def failure_of(health: HealthDocument) -> str | None:
    """Return why the application has failed; None: it has not."""
    for application in health.applications:
        if application.errors or application.state in ("failed", "hung"):
            return application.detail or application.state
    return None


def is_done(health: HealthDocument) -> bool:
    """Tell whether every camera has been played to its end and the application has nothing more to do."""
    cameras = [camera for camera in health.cameras if camera.users]
    ended = bool(cameras) and all(camera.state == "ended" for camera in cameras)
    return ended and all(map(_quiet, health.applications))


def _quiet(application: ApplicationHealth) -> bool:
    age_s = application.last_activity_age_s
    return age_s is not None and age_s > (_QUIET_S if application.waiting else _BUSY_S)


def compare(expected: list[Any], found: list[Any], tolerance: float) -> list[str]:
    """Return what differs, a text for each entry. Each stream's and parameter's entries are compared in their order."""
    differences = []
    ours, theirs = _by_source(found), _by_source(expected)
    for source in sorted(ours.keys() | theirs.keys()):
        pairs = zip_longest(theirs.get(source, []), ours.get(source, []))
        for number, (wanted, got) in enumerate(pairs, start=1):
            if not same(wanted, got, tolerance):
                differences.append(f"{source}, entry {number}:\n  - {_line(wanted)}\n  + {_line(got)}")
    return differences


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Tell whether two values of JSON are equal, numbers within ``tolerance``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance
    return bool(one == other)


def _by_source(record: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for entry in record:
        source = f"parameter {entry['parameter']}" if "parameter" in entry else f"{entry['port']} of {entry['stream']}"
        found.setdefault(source, []).append(entry)
    return found


def _line(entry: Any) -> str:
    return "nothing" if entry is None else json.dumps(entry, ensure_ascii=False)
