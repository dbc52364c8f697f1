"""Which way of starting an application is taken here: bubblewrap, a private view of the mounts, or neither."""

import functools
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vedette.doctor.bubblewrap import Bubblewrap, Run, probe_bubblewrap, run_bounded
from vedette_app_runtime.sandbox.errors import SandboxUnavailable
from vedette_app_runtime.sandbox.spec import HOST, LOGS, PANORAMA, SDK, STORAGE, Mode, SandboxSpec

logger = logging.getLogger(__name__)

Kind = Literal["bubblewrap", "mount-view", "none"]

_TOOLS = ("sh", "mount", "chroot", "setpriv", "unshare")


@dataclass(frozen=True)
class Choice:
    """How applications are started on this machine, and what the operator must know about it."""

    kind: Kind
    warnings: tuple[str, ...] = ()
    bubblewrap: Bubblewrap | None = None
    as_root: bool = False
    """For a mount view: made by root itself, without a user namespace."""


def decide(mode: Mode, probe: Callable[[], Bubblewrap], views: Callable[[], tuple[bool, bool]]) -> Choice:
    """Choose for ``mode``. ``probe`` looks at bubblewrap, ``views`` says (a mount view works, it works as root).

    :raises SandboxUnavailable: if the mode is "required" and bubblewrap does not work here.
    """
    reason = 'the sandbox is switched off ("sandbox": "off")'
    remedy = 'set the configuration key "sandbox" to "required" to have it back'
    if mode != "off":
        found = probe()
        if found.works:
            return Choice("bubblewrap", bubblewrap=found)
        if mode == "required":
            raise SandboxUnavailable(found.reason, found.remedy)
        reason, remedy = found.reason, found.remedy
    works, as_root = views()
    open_to = "it can read and change whatever the nucleus's user can, the nucleus's socket included"
    if works:
        return Choice(
            "mount-view", (f"the application runs without a sandbox: {reason}; {open_to}; {remedy}",), None, as_root
        )
    lost = (
        f"{PANORAMA}, {STORAGE} and {LOGS} do not exist for the application, so opening a file by one of these paths "
        "fails; on a machine of its own, make them links to the instance's folders"
    )
    return Choice("none", (f"the application runs without a sandbox: {reason}; {open_to}; {remedy}", lost))


def view_works(run: Run = run_bounded) -> tuple[bool, bool]:
    """Return (a private view of the mounts can be made here, as root without a user namespace)."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # chroot is there, where services do not look
    if any(shutil.which(tool, path=path) is None for tool in _TOOLS):
        return False, False
    try:
        if run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]).returncode == 0:  # noqa: S108 - private
            return True, True
        command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]  # noqa: S108
        return run(command).returncode == 0, False
    except OSError:
        return False, False


@functools.cache
def choose(mode: Mode) -> Choice:
    """Choose for this machine, once a process; every warning is logged once."""
    choice = decide(mode, probe_bubblewrap, view_works)
    for warning in choice.warnings:
        logger.warning("%s", warning)
    return choice


def host_path(spec: SandboxSpec, text: str) -> str:
    """Return ``text`` with a path inside the sandbox led to the folder on the host; for starting without either."""
    for inside, outside in (
        (STORAGE, spec.storage),
        (LOGS, spec.logs),
        (PANORAMA, spec.application_dir),
        (SDK, spec.sdk_dir),
        (HOST, spec.host_dir),
    ):
        if outside is not None and (text == inside or text.startswith(f"{inside}/")):
            return str(outside) + text[len(inside) :]
    return text
