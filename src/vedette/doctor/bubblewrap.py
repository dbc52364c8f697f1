"""Whether bubblewrap, the sandbox of applications, works on this machine: found out by running it.

Asked by ``vedette doctor`` and by the application host before each start, so both say the same words.
"""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROBE_TIMEOUT_S: Final = 10.0
APPARMOR_SWITCH: Final = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
CLONE_SWITCH: Final = Path("/proc/sys/kernel/unprivileged_userns_clone")
NAMESPACE_LIMIT: Final = Path("/proc/sys/user/max_user_namespaces")

OUR_PROFILE: Final = Path("/etc/apparmor.d/bwrap-vedette")
UBUNTUS_PROFILE: Final = Path("/etc/apparmor.d/bwrap-userns-restrict")
"""Comes with Ubuntu 25.04 and later; in 24.04 among the examples of its package apparmor-profiles."""

APPARMOR_PROFILE: Final = "abi <abi/4.0>,\nprofile bwrap-vedette /usr/bin/bwrap flags=(unconfined) {\n  userns,\n}\n"
"""What components/app_runtime/apparmor/bwrap-vedette says, without its comments."""

_INSTALL: Final = "install it: sudo apt-get install bubblewrap"
_APPARMOR: Final = (
    "allow bubblewrap to make user namespaces: printf '%b' "
    + "'"
    + APPARMOR_PROFILE.replace("\n", "\\n")
    + "' | sudo tee /etc/apparmor.d/bwrap-vedette && sudo apparmor_parser -r /etc/apparmor.d/bwrap-vedette"
)
_TWO_PROFILES: Final = (
    "two AppArmor profiles are for /usr/bin/bwrap, and the kernel then applies neither; keep Ubuntu's own: "
    f"sudo apparmor_parser -R {OUR_PROFILE}; sudo rm {OUR_PROFILE}; sudo apparmor_parser -r {UBUNTUS_PROFILE}"
)
_UBUNTUS: Final = f"load Ubuntu's own profile for bubblewrap: sudo apparmor_parser -r {UBUNTUS_PROFILE}"
_CLONE: Final = "allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
_LIMIT: Final = "allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
_CONTAINER: Final = (
    "this looks like a container without the right to mount: run it with --privileged, or set the component's "
    '"sandbox" to "off" where the container is the sandbox'
)

# What the real sandbox asks of the kernel, around a program that does nothing.
_PROBE: Final = (
    *("--unshare-user", "--uid", "1000", "--gid", "1000", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--new-session", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
    *("--tmpfs", "/tmp", "--cap-drop", "ALL"),  # noqa: S108 - the sandbox's own
)

Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Bubblewrap:
    """What is known of bubblewrap here."""

    path: str | None
    version: tuple[int, ...]
    works: bool
    reason: str = ""
    """Why it does not work, one sentence; empty when it does."""
    remedy: str = ""
    """What to do about it."""
    disables_user_namespaces: bool = False
    """Whether ``--disable-userns`` (0.8 and later) works here."""


def run_bounded(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run ``command`` with a bound on its time, its output kept; for probes."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
    )


def read_switch(path: Path) -> str | None:
    """Return what a file of /proc says, or None when this kernel does not have it."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def probe_bubblewrap(
    run: Run = run_bounded,
    which: Callable[[str], str | None] = shutil.which,
    read: Callable[[Path], str | None] = read_switch,
) -> Bubblewrap:
    """Run bubblewrap as the application host would, around ``true``, and say what came of it; raises nothing."""
    path = which("bwrap")
    if path is None:
        return Bubblewrap(None, (), works=False, reason="bubblewrap (bwrap) is not installed", remedy=_INSTALL)
    try:
        version = _version(run([path, "--version"]).stdout)
        outcome = run([path, *_PROBE, "--", "true"])
        if outcome.returncode != 0:
            lines = outcome.stderr.strip().splitlines()
            said = lines[-1] if lines else f"it ended with {outcome.returncode} and no message"
            return Bubblewrap(
                path, version, works=False, reason=f"bubblewrap does not work here: {said}", remedy=_remedy(said, read)
            )
        disables = version >= (0, 8) and run([path, *_PROBE, "--disable-userns", "--", "true"]).returncode == 0
    except (OSError, subprocess.SubprocessError) as error:
        return Bubblewrap(path, (), works=False, reason=f"bubblewrap cannot be run: {error}", remedy=_INSTALL)
    return Bubblewrap(path, version, works=True, disables_user_namespaces=disables)


def _version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _remedy(said: str, read: Callable[[Path], str | None]) -> str:
    """Choose the remedy by the kernel's switches first: the message alone does not tell AppArmor from a limit."""
    if read(APPARMOR_SWITCH) == "1":
        if read(UBUNTUS_PROFILE) is None:
            return _APPARMOR
        return _UBUNTUS if read(OUR_PROFILE) is None else _TWO_PROFILES
    if read(CLONE_SWITCH) == "0":
        return _CLONE
    if read(NAMESPACE_LIMIT) == "0":
        return _LIMIT
    if "mount" in said or "Creating new namespace failed" in said or "uid map" in said:
        return _CONTAINER
    return "run it by hand to see more: bwrap --unshare-user --ro-bind / / true"
