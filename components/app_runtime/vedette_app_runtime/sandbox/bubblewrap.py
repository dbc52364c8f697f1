"""The bubblewrap command line of an application, as data: nothing is started here."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from vedette_app_runtime.sandbox.errors import SandboxMisuse
from vedette_app_runtime.sandbox.spec import DEBUGGER, HOST, LOGS, PANORAMA, SDK, STORAGE, SandboxSpec
from vedette_app_runtime.sandbox.system_files import (
    Mount,
    gpu_mounts,
    gpu_mounts_in_root,
    root_mounts,
    system_mounts,
)

USER_ID: Final = 1000
"""Inside; on the host it is the user of the nucleus, who can therefore remove what the application wrote."""

_ISOLATION: Final = (
    *("--unshare-user", "--uid", str(USER_ID), "--gid", str(USER_ID)),
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--cap-drop", "ALL"),
)
_OPTION: Final = {"bind": "--ro-bind", "device": "--dev-bind", "link": "--symlink"}
# Folders that would show the whole machine if an interpreter's prefix were one of them.
_TOO_WIDE: Final = frozenset({"/", "/home", "/root", "/etc", "/run", "/var", "/proc", "/sys", "/dev", "/opt", "/tmp"})  # noqa: S108


def arguments(
    spec: SandboxSpec,
    *,
    disable_user_namespaces: bool = False,
    sizes: bool = False,
    hosts: int | None = None,
    top: Path = Path("/"),
) -> list[str]:
    """Return bubblewrap's options for ``spec``, without its name, the environment and the application's command.

    ``sizes``: whether this bubblewrap can bound file systems in memory (0.7 and later).
    ``hosts``: descriptor of what is shown as /etc/hosts.
    ``top`` is the root of the host's file system (tests give another).
    :raises SandboxMisuse: if a folder to be shown is relative, missing, or so wide that it would show the machine.
    """
    options = [*_ISOLATION, "--hostname", spec.hostname]
    if not spec.interactive:
        options.append("--new-session")
    if spec.offline:
        options.append("--unshare-net")
    if disable_user_namespaces:
        options.append("--disable-userns")
    root = spec.environment.root
    if root is not None:
        _check(root)
        options += ["--ro-bind", str(root), "/"]
    size = ["--size", str(spec.scratch_bytes)] if sizes and spec.scratch_bytes is not None else []
    options += ["--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/dev/shm"]  # noqa: S108 - the sandbox's own
    # Before the binds: an environment under /tmp (a developer's) must come to lie on top of the private one.
    for scratch in ("/tmp", "/var/tmp"):  # noqa: S108 - the sandbox's own
        options += [*size, "--tmpfs", scratch]
    if root is None:
        options += ["--dir", "/run"]
        options += _mounts(system_mounts(top, name_servers=spec.name_servers))
        if spec.gpu:
            options += _mounts(gpu_mounts(top))
    else:
        # Mount points cannot be made in it: those that it lacked were made when it was unpacked.
        options += ["--tmpfs", "/run", "--tmpfs", "/sys", "--tmpfs", "/opt/vedette"]
        options += _mounts(root_mounts(top, name_servers=spec.name_servers))
        if spec.gpu:
            options += _mounts(gpu_mounts_in_root(top))
    if hosts is not None:
        options += ["--ro-bind-data", str(hosts), "/etc/hosts"]
    for path in outermost(spec.environment.read_only):
        _check(path)
        options += ["--ro-bind", str(path), str(path)]
    shown = [("--bind", spec.storage, STORAGE)]
    if root is None:
        shown.insert(0, ("--ro-bind", spec.application_dir, PANORAMA))
    shown.append(("--bind", spec.logs, LOGS))
    if spec.environment.debugger is not None:
        shown.append(("--ro-bind", spec.environment.debugger, DEBUGGER))
    if spec.host_dir is not None:
        shown.append(("--ro-bind", spec.host_dir, HOST))
    if spec.sdk_dir is not None:
        shown.append(("--ro-bind", spec.sdk_dir, SDK))
    for option, path, target in shown:
        _check(path)
        options += [option, str(path), target]
    # The root and /dev are file systems in memory: closed last, when every mount point has been made.
    closed = ["/dev", "/sys", "/run", "/opt/vedette"] if root is not None else ["/dev", "/"]
    return [*options, *(word for place in closed for word in ("--remount-ro", place)), "--chdir", "/"]


def environment_arguments(environ: Iterable[tuple[str, str]]) -> list[str]:
    """Return the options that set these variables."""
    return [word for name, value in sorted(environ) for word in ("--setenv", name, value)]


def outermost(paths: Sequence[Path]) -> list[Path]:
    """Return ``paths`` sorted, without duplicates, without what /usr or another of them already shows."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(seen) for seen in (Path("/usr"), *kept)):
            kept.append(path)
    return kept


def _mounts(mounts: Iterable[Mount]) -> list[str]:
    return [word for mount in mounts for word in (_OPTION[mount.kind], mount.source, mount.target)]


def _check(path: Path) -> None:
    if not path.is_absolute():
        raise SandboxMisuse(f"cannot show {path} to an application: an absolute path is needed")
    if not path.exists():
        raise SandboxMisuse(f"cannot show {path} to an application: there is no such folder")
    if str(path) in _TOO_WIDE or str(path) == os.path.expanduser("~"):  # noqa: PTH111 - Path.home() raises without one
        raise SandboxMisuse(f"refusing to show all of {path} to an application: use an interpreter in its own folder")
