"""GStreamer's RTSP server: what many cameras run, and not a line in common with our own."""

import os
import subprocess
from pathlib import Path

from vedette.rtsp_server import RtspServer

SYSTEM_PYTHON = "/usr/bin/python3"
PACKAGES = "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
# HOME and XDG_CACHE_HOME hold GStreamer's registry of plugins; without them every start scans them again.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "XDG_CACHE_HOME")
_CHECK = """
import gi
for name in ("GstApp", "GstRtspServer", "Gst"):
    gi.require_version(name, "1.0")
from gi.repository import Gst
Gst.init(None)
wanted = ("appsrc", "appsink", "qtdemux", "rtph264pay", "rtph265pay", "rtpbin", "udpsrc")
assert all(Gst.ElementFactory.find(name) for name in wanted)
"""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON}


def installed() -> bool:
    """Tell whether the server can run here."""
    try:
        check = subprocess.run(
            [SYSTEM_PYTHON, "-I", "-c", _CHECK], env=_environment(), capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return check.returncode == 0


class GStreamerServer(RtspServer):
    """The same streams, served by GStreamer."""

    def _command(self) -> tuple[list[str], dict[str, str]]:
        process = Path(__file__).with_name("gstreamer_process.py")
        return [SYSTEM_PYTHON, "-I", str(process)], _environment()
