"""An RTSP server that plays video files like a camera, for ``vedette demo`` and for tests.

GStreamer's RTSP server under the system's Python (apt packages, see :func:`missing_packages`): MP4 files with H.264 or
H.265 in an endless loop, not encoded again, over TCP and UDP, with digest, basic or no authentication.
"""

from vedette.rtsp_server.packages import PACKAGES, missing_packages
from vedette.rtsp_server.server import RtspServer, RtspServerError

__all__ = ["PACKAGES", "RtspServer", "RtspServerError", "missing_packages"]
