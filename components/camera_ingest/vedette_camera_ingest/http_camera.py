"""Cameras that send JPEG over HTTP: an endless multipart answer (motion JPEG), or one image a request (snapshots)."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

import av

from vedette.messages import CameraState
from vedette.rings import RingWriter
from vedette.rtsp import ProbeError
from vedette.rtsp.authentication import authorize, parse_challenges, strongest
from vedette.rtsp.resolution import resolve
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.failure import CaptureError, from_probe
from vedette_camera_ingest.http_answer import Answer, HttpError, split_head
from vedette_camera_ingest.multipart import MAX_IMAGE_BYTES, MultipartError, MultipartReader
from vedette_camera_ingest.scaling import MOST_DECODED_PIXELS

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 5.0
_STALL_S: Final = 5.0
# From the first byte of an image to its last, however steadily it drips.
_IMAGE_S: Final = 10.0
_POLL_S: Final = 0.25
_READ_BYTES: Final = 256 * 1024
# Pictures that nobody looks at are decoded as rarely as those of other cameras.
_GLANCE_S: Final = 1.0
_SNAPSHOTS_A_SECOND: Final = 1.0
_SAFE: Final = "/:?#[]@!$&'()*+,;=%-._~"

Show = Callable[[Any, int, int], None]
"""Takes a frame and its time: Unix and monotonic, ns."""


class HttpCamera:
    """Plays the camera at ``credentials.url`` into ``show``; times are those of arrival.

    ``rate`` is how many snapshots a second are asked for, None the usual one. ``beat`` is called at least twice a
    second.
    """

    codec = "MJPEG"

    def __init__(
        self,
        credentials: Credentials,
        ring: RingWriter,
        stop: threading.Event,
        *,
        rate: float | None = None,
        secret: str | None = None,
        beat: Callable[[], None] = lambda: None,
        failed_to_decode: Callable[[], None] = lambda: None,
    ) -> None:
        self._credentials = credentials
        self._ring = ring
        self._stop = stop
        self._interval_s = 1 / (rate or _SNAPSHOTS_A_SECOND)
        self._secret = secret
        self._beat = beat
        self._failed_to_decode = failed_to_decode
        parts = urlsplit(credentials.url)
        self._tls = parts.scheme.lower() == "https"
        try:
            self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        except ValueError:
            self._host = ""
        if not self._host:
            raise CaptureError(CameraState.FAILED, "The address of the camera names no valid host and port")
        path = parts.path or "/"
        self._target = quote(path + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
        self._where = f"{self._host} port {self._port}"
        self._decoder: Any = av.CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1
        self._decoder.options = {"max_pixels": str(MOST_DECODED_PIXELS)}

    def play(self, show: Show) -> None:
        """Show images until stop is set.

        :raises CaptureError: when the camera sends no more, or nothing of use.
        """
        shown_at = 0.0
        for image in self._images():
            wall_ns, mono_ns = time.time_ns(), time.monotonic_ns()
            if not self._ring.readers and time.monotonic() - shown_at < _GLANCE_S:
                continue
            for frame in self._decoded(image):
                show(frame, wall_ns, mono_ns)
                shown_at = time.monotonic()

    def _decoded(self, image: bytes) -> list[Any]:
        try:
            return list(self._decoder.decode(av.Packet(image)))
        except av.FFmpegError:
            self._failed_to_decode()
            return []

    def _images(self) -> Iterator[bytes]:
        while not self._stop.is_set():
            sock, answer, rest = self._ask()
            with sock:
                kind = answer.first("content-type").partition(";")[0].strip().lower()
                if kind in ("image/jpeg", "image/jpg"):
                    yield self._snapshot(sock, answer, rest)
                elif kind.startswith("multipart/"):
                    yield from self._stream(sock, rest)
                    return
                else:
                    raise CaptureError(
                        CameraState.NO_VIDEO,
                        f"{self._where} answers with {_short(kind) or 'nothing'},"
                        " expected motion JPEG (multipart/x-mixed-replace) or image/jpeg",
                    )
            self._pause()

    def _pause(self) -> None:
        until = time.monotonic() + self._interval_s
        while (left_s := until - time.monotonic()) > 0 and not self._stop.wait(min(left_s, _POLL_S)):
            self._beat()

    def _stream(self, sock: socket.socket, data: bytes) -> Iterator[bytes]:
        reader = MultipartReader()
        began: float | None = None
        heard_at = time.monotonic()
        while not self._stop.is_set():
            self._beat()
            reader.receive_data(data)
            try:
                while (image := reader.next_image()) is not None:
                    began, heard_at = None, time.monotonic()
                    yield image
            except MultipartError as error:
                raise CaptureError(CameraState.FAILED, f"{self._where} sends {error}") from error
            now = time.monotonic()
            began = (began or now) if reader.partial else None
            if began is not None and now - began > _IMAGE_S:
                raise CaptureError(
                    CameraState.STALLED, f"{self._where} has sent no complete image for {now - began:.0f} s"
                )
            if now - heard_at > max(_STALL_S, _IMAGE_S if began else 0.0):
                raise CaptureError(
                    CameraState.STALLED,
                    f"{self._where} is still connected, but has sent no image for {now - heard_at:.0f} s",
                )
            data = self._receive(sock)

    def _snapshot(self, sock: socket.socket, answer: Answer, data: bytes) -> bytes:
        length = answer.first("content-length")
        wanted = int(length) if length.isascii() and length.isdigit() else None
        until = time.monotonic() + _IMAGE_S
        parts, size = [data], len(data)
        while wanted is None or size < wanted:
            if time.monotonic() > until or self._stop.is_set():
                raise CaptureError(CameraState.STALLED, f"{self._where} has not sent its image within {_IMAGE_S:g} s")
            if size > MAX_IMAGE_BYTES:
                raise CaptureError(CameraState.FAILED, f"{self._where} sends an image of over 16 MiB")
            self._beat()
            try:
                parts.append(self._receive(sock))
            except CaptureError:
                if wanted is None:
                    break  # the end of the connection is the end of the image
                raise
            size += len(parts[-1])
        return b"".join(parts)

    def _ask(self) -> tuple[socket.socket, Answer, bytes]:
        """Return a connection on which the camera has answered 200, the answer, and what has come behind its head.

        :raises CaptureError: when it answers anything else, or nothing.
        """
        authorization: list[tuple[str, str]] = []
        # Once without a login, once with the one that is asked for.
        while True:
            sock = self._connect()
            try:
                answer, rest = self._request(sock, authorization)
                if answer.code == 200:
                    return sock, answer, rest
                if answer.code != 401 or authorization or self._credentials.user is None:
                    raise self._refusal(answer.code)
                authorization = [("Authorization", self._authorization(answer))]
            except BaseException:
                sock.close()
                raise
            sock.close()

    def _authorization(self, answer: Answer) -> str:
        challenge = strongest(parse_challenges(answer.all("www-authenticate")))
        if challenge is None:
            raise CaptureError(CameraState.FAILED, f"{self._where} wants a login of a kind that is not known here")
        return authorize(
            challenge,
            method="GET",
            uri=self._target,
            user=self._credentials.user or "",
            password=self._credentials.password or "",
            client_nonce=os.urandom(8).hex(),
        )

    def _refusal(self, code: int) -> CaptureError:
        if code in (401, 403):
            user = self._credentials.user
            if user is None:
                return CaptureError(
                    CameraState.PASSWORD_NEEDED, f"{self._where} answered {code} and no user name was given"
                )
            of = f" from secret {self._secret}" if self._secret else ""
            return CaptureError(CameraState.WRONG_PASSWORD, f"{self._where} answered {code} to user {user}{of}")
        if code == 404:
            return CaptureError(CameraState.NOT_FOUND, f"{self._where} has nothing at {self._target} (answer 404)")
        if code == 503:
            return CaptureError(CameraState.BUSY, f"{self._where} answered 503: too many viewers, or still starting")
        return CaptureError(CameraState.FAILED, f"{self._where} answered {code}, expected 200")

    def _connect(self) -> socket.socket:
        self._beat()
        try:
            targets = resolve(self._host, self._port, _ANSWER_S)
        except ProbeError as error:
            raise from_probe(error, self._secret) from error
        failure: OSError = OSError("no address")
        for family, target in targets:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(_CONNECT_S)
                sock.connect(target)
                return self._secured(sock) if self._tls else sock
            except OSError as error:
                sock.close()
                failure = error
        if isinstance(failure, ConnectionRefusedError):
            raise CaptureError(CameraState.REFUSED, f"{self._host} refused port {self._port}") from failure
        raise CaptureError(CameraState.UNREACHABLE, f"No answer from {self._where} for {_CONNECT_S:g} s") from failure

    def _secured(self, sock: socket.socket) -> socket.socket:
        # Only here: it takes a megabyte of each process that plays a camera.
        import ssl

        try:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=self._host)
        except ssl.SSLError as error:
            sock.close()
            reason = getattr(error, "verify_message", "") or "no TLS is spoken there"
            raise CaptureError(
                CameraState.FAILED,
                f"{self._where} cannot be talked to over TLS ({reason}): add the camera's authority to the device's"
                " certificates, or use http://",
            ) from error

    def _request(self, sock: socket.socket, headers: list[tuple[str, str]]) -> tuple[Answer, bytes]:
        port = "" if self._port == (443 if self._tls else 80) else f":{self._port}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        # 1.0: the answer is not chunked, and ends with its connection.
        lines = [f"GET {self._target} HTTP/1.0", f"Host: {host}{port}", "User-Agent: Vedette"]
        lines += [f"{name}: {value}" for name, value in headers]
        until = time.monotonic() + _ANSWER_S
        try:
            sock.sendall("\r\n".join([*lines, "", ""]).encode())
            data = b""
            while (split := split_head(data)) is None:
                if time.monotonic() > until or self._stop.is_set():
                    raise CaptureError(CameraState.UNREACHABLE, f"{self._where} has not answered for {_ANSWER_S:g} s")
                self._beat()
                data += self._receive(sock)
        except HttpError as error:
            raise CaptureError(CameraState.FAILED, f"{self._where} does not speak HTTP: {error}") from error
        except OSError as error:
            raise CaptureError(CameraState.LOST, f"{self._where} closed the connection") from error
        return split

    def _receive(self, sock: socket.socket) -> bytes:
        """Return what comes within a quarter of a second, which may be nothing.

        :raises CaptureError: when the connection has ended.
        """
        sock.settimeout(_POLL_S)
        try:
            data = sock.recv(_READ_BYTES)
        except TimeoutError:
            return b""
        except OSError as error:
            raise CaptureError(CameraState.LOST, f"The connection to {self._where} broke") from error
        if not data:
            raise CaptureError(CameraState.LOST, f"{self._where} closed the connection")
        return data


def _short(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:60]
