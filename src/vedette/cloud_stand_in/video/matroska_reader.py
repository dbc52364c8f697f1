"""Matroska as it comes: the header, and cluster after cluster. No I/O.

Written apart from what Vedette sends with, by the Matroska specification (RFC 9559), so that one checks the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_INFO, _TRACKS, _TAGS, _SEEK, _CUES, _CHAPTERS, _ATTACHMENTS = (
    0x1549A966, 0x1654AE6B, 0x1254C367, 0x114D9B74, 0x1C53BB6B, 0x1043A770, 0x1941A469,
)  # fmt: skip
_VOID, _CRC = 0xEC, 0xBF
_TIMECODE, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_SCALE, _DOC_TYPE, _ENTRY, _NUMBER, _TYPE, _CODEC, _PRIVATE = 0x2AD7B1, 0x4282, 0xAE, 0xD7, 0x83, 0x86, 0x63A2
_TOP: Final = frozenset({_CLUSTER, _INFO, _TRACKS, _TAGS, _SEEK, _CUES, _CHAPTERS, _ATTACHMENTS, _VOID, _CRC, _EBML})
_MOST_BYTES: Final = 64 * 1024 * 1024


class MatroskaError(Exception):
    """What came is not the Matroska that the service takes."""


class Track(NamedTuple):
    """One track."""

    number: int
    kind: int
    codec: str
    private: bytes


class Block(NamedTuple):
    """One frame; ``timecode``: of the cluster's scale, absolute."""

    track: int
    timecode: int
    key: bool
    data: bytes


@dataclass
class Cluster:
    """A cluster as it comes; ``timecode`` is in ms."""

    timecode: int
    blocks: list[Block] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    ended: bool = False
    size: int = 0


class MatroskaReader:
    """Takes bytes in pieces of any size; ``feed`` yields each cluster twice: when it begins, and when it has ended."""

    def __init__(self) -> None:
        self.header = bytearray()
        """What comes before the first cluster, byte for byte."""
        self.tracks: list[Track] = []
        self._buffer = bytearray()
        self._scale_ns = 1_000_000
        self._segments = 0
        self._cluster: Cluster | None = None
        self._left: int | None = None
        """Bytes of the cluster that are still to come; None: its size is not known."""

    def feed(self, data: bytes) -> Iterator[Cluster]:
        """Take bytes in.

        :raises MatroskaError: for what the service does not take
        """
        self._buffer += data
        if len(self._buffer) > _MOST_BYTES:
            raise MatroskaError("an element is over 64 MB")
        while True:
            cluster = self._cluster
            if cluster is not None and self._left == 0:
                yield self._end()
                continue
            found = _element(self._buffer)
            if found is None:
                return
            number, size, start = found
            if cluster is not None and self._left is None and number in _TOP:
                yield self._end()
                continue
            if cluster is None and number not in _TOP and number != _SEGMENT:
                raise MatroskaError(f"element {number:#x} is not expected")
            if number in (_SEGMENT, _CLUSTER):
                self._begin(number, size, start)
                continue
            if size is None:
                raise MatroskaError(f"element {number:#x} has no size")
            if len(self._buffer) < start + size:
                # A cluster that has begun is acknowledged before its first frame is whole.
                return
            whole, content = bytes(self._buffer[: start + size]), bytes(self._buffer[start : start + size])
            del self._buffer[: start + size]
            if cluster is None:
                self._take_header(number, whole, content)
            else:
                began = cluster.timecode < 0
                self._take_block(cluster, number, whole, content)
                if began and cluster.timecode >= 0:
                    yield cluster

    def end(self) -> Cluster | None:
        """Say that nothing more comes; return the cluster that ends with it."""
        if self._cluster is None or self._cluster.timecode < 0 or self._left not in (None, 0):
            return None
        return self._end()

    def _begin(self, number: int, size: int | None, start: int) -> None:
        if self._cluster is not None:
            raise MatroskaError("a cluster or segment lies in a cluster")
        head = bytes(self._buffer[:start])
        del self._buffer[:start]
        if number == _SEGMENT:
            self._segments += 1
            if self._segments > 1:
                raise MatroskaError("more than one segment")
            self.header += head
        else:
            if not self.tracks:
                raise MatroskaError("a cluster comes before the tracks")
            self._cluster = Cluster(-1, raw=bytearray(head))
            self._left = size

    def _end(self) -> Cluster:
        cluster = self._cluster
        assert cluster is not None  # noqa: S101 - for mypy: asked before
        self._cluster, self._left = None, None
        cluster.ended = True
        cluster.size = len(cluster.raw)
        return cluster

    def _take_header(self, number: int, whole: bytes, content: bytes) -> None:
        if number == _TAGS and self.tracks:
            return  # metadata of a fragment, between clusters
        self.header += whole
        if number == _EBML:
            if self._segments:
                raise MatroskaError("more than one segment")
            kinds = [bytes(value) for key, value in _children(content) if key == _DOC_TYPE]
            if kinds not in ([b"matroska"], [b"webm"]):
                raise MatroskaError("the document is not Matroska")
        elif number == _INFO:
            for key, value in _children(content):
                if key == _SCALE:
                    self._scale_ns = int.from_bytes(value, "big")
        elif number == _TRACKS:
            self.tracks = [_track(value) for key, value in _children(content) if key == _ENTRY]
        elif not self._segments:
            raise MatroskaError(f"element {number:#x} comes before the segment")

    def _take_block(self, cluster: Cluster, number: int, whole: bytes, content: bytes) -> None:
        cluster.raw += whole
        if self._left is not None:
            self._left -= len(whole)
            if self._left < 0:
                raise MatroskaError("an element is longer than its cluster")
        if number == _TIMECODE:
            cluster.timecode = int.from_bytes(content, "big") * self._scale_ns // 1_000_000
        elif number == _SIMPLE_BLOCK:
            cluster.blocks.append(self._block(cluster, content, None))
        elif number == _BLOCK_GROUP:
            inner = list(_children(content))
            references = any(key == 0xFB for key, _ in inner)
            cluster.blocks += [self._block(cluster, value, not references) for key, value in inner if key == _BLOCK]

    def _block(self, cluster: Cluster, content: bytes, key: bool | None) -> Block:
        track, length = _vint(content, 0)
        if track is None or len(content) < length + 3:
            raise MatroskaError("a block is too short")
        offset = int.from_bytes(content[length : length + 2], "big", signed=True)
        flags = content[length + 2]
        if cluster.timecode < 0:
            raise MatroskaError("a block comes before its cluster's time code")
        at = cluster.timecode + offset * self._scale_ns // 1_000_000
        return Block(track, at, bool(flags & 0x80) if key is None else key, content[length + 3 :])


def _track(content: bytes) -> Track:
    facts = dict(_children(content))
    return Track(
        int.from_bytes(facts.get(_NUMBER, b""), "big"),
        int.from_bytes(facts.get(_TYPE, b""), "big"),
        facts.get(_CODEC, b"").decode(errors="replace"),
        facts.get(_PRIVATE, b""),
    )


def _children(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(content):
        found = _element(content[position:])
        if found is None or found[1] is None or len(content) < position + found[2] + found[1]:
            raise MatroskaError("an element is longer than what holds it")
        number, size, start = found[0], found[1], found[2]
        yield number, content[position + start : position + start + size]
        position += start + size


def _element(data: bytes | bytearray) -> tuple[int, int | None, int] | None:
    """Return an element's number, size (None: not known) and where its content begins; None: more is needed."""
    if not data:
        return None
    length = 9 - data[0].bit_length()
    if length > 4:
        raise MatroskaError("an element's number is over 4 bytes")
    if len(data) < length + 1:
        return None
    number = int.from_bytes(data[:length], "big")
    size_length = 9 - data[length].bit_length()
    if size_length > 8:
        raise MatroskaError("an element's size is over 8 bytes")
    if len(data) < length + size_length:
        return None
    size = int.from_bytes(data[length : length + size_length], "big") & (1 << 7 * size_length) - 1
    unknown = size == (1 << 7 * size_length) - 1
    return number, None if unknown else size, length + size_length


def _vint(data: bytes, position: int) -> tuple[int | None, int]:
    if len(data) <= position or not data[position]:
        return None, 0
    length = 9 - data[position].bit_length()
    return int.from_bytes(data[position : position + length], "big") & (1 << 7 * length) - 1, length
