"""Outputs and cameras to Kinesis Video Streams, as configured.

Outputs are encoded once for them, the RTSP streams and the recordings; of cameras goes what they send.
"""

import logging
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from vedette.coded_video import Coded
from vedette.kinesis_video.access import connect, region_of
from vedette.kinesis_video.avc import nals_of
from vedette.kinesis_video.configuration import stream_name
from vedette.kinesis_video.faults import Subject
from vedette.kinesis_video.fragment import CodedPicture
from vedette.kinesis_video.status import status_of
from vedette.kinesis_video.upload import Connection, VideoUpload
from vedette.messages import UploadStatus
from vedette_display.camera_pictures import CameraPictures
from vedette_display.configuration import KinesisVideoConfiguration
from vedette_display.encoders import CLOCK_HZ, AccessUnit
from vedette_display.video import VideoFeeds, VideoVariant

logger = logging.getLogger(__name__)

MOST: Final = 16
"""Uploads of one device: each is a connection, and for outputs an encoder's work."""
_REMEDY: Final = "set the camera to H.264, or upload the application's output"


class _Source(NamedTuple):
    """What is uploaded. ``name``: for people; ``begin``: gives its pictures to an upload, returns what ends it."""

    key: str
    name: str
    stream: str
    begin: Callable[[VideoUpload, "_Trouble"], Callable[[], None]]


class _Trouble:
    """Why an upload has nothing to send; told by the thread that gives it pictures."""

    def __init__(self) -> None:
        self.words = ""


class _Running(NamedTuple):
    upload: VideoUpload
    detach: Callable[[], None]
    trouble: _Trouble


class KinesisUploads:
    """Uploads the outputs and cameras that the configuration names. Used by one thread.

    ``locate_coded`` tells the socket of a camera's coded pictures. ``connect(region)`` returns the way to AWS of one
    upload.
    """

    def __init__(
        self,
        feeds: VideoFeeds,
        locate_coded: Callable[[str], str | None],
        configuration: KinesisVideoConfiguration,
        device: str,
        connect: Callable[[str], Connection] = connect,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._feeds = feeds
        self._locate_coded = locate_coded
        self._configuration = configuration
        self._device = device
        self._connect = connect
        self._wall = wall
        self._region = region_of(configuration.region)
        self._running: dict[str, _Running] = {}
        self._ending: list[VideoUpload] = []
        self._refused: dict[str, tuple[str, str, float]] = {}
        """Name, reason and since when (Unix time, s)."""

    def follow(self, outputs: Iterable[tuple[str, str, str, str]], cameras: Iterable[tuple[str, str]] = ()) -> None:
        """Upload those of these outputs (id, instance, port, stream) and cameras (id, name) that are wanted, no others.

        Called every second, never waits.
        """
        sources = [
            *(self._output(*output) for output in outputs if self._wants_output(output[1], output[3])),
            *(self._camera(*camera) for camera in cameras if _any(camera[1], self._configuration.cameras)),
        ]
        wanted = {source.key: source for source in sources}
        self._refused = {key: value for key, value in self._refused.items() if key in wanted}
        for key in self._running.keys() - wanted.keys():
            running = self._running.pop(key)
            running.detach()
            running.upload.end()
            self._ending.append(running.upload)
        self._ending = [upload for upload in self._ending if upload.alive]
        for key in sorted(wanted.keys() - self._running.keys()):
            self._begin(wanted[key])

    def stop(self) -> None:
        """End all uploads, in bounded time."""
        self.follow(())
        for upload in self._ending:
            upload.join()

    def statuses(self, most: int = MOST) -> list[UploadStatus]:
        """Return how the uploads do, those in trouble first."""
        told = []
        for each in self._running.values():
            status = status_of(f"video {each.upload.name}", each.upload.report())
            words = status.last_error or each.trouble.words
            told.append(status.model_copy(update={"last_error": words}))
        told += [
            UploadStatus(what=f"video {name}", service="Kinesis Video Streams", since=since, last_error=words)
            for name, words, since in self._refused.values()
        ]
        return sorted(told, key=lambda each: (not each.last_error, each.what))[:most]

    def _wants_output(self, instance: str, stream: str) -> bool:
        return any(
            fnmatchcase(f"{instance}/{stream}" if "/" in pattern else instance, pattern)
            for pattern in self._configuration.outputs
        )

    def _output(self, output_id: str, instance: str, port: str, stream: str) -> _Source:
        configuration = self._configuration
        variant = VideoVariant(width=configuration.width, overlays=configuration.overlays)
        called = stream_name(
            configuration.stream_name, device=self._device, instance=instance, port=port, stream=stream
        )

        def begin(upload: VideoUpload, _: _Trouble) -> Callable[[], None]:
            return self._feeds.attach(output_id, variant, lambda unit: upload.add(_picture_of_output(unit)))

        return _Source(output_id, f"{instance}/{stream}", called, begin)

    def _camera(self, camera_id: str, name: str) -> _Source:
        def begin(upload: VideoUpload, trouble: _Trouble) -> Callable[[], None]:
            def take(coded: Coded) -> None:
                if coded.codec == "H264":
                    trouble.words = ""
                    upload.add(_picture_of_camera(coded))
                else:
                    trouble.words = f"the camera sends {coded.codec}, which is not uploaded: {_REMEDY}"

            pictures = CameraPictures(camera_id, lambda: self._locate_coded(camera_id), take)
            pictures.start()
            return pictures.end

        called = stream_name(self._configuration.camera_stream_name, device=self._device, camera=name)
        return _Source(f"camera {camera_id}", f"camera {name}", called, begin)

    def _begin(self, source: _Source) -> None:
        configuration = self._configuration
        running = self._running.values()
        taken = next((each.upload.name for each in running if each.upload.subject.stream == source.stream), None)
        refusal = ""
        if taken is not None:
            refusal = (
                f"stream {source.stream} is that of {taken}, and takes one sender: put {{instance}} and {{stream}} into"
                " `streamName`, {camera} into `cameraStreamName`"
            )
        elif len(running) >= MOST:
            refusal = f"{MOST} streams are uploaded already: name fewer in `outputs` and `cameras`"
        if refusal:
            if source.key not in self._refused:
                logger.warning("%s is not uploaded: %s", source.name, refusal)
                self._refused[source.key] = (source.name, refusal, self._wall())
            return
        self._refused.pop(source.key, None)
        upload = VideoUpload(
            source.name,
            Subject(source.stream, self._region, configuration.retention_hours),
            lambda: self._connect(self._region),
            megabytes=configuration.megabytes,
            create=configuration.create,
        )
        upload.start()
        trouble = _Trouble()
        logger.info("%s is uploaded to stream %s in %s", source.name, source.stream, self._region)
        self._running[source.key] = _Running(upload, source.begin(upload, trouble), trouble)


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _picture_of_output(unit: AccessUnit) -> CodedPicture:
    wall_ms, run_ms = unit.capture_wall_ns // 1_000_000, unit.pts * 1000 // CLOCK_HZ
    return CodedPicture(nals_of(unit.data), wall_ms, run_ms, unit.key)


def _picture_of_camera(coded: Coded) -> CodedPicture:
    return CodedPicture(nals_of(coded.data), coded.wall_ns // 1_000_000, coded.mono_ns // 1_000_000, coded.key)
