"""Starting an application in its sandbox, or in the next best thing that its configuration allows."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from vedette_app_runtime.sandbox.bubblewrap import arguments, environment_arguments
from vedette_app_runtime.sandbox.choice import Choice, choose, host_path
from vedette_app_runtime.sandbox.errors import SandboxUnavailable
from vedette_app_runtime.sandbox.mount_view import view_command
from vedette_app_runtime.sandbox.spec import SandboxSpec
from vedette_app_runtime.sandbox.system_files import hosts_with
from vedette_app_runtime.system_calls.denied import denied_program

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_SIZES_SINCE: Final = (0, 7)
_ENV: Final = ("/usr/bin/env", "-i")

Stream = int | IO[bytes] | None


def command(spec: SandboxSpec, argv: Sequence[str], *, choice: Choice | None = None) -> list[str]:
    """Return the whole command line that runs ``argv`` as ``spec`` says; the environment is cleared by it, then set.

    To look at, and for who starts it otherwise. Its environment variables are visible in the machine's list of
    processes: :func:`start` hides them. Storage and logs are made if they are not there. The caller passes
    ``spec.fds`` on (``pass_fds``).

    :raises SandboxUnavailable: if the sandbox is required and does not work here.
    :raises SandboxMisuse: if a folder to be shown is not there.
    """
    chosen = _choice(spec, choice)
    _make_folders(spec)
    inside = _inside(spec, argv, chosen)
    variables = _variables(spec, chosen)
    if chosen.kind == "bubblewrap":
        bwrap, options = _bubblewrap(spec, chosen)
        return [*_ENV, bwrap, *options, *environment_arguments(variables.items()), "--", *inside]
    cleared = [*_ENV, *(f"{name}={value}" for name, value in sorted(variables.items())), *inside]
    if chosen.kind == "mount-view":
        return [*_ENV, f"PATH={os.defpath}:/usr/sbin:/sbin", *view_command(spec, cleared, as_root=chosen.as_root)]
    return _tied(cleared)


def start(
    spec: SandboxSpec,
    argv: Sequence[str],
    *,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
    choice: Choice | None = None,
) -> "subprocess.Popen[bytes]":
    """Start ``argv`` as ``spec`` says, in a session of its own, with ``spec.fds`` and nothing else inherited.

    Its environment goes to bubblewrap through memory: neither can others read it in the list of processes, nor does
    an application's LD_PRELOAD reach bubblewrap itself, which runs outside. The process ends when the *thread* that
    called this ends (PR_SET_PDEATHSIG): call it from one that lives as long as the application may.

    :raises SandboxUnavailable: if the sandbox is required and does not work here.
    :raises SandboxMisuse: if a folder to be shown is not there.
    :raises OSError: if the process cannot be started.
    """
    chosen = _choice(spec, choice)
    if chosen.kind != "bubblewrap":
        # Nothing is between the application and the host here, so its variables may as well be in the arguments' place.
        _make_folders(spec)
        inside = _inside(spec, argv, chosen)
        line = view_command(spec, inside, as_root=chosen.as_root) if chosen.kind == "mount-view" else _tied(inside)
        line, fds = _guarded(spec, [shutil.which(line[0]) or line[0], *line[1:]])
        process = subprocess.Popen(
            line,
            env=_variables(spec, chosen),
            cwd="/",
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*spec.fds, *fds),
            start_new_session=True,
        )
        if fds and spec.guard is not None:
            spec.guard.begin()
        return process
    _make_folders(spec)
    with contextlib.ExitStack() as opened:
        hosts = memory_file(opened, "hosts", hosts_with(spec.hostname))
        bwrap, options = _bubblewrap(spec, chosen, hosts)
        words = [*options, *environment_arguments(_variables(spec, chosen).items())]
        denied = memory_file(opened, "denied-calls", denied_program())
        words += ["--seccomp", str(denied)]
        memory = memory_file(opened, "bubblewrap-arguments", b"".join(os.fsencode(word) + b"\0" for word in words))
        line, fds = _guarded(spec, [bwrap, "--args", str(memory), "--", *_inside(spec, argv, chosen)])
        process = subprocess.Popen(
            line,
            env={},
            cwd="/",
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(*spec.fds, *fds, memory, denied, hosts),
        )
        if fds and spec.guard is not None:
            spec.guard.begin()
        return process


def memory_file(opened: contextlib.ExitStack, name: str, content: bytes) -> int:
    """Return a descriptor from which ``content`` can be read, closed with ``opened``."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    opened.callback(os.close, fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _choice(spec: SandboxSpec, choice: Choice | None) -> Choice:
    chosen = choice or choose(spec.mode)
    if spec.offline and chosen.kind != "bubblewrap":
        raise SandboxUnavailable(
            "an application can be denied the network by bubblewrap alone, without which it is to be started",
            'set the configuration key "sandbox" to "required", or "network" to "own"',
        )
    return chosen


def _guarded(spec: SandboxSpec, line: list[str]) -> tuple[list[str], tuple[int, ...]]:
    """Return the command that runs ``line`` within limits, its ports guarded, and what it inherits for that."""
    channel = ["-", "-"]
    fds: tuple[int, ...] = ()
    confinement = spec.confinement
    if Path(line[0]).stat().st_mode & stat.S_ISUID:
        # What guards and scopes keeps a program from gaining rights.
        confinement = replace(confinement, scoped=False)
        if spec.guard is not None:
            spec.guard.refuse(f"{line[0]} is installed with root's rights, which a guarded program cannot gain")
    elif spec.guard is not None:
        channel, fds = spec.guard.arguments(), spec.guard.fds
    return launcher_command([*channel, *confinement.arguments()], line), fds


def launcher_command(arguments: Sequence[str], line: Sequence[str]) -> list[str]:
    """Return the command that becomes ``line`` after it has done to itself what ``arguments`` say."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), *arguments, *line]


def _bubblewrap(spec: SandboxSpec, choice: Choice, hosts: int | None = None) -> tuple[str, list[str]]:
    found = choice.bubblewrap
    if found is None or found.path is None:
        raise ValueError("a choice of bubblewrap comes with what was found of it")
    return found.path, arguments(
        spec,
        disable_user_namespaces=found.disables_user_namespaces,
        sizes=found.version >= _SIZES_SINCE,
        hosts=hosts,
    )


def _inside(spec: SandboxSpec, argv: Sequence[str], choice: Choice) -> list[str]:
    words = spec.child_arguments(argv)
    return [host_path(spec, word) for word in words] if choice.kind == "none" else words


def _variables(spec: SandboxSpec, choice: Choice) -> dict[str, str]:
    if choice.kind != "none":
        return spec.child_environment()
    variables = spec.child_environment() if spec.sdk_dir is None else spec.child_environment(sdk=str(spec.sdk_dir))
    return {name: host_path(spec, value) for name, value in variables.items()}


def _tied(words: list[str]) -> list[str]:
    """Let the kernel end the command with who started it, where util-linux has the tool for it."""
    setpriv = shutil.which("setpriv")
    return words if setpriv is None else [setpriv, "--pdeathsig", "KILL", "--", *words]


def _make_folders(spec: SandboxSpec) -> None:
    for folder in (spec.storage, spec.logs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
