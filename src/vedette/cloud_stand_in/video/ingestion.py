"""One PutMedia request: what is taken, what is said of it. No I/O."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from vedette.cloud_stand_in.errors import ServiceError
from vedette.cloud_stand_in.video.matroska_reader import Cluster, MatroskaError, MatroskaReader
from vedette.cloud_stand_in.video.streams import StoredFragment, Streams, VideoStream

LONGEST_MS: Final = 10_000
MOST_BYTES: Final = 50_000_000
MOST_TRACKS: Final = 3
ERRORS: Final[Mapping[int, str]] = {
    4000: "STREAM_READ_ERROR",
    4001: "MAX_FRAGMENT_SIZE_REACHED",
    4002: "MAX_FRAGMENT_DURATION_REACHED",
    4003: "MAX_CONNECTION_DURATION_REACHED",
    4004: "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS",
    4005: "MORE_THAN_ALLOWED_TRACKS_FOUND",
    4006: "INVALID_MKV_DATA",
    4007: "INVALID_PRODUCER_TIMESTAMP",
    4008: "STREAM_NOT_ACTIVE",
    4009: "FRAGMENT_METADATA_LIMIT_REACHED",
    4010: "TRACK_NUMBER_MISMATCH",
    4011: "FRAMES_MISSING_FOR_TRACK",
    4012: "MORE_THAN_ALLOWED_TRACKS_FOUND",
    4500: "KMS_KEY_ACCESS_DENIED",
    4501: "KMS_KEY_DISABLED",
    4502: "KMS_KEY_VALIDATION_ERROR",
    4503: "KMS_KEY_UNAVAILABLE",
    4504: "KMS_KEY_INVALID_USAGE",
    4505: "KMS_KEY_INVALID_STATE",
    4506: "KMS_KEY_NOT_FOUND",
    5000: "INTERNAL_ERROR",
    5001: "ARCHIVAL_ERROR",
}


class ArgumentError(ServiceError):
    """A header is not as it must be."""

    status = 400
    code = "InvalidArgumentException"


class Ingestion:
    """Reads what is put on one stream. ``fault``: the error of a fragment by its number in the request, from 0."""

    def __init__(
        self,
        streams: Streams,
        stream: VideoStream,
        headers: Mapping[str, str],
        wall: Callable[[], float],
        fault: Callable[[int], int | None],
    ) -> None:
        """Check the headers.

        :raises ServiceError: as the service refuses them
        """
        kind = headers.get("x-amzn-fragment-timecode-type")
        if kind not in ("ABSOLUTE", "RELATIVE"):
            raise ArgumentError("x-amzn-fragment-timecode-type has to be ABSOLUTE or RELATIVE")
        try:
            started_ms = round(float(headers["x-amzn-producer-start-timestamp"]) * 1000)
        except (KeyError, ValueError):
            raise ArgumentError("x-amzn-producer-start-timestamp has to be seconds of Unix time") from None
        self._streams, self._stream, self._wall, self._fault = streams, stream, wall, fault
        self._origin_ms = 0 if kind == "ABSOLUTE" else started_ms
        self._silent = headers.get("x-amzn-fragment-acknowledgment-required", "1") == "0"
        self._reader = MatroskaReader()
        self._number = ""
        self._count = -1
        self._last_ms = -1
        self.failed = False
        """Whether an error was said: the service ends the request with it."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes in; yield what is to be said."""
        try:
            for cluster in self._reader.feed(data):
                yield from self._say(cluster)
                if self.failed:
                    return
        except MatroskaError:
            yield self._error(4006, None)

    def end(self) -> Iterator[bytes]:
        """Say that the body has ended."""
        cluster = self._reader.end()
        if cluster is not None:
            yield from self._say(cluster)

    def idle(self) -> bytes:
        """Return what is said when nothing comes."""
        return self._acknowledge("IDLE", None)

    def _say(self, cluster: Cluster) -> Iterator[bytes]:
        if not cluster.ended:
            self._count += 1
            self._number = self._streams.number()
            wrong = self._begun(cluster)
            yield self._error(wrong, cluster) if wrong else self._acknowledge("BUFFERING", cluster)
            return
        wrong = self._fault(self._count) or self._ended(cluster)
        if wrong:
            yield self._error(wrong, cluster)
            return
        yield self._acknowledge("RECEIVED", cluster)
        self._last_ms = max(block.timecode for block in cluster.blocks)
        producer_ms = cluster.timecode + self._origin_ms
        self._streams.store(
            self._stream,
            StoredFragment(
                self._number, bytes(self._reader.header), bytes(cluster.raw), tuple(self._reader.tracks),
                tuple(cluster.blocks), producer_ms, round(self._wall() * 1000),
            ),
        )  # fmt: skip
        if self._stream.keeps:
            yield self._acknowledge("PERSISTED", cluster)

    def _begun(self, cluster: Cluster) -> int | None:
        if not self._streams.has(self._stream):
            return 4008
        if len(self._reader.tracks) > MOST_TRACKS:
            return 4012
        return 4004 if cluster.timecode <= self._last_ms else None

    def _ended(self, cluster: Cluster) -> int | None:
        numbers = {track.number for track in self._reader.tracks}
        times = [block.timecode for block in cluster.blocks]
        if any(block.track not in numbers for block in cluster.blocks):
            return 4010
        if numbers - {block.track for block in cluster.blocks}:
            return 4011
        if max(times) - min(times) > LONGEST_MS:
            return 4002
        if cluster.size > MOST_BYTES:
            return 4001
        return 4004 if min(times) <= self._last_ms else None

    def _error(self, number: int, cluster: Cluster | None) -> bytes:
        self.failed = True
        return self._acknowledge("ERROR", cluster, ErrorId=number, ErrorCode=ERRORS.get(number, "INTERNAL_ERROR"))

    def _acknowledge(self, event: str, cluster: Cluster | None, **facts: Any) -> bytes:
        if self._silent and event != "ERROR":
            return b""
        document: dict[str, Any] = {"EventType": event}
        if cluster is not None:
            document |= {"FragmentTimecode": cluster.timecode, "FragmentNumber": self._number}
        return json.dumps({**document, **facts}, separators=(",", ":")).encode() + b"\r\n"
