"""Streams and what they hold."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vedette.cloud_stand_in.errors import ConflictError, NotFoundError, ServiceError
from vedette.cloud_stand_in.video.matroska_reader import Block, Track

_FIRST_NUMBER: Final = 91343852333181432392682062607743920146264520189


class InUseError(ConflictError):
    """There is a stream of that name."""

    status = 400
    code = "ResourceInUseException"


class ConnectionLimitError(ServiceError):
    """Somebody else sends to the stream."""

    status = 400
    code = "ConnectionLimitExceededException"


@dataclass(frozen=True)
class StoredFragment:
    """A fragment as the service keeps it: a chunk."""

    number: str
    header: bytes
    """The Matroska before the first cluster of its request."""
    raw: bytes
    """Its cluster, byte for byte."""
    tracks: tuple[Track, ...]
    blocks: tuple[Block, ...]
    producer_ms: int
    server_ms: int

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return (self.blocks[-1].timecode - self.blocks[0].timecode) / 1000


@dataclass
class VideoStream:
    """One stream."""

    name: str
    arn: str
    facts: dict[str, Any]
    """As DescribeStream tells them."""
    tags: dict[str, str] = field(default_factory=dict)
    fragments: list[StoredFragment] = field(default_factory=list)
    sessions: int = 0
    """PutMedia requests that were taken, since it was made."""
    sending: bool = False
    tokens: int = 0

    @property
    def keeps(self) -> bool:
        """Whether it has a retention."""
        return bool(self.facts["DataRetentionInHours"])


class Streams:
    """All streams. Used by several threads."""

    def __init__(self, region: str, account: str) -> None:
        self._region, self._account = region, account
        self._streams: dict[str, VideoStream] = {}
        self._number = 0
        self.changed = threading.Condition()

    def create(self, arguments: Mapping[str, Any], now: float) -> VideoStream:
        """Make a stream, at once ready.

        :raises ServiceError: when there is one of that name
        """
        name = arguments["StreamName"]
        with self.changed:
            if name in self._streams:
                raise InUseError(f"The stream {name} already exists.")
            self._number += 1
            arn = f"arn:aws:kinesisvideo:{self._region}:{self._account}:stream/{name}/{round(now * 1000)}"
            facts = {
                "DeviceName": arguments.get("DeviceName", ""),
                "StreamName": name,
                "StreamARN": arn,
                "MediaType": arguments.get("MediaType", ""),
                "KmsKeyId": arguments.get(
                    "KmsKeyId", f"arn:aws:kms:{self._region}:{self._account}:alias/aws/kinesisvideo"
                ),
                "Version": f"version{self._number}",
                "Status": "ACTIVE",
                "CreationTime": now,
                "DataRetentionInHours": arguments.get("DataRetentionInHours", 0),
            }
            stream = VideoStream(name, arn, facts, dict(arguments.get("Tags", {})))
            self._streams[name] = stream
            return stream

    def find(self, name: str | None, arn: str | None) -> VideoStream:
        """Return a stream by name or ARN.

        :raises NotFoundError: when there is none
        """
        with self.changed:
            for stream in self._streams.values():
                if stream.name == name or (name is None and stream.arn == arn):
                    return stream
        raise NotFoundError("The requested stream is not found or not active.")

    def delete(self, arn: str) -> None:
        """Delete a stream; who sends to it is told.

        :raises NotFoundError: when there is none
        """
        stream = self.find(None, arn)
        with self.changed:
            del self._streams[stream.name]

    def all(self) -> list[VideoStream]:
        """Return all streams, by name."""
        with self.changed:
            return [self._streams[name] for name in sorted(self._streams)]

    def has(self, stream: VideoStream) -> bool:
        """Tell whether a stream is still there."""
        with self.changed:
            return self._streams.get(stream.name) is stream

    def number(self) -> str:
        """Return the number of a new fragment: greater than all before."""
        with self.changed:
            self._number += 1
            return str(_FIRST_NUMBER + self._number)

    def store(self, stream: VideoStream, fragment: StoredFragment) -> None:
        """Keep a fragment."""
        with self.changed:
            stream.fragments.append(fragment)
            self.changed.notify_all()

    def begin(self, stream: VideoStream) -> None:
        """Let somebody send to a stream.

        :raises ConnectionLimitError: when somebody does
        """
        with self.changed:
            if stream.sending:
                raise ConnectionLimitError("the stream has a producer already")
            stream.sending = True
            stream.sessions += 1

    def end(self, stream: VideoStream) -> None:
        """Note that nobody sends to it any more."""
        with self.changed:
            stream.sending = False
