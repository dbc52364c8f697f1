"""A process with a persistent nucleus that deploys back and forth, and ends itself by SIGKILL where it is told to.

``persistent_process.py ROOT CALL`` ends before the CALL-th of the calls that change something on disk or start
something; 0 is never. It prints one JSON object a line: ``{"state": ...}`` once it is up, ``{"acknowledged": n}``
after each change of configuration.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vedette.nucleus.ipc.deployment_desk import ConfigurationChange, LocalDeploymentRequest
from vedette.nucleus.nucleus import Nucleus

left = int(sys.argv[2])


def deadly(work: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        global left  # noqa: PLW0603
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*arguments, **named)

    return call


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


nucleus = Nucleus(Path(sys.argv[1]), persistent=True)
nucleus.start()
components = nucleus.components()
tell(
    state={
        "versions": {view.name: view.version for view in components},
        "fps": nucleus.configuration.find("a", ("fps",)),
        "extra": nucleus.configuration.find("b", ("extra",)),
        "count": nucleus.configuration.find("a", ("count",)) or 0,
        "error": str(nucleus.resume_error or ""),
    }
)
second = any(view.version == "2.0.0" for view in components)
os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)
subprocess.Popen.__init__ = deadly(subprocess.Popen.__init__)  # type: ignore[method-assign]
desk = nucleus.local_deployments
version, fps = ("1.0.0", 1) if second else ("2.0.0", 2)
deployment_id = desk.create(
    LocalDeploymentRequest(
        add={"a": version} if second else {"a": version, "b": "1.0.0"},
        remove=("b",) if second else (),
        configuration={"a": ConfigurationChange(merge={"fps": fps})},
    )
)
count = nucleus.configuration.find("a", ("count",)) or 0
status = "QUEUED"
while status in {"QUEUED", "IN_PROGRESS"}:
    if nucleus.configuration.find("a", ()) is not None:
        count += 1
        nucleus.configuration.update("a", (), {"count": count}, time.time_ns() // 1_000_000)
        tell(acknowledged=count)
    record = desk.find(deployment_id)
    status = "gone" if record is None else record.status
    time.sleep(0.01)
tell(status=status)
nucleus.stop()
