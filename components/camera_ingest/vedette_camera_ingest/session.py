"""One RTSP connection: a thread asks the camera, plays the stream and hands its coded pictures over.

Reading has a thread of its own so that pictures are stamped when they arrive, however long the one before takes to
decode, and so that whoever waits here takes what has come, or goes.
"""

import logging
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from vedette.messages import CameraState
from vedette.picture_decoding import DECODERS, decoder_for, packet_of
from vedette.rtsp import CodedPicture, Media, Player, ProbeError, RtspError, play
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.events import Event, Opened, Over, Received
from vedette_camera_ingest.failure import CaptureError, from_probe
from vedette_camera_ingest.source import Source

_log = logging.getLogger(__name__)

_CLOSE_S: Final = 0.5
# A whole minute of a camera at 30 fps; the gate drops what is late long before.
_MOST_PICTURES: Final = 1800
# Of the same: no camera sends so much while one picture is decoded.
_MOST_BYTES: Final = 64 * 1024 * 1024

Play = Callable[..., Player]


class Session:
    """Plays ``source``; start it, take :meth:`next` until ``Over``, then close it.

    ``player`` is :func:`vedette.rtsp.play`.
    """

    def __init__(self, source: Source, credentials: Credentials, *, player: Play = play) -> None:
        self._source = source
        self._credentials = credentials
        self._play = player
        self._player: Player | None = None
        self._closing = threading.Event()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        # Each is written by one of the two threads only.
        self._put_bytes = self._taken_bytes = 0
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    @property
    def heard_at(self) -> float | None:
        """When the last packet came (monotonic, s), whether or not it ended a picture; None before the stream plays."""
        return self._player.heard_at if self._player else None

    @property
    def complaint(self) -> str:
        """Why no picture can be made of what comes, where that is known; else empty."""
        return self._player.complaint if self._player else ""

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
        """End the connection. The thread ends within its next wait, or when an answer's own limit has passed."""
        self._closing.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        try:
            self._read(self._open())
        except CaptureError as error:
            self._events.put(Over(error))
        except Exception as error:  # noqa: BLE001 - the edge of the thread
            _log.error("the reading thread failed: %s", type(error).__name__)
            self._events.put(Over(CaptureError(CameraState.FAILED, f"Reading failed ({type(error).__name__})")))
        finally:
            if self._player is not None:
                self._player.close()

    def _open(self) -> Player:
        login = self._credentials
        wanted = self._source.transport
        try:
            player = self._player = self._play(
                login.url,
                login.user,
                login.password,
                transport=wanted,
                playable=_check,
                closing=self._closing,
                authority=login.certificate,
            )
        except (ProbeError, RtspError) as error:
            raise from_probe(error, self._source.secret) from error
        host, port = player.address.host, player.address.port
        if player.transport != wanted and not player.address.tls:
            _log.info("%s does not send over %s, %s is used", host, wanted.upper(), player.transport.upper())
        media = player.media
        self._events.put(Opened(decoder_for(media), media.codec_name, f"{host} port {port}"))
        return player

    def _read(self, player: Player) -> None:
        base = Fraction(1, player.media.clock_hz)
        try:
            for picture in player.pictures():
                self._put_bytes += len(picture.data)
                self._events.put(_received(picture, base))
                if self._events.qsize() > _MOST_PICTURES or self._put_bytes - self._taken_bytes > _MOST_BYTES:
                    raise CaptureError(CameraState.FAILED, "Pictures are not taken any more")
        except ProbeError as error:
            raise CaptureError(CameraState.LOST, error.detail) from error


class UnsupportedCodec(CaptureError):
    """The stream's codec is none that is decoded here."""

    def __init__(self, codec: str) -> None:
        super().__init__(CameraState.UNSUPPORTED_CODEC, f"The camera sends {codec}: set it to H.264, H.265 or MJPEG")
        self.codec = codec


def _check(media: Media) -> None:
    """Let only through what can be decoded."""
    if media.codec not in DECODERS:
        raise UnsupportedCodec(media.codec_name)


def _received(picture: CodedPicture, base: Fraction) -> Received:
    return Received(packet_of(picture, base), picture.mono_ns, picture.wall_ns, picture.pts_ns, picture.camera_ns)
