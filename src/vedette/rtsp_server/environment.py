"""The interpreter that GStreamer's bindings belong to, and what its processes see of our environment."""

import os
from typing import Final

SYSTEM_PYTHON: Final = "/usr/bin/python3"

# HOME and XDG_CACHE_HOME hold GStreamer's registry of plugins; without them every start scans them again.
_PASSED_ON: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME")


def child_environment() -> dict[str, str]:
    """Return the environment for a process under the system's Python: no keys, tokens or Python paths of ours."""
    return {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(("GST_", "XDG_DATA"))
    }
