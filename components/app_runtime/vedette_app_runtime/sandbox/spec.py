"""What an application may see: the one description from which every way of starting it is made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from vedette_app_runtime.environments.environment import Environment
from vedette_app_runtime.limits.confinement import Confinement
from vedette_app_runtime.network.guard import PortGuard
from vedette_app_runtime.sandbox.system_files import DRIVER

Mode = Literal["required", "preferred", "off"]

PANORAMA: Final = "/panorama"
STORAGE: Final = "/opt/aws/panorama/storage"
LOGS: Final = "/opt/aws/panorama/logs"
SDK: Final = "/opt/vedette/sdk"
HOST: Final = "/opt/vedette/host"
DEBUGGER: Final = "/opt/vedette/debugger"
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PYTHON: Final = re.compile(r"(?:/usr/bin/|/usr/local/bin/|/bin/)?(python(?:[23](?:\.\d+)?)?)")


@dataclass(frozen=True)
class SandboxSpec:
    """One application's view of the machine. Host paths are absolute."""

    environment: Environment
    application_dir: Path
    """Becomes ``/panorama``, read-only; not used with a root file system, which has its own."""
    sdk_dir: Path | None
    """Holds the package ``panoramasdk``; becomes ``/opt/vedette/sdk``, read-only and first on PYTHONPATH."""
    storage: Path
    """Becomes ``/opt/aws/panorama/storage``, writable; made when it is not there."""
    logs: Path
    """Becomes ``/opt/aws/panorama/logs``, writable; made when it is not there."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """The application's environment, on top of :func:`base_environment`; nothing of the host's is inherited."""
    fds: tuple[int, ...] = ()
    """Descriptors that the application inherits, with the same numbers."""
    mode: Mode = "required"
    gpu: bool = False
    """Whether the GPU's device nodes are there."""
    host_dir: Path | None = None
    """Holds the host's socket; becomes ``/opt/vedette/host``, read-only: connecting is no writing."""
    name_servers: Path | None = None
    """Shown as ``/etc/resolv.conf`` in place of the machine's own."""
    offline: bool = False
    """Whether it has no network at all, the machine's loopback included; bubblewrap alone can do that."""
    scratch_bytes: int | None = None
    """How large /tmp, /var/tmp and /dev/shm may grow, each; None: half of the memory, as the kernel has it."""
    hostname: str = "panorama"
    interactive: bool = False
    """Whether it keeps the terminal it is started from."""
    confinement: Confinement = field(default_factory=Confinement)
    """What it does to itself before it becomes the application."""
    guard: PortGuard | None = None
    """Keeps its TCP ports apart from the machine's; of one run. None: it has the machine's."""

    def child_environment(self, *, sdk: str = SDK) -> dict[str, str]:
        """Return all of the application's environment variables; ``sdk`` is where it finds panoramasdk."""
        merged = {**base_environment(self.environment), **self.environ}
        if self.sdk_dir is not None:
            behind = merged.get("PYTHONPATH", "")
            merged["PYTHONPATH"] = f"{sdk}:{behind}" if behind else sdk
        if self.environment.debugger is not None:
            merged["PYTHONPATH"] = f"{merged['PYTHONPATH']}:{DEBUGGER}" if "PYTHONPATH" in merged else DEBUGGER
        if self.gpu and self.environment.root is not None:
            behind = merged.get("LD_LIBRARY_PATH", "")
            merged["LD_LIBRARY_PATH"] = f"{behind}:{DRIVER}" if behind else DRIVER
        return merged

    def child_arguments(self, argv: Sequence[str]) -> list[str]:
        """Return ``argv`` with any name of Python, ``python3.7`` or ``/usr/bin/python3``, led to the environment's."""
        if not argv:
            return []
        if self.environment.root is not None:
            return list(argv)
        match = _PYTHON.fullmatch(argv[0])
        return [str(self.environment.python) if match else argv[0], *argv[1:]]


def base_environment(environment: Environment) -> dict[str, str]:
    """Return what every application finds in its environment; the first three are those of an appliance's log."""
    return {
        "PATH": SYSTEM_PATH if environment.root is not None else f"{environment.bin_dir}:{SYSTEM_PATH}",
        "TERM": "xterm",
        "container": "podman",
        "HOME": "/tmp",  # noqa: S108 - the sandbox's own
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # a print must reach the log without flush=True
        "PYTHONDONTWRITEBYTECODE": "1",  # /panorama is read-only
        "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime would report its use to Microsoft
    }
