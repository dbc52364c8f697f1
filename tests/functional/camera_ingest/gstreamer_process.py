"""The server's process: GStreamer's RTSP server serving video files in an endless loop.

Runs under the system's Python, the one apt's GStreamer bindings belong to, so it imports nothing of Vedette and nothing
beyond the standard library and ``gi``. It speaks JSON lines with its parent: one request on standard input (streams,
port, authentication; that is how the password gets here), one answer on standard output, ``{"port": 8554}`` or
``{"error": "..."}``. The end of standard input is the order to stop.

The files are not encoded again: ``qtdemux`` hands out the camera's own coded pictures and the payloaders
take them as they are (no ``h264parse``, which would need gstreamer1.0-plugins-bad). At the end of a file only the
demultiplexer is sent back to the start; the time stamps go on, so a client sees one endless stream.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
_SAMPLE_TIMEOUT_S = 5.0
_PULL_S = 0.2
# Access units that wait until their time has come: enough for a B-frame order, little memory in 4K.
_QUEUED_BUFFERS = 8


def _die_with(parent: int) -> None:
    """Be killed when the parent dies, however it dies (a stopped process would never see the end of its input)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def _import_gstreamer() -> Any:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstApp", "1.0")
    gi.require_version("GstRtsp", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer

    Gst.init(None)
    return GLib, Gst, GstApp, GstRtsp, GstRtspServer


GLib, Gst, GstApp, GstRtsp, GstRtspServer = _import_gstreamer()

# config-interval=0: parameter sets in the SDP only. With -1, GStreamer 1.22 repeats them before every slice of a key
# frame, which readers take for two pictures.
_PAYLOADERS = {
    "video/x-h264": "rtph264pay pt=96 config-interval=0",
    "video/x-h265": "rtph265pay pt=96 config-interval=0",
    "image/jpeg": "rtpjpegpay pt=26",
}


class Loop:
    """Hands out the samples of one file's first video track, again and again, on one line of time."""

    def __init__(self, path: str) -> None:
        self._pipeline = Gst.Pipeline.new(None)
        source = Gst.ElementFactory.make("filesrc", None)
        source.set_property("location", path)
        self._demux = Gst.ElementFactory.make("qtdemux", None)
        self._sink = Gst.ElementFactory.make("appsink", None)
        self._sink.set_property("sync", False)
        self._sink.set_property("max-buffers", _QUEUED_BUFFERS)
        for element in (source, self._demux, self._sink):
            self._pipeline.add(element)
        source.link(self._demux)
        self._demux.connect("pad-added", self._link)
        self._offset = 0
        self._end = 0
        self._linked = False
        self._pipeline.set_state(Gst.State.PLAYING)

    def _link(self, _demux: Any, pad: Any) -> None:
        if not self._linked and pad.get_current_caps().get_structure(0).get_name() in _PAYLOADERS:
            self._linked = True
            pad.link(self._sink.get_static_pad("sink"))

    def next(self) -> Any | None:
        """Return the next sample with continuous time stamps, or None when the file cannot be read."""
        sample = self._pull()
        if sample is None and self._sink.get_property("eos") and self._end > self._offset:
            self._offset = self._end
            self._pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT, 0)
            sample = self._pull()
        return sample

    def _pull(self) -> Any | None:
        """Wait for a sample; None at the end of the file, after an error, or when nothing comes for 5 s."""
        for _ in range(int(_SAMPLE_TIMEOUT_S / _PULL_S)):
            sample = self._sink.try_pull_sample(int(_PULL_S * Gst.SECOND))
            if sample is not None or self._sink.get_property("eos") or self._failed():
                return sample
        return None

    def _failed(self) -> bool:
        return self._pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR) is not None

    def retime(self, sample: Any) -> Any:
        """Return the sample's buffer with its time moved behind what was handed out before."""
        # The segment's start hides the shift that edit lists put on B-frames; running time is what the clients see.
        segment = sample.get_segment()
        buffer = sample.get_buffer().copy()
        pts = segment.to_running_time(Gst.Format.TIME, buffer.pts)
        if pts == Gst.CLOCK_TIME_NONE:
            pts = 0
        duration = buffer.duration if buffer.duration != Gst.CLOCK_TIME_NONE else 0
        buffer.pts = self._offset + pts
        # Decoding order is the order of the buffers; the payloaders send by time stamp of the picture.
        buffer.dts = Gst.CLOCK_TIME_NONE
        # The seek's mark would make the payloader end an access unit in the middle.
        buffer.unset_flags(Gst.BufferFlags.DISCONT)
        self._end = max(self._end, buffer.pts + duration)
        return buffer

    def close(self) -> None:
        """Let go of the file."""
        self._pipeline.set_state(Gst.State.NULL)


class FileFactory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc,name-defined]
    """Makes the media of one path: every client gets the file from its start, which is a key frame."""

    def __init__(self, path: str, caps_name: str) -> None:
        super().__init__()
        self._path = path
        self.set_launch(
            f"( appsrc name=source format=time block=true max-buffers={_QUEUED_BUFFERS} max-bytes=0 "
            f"! {_PAYLOADERS[caps_name]} name=pay0 )"
        )
        self.set_protocols(GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP)

    def do_configure(self, media: Any) -> None:
        """Feed the new media from its own loop over the file."""
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        source = media.get_element().get_by_name_recurse_up("source")
        loop = Loop(self._path)
        source.connect("need-data", self._feed, loop)
        media.connect("unprepared", lambda _media: loop.close())

    @staticmethod
    def _feed(source: Any, _length: int, loop: Loop) -> None:
        sample = loop.next()
        if sample is None:
            source.end_of_stream()
            return
        if source.get_caps() is None:
            source.set_caps(_payloadable(sample.get_caps()))
        source.push_buffer(loop.retime(sample))


def _payloadable(caps: Any) -> Any:
    """Call ``hev1`` ``hvc1``, the only one of the two that rtph265pay takes.

    They differ in where parameter sets may stand, not in how the access units are framed.
    """
    caps = caps.copy()
    if caps.get_structure(0).get_string("stream-format") == "hev1":
        caps.set_value("stream-format", "hvc1")
    return caps


def _caps_name(path: str) -> str:
    """Return the caps of the file's video track.

    :raises ValueError: when the file holds no H.264, H.265 or JPEG track that can be served as it is.
    """
    loop = Loop(path)
    try:
        sample = loop.next()
        if sample is None:
            raise ValueError(f"{path} holds no H.264, H.265 or JPEG video in an MP4 or MOV file")
        return str(sample.get_caps().get_structure(0).get_name())
    finally:
        loop.close()


def _authentication(method: str, user: str, password: str) -> Any:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def _allow_viewers(factory: Any) -> None:
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def serve(streams: dict[str, str], host: str, port: int, method: str | None, user: str, password: str) -> int:
    """Start serving and return the port.

    :raises ValueError: when a file cannot be served.
    :raises OSError: when the port cannot be had.
    """
    server = GstRtspServer.RTSPServer()
    server.set_address(host)
    server.set_service(str(port))
    mounts = server.get_mount_points()
    for name, path in streams.items():
        factory = FileFactory(path, _caps_name(path))
        if method:
            _allow_viewers(factory)
        mounts.add_factory("/" + name, factory)
    if method:
        server.set_auth(_authentication(method, user, password))
    if not server.attach(None):
        raise OSError(f"cannot listen at {host} port {port}: is another server running there?")
    _kept.append(server)
    return int(server.get_bound_port())


_kept: list[Any] = []


def _missing_elements() -> list[str]:
    wanted = ("qtdemux", "rtph264pay", "rtph265pay", "rtpjpegpay", "rtpbin", "udpsrc", "appsrc", "appsink")
    return [name for name in wanted if Gst.ElementFactory.find(name) is None]


def main() -> None:
    """Read the request, serve until standard input ends."""
    _die_with(os.getppid())
    request = json.loads(sys.stdin.readline())
    missing = _missing_elements()
    try:
        if missing:
            raise ValueError("GStreamer lacks " + ", ".join(missing))
        port = serve(
            request["streams"],
            request["host"],
            request["port"],
            request["auth"],
            request["user"] or "",
            request["password"] or "",
        )
    except (ValueError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201 - the answer to the parent
        sys.exit(1)
    print(json.dumps({"port": port}), flush=True)  # noqa: T201 - the answer to the parent
    loop = GLib.MainLoop()

    def wait_for_the_end() -> None:
        while sys.stdin.readline():
            pass
        # Not quit() from here: before run() has begun it would be lost.
        GLib.idle_add(loop.quit)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
