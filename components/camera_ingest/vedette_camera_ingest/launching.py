"""Starting a worker process: what it inherits is one socket and a bare environment."""

import logging
import os
import socket
import subprocess
import sys
from typing import Final

# Not the nucleus's socket and token, nor AWS credentials: a worker decodes what strangers send.
_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SSL_CERT_FILE", "TMPDIR", "TZ")
KEEP: Final = "VEDETTE_KEEP_LOGS"
"""Environment variable: the worker keeps its events in the component's work folder, which is the current one."""
_BY_NUCLEUS: Final = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"


def launch(end: socket.socket) -> subprocess.Popen[bytes]:
    """Start a worker that holds ``end`` of a socket pair.

    The thread that calls this has to outlive the worker: the kernel ends the worker with it (PR_SET_PDEATHSIG).

    :raises OSError: when the process cannot be started.
    """
    level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
    environment = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    environment.update(PYTHONUNBUFFERED="1", VEDETTE_LOG_LEVEL=level)
    if _BY_NUCLEUS in os.environ:
        environment[KEEP] = "1"
    return subprocess.Popen(
        [sys.executable, "-m", "vedette_camera_ingest.worker", str(end.fileno())],
        pass_fds=(end.fileno(),),
        stdin=subprocess.DEVNULL,
        env=environment,
    )
