"""One RTSP connection: a thread asks the camera, opens the stream with libav and hands its packets over.

Reading has a thread of its own so that packets are stamped when they arrive, however long the picture before takes to
decode, and so that whoever waits here is never stuck in libav: it takes what has come, or goes.
"""

import contextlib
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import av

from vedette.messages import CameraState
from vedette.rtsp import Address, ProbeError, ProbeResult, RtspError, probe
from vedette_camera_ingest import libav_errors
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.events import Event, Opened, Over, Received
from vedette_camera_ingest.failure import CaptureError, from_probe
from vedette_camera_ingest.scaling import MOST_DECODED_PIXELS
from vedette_camera_ingest.source import Source

_log = logging.getLogger(__name__)

SUPPORTED: Final = ("H264", "H265", "JPEG")
_OPEN_TIMEOUT_S: Final = 8.0
# Only the last resort: whoever waits for the packets notices much earlier that they stay away, and shuts the sockets.
_READ_TIMEOUT_S: Final = 60.0
_CLOSE_S: Final = 0.3
# A whole minute of a camera at 30 fps; the gate drops what is late long before.
_MOST_PACKETS: Final = 1800
# Of the same: no camera sends so much while one picture is decoded.
_MOST_BYTES: Final = 64 * 1024 * 1024
# Not in every PyAV that is supported.
_TELLS_TIMES: Final = hasattr(av.Packet, "has_sidedata")
_CA_FILES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

Opener = Callable[..., Any]
Prober = Callable[..., ProbeResult]


class Session:
    """Plays ``source``; start it, take :meth:`next` until ``Over``, then close it.

    ``opener`` is ``av.open``, ``prober`` is :func:`vedette.rtsp.probe`.
    """

    def __init__(
        self,
        source: Source,
        credentials: Credentials,
        *,
        opener: Opener = av.open,
        prober: Prober = probe,
        open_timeout_s: float = _OPEN_TIMEOUT_S,
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._opener = opener
        self._prober = prober
        self._open_timeout_s = open_timeout_s
        self._port: int | None = None
        self._closing = threading.Event()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        # Each is written by one of the two threads only.
        self._put_bytes = self._taken_bytes = 0
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def next(self, timeout_s: float) -> Event | None:
        """Return the next event, or None when none comes in time."""
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(event, Received):
            self._taken_bytes += event.packet.size
        return event

    def close(self) -> None:
        """End the connection. The thread ends at once, or when libav's own limits have passed."""
        self._closing.set()
        if self._port is not None:
            _shut_connections_to(self._port)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        container = None
        try:
            address, codec = self._ask()
            container = self._open(address)
            where = f"{address.host} port {address.port}"
            stream = container.streams.video[0]
            self._events.put(Opened(stream.codec_context, codec, where))
            self._read(container, stream, where)
        except CaptureError as error:
            self._events.put(Over(error))
        except Exception as error:  # noqa: BLE001 - the edge of the thread; libav's texts hold the password
            _log.error("the reading thread failed: %s", type(error).__name__)
            self._events.put(Over(CaptureError(CameraState.FAILED, f"Reading failed ({type(error).__name__})")))
        finally:
            # Whoever decodes uses the stream's decoder until it says that it does not any more.
            self._closing.wait()
            if container is not None:
                with contextlib.suppress(av.FFmpegError):
                    container.close()

    def _ask(self) -> tuple[Address, str]:
        """Ask the camera what it offers; return its address and the codec's name for people."""
        try:
            result = self._prober(self._credentials.url, self._credentials.user, self._credentials.password)
        except (ProbeError, RtspError) as error:
            raise from_probe(error, self._source.secret) from error
        self._port = result.address.port
        if result.video.codec not in SUPPORTED:
            raise UnsupportedCodec(result.video.codec_name, result.address.host)
        return result.address, result.video.codec_name

    def _open(self, address: Address) -> Any:
        wanted = self._source.transport
        try:
            try:
                container = self._open_over(wanted, address)
            except OSError as error:
                other = "udp" if wanted == "tcp" else "tcp"
                # Never pictures in the clear where TLS was asked for.
                if address.tls or not libav_errors.refuses_transport(error):
                    raise
                container = self._open_over(other, address)
                _log.info("%s does not send over %s, %s is used", address.host, wanted.upper(), other.upper())
        except (av.FFmpegError, OSError) as error:
            where = f"{address.host} port {address.port}"
            # Not chained: the text of the error holds the password, and a traceback would show it.
            raise libav_errors.from_opening(error, where, wanted.upper()) from None
        if not container.streams.video:
            container.close()
            raise CaptureError(CameraState.NO_VIDEO, f"The stream of {address.host} has no video")
        return container

    def _open_over(self, transport: str, address: Address) -> Any:
        self._check_open()
        return self._opener(
            address.with_login(self._credentials.user, self._credentials.password),
            options=_options(transport, address),
            timeout=(self._open_timeout_s, _READ_TIMEOUT_S),
        )

    def _read(self, container: Any, stream: Any, where: str) -> None:
        try:
            for packet in container.demux(stream):
                if self._closing.is_set():
                    return
                if packet.size:
                    self._put_bytes += packet.size
                    mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
                    self._events.put(Received(packet, mono_ns, wall_ns, _stamp_of(packet), _camera_time_of(packet)))
                if self._events.qsize() > _MOST_PACKETS or self._put_bytes - self._taken_bytes > _MOST_BYTES:
                    raise CaptureError(CameraState.FAILED, "Packets are not taken any more")
        except (av.FFmpegError, OSError) as error:
            raise libav_errors.from_reading(error, where) from None
        # libav ends a stream without an error when the server closes the connection.
        raise CaptureError(CameraState.LOST, f"{where} closed the connection")

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise CaptureError(CameraState.LOST, "The session was closed")


class UnsupportedCodec(CaptureError):
    """The stream's codec is none that is decoded here."""

    def __init__(self, codec: str, host: str) -> None:
        super().__init__(
            CameraState.UNSUPPORTED_CODEC, f"{host} sends {codec}: set the camera to H.264, H.265 or MJPEG"
        )
        self.codec = codec


def _stamp_of(packet: Any) -> int | None:
    if packet.pts is None:
        return None
    base = packet.time_base
    return int(packet.pts * 1_000_000_000 * base.numerator // base.denominator)


def _camera_time_of(packet: Any) -> int | None:
    """Return the Unix time that the camera's sender reports give to a packet, ns."""
    if not _TELLS_TIMES or not packet.has_sidedata("prft"):
        return None
    # AVProducerReferenceTime: microseconds in 64 bits, then flags.
    return int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], sys.byteorder, signed=True) * 1000


def _options(transport: str, address: Address) -> dict[str, str]:
    options = {
        "rtsp_transport": transport,
        "allowed_media_types": "video",
        "user_agent": "Vedette",
        # Do not collect frames to estimate a rate nobody asks for: the first picture comes after 0.2 s, not after 1 s.
        "fpsprobesize": "0",
        "analyzeduration": "300000",
        "max_pixels": str(MOST_DECODED_PIXELS),
        # Of single operations on the socket, us.
        "timeout": "10000000",
    }
    if transport == "udp":
        options["buffer_size"] = str(2 * 1024 * 1024)
    if address.tls:
        import ssl

        options["tls_verify"] = "1"
        given = [os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_CA_FILES]
        options["ca_file"] = next((path for path in given if path and Path(path).is_file()), _CA_FILES[0])
    return options


def _shut_connections_to(port: int) -> None:
    """Shut this process's TCP connections to ``port``: the one way to get libav out of a wait for the network.

    A worker's only TCP connections are those to its camera.
    """
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if not str(link.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(link.name))) as copy:
                if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getpeername()[1] == port:
                    copy.shutdown(socket.SHUT_RDWR)
