"""Where build scripts of libraries run: programs that anybody may have published, kept from the machine's files.

Installing a wheel runs nothing of it; building one from source runs its ``setup.py``. That sees the machine's programs,
its own folders and the network, as an application does.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Building:
    """What is shown to a build."""

    readable: tuple[Path, ...]
    """Interpreter, requirements, the application's wheels."""
    writable: Path
    """Folder of the application's environments. What is built is cached in it, too, not among what all share."""

    @property
    def cache(self) -> Path:
        """uv's cache for builds."""
        return self.writable / ".built"


def walled(words: Sequence[str], building: Building, opened: ExitStack) -> tuple[list[str], tuple[int, ...]]:
    """Return the command that runs ``words`` behind a wall, and the descriptors that it inherits.

    Where bubblewrap does not work, ``words`` themselves: an application is not started there either, unless its
    operator has said that it may do as it likes.
    """
    # Imported late: the sandbox's description holds an Environment, so the packages name each other.
    from vedette_app_runtime.sandbox import choose
    from vedette_app_runtime.sandbox.bubblewrap import outermost
    from vedette_app_runtime.sandbox.launch import memory_file
    from vedette_app_runtime.sandbox.system_files import system_mounts
    from vedette_app_runtime.system_calls.denied import denied_program

    chosen = choose("preferred")
    if chosen.kind != "bubblewrap" or chosen.bubblewrap is None or chosen.bubblewrap.path is None:
        return list(words), ()
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises for a user without one
    denied = memory_file(opened, "denied-calls", denied_program())
    command = [chosen.bubblewrap.path, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--seccomp", str(denied), "--proc", "/proc", "--dev", "/dev"]
    for scratch in ("/tmp", "/var/tmp", "/run", *([home] if home.startswith("/") and home != "/" else [])):  # noqa: S108
        command += ["--tmpfs", scratch]
    for mount in system_mounts():
        command += ["--symlink" if mount.kind == "link" else "--ro-bind", mount.source, mount.target]
    # Not ~/.netrc: it holds logins of every kind, and an index's own may stand in uv's settings.
    settings = [path for path in (Path(home) / ".config/uv", Path("/etc/uv")) if path.exists()]
    for path in outermost([*building.readable, *settings]):
        command += ["--ro-bind", str(path), str(path)]
    command += ["--bind", str(building.writable), str(building.writable), "--chdir", "/"]
    return [*command, "--", *words], (denied,)
