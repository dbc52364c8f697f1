"""RTSP served by Vedette itself: H.264, H.265 and MJPEG over TCP, UDP and TLS, with digest, basic or no login.

:class:`StreamServer` serves named mounts from a thread of this process. A :class:`LiveMount` takes coded pictures as
somebody makes them::

    mount = LiveMount(H264, watched=encoder.run_only_while, key_wanted=encoder.begin_anew)
    with StreamServer("0.0.0.0", 8554, login=Login("viewer", password)) as server:
        server.add("people-counter/door", mount)
        mount.publish(access_unit(H264, packet, pts_ns=..., wall_ns=...))

A :class:`FileMount` plays a video file in a loop. :class:`RtspServer` does that in a process of its own, for the demo
and for tests, which also kill and suspend it.
"""

from vedette.rtsp_server.access_unit import AccessUnit, split_annex_b
from vedette.rtsp_server.codecs import CODECS, H264, H265, JPEG, Codec, access_unit
from vedette.rtsp_server.login import Login
from vedette.rtsp_server.mounts import FileMount, LiveMount, Mount, MountError
from vedette.rtsp_server.server import RtspServer, RtspServerError
from vedette.rtsp_server.stream_server import StreamServer

__all__ = [
    "CODECS",
    "H264",
    "H265",
    "JPEG",
    "AccessUnit",
    "Codec",
    "FileMount",
    "LiveMount",
    "Login",
    "Mount",
    "MountError",
    "RtspServer",
    "RtspServerError",
    "StreamServer",
    "access_unit",
    "split_annex_b",
]
