"""The display's process: bus in, page out."""

import asyncio
import logging
import os
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vedette.aws_calls import AwsCaller, CredentialsSource
from vedette.bus import Bus, BusError, NotFound
from vedette.bus.component import ComponentFailed
from vedette.health import TOPIC_FILTERS, HealthDocument
from vedette.messages import MAX_BYTES, REPEAT_S, DisplayStatus, ScreenStatus
from vedette.messages.display import ShownOutput
from vedette_display.access import Access, load_key, names_of_this_device
from vedette_display.application_log import ComponentLogs
from vedette_display.board import Board
from vedette_display.camera_views import CameraViews, camera_of, view_of
from vedette_display.certificate import CertificateError, load_context, own_certificate
from vedette_display.configuration import ConfigurationError, DisplayConfiguration, read
from vedette_display.controls import Controls
from vedette_display.encoders import Encoders
from vedette_display.gallery import Gallery
from vedette_display.history import History
from vedette_display.machine import device_name
from vedette_display.recordings import Recorder, Shelf
from vedette_display.reports import Reports
from vedette_display.screen.ownership import Ownership
from vedette_display.screen.process import ScreenProcess
from vedette_display.screen.staging import stage
from vedette_display.server import Server, bind
from vedette_display.site import Site
from vedette_display.streams import Places, Streams, password_of
from vedette_display.uploading import RecordingUploader
from vedette_display.video import VideoFeeds

if TYPE_CHECKING:
    from vedette_display.kinesis import KinesisUploads

logger = logging.getLogger(__name__)

KEY_FILE: Final = "access-key"
RECORDINGS: Final = "recordings"
LOOPBACK: Final = "127.0.0.1"
LEAST_S: Final = 0.25
MOST_SHOWN: Final = 40
"""Outputs told of in a status: more do not fit into a message."""


def main(bus: Bus, stop: threading.Event) -> None:
    """Show outputs until ``stop`` is set.

    :raises ComponentFailed: when the configuration is wrong or the address cannot be used.
    """
    try:
        configuration = read(bus.get_configuration())
    except NotFound:
        configuration = DisplayConfiguration()
    except ConfigurationError as error:
        raise ComponentFailed(str(error)) from error
    try:
        sock = bind(configuration.bind, configuration.port)
    except OSError as error:
        raise ComponentFailed(
            f"cannot listen at {configuration.bind}: {error.strerror}; `bind` must be an address of this device"
        ) from error
    port = sock.getsockname()[1]
    if configuration.port not in (0, port):
        logger.warning("port %d is taken by another program, %d is used", configuration.port, port)
    names = [] if configuration.loopback else names_of_this_device()
    try:
        key = load_key(Path(KEY_FILE))
        tls, stream_tls = _contexts(configuration, [*names, *configuration.hosts])
    except OSError as error:
        sock.close()
        raise ComponentFailed(f"the access key cannot be kept in {KEY_FILE}: {error.strerror}") from error
    except CertificateError as error:
        sock.close()
        raise ComponentFailed(str(error)) from error
    access = Access(
        key, port, [*names, *configuration.hosts], loopback=configuration.loopback, secure=configuration.secure
    )
    address = f"http{'s' if tls is not None else ''}://{_host(configuration)}:{port}/"
    logger.info("the page is at %s; with its access key, which `vedette status` tells, things can be changed", address)
    asyncio.run(_Display(bus, stop, configuration, access, tls, stream_tls, key).run(sock, f"{address}?key={key}"))


def _contexts(
    configuration: DisplayConfiguration, names: list[str]
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Return TLS of the page and of the streams, each None where there is none; both with the same certificate."""
    if not configuration.secure and not configuration.loopback:
        logger.warning("the page is served without TLS beyond this machine: its key can be read on the network")
    streams = configuration.rtsps == "on"
    if not configuration.secure and not streams:
        return None, None
    if configuration.certificate:
        context = load_context(Path(configuration.certificate), Path(configuration.private_key))
    else:
        context = load_context(*own_certificate(Path(), names))
    return context if configuration.secure else None, context if streams else None


class _Display:
    def __init__(
        self,
        bus: Bus,
        stop: threading.Event,
        configuration: DisplayConfiguration,
        access: Access,
        tls: ssl.SSLContext | None,
        stream_tls: ssl.SSLContext | None,
        key: str,
    ) -> None:
        self._bus = bus
        self._stop = stop
        self._configuration = configuration
        self._access = access
        self._tls = tls
        self._stream_tls = stream_tls
        self._key = key
        self._encoders = Encoders(configuration.encoder)

    async def run(self, sock: socket.socket, page: str) -> None:
        stopped, changed = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        board = Board(lambda: _set(loop, changed))
        threading.Thread(target=self._wait, args=(loop, stopped), name="stop", daemon=True).start()
        views = CameraViews(self._bus, board.camera, board.source)
        gallery = Gallery(
            lambda name: board.locate(name) if camera_of(name) is None else views.locate(name), views.look
        )
        history = History()
        # The folders of all components' work lie side by side, on every nucleus.
        self._encoders.start()
        videos = VideoFeeds(
            lambda name: board.locate(name) if camera_of(name) is None else views.locate_steadily(name),
            self._encoders,
        )
        recorder = self._recorder(videos, board.device, views)
        uploader = None if recorder is None else self._uploader(recorder.shelf, board.device)
        uploads = self._uploads(videos, board)
        reports = Reports(board, history, ComponentLogs(Path.cwd().parent), recorder.shelf if recorder else None)
        controls = Controls(self._bus, board.document, device_name(), stop=self._stop)
        streams = await asyncio.to_thread(self._streams, videos, views)
        server = Server(
            sock,
            self._access,
            board,
            gallery,
            Site(),
            reports,
            controls,
            videos,
            streams.addresses,
            views,
            tls=self._tls,
        )
        screen = None if self._configuration.screen == "off" else self._screen()
        ownership = Ownership(self._configuration.screen_application)
        subscriptions = [self._bus.subscribe(topic, board.heard) for topic in TOPIC_FILTERS]
        views.start()
        await server.start()
        tell = asyncio.create_task(_tell(server, changed))
        try:
            while not stopped.is_set():
                began = time.monotonic()
                document = board.document()
                history.sample(document, gallery.figures())
                cameras = [view_of(camera.camera_id) for camera in document.cameras]
                streams.serve([*(output.output_id for output in document.outputs), *cameras])
                if uploads is not None:
                    uploads.follow(
                        ((o.output_id, o.instance, o.port, o.stream) for o in document.outputs),
                        ((camera.camera_id, camera.name) for camera in document.cameras),
                    )
                if recorder is not None:
                    recorder.follow(((o.output_id, o.instance, o.stream) for o in document.outputs), _mains(document))
                shown = self._stage(screen, ownership, document, board)
                # Off the loop: a publication may take long while the nucleus is busy, pictures must not.
                await asyncio.to_thread(self._publish, self._status(page, server, gallery, videos, shown, uploads))
                await _wait_for(stopped, REPEAT_S - (time.monotonic() - began))
        finally:
            tell.cancel()
            await server.stop()
            ends = [
                gallery.close,
                streams.stop,
                views.stop,
                *(other.stop for other in (screen, uploader, recorder, uploads) if other is not None),
            ]
            await asyncio.gather(*(asyncio.to_thread(end) for end in ends))
            for subscription in subscriptions:
                subscription.close()

    def _recorder(self, videos: VideoFeeds, device: str, views: CameraViews) -> Recorder | None:
        """Return the recorder, started, where recordings are configured; a disk that fails costs them, not the page."""
        wanted = self._configuration.recording
        if not wanted.megabytes:
            return None
        shelf = Shelf(Path(RECORDINGS), wanted.megabytes * 1_000_000)
        recorder = Recorder(videos, shelf, device, before_s=wanted.before_s, instances=wanted.instances, views=views)
        try:
            recorder.start()
        except OSError as error:
            logger.error("nothing is recorded: %s cannot be made: %s", RECORDINGS, error.strerror)  # noqa: TRY400
            return None
        return recorder

    def _uploader(self, shelf: Shelf, device: str) -> RecordingUploader | None:
        """Return what uploads recordings, started, where that is configured."""
        wanted = self._configuration.recording
        if not wanted.bucket:
            return None
        uploader = RecordingUploader(shelf, wanted.bucket, wanted.prefix, device, _s3)
        uploader.start()
        return uploader

    def _uploads(self, videos: VideoFeeds, board: Board) -> "KinesisUploads | None":
        """Return what sends video to Kinesis Video Streams, where that is configured; loaded only then."""
        wanted = self._configuration.kinesis_video
        if not wanted.outputs and not wanted.cameras:
            return None
        from vedette_display.kinesis import KinesisUploads

        return KinesisUploads(videos, board.locate_coded, wanted, board.device)

    def _screen(self) -> ScreenProcess:
        screen = ScreenProcess(window=self._configuration.screen == "window")
        screen.start()
        return screen

    def _stage(
        self, screen: ScreenProcess | None, ownership: Ownership, document: HealthDocument, board: Board
    ) -> ScreenStatus | None:
        """Tell the screen what to show; return how it does, None where it is not used."""
        if screen is None:
            return None
        owner = ownership.update(document)
        screen.show(stage(document, owner, board.device, board.locate))
        report = screen.report()
        if report is None:
            return ScreenStatus(state="starting")
        return ScreenStatus(owner=owner, **report.model_dump(exclude={"driver"}))

    def _streams(self, videos: VideoFeeds, views: CameraViews) -> Streams:
        """Return the RTSP server, started; a port that cannot be had costs the streams, not the page."""
        configuration = self._configuration
        # `auto` is this machine alone; only whoever says `on` opens a port to the network.
        beyond = "on" in (configuration.rtsp, configuration.rtsps) and not configuration.loopback
        in_the_clear = configuration.rtsp == "on" or (configuration.rtsp == "auto" and not beyond)
        clear = configuration.rtsp_port if in_the_clear else None
        secure = configuration.rtsps_port if configuration.rtsps == "on" else None
        places = Places(configuration.bind if beyond else LOOPBACK, clear, secure, self._stream_tls)
        streams = Streams(
            videos,
            places,
            _host(configuration) if beyond else LOOPBACK,
            password_of(self._key) if beyond else None,
            views.look,
        )
        try:
            streams.start()
        except OSError as error:
            logger.warning("outputs are not streamed over RTSP: %s", error.strerror or type(error).__name__)
        return streams

    def _wait(self, loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
        self._stop.wait()
        _set(loop, stopped)

    def _status(
        self,
        page: str,
        server: Server,
        gallery: Gallery,
        videos: VideoFeeds,
        screen: ScreenStatus | None,
        uploads: "KinesisUploads | None",
    ) -> DisplayStatus:
        shown = [
            ShownOutput(
                output_id=output_id,
                viewers=figures.viewers,
                fps=None if figures.fps is None else round(figures.fps, 1),
                latency_ms=None if figures.latency_p95 is None else round(figures.latency_p95, 1),
            )
            for output_id, figures in sorted(gallery.figures().items())
        ]
        status = DisplayStatus(
            page=page,
            viewers=len(server.viewers),
            outputs=shown[:MOST_SHOWN],
            encoded=gallery.encoded + videos.encoded,
            encoder=self._encoders.name,
            pid=os.getpid(),
            screen=screen,
            uploads=[] if uploads is None else uploads.statuses(),
        )
        # Whoever looks at many outputs and has many uploads in trouble: the worst of them fit.
        while len(status.encode()) > MAX_BYTES and (status.uploads or status.outputs):
            status = status.model_copy(update={"uploads": status.uploads[:-1], "outputs": status.outputs[:-2]})
        return status

    def _publish(self, status: DisplayStatus) -> None:
        try:
            self._bus.publish(DisplayStatus.topic(), status.encode())
        except BusError as error:
            # A lost bus ends the component through its own watch; anything else is tried again in a second.
            logger.warning("the status was not published: %s", error)


def _mains(document: HealthDocument) -> dict[str, str]:
    """Return output -> view of its camera, for cameras whose small stream applications get."""
    small = {camera.camera_id for camera in document.cameras if camera.main is not None and camera.stream == "sub"}
    return {o.output_id: view_of(o.camera_id) for o in document.outputs if o.camera_id in small}


def _s3() -> AwsCaller:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return AwsCaller("s3", region, CredentialsSource())


async def _tell(server: Server, changed: asyncio.Event) -> None:
    """Tell the pages the state every second, and soon after something changed, but not more than 4 times a second."""
    while True:
        changed.clear()
        server.tell()
        await asyncio.sleep(LEAST_S)
        await _wait_for(changed, REPEAT_S - LEAST_S)


def _set(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Set an event of the loop from another thread; the loop may have ended."""
    try:
        loop.call_soon_threadsafe(event.set)
    except RuntimeError:
        return


async def _wait_for(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), max(0.0, timeout_s))
    except asyncio.TimeoutError:
        return


def _host(configuration: DisplayConfiguration) -> str:
    if configuration.bind in ("0.0.0.0", "::"):  # noqa: S104 -- compared, not bound
        return socket.gethostname()
    return f"[{configuration.bind}]" if ":" in configuration.bind else configuration.bind
