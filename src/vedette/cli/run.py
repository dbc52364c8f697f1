"""``vedette run``: one application on a local nucleus, until Ctrl-C."""

import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cli.application import CompiledRun, compile_run
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.lending import lender
from vedette.cli.ports import port_for_page
from vedette.cli.progress import Progress, status_line
from vedette.cli.running import instance_on
from vedette.cli.session import Session, state_folder
from vedette.cli.stopping import StopOnSignal
from vedette.cli.terminal import Terminal
from vedette.cli.watching import ProjectWatch
from vedette.kinesis_video.configuration import STREAM_PLACES, check_template
from vedette.nucleus.errors import NucleusError
from vedette.nucleus.token_exchange import Lend

_PERIOD_S: Final = 0.5
_SAVED_S: Final = 0.1
"""How often to look whether something was saved."""
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_SCREENS: Final = ("off", "on", "window")


@dataclass(frozen=True)
class RunOptions:
    """What ``vedette run`` was asked for; see its help."""

    directory: Path
    overrides: tuple[Path, ...] = ()
    cameras: tuple[str, ...] = ()
    subs: tuple[str, ...] = ()
    sub_missing: str | None = None
    settings: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    graph: str | None = None
    instance: str | None = None
    cameras_file: Path | None = None
    transport: str = "tcp"
    max_fps: float | None = None
    fast: bool = False
    for_s: float | None = None
    browser: bool = True
    port: int = 8790
    sandbox: bool = True
    model_threads: int = 0
    log_level: str = "INFO"
    watch: bool = False
    screen: str = "off"
    nucleus: str = "java"
    environment: str = "auto"
    loop: bool = True
    record: bool = False
    debug_port: int | None = None
    role: str | None = None
    profile: str | None = None
    kinesis_video: str | None = None


def run_application(options: RunOptions, credentials: Credentials, terminal: Terminal) -> int:
    """Run until Ctrl-C, SIGTERM, the time given, or a component that cannot go on; return the exit code.

    :raises Failure: for documents, cameras or settings that do not fit
    """
    if options.log_level.upper() not in _LEVELS:
        raise Failure(
            f"--log-level takes {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}, got `{options.log_level}`",
            exit_code=EXIT_USAGE,
        )
    if options.screen not in _SCREENS:
        raise Failure(f"--screen takes off, on or window, got `{options.screen}`", exit_code=EXIT_USAGE)
    _check_stream(options.kinesis_video)
    with StopOnSignal() as stop:
        began = time.monotonic()
        root = state_folder(options.directory.resolve())
        if other := instance_on(root):
            # Before anything is written into its folder.
            raise Failure(
                f"{options.directory} runs already, as process {other.pid}",
                hint=f"vedette status; Ctrl-C where it was started ends it, or: kill {other.pid}",
            )
        lent = _lend(options)
        compiled = compile_run(options, credentials, root, terminal)
        terminal.line(compiled.headline)
        count = compiled.warnings
        warnings = f"   {count} warning{'' if count == 1 else 's'}, see above" if count else ""
        terminal.done("manifests", f"{time.monotonic() - began:.1f} s{warnings}")
        if options.debug_port is not None:
            terminal.line(
                f"  debugger: attach to 127.0.0.1:{options.debug_port}; /panorama there is the package's folder here "
                "(pathMappings of the editor)"
            )
        for warns, note in compiled.ports:
            (terminal.warn if warns else terminal.skipped)("ports", note)
        return _serve(options, credentials, compiled, root, terminal, stop, lent)


def _lend(options: RunOptions) -> tuple[Lend, str] | None:
    """Return what roles are taken on and video is sent with, and the region; None: nothing asks for credentials.

    :raises Failure: for a profile that nothing asks for, or one that is not there
    """
    if options.role is not None or options.kinesis_video is not None:
        return lender(options.profile)
    if options.profile is not None:
        raise Failure(
            "--profile says whose credentials take on a role, or send video",
            hint="--role ARN, --kinesis-video STREAM",
            exit_code=EXIT_USAGE,
        )
    return None


def _check_stream(template: str | None) -> None:
    """Check the name of streams.

    :raises Failure: for one that cannot be
    """
    if template is None:
        return
    try:
        check_template(template, STREAM_PLACES)
    except ValueError as error:
        raise Failure(f"--kinesis-video {template}: {error}", exit_code=EXIT_USAGE) from error
    if not template:
        raise Failure("--kinesis-video takes the name of a stream", exit_code=EXIT_USAGE)


def _serve(
    options: RunOptions,
    credentials: Credentials,
    compiled: CompiledRun,
    root: Path,
    terminal: Terminal,
    stop: threading.Event,
    lent: tuple[Lend, str] | None,
) -> int:
    progress = Progress(terminal)
    lend, region = lent or (None, compiled.region)
    suite: Mapping[str, Mapping[str, Any]] = {
        "vedette.CameraIngest": {"logLevel": options.log_level},
        "vedette.ModelInference": {"logLevel": options.log_level, "threads": options.model_threads},
        "vedette.AppRuntime": {},
        "vedette.Display": {
            "logLevel": options.log_level,
            "port": port_for_page(options.port),
            "screen": options.screen,
            "kinesisVideo": (
                {} if options.kinesis_video is None else {"outputs": ["*"], "streamName": options.kinesis_video}
            ),
        },
    }
    try:
        with Session(
            root,
            secrets=compiled.secrets,
            listener=progress.hear,
            region=region,
            personality=options.nucleus,
            lend=lend,
        ) as session:
            session.deploy(compiled.deployments, suite)

            running = compiled

            def redeploy() -> None:
                nonlocal running
                again = compile_run(options, credentials, root, terminal, running=running)
                session.keep_secrets(again.secrets)
                session.deploy(again.deployments, suite)
                running = again

            code = _watch(options, session, progress, terminal, stop, redeploy)
            terminal.clear_status()
            with terminal_step(terminal, "stopping"):
                session.nucleus.stop(4.0)
            return code
    except NucleusError as error:
        raise Failure("; ".join(error.findings)) from error


def terminal_step(terminal: Terminal, what: str) -> AbstractContextManager[None]:
    """Say that something goes on which may take a moment."""
    terminal.waiting(what)
    return nullcontext()


def _take_over(saved: Sequence[str], redeploy: Callable[[], None], terminal: Terminal) -> None:
    """Run the project as it is now; one that does not fit is told, and what runs goes on."""
    names = ", ".join(saved[:3]) + (f" and {len(saved) - 3} more" if len(saved) > 3 else "")
    try:
        redeploy()
    except Failure as failure:
        terminal.error(f"{names} saved, but {failure.message}; the application goes on as it was", failure.hint)
    except NucleusError as error:
        terminal.error(f"{names} saved, but {'; '.join(error.findings)}; the application goes on as it was")
    else:
        terminal.done("watch", f"{names} saved: the application starts again")


def _never_at_work(options: RunOptions, terminal: Terminal) -> int:
    """Say that a run which ended by itself has shown nothing: a script must not take it for a good one."""
    terminal.error(
        f"no picture came in {options.for_s:g} s, and the application was not at work for long",
        "what is wrong stands above; a first run installs what the application requires and needs longer",
    )
    return EXIT_FAILED


def _has_screen() -> bool:
    """Tell whether a browser would open in a window: without one, Python starts a text browser in this terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _watch(
    options: RunOptions,
    session: Session,
    progress: Progress,
    terminal: Terminal,
    stop: threading.Event,
    redeploy: Callable[[], None],
) -> int:
    until = None if options.for_s is None else time.monotonic() + options.for_s
    page_told = False
    project = ProjectWatch(options.directory.resolve()) if options.watch else None
    told_at = 0.0
    while not stop.wait(_PERIOD_S if project is None else _SAVED_S):
        if session.nucleus.stop_requested.is_set():
            return 0
        if until is not None and time.monotonic() >= until:
            return 0 if page_told else _never_at_work(options, terminal)
        if project is not None and (saved := project.changed()):
            _take_over(saved, redeploy, terminal)
        if (now := time.monotonic()) - told_at < _PERIOD_S:
            continue
        told_at = now
        health = session.health()
        pictures = progress.tell(health)
        page = session.page_address
        if page and not page_told and pictures:
            page_told = True
            terminal.line(f"  page {terminal.paint(page, 'cyan')}   Ctrl-C ends it")
            if options.browser and _has_screen():
                webbrowser.open(page)
        if broken := progress.broken():
            for name, detail in broken:
                terminal.failed(name, detail or "cannot be started")
                for line in progress.last_lines(name):
                    terminal.line(f"    {line}")
            terminal.error(
                f"{broken[0][0]} does not come up, see above",
                f"its whole log: {session.root / 'logs' / broken[0][0]}.log",
            )
            return EXIT_FAILED
        if page_told:
            terminal.status(status_line(health))
    return 0
