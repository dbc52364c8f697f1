"""Where a server's pictures come from: published as they are made, or out of a file.

Mounts live in the event loop of the server; only what says so may be called from other threads.
"""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol

from vedette.rtsp_server.access_unit import AccessUnit, split_annex_b
from vedette.rtsp_server.codecs import H264, H265, JPEG, Codec
from vedette.rtsp_server.description import Description
from vedette.rtsp_server.viewer import Viewer

_log = logging.getLogger(__name__)

# Pictures between the thread that publishes and the loop: more means that the loop is stuck.
_MOST_QUEUED: Final = 64
# A viewer that has asked what there is comes to see it within moments; nobody else shall stop and start an encoder.
_LINGER_S: Final = 5.0
_USUAL_RATE: Final = Fraction(25)
_BEHIND_S: Final = 1.0


class MountError(Exception):
    """There is nothing to serve; the text says why."""


class Mount(Protocol):
    """One path of a server."""

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to a server's event loop from now on."""

    async def describe(self, timeout_s: float) -> Description | None:
        """Return what the stream is, None when that cannot be told in time."""

    def join(self, viewer: Viewer) -> None:
        """Begin to deliver to a viewer."""

    def leave(self, viewer: Viewer) -> None:
        """Deliver no more to it."""


class LiveMount:
    """A stream that somebody makes and publishes.

    ``watched(True)`` is called when the first viewer comes, ``watched(False)`` a few seconds after the last has gone:
    whoever encodes only for viewers begins and ends there. ``key_wanted()`` is called when a viewer has come: the next
    key frame is what it can begin with. Both are called in the server's thread and must return at once.
    """

    def __init__(
        self,
        codec: Codec = H264,
        *,
        fps: float | None = None,
        watched: Callable[[bool], None] = lambda _watched: None,
        key_wanted: Callable[[], None] = lambda: None,
        linger_s: float = _LINGER_S,
    ) -> None:
        self._codec = codec
        self._fps = fps
        self._watched = watched
        self._key_wanted = key_wanted
        self._linger_s = linger_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: collections.deque[AccessUnit] = collections.deque()
        self._sets: tuple[bytes, ...] = ()
        self._viewers: list[Viewer] = []
        self._asking = 0
        self._is_watched = False
        self._leaving: asyncio.TimerHandle | None = None
        self._described = asyncio.Event()

    @property
    def viewers(self) -> int:
        """How many viewers there are now; from any thread."""
        return len(self._viewers)

    @property
    def is_watched(self) -> bool:
        """Whether pictures are wanted; from any thread."""
        return self._is_watched

    def publish(self, unit: AccessUnit) -> None:
        """Hand a picture to everybody who looks; from any thread, never waits."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if len(self._queue) >= _MOST_QUEUED:
            # The loop is stuck, or so busy that it does not matter: begin again with the next key frame.
            self._queue.clear()
        self._queue.append(unit)
        with contextlib.suppress(RuntimeError):  # closed between the question and this
            loop.call_soon_threadsafe(self._take)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to a server's event loop from now on."""
        self._loop = loop

    async def describe(self, timeout_s: float) -> Description | None:
        """Return what the stream is; for a stream that has not begun, wait for its first key frame."""
        self._asking += 1
        self._judge()
        try:
            if self._codec.in_sets and not self._sets:
                self._key_wanted()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._described.wait(), timeout_s)
                if not self._sets:
                    return None
            return Description(self._codec, self._sets, self._fps)
        finally:
            self._asking -= 1
            self._judge()

    def join(self, viewer: Viewer) -> None:
        """Begin to deliver to a viewer."""
        if viewer not in self._viewers:
            self._viewers.append(viewer)
        self._judge()
        self._key_wanted()

    def leave(self, viewer: Viewer) -> None:
        """Deliver no more to it."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
        self._judge()

    def _take(self) -> None:
        while self._queue:
            unit = self._queue.popleft()
            if unit.key:
                found = self._codec.parameter_sets(unit.nals)
                if found:
                    self._sets = found
                    self._described.set()
                elif self._sets:
                    # Whoever joins here, and whoever has missed a change, finds them in the stream itself.
                    unit = AccessUnit((*self._sets, *unit.nals), unit.pts_ns, unit.wall_ns, key=True)
            for viewer in list(self._viewers):
                viewer.deliver(unit)

    def _judge(self) -> None:
        """Tell the maker whether somebody looks; the end only after a while."""
        wanted = bool(self._viewers or self._asking)
        if wanted and self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if wanted and not self._is_watched:
            self._is_watched = True
            self._watched(True)
        if not wanted and self._is_watched and self._leaving is None and self._loop is not None:
            self._leaving = self._loop.call_later(self._linger_s, self._unwatched)

    def _unwatched(self) -> None:
        self._leaving = None
        self._is_watched = False
        # What is made next may have another size.
        self._sets = ()
        self._described.clear()
        self._watched(False)


class FileMount:
    """A video file with H.264, H.265 or MJPEG as an endless stream at its own pace; every viewer begins at its start.

    The file is not encoded again.

    :raises MountError: when it cannot be served.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._players: dict[Viewer, asyncio.Task[None]] = {}
        with _Reel(path) as reel:
            first = reel.next()
            if first is None:
                raise MountError(f"{path} holds no picture")
            nals, _, _ = first
            sets = reel.codec.parameter_sets(nals)
            if reel.codec.in_sets and not sets:
                raise MountError(f"{path} does not begin with a key frame")
            self._description = Description(reel.codec, sets, float(reel.rate))

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: players are tasks of the loop that they are started in."""

    async def describe(self, timeout_s: float) -> Description | None:  # noqa: ARG002 - known from the start
        """Return what the file holds."""
        return self._description

    def join(self, viewer: Viewer) -> None:
        """Play the file to a viewer from its start."""
        if viewer not in self._players:
            self._players[viewer] = asyncio.get_running_loop().create_task(self._play(viewer))

    def leave(self, viewer: Viewer) -> None:
        """Stop playing to it."""
        player = self._players.pop(viewer, None)
        if player is not None:
            player.cancel()

    async def _play(self, viewer: Viewer) -> None:
        try:
            await self._play_on(viewer)
        except MountError as error:
            _log.error("a viewer gets no more pictures: %s", error)

    async def _play_on(self, viewer: Viewer) -> None:
        began, began_wall_ns = time.monotonic(), time.time_ns()
        offset_ns = 0
        with _Reel(self._path) as reel:
            while True:
                taken = reel.next()
                if taken is None:
                    offset_ns += reel.lasts_ns
                    reel.rewind()
                    continue
                nals, pts_ns, dts_ns = taken
                late_s = time.monotonic() - began - (offset_ns + dts_ns) / 1e9
                if late_s > _BEHIND_S:
                    # A machine that slept: go on from now on, as a camera does.
                    began += late_s
                    began_wall_ns += int(late_s * 1e9)
                # At least once round the loop: a file of very many pictures shall not hold up everybody else.
                await asyncio.sleep(max(0.0, -late_s))
                unit = AccessUnit(
                    nals, offset_ns + pts_ns, began_wall_ns + offset_ns + pts_ns, key=reel.codec.key(nals)
                )
                viewer.deliver(unit)


class _Reel:
    """The pictures of one file, with times that begin at zero."""

    def __init__(self, path: Path) -> None:
        import av

        self._path = path
        self._error = av.FFmpegError
        try:
            self._container: Any = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise MountError(f"{path} is not a video that can be read") from error
        codecs = {"h264": H264, "hevc": H265, "mjpeg": JPEG}
        video = [one for one in self._container.streams.video if one.codec_context.name in codecs]
        if not video:
            self._container.close()
            raise MountError(f"{path} holds no H.264, H.265 or MJPEG video")
        self._stream = video[0]
        self.codec = codecs[self._stream.codec_context.name]
        self.rate = Fraction(self._stream.average_rate or _USUAL_RATE)
        self.lasts_ns = 0
        """How long it lasted, known at its end."""
        self._interval_ns = int(1e9 / self.rate)
        self._first_dts_ns: int | None = None
        self._next_ns = 0
        self._start()

    def __enter__(self) -> "_Reel":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def next(self) -> tuple[tuple[bytes, ...], int, int] | None:
        """Return NAL units, time of display and time of decoding (ns) of the next picture, None at the end."""
        while not self._ready:
            try:
                packet = next(self._packets)
                given = self._filter.filter(packet) if self._filter else [packet] * bool(packet.size)
            except StopIteration:
                return None
            except (self._error, OSError):
                return None
            self._ready.extend(given)
        packet = self._ready.popleft()
        data = bytes(packet)
        nals = split_annex_b(data) if self._filter else (data,)
        scale = packet.time_base or self._stream.time_base
        dts_ns = self._next_ns if packet.dts is None else int(packet.dts * scale * 1_000_000_000)
        if self._first_dts_ns is None:
            self._first_dts_ns = dts_ns
        dts_ns -= self._first_dts_ns
        pts_ns = dts_ns if packet.pts is None else int(packet.pts * scale * 1_000_000_000) - self._first_dts_ns
        self._next_ns = dts_ns + self._interval_ns
        self.lasts_ns = max(self.lasts_ns, self._next_ns)
        return nals, pts_ns, dts_ns

    def rewind(self) -> None:
        """Begin again. :raises MountError: when the file cannot be read a second time."""
        if not self.lasts_ns:
            raise MountError(f"{self._path} holds no picture any more")
        try:
            self._container.seek(0)
        except (self._error, OSError) as error:
            raise MountError(f"{self._path} cannot be read from its start again") from error
        self._start()

    def _start(self) -> None:
        from av.bitstream import BitStreamFilterContext

        filters = {"H264": "h264_mp4toannexb", "H265": "hevc_mp4toannexb"}
        named = filters.get(self.codec.name)
        self._filter: Any = BitStreamFilterContext(named, self._stream) if named else None
        self._packets = self._container.demux(self._stream)
        self._ready: collections.deque[Any] = collections.deque()
