"""Which apt packages the server needs and which of them this machine lacks."""

import subprocess
from typing import Final

from vedette.rtsp_server.environment import SYSTEM_PYTHON, child_environment

PACKAGES: Final = (
    "python3-gi",
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
)
"""The names are the same on Debian 12 and on Ubuntu 22.04 and 24.04; plugins-bad is not needed."""

_CHECK_TIMEOUT_S: Final = 20.0  # the first start of GStreamer on a machine scans its plugins
_CHECK: Final = """
try:
    import gi
except ImportError:
    raise SystemExit("python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good")
missing = set()
try:
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
except ValueError:
    missing.add("gir1.2-gst-rtsp-server-1.0")
try:
    gi.require_version("Gst", "1.0")
    from gi.repository import Gst
except (ValueError, ImportError):
    missing.update(["gir1.2-gst-rtsp-server-1.0", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good"])
else:
    Gst.init(None)
    for package, elements in (
        ("gstreamer1.0-plugins-base", ["appsrc", "appsink"]),
        ("gstreamer1.0-plugins-good", ["qtdemux", "rtph264pay", "rtph265pay", "rtpbin", "udpsrc"]),
    ):
        if not all(Gst.ElementFactory.find(name) for name in elements):
            missing.add(package)
raise SystemExit(" ".join(sorted(missing)) or 0)
"""


def missing_packages(python: str = SYSTEM_PYTHON) -> list[str]:
    """Return the apt packages to install before the server can run; empty when nothing is missing.

    ``python`` is the interpreter the bindings belong to.
    """
    try:
        check = subprocess.run(
            [python, "-I", "-c", _CHECK],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        return ["python3", *PACKAGES]
    except (OSError, subprocess.TimeoutExpired):
        return list(PACKAGES)
    if check.returncode == 0:
        return []
    named = [word for word in check.stderr.decode(errors="replace").split() if word in PACKAGES]
    return named or list(PACKAGES)
