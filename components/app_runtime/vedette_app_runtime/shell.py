"""A shell, or any command, in the sandbox of an application: its files, its libraries, its limits, its view."""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vedette.application import EnvironmentChoice
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.install import read_manifest
from vedette_app_runtime.launch import sandbox_spec
from vedette_app_runtime.preparation import preparing
from vedette_app_runtime.sandbox import start
from vedette_app_runtime.sdk_folder import sdk_folder


def shell(
    application_dir: Path,
    work: Path,
    artifacts: Path | None,
    command: Sequence[str],
    choice: EnvironmentChoice = "auto",
) -> int:
    """Run ``command`` (a shell where it is empty) on this terminal; return its exit code.

    The application need not run, and is not touched: only storage and logs are the same. Its own AWS role and ports are
    not there.
    :param choice: auto, container or sources
    :raises ApplicationManifestError: when the application cannot be read
    :raises EnvironmentFailed: when its environment cannot be made
    :raises SandboxError: when the sandbox does not work here
    :raises OSError: when the command cannot be started
    """
    manifest = read_manifest(application_dir)
    folders = Folders(work)
    folders.make_data()
    prepare = preparing(manifest, lambda: application_dir, folders, artifacts=artifacts, choice=lambda: choice)
    environment = prepare(lambda _: None, threading.Event())
    spec = sandbox_spec(
        manifest,
        application_dir,
        folders,
        environment,
        instance=work.name.removeprefix("vedette.app."),
        mode="required",
        sdk=sdk_folder(work),
    )
    terminal = {"TERM": os.environ.get("TERM", "xterm"), "PS1": f"{spec.hostname}:\\w\\$ "}
    spec = replace(spec, environ={**spec.environ, **terminal}, interactive=True)
    argv = list(command) or ["/bin/sh", "-c", "exec bash --norc --noprofile -i 2>/dev/null || exec sh -i"]
    process = start(spec, argv, stdin=0)
    # Ctrl-C is the command's: who ends here would leave it without its terminal.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process.poll() is None:
            process.kill()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
