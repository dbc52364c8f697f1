"""What an application may see and touch, and how it is started: bubblewrap around it, with a stated way out.

::

    spec = SandboxSpec(environment, application_dir, sdk_dir, storage, logs, environ={...}, fds=(5,), mode="required")
    process = start(spec, ["python3", "/panorama/app.py"], stdout=pipe)
    ...
    stop(process, grace_s=2.0)
"""

from vedette_app_runtime.sandbox.choice import Choice, choose
from vedette_app_runtime.sandbox.errors import SandboxError, SandboxMisuse, SandboxUnavailable
from vedette_app_runtime.sandbox.launch import command, start
from vedette_app_runtime.sandbox.process import application_pid, stop, wait_for_application
from vedette_app_runtime.sandbox.spec import SandboxSpec

__all__ = [
    "Choice",
    "SandboxError",
    "SandboxMisuse",
    "SandboxSpec",
    "SandboxUnavailable",
    "application_pid",
    "choose",
    "command",
    "start",
    "stop",
    "wait_for_application",
]
