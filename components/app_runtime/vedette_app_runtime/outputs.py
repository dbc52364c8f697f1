"""The streams that an application puts on its output ports: their sockets, and what is told of them."""

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vedette.messages import OutputStatus
from vedette.rings import RingError, listen
from vedette_app_runtime import protocol
from vedette_app_runtime.rates import Rate
from vedette_app_runtime.sessions import Session
from vedette_app_runtime.wiring import Wiring

logger = logging.getLogger(__name__)

_MAX_STREAMS: Final = 64
_MAX_PART_CHARACTERS: Final = 64
_COMPONENT_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,116}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass
class _Stream:
    port: str
    node: str
    stream: str
    output_id: str
    socket: Path
    camera_id: str | None
    since: float
    frames: int = 0
    width: int = 0
    height: int = 0
    left_out: int = 0
    last_frame_at: float | None = None
    rate: Rate = field(default_factory=Rate)


class Outputs:
    """The output streams of one run of the application. ``wall`` is Unix time, s."""

    def __init__(self, folder: Path, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._wall = wall
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._complained = False
        """Whether the log has it already that this run asks for what is not there."""

    @property
    def ids(self) -> list[str]:
        """Ids of the streams, in the order in which they came."""
        return [stream.output_id for stream in self._streams.values()]

    def offer(self, wiring: Wiring, session: Session, port: str, stream: str) -> None:
        """Give a process that puts frames of ``stream`` on ``port`` a socket to offer them at.

        Asked for again, by a process forked later for one, it gets a new socket in place of the old.
        """
        node = dict(wiring.outputs).get(port)
        cameras = {camera.source.name: camera.camera_id for camera in wiring.cameras}
        if node is None or stream not in cameras or len(self._streams) >= _MAX_STREAMS:
            if not self._complained:
                logger.warning(
                    "the application asked for an output it does not have: port %.100r, stream %.100r", port, stream
                )
            self._complained = True
            return
        output_id = output_id_of(wiring.instance, port, stream)
        path = self._folder / f"{output_id}.sock"
        try:
            listener = listen(str(path))
        except RingError as error:
            logger.error("output %s cannot be offered: %s", output_id, error)  # noqa: TRY400 - the reason says it all
            return
        try:
            session.send(protocol.OutputSocket(port, stream), listener.fileno())
        finally:
            listener.close()
        self._streams.setdefault(
            (port, stream), _Stream(port, node, stream, output_id, path, cameras[stream], self._wall())
        )

    def report(self, entries: list[tuple[str, str, int, int, int, int]]) -> None:
        """Take in the sums of all processes: (port, stream, frames, width, height, annotations left out)."""
        now = self._clock()
        for port, name, frames, width, height, left_out in entries:
            stream = self._streams.get((port, name))
            if stream is None:
                continue
            if frames > stream.frames:
                stream.last_frame_at = self._wall()
            if left_out > stream.left_out:
                logger.warning("%s: %d labels and boxes did not fit beside their frames", stream.output_id, left_out)
            stream.frames, stream.width, stream.height, stream.left_out = frames, width, height, left_out
            stream.rate.note(now, frames)

    def statuses(self, wiring: Wiring) -> list[OutputStatus]:
        """Return what is told of each stream."""
        return [
            OutputStatus(
                output_id=stream.output_id,
                instance=wiring.instance,
                application=wiring.application,
                node=stream.node,
                port=stream.port,
                stream=stream.stream,
                camera_id=stream.camera_id,
                socket=str(stream.socket),
                since=stream.since,
                fps=stream.rate.per_second(),
                frames=stream.frames,
                width=stream.width or None,
                height=stream.height or None,
                last_frame_at=stream.last_frame_at,
            )
            for stream in self._streams.values()
        ]

    def close(self) -> None:
        """Forget the streams and remove their sockets: the application has ended."""
        for stream in self._streams.values():
            stream.socket.unlink(missing_ok=True)
        self._streams.clear()
        self._complained = False


def output_id_of(instance: str, port: str, stream: str) -> str:
    """Return ``<instance>.<port>.<stream>``, fit for a topic and for a file name.

    The instance, a part of its component's name, stays as it is: the recipe authorises the topics that begin with it.
    Another part that has to be changed ends with a digest of itself, so that two cameras never become one.
    """
    whole = instance if _COMPONENT_NAME.fullmatch(instance) else _safe(instance)
    return ".".join((whole, _safe(port), _safe(stream)))


def _safe(part: str) -> str:
    safe = _UNSAFE.sub("-", part)[:_MAX_PART_CHARACTERS]
    return (
        safe if safe == part else f"{safe[: _MAX_PART_CHARACTERS - 9]}-{hashlib.sha256(part.encode()).hexdigest()[:8]}"
    )
