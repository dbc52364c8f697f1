"""Outputs to Kinesis Video Streams, as configured: encoded once for them, the RTSP streams and the recordings."""

import logging
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from vedette.kinesis_video.access import connect, region_of
from vedette.kinesis_video.avc import nals_of
from vedette.kinesis_video.configuration import stream_name
from vedette.kinesis_video.faults import Subject
from vedette.kinesis_video.fragment import CodedPicture
from vedette.kinesis_video.status import status_of
from vedette.kinesis_video.upload import Connection, VideoUpload
from vedette.messages import UploadStatus
from vedette_display.configuration import KinesisVideoConfiguration
from vedette_display.encoders import CLOCK_HZ, AccessUnit
from vedette_display.video import VideoFeeds, VideoVariant

logger = logging.getLogger(__name__)

MOST: Final = 16
"""Uploads of one device: each is an encoder's work and a connection."""


class Output(NamedTuple):
    """One output."""

    output_id: str
    instance: str
    port: str
    stream: str

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.instance}/{self.stream}"


class _Running(NamedTuple):
    upload: VideoUpload
    detach: Callable[[], None]


class KinesisUploads:
    """Uploads the outputs that the configuration names. Used by one thread.

    ``connect(region)`` returns the way to AWS of one upload.
    """

    def __init__(
        self,
        feeds: VideoFeeds,
        configuration: KinesisVideoConfiguration,
        device: str,
        connect: Callable[[str], Connection] = connect,
    ) -> None:
        self._feeds = feeds
        self._configuration = configuration
        self._device = device
        self._connect = connect
        self._region = region_of(configuration.region)
        self._running: dict[str, _Running] = {}
        self._ending: list[VideoUpload] = []
        self._refused: dict[str, tuple[Output, str]] = {}

    def follow(self, outputs: Iterable[tuple[str, str, str, str]]) -> None:
        """Upload those of these outputs (id, instance, port, stream) that are wanted, and no others.

        Called every second, never waits.
        """
        wanted = {output[0]: Output(*output) for output in outputs if self._wants(Output(*output))}
        self._refused = {key: value for key, value in self._refused.items() if key in wanted}
        for output_id in self._running.keys() - wanted.keys():
            running = self._running.pop(output_id)
            running.detach()
            running.upload.end()
            self._ending.append(running.upload)
        self._ending = [upload for upload in self._ending if upload.alive]
        for output_id in sorted(wanted.keys() - self._running.keys()):
            self._begin(wanted[output_id])

    def stop(self) -> None:
        """End all uploads, in bounded time."""
        self.follow(())
        for upload in self._ending:
            upload.join()

    def statuses(self, most: int = MOST) -> list[UploadStatus]:
        """Return how the uploads do, those in trouble first."""
        told = [status_of(f"video {each.upload.name}", each.upload.report()) for each in self._running.values()]
        told += [
            UploadStatus(
                what=f"video {output.name}", service="Kinesis Video Streams", since=0.0, last_error=words[:300]
            )
            for output, words in self._refused.values()
        ]
        return sorted(told, key=lambda each: (not each.last_error, each.what))[:most]

    def _wants(self, output: Output) -> bool:
        return any(
            fnmatchcase(output.name if "/" in pattern else output.instance, pattern)
            for pattern in self._configuration.outputs
        )

    def _begin(self, output: Output) -> None:
        configuration = self._configuration
        name = stream_name(
            configuration.stream_name,
            device=self._device, instance=output.instance, port=output.port, stream=output.stream,
        )  # fmt: skip
        taken = next((each.upload.name for each in self._running.values() if each.upload.subject.stream == name), None)
        trouble = ""
        if taken is not None:
            trouble = (
                f"stream {name} is that of {taken}, and takes one output: put {{instance}} and {{stream}} into"
                " `streamName`"
            )
        elif len(self._running) >= MOST:
            trouble = f"{MOST} outputs are uploaded already: name fewer in `outputs`"
        if trouble:
            if output.output_id not in self._refused:
                logger.warning("%s is not uploaded: %s", output.name, trouble)
            self._refused[output.output_id] = (output, trouble)
            return
        self._refused.pop(output.output_id, None)
        upload = VideoUpload(
            output.name,
            Subject(name, self._region, configuration.retention_hours),
            lambda: self._connect(self._region),
            megabytes=configuration.megabytes,
            create=configuration.create,
        )
        upload.start()
        variant = VideoVariant(width=configuration.width, overlays=configuration.overlays)
        detach = self._feeds.attach(output.output_id, variant, lambda unit: upload.add(_picture(unit)))
        logger.info("%s is uploaded to stream %s in %s", output.name, name, self._region)
        self._running[output.output_id] = _Running(upload, detach)


def _picture(unit: AccessUnit) -> CodedPicture:
    return CodedPicture(
        nals_of(unit.data),
        unit.capture_wall_ns // 1_000_000,
        unit.pts * 1000 // CLOCK_HZ,
        unit.key,
        unit.width,
        unit.height,
    )
