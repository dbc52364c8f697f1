"""How an application is started: its view of the machine, its environment variables, its command."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.application import ApplicationManifest, Sandbox
from vedette_app_runtime import protocol
from vedette_app_runtime.environments import Environment
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.limits.confinement import Confinement
from vedette_app_runtime.network.guard import PortGuard
from vedette_app_runtime.role.absence import NO_ROLE
from vedette_app_runtime.sandbox import SandboxSpec, start
from vedette_app_runtime.sandbox.spec import HOST
from vedette_app_runtime.sessions import SOCKET, AttachPoint

_REGION_ELSEWHERE: Final = "us-east-1"
"""boto3 without any Region raises at once; on a machine that has none (a laptop) this is as good as another."""


def sandbox_spec(
    manifest: ApplicationManifest,
    application_dir: Path,
    folders: Folders,
    environment: Environment,
    *,
    instance: str,
    mode: Sandbox,
    sdk: Path,
    guard: PortGuard | None = None,
    confinement: Confinement | None = None,
    role: Mapping[str, str] | None = None,
    name_servers: Path | None = None,
    offline: bool = False,
    scratch: int | None = None,
    host_environ: Mapping[str, str] = os.environ,
) -> SandboxSpec:
    """Return the application's view of the machine, without the descriptors of a run."""
    region = region_of(host_environ)
    return SandboxSpec(
        environment=environment,
        application_dir=application_dir / manifest.source_root,
        sdk_dir=sdk,
        storage=folders.storage,
        host_dir=folders.attaching,
        logs=folders.application_logs,
        environ={
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AppGraph_Uid": instance,
            "Node_Uid": manifest.code_node,
            # Which device it runs on, which an appliance never told: as every component of Greengrass has it.
            **{name: host_environ[name] for name in ("AWS_IOT_THING_NAME",) if name in host_environ},
            **(NO_ROLE if role is None else role),
            **manifest.entry.environment,
        },
        mode=mode,
        gpu=manifest.gpu,
        name_servers=name_servers,
        offline=offline,
        scratch_bytes=scratch,
        guard=guard,
        confinement=confinement or Confinement(),
    )


def region_of(environ: Mapping[str, str] = os.environ) -> str:
    """Return the device's region, or one that is as good as another where it has none."""
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _REGION_ELSEWHERE


def start_application(
    spec: SandboxSpec, argv: Sequence[str], attach_point: AttachPoint, console_fd: int
) -> "subprocess.Popen[bytes]":
    """Start the application with its socket to the host; both of its output streams go to ``console_fd``.

    :raises SandboxError: when the sandbox does not work here
    :raises OSError: when the process cannot be started
    """
    fd = attach_point.child_fd
    variables = {protocol.FD_VARIABLE: str(fd), protocol.SOCKET_VARIABLE: f"{HOST}/{SOCKET}"}
    own = replace(spec, environ={**spec.environ, **variables}, fds=(fd,))
    return start(own, argv, stdout=console_fd, stderr=console_fd)
