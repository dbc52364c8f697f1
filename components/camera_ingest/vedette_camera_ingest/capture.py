"""One camera, from its credentials to its frames: ``run`` tries until it is stopped, ``run_once`` tries once."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import av

from vedette.coded_video import CodedOffer
from vedette.hardware_decoding import candidates
from vedette.messages import CameraState
from vedette.rings import RingError, RingWriter
from vedette.rtsp import AddressError
from vedette.rtsp.address import parse
from vedette.video_devices import is_device
from vedette_camera_ingest.backoff import Backoff
from vedette_camera_ingest.board import StatusBoard
from vedette_camera_ingest.credentials import Credentials
from vedette_camera_ingest.decoding import Decoder
from vedette_camera_ingest.events import Opened, Over, Received
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.frames import FrameWriter
from vedette_camera_ingest.gate import Gate, Passage
from vedette_camera_ingest.http_camera import HttpCamera
from vedette_camera_ingest.image_folder import ImageFolder, Show
from vedette_camera_ingest.pace import Effort, Pace
from vedette_camera_ingest.passing_on import PassingOn
from vedette_camera_ingest.progress import Progress, Verdict
from vedette_camera_ingest.session import Session, UnsupportedCodec
from vedette_camera_ingest.source import Source
from vedette_camera_ingest.timing import CaptureClock
from vedette_camera_ingest.video_device import VideoDevice
from vedette_camera_ingest.video_file import VideoFile, path_of

_log = logging.getLogger(__name__)

_POLL_S: Final = 0.25
_REFUSED: Final = (CameraState.WRONG_PASSWORD, CameraState.PASSWORD_NEEDED)
_LOGIN_POLL_S: Final = 5.0
# So long after its last packet a camera counts as sending.
_SENDING_S: Final = 1.0

OpenSession = Callable[[Source, Credentials], Session]


class _Player(Protocol):
    """What reads and decodes by itself."""

    @property
    def codec(self) -> str:
        """A name for people, known once the first picture is shown."""

    def play(self, show: Show) -> None:
        """Show pictures until the end."""


class Capture:
    """Plays ``source`` into ``ring`` and keeps ``board`` true, until ``stop``.

    ``hardware`` lets it decode in hardware where there is some. ``offer`` is given the coded pictures of RTSP cameras.
    ``credentials()`` gives the login, read afresh; it raises CaptureError when it is not to be had.
    """

    def __init__(
        self,
        source: Source,
        credentials: Callable[[], Credentials],
        ring: RingWriter,
        board: StatusBoard,
        stop: threading.Event,
        *,
        hardware: bool = False,
        offer: CodedOffer | None = None,
        open_session: OpenSession = Session,
        backoff: Backoff | None = None,
    ) -> None:
        self._source = source
        self._fetch = credentials
        self._ring = ring
        self._board = board
        self._stop = stop
        self._hardware = hardware
        self._offer = offer
        self._open_session = open_session
        self._backoff = backoff or Backoff()
        self._writer = FrameWriter(ring)
        self._login: Credentials | None = None
        self.beat_at = time.monotonic()
        """When the loop last showed that it runs (monotonic, s)."""

    def run(self) -> None:
        """Play until stop is set, or a file that is not looped has ended."""
        while not self._stop.is_set():
            before = self._board.frames
            self._board.trying()
            try:
                self.run_once()
            except CaptureError as error:
                if error.state is CameraState.ENDED:
                    self._end(error)
                    return
                self._wait(error, delivered=self._board.frames > before)

    def run_once(self) -> None:
        """Play over one connection, or one file, until stop is set.

        :raises CaptureError: when it is over for any other reason.
        """
        self._beat()
        login = self._credentials()
        self._board.addressed(login.url)
        if self._board.state is CameraState.CONNECTING:
            self._board.enter(CameraState.CONNECTING, _whereto(login, self._source))
        path = path_of(login.url)
        scheme = login.url.partition("://")[0].lower()
        if path is not None:
            self._play_local(path)
        elif scheme in ("rtsp", "rtsps"):
            self._play_stream(login)
        elif scheme in ("http", "https"):
            options: dict[str, Any] = {"rate": self._source.max_fps, "secret": self._source.secret}
            camera = HttpCamera(login, self._ring, self._stop, **options, **self._hooks())
            self._play_pictures(camera, self._source.max_fps)
        else:
            raise CaptureError(
                CameraState.FAILED,
                f"Camera {self._source.name} has an address that begins with {scheme[:16]}://,"
                f" expected rtsp://, rtsps://, http://, https:// or a path on this device",
            )

    def _credentials(self) -> Credentials:
        """Fetch the login; the last good one serves while the nucleus does not answer."""
        try:
            self._login = self._fetch()
        except CaptureError:
            if self._login is None or self._board.state in _REFUSED:
                raise
        return self._login

    def _play_stream(self, login: Credentials) -> None:
        session = self._open_session(self._source, login)
        session.start()
        try:
            opened = self._await_opening(session)
            if opened is not None:
                self._board.found_codec(opened.codec)
                self._play_packets(session, opened)
        except UnsupportedCodec as error:
            self._board.found_codec(error.codec)
            raise
        finally:
            session.close()

    def _await_opening(self, session: Session) -> Opened | None:
        """Return the opened stream, None when stop is set first. Every step of the session is bounded by itself."""
        while not self._stop.is_set():
            self._beat()
            event = session.next(_POLL_S)
            if isinstance(event, Over):
                raise event.error
            if isinstance(event, Opened):
                return event
        return None

    def _play_packets(self, session: Session, opened: Opened) -> None:
        clock = CaptureClock()
        decoder = Decoder(opened.decoder, clock, candidates(opened.decoder.name) if self._hardware else ())
        progress = Progress(time.monotonic())
        gate = Gate(lambda: self._ring.readers, time.monotonic())
        pace = Pace(self._source.max_fps)
        passing_on = None if self._offer is None else PassingOn(self._offer, opened)
        while not self._stop.is_set():
            self._beat()
            event = session.next(_POLL_S)
            now = time.monotonic()
            if isinstance(event, Over):
                raise event.error
            if isinstance(event, Received):
                progress.packet(event.mono_ns / 1e9)
                clock.arrived(event.pts_ns, event.camera_ns, event.mono_ns, event.wall_ns)
                self._board.found_clock(clock.behind_ns)
                if passing_on is not None:
                    passing_on.take(event)
                self._take(event, gate, pace, decoder, progress, now)
            self._judge(progress, opened, now, session)

    def _take(self, event: Received, gate: Gate, pace: Pace, decoder: Decoder, progress: Progress, now: float) -> None:
        behind = gate.behind
        key = bool(event.packet.is_keyframe)
        passage = gate.judge(now, event.mono_ns / 1e9, key=key)
        if gate.behind and not behind:
            _log.warning("camera %s: decoding falls behind, packets are left out until the next key frame", self._name)
        if passage is Passage.DROP:
            if gate.idle:
                progress.frame(now)
            return
        frames = 0
        try:
            decode = decoder.decode_alone if passage is Passage.GLANCE else decoder.decode
            for captured in decode(event):
                frames += 1
                progress.frame(time.monotonic())
                self._board.found_decoder(decoder.name)
                if passage is Passage.GLANCE or pace.passes(captured.mono_ns):
                    self._show(captured.frame, captured.wall_ns, captured.mono_ns)
        except av.FFmpegError:
            self._board.failed_to_decode()
        effort = pace.effort(event.mono_ns, key=key, frames=frames)
        if effort is Effort.KEYS:
            # Left out on purpose, not missing.
            progress.frame(now)
        decoder.leave_out(Effort.REFERENCES if gate.late and effort is Effort.ALL else effort)

    def _show(self, frame: Any, wall_ns: int, mono_ns: int) -> None:
        try:
            size = self._writer.write(frame, wall_ns, mono_ns)
        except (RingError, ValueError) as error:
            raise CaptureError(CameraState.FAILED, f"A picture could not be handed on: {error}") from error
        self._board.decoded((frame.width, frame.height), size, mono_ns / 1e9)

    def _judge(self, progress: Progress, opened: Opened, now: float, session: Session) -> None:
        verdict, heard_at = progress.verdict(now), session.heard_at
        if verdict is Verdict.STALLED:
            silent_s = progress.silent_s(now)
            if heard_at is not None and now - heard_at < _SENDING_S and heard_at > now - silent_s:
                raise CaptureError(
                    CameraState.NO_KEY_FRAME,
                    f"{opened.where} sends packets, but "
                    + (session.complaint or f"for {silent_s:.0f} s none of them has ended a picture"),
                )
            if not progress.packets:
                raise CaptureError(
                    CameraState.STALLED,
                    f"{opened.where} plays the stream, but no packet has come over {self._source.transport.upper()}"
                    f" for {silent_s:.0f} s",
                )
            raise CaptureError(
                CameraState.STALLED, f"{opened.where} is still connected, but has sent nothing for {silent_s:.1f} s"
            )
        if verdict is Verdict.NO_PICTURE:
            self._board.enter(CameraState.NO_KEY_FRAME)
        if verdict is Verdict.HOPELESS:
            raise CaptureError(CameraState.NO_KEY_FRAME, f"{opened.where} sent no complete picture in a minute")

    def _play_local(self, path: Path) -> None:
        if path.is_char_device() or is_device(str(path)):
            device = VideoDevice(str(path), self._ring, self._stop, **self._hooks())
            self._play_pictures(device, self._source.max_fps)
        elif path.is_dir():
            self._play_pictures(ImageFolder(path, self._source, self._ring, self._stop, **self._hooks()))
        else:
            most = self._source.max_fps if self._source.pace == "own" else None
            video = VideoFile(path, self._source, self._ring, self._stop, **self._hooks())
            self._play_pictures(video, most)

    def _play_pictures(self, player: "_Player", most: float | None = None) -> None:
        """Play what decodes by itself, ``most`` pictures a second."""
        pace = Pace(most)

        def show(frame: Any, wall_ns: int, mono_ns: int) -> None:
            self._board.found_codec(player.codec)
            if pace.passes(mono_ns):
                self._show(frame, wall_ns, mono_ns)

        player.play(show)

    def _hooks(self) -> dict[str, Any]:
        return {"beat": self._beat, "failed_to_decode": self._board.failed_to_decode}

    def _wait(self, error: CaptureError, *, delivered: bool) -> None:
        delay_s = self._backoff.next_delay_s(error.state, delivered=delivered)
        _log.warning("camera %s: %s: %s; next try in %.1f s", self._name, error.state.value, error.detail, delay_s)
        if delivered:
            self._board.reconnected()
        self._board.wait_for_next_try(error, delay_s)
        until = time.monotonic() + delay_s
        while (left_s := until - time.monotonic()) > 0 and not self._stop.wait(min(left_s, _LOGIN_POLL_S)):
            self._beat()
            if error.state in _REFUSED and self._login_changed():
                _log.info("camera %s: the secret has changed", self._name)
                return

    def _login_changed(self) -> bool:
        try:
            return self._fetch() != self._login
        except CaptureError:
            return False

    def _end(self, error: CaptureError) -> None:
        _log.info("camera %s: %s", self._name, error.detail)
        self._board.enter(error.state, error.detail)
        while not self._stop.wait(_LOGIN_POLL_S):
            self._beat()

    def _beat(self) -> None:
        self.beat_at = time.monotonic()

    @property
    def _name(self) -> str:
        return self._source.name


def _whereto(login: Credentials, source: Source) -> str:
    """Return what is said while connecting: ``10.0.0.21:554, over TCP``; nothing for files and what is no address."""
    try:
        address, _, _ = parse(login.url)
    except AddressError:
        return ""
    return f"{address.host}:{address.port}, over {source.transport.upper()}"
