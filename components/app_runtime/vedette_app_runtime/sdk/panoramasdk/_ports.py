"""Input and output ports of a code node."""

import contextlib
import os
import select
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from ._activity import Activity
from ._advice import advise
from ._errors import HostGone, TimeoutException
from ._media import media
from ._picture import Picture
from ._sinks import Sink
from ._streams import Stream

_GRACE_S = 0.002
"""How long get() waits for the answers of the other cameras once one frame is there: a ring answers in 0.1 ms."""


Recorder = Callable[[Dict[str, Any]], None]


class port:
    """A port of the code package's interface; found at ``node.inputs.<name>`` and ``node.outputs.<name>``."""

    def __init__(self, name: str, ready: "Callable[[], None]", activity: Activity) -> None:
        self.name = name
        self._ready = ready
        self._activity = activity

    def rebind(self, activity: Activity) -> None:
        """Count into ``activity`` from now on."""
        self._activity = activity

    def get(self, timeout: Optional[float] = None) -> Any:  # noqa: ARG002
        """Return the next value; only input ports have one.

        :raises ValueError: on an output port.
        """
        raise ValueError("{!r} is an output port: it has put(), not get()".format(self.name))

    def put(self, data: Any) -> None:  # noqa: ARG002
        """Send media; only output ports do.

        :raises ValueError: on an input port.
        """
        raise ValueError("{!r} is an input port: it has get(), not put()".format(self.name))

    def __repr__(self) -> str:
        return "<port {!r}>".format(self.name)


class ParameterPort(port):
    """An input port of type string, int32, float32 or boolean."""

    value: Any = None
    record: "Optional[Recorder]" = None

    def __init__(self, name: str, ready: "Callable[[], None]", activity: Activity) -> None:
        super().__init__(name, ready, activity)
        self._recorded: List[Any] = []

    def get(self, timeout: Optional[float] = None) -> Any:  # noqa: ARG002
        """Return the parameter's present value (str, int, float or bool), at once and as often as asked."""
        self._ready()
        self._activity.read(self.name)
        if self.record is not None and (not self._recorded or self._recorded[0] != self.value):
            self._recorded = [self.value]
            self.record({"parameter": self.name, "value": self.value})
        return self.value


class VideoPort(port):
    """An input port of type media, with the streams of every camera that leads to it."""

    def __init__(self, name: str, ready: "Callable[[], None]", activity: Activity) -> None:
        super().__init__(name, ready, activity)
        self._streams: List[Stream] = []
        self._gone = False
        # A thread whose get() was interrupted by what a signal's handler raised can come in again.
        self._getting = threading.RLock()
        self._wake_r, self._wake_w = _wake_pipe()

    def rewire(self, streams: Sequence[Stream]) -> None:
        """Take these streams."""
        self._streams = list(streams)

    def abandon(self) -> None:
        """In a forked process: let go of what is the parent's."""
        for stream in self._streams:
            stream.abandon()
        self._streams = []
        self._getting = threading.RLock()
        os.close(self._wake_r)
        os.close(self._wake_w)
        self._wake_r, self._wake_w = _wake_pipe()

    def close(self) -> None:
        """Disconnect from every camera."""
        for stream in self._streams:
            stream.close()
        os.close(self._wake_r)
        os.close(self._wake_w)

    def wake(self, gone: bool = False) -> None:
        """Have a waiting get() look at its streams again; ``gone``: the host has ended."""
        self._gone = self._gone or gone
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_w, b"x")

    def get(self, timeout: Optional[float] = None) -> List[media]:
        """Return one media per running camera stream, always in the same order; waits for at least one new frame.

        A stream without a new frame gives its last one again, with ``is_cached`` True. A paused stream, and one that
        has not given a frame yet, is left out. While every camera is lost or paused, this waits.

        :param timeout: seconds; None waits for ever, 0 only looks.
        :raises TimeoutException: (a TimeoutError) when no new frame came in time.
        """
        self._ready()
        deadline = None if timeout is None else time.monotonic() + max(0.0, float(timeout))
        with self._activity.wait():
            result = self._one_at_a_time(deadline)
        self._activity.got()
        return result

    def _one_at_a_time(self, deadline: Optional[float]) -> List[media]:
        if deadline is None:
            with self._getting:  # nothing can come between taking it and being bound to give it back
                return self._next(None)
        if not self._getting.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise TimeoutException("another thread waits for the frames of {!r}".format(self.name))
        try:
            return self._next(deadline)
        finally:
            self._getting.release()

    def _next(self, deadline: Optional[float]) -> List[media]:
        fresh = self._wait_for_frames(deadline)
        result: List[media] = []
        for index, stream in enumerate(self._streams):
            picture = fresh.get(index) or stream.latest
            if picture is not None and not stream.paused:
                cached = index not in fresh
                result.append(media(picture, stream.stream_id, stream.stream_uri, cached, stream.main))
        return result

    def _wait_for_frames(self, deadline: Optional[float]) -> Dict[int, Picture]:
        """Return the new picture of each stream that has one, by index; at least one of a stream that runs."""
        for stream in self._streams:
            stream.adopt()
        asked: Set[int] = {index for index, stream in enumerate(self._streams) if stream.give_back()}
        fresh: Dict[int, Picture] = {}
        grace_end: Optional[float] = None
        while True:
            if self._gone:
                raise HostGone("the application's host has ended")
            for index, stream in enumerate(self._streams):
                picture = stream.receive()
                if picture is not None and not stream.paused:
                    fresh[index] = picture
            now = time.monotonic()
            if fresh:
                grace_end = now + _GRACE_S if grace_end is None else grace_end
                if asked.issubset(fresh) or now >= grace_end:
                    return fresh
            elif deadline is not None and now >= deadline:
                raise TimeoutException(self._awaited())
            self._sleep(grace_end if fresh else deadline, now)
            for stream in self._streams:
                stream.adopt()

    def _sleep(self, until: Optional[float], now: float) -> None:
        """Wait until a stream has a frame, a stream changes, or the time has come."""
        poller = select.poll()
        poller.register(self._wake_r, select.POLLIN)
        for stream in self._streams:
            fd = stream.fileno()
            if fd is not None and not stream.holds_lease:
                poller.register(fd, select.POLLIN)
        # poll() counts in milliseconds and rounds up.
        poller.poll(None if until is None else max(0.0, until - now) * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_r, 1024)

    def _awaited(self) -> str:
        if not self._streams:
            return "no new frame: no camera is attached to {!r}".format(self.name)
        return "no new frame on {!r}: {}".format(
            self.name,
            ", ".join(
                "{} ({})".format(stream.stream_id, "paused" if stream.paused else stream.detail)
                for stream in self._streams
            ),
        )


def _wake_pipe() -> Tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


class OutputPort(port):
    """An output port; what is put on it is shown, when an edge leads from it."""

    def __init__(
        self, name: str, ready: "Callable[[], None]", activity: Activity, sink: "Callable[[str, str], Sink]"
    ) -> None:
        super().__init__(name, ready, activity)
        self.connected = False
        self.record: Optional[Recorder] = None
        self._sink = sink

    def put(self, data: Any) -> None:
        """Show media: a list or tuple of them, as ``get()`` gave it, or a single one.

        Nothing is copied while nobody looks, and nothing at all happens when no edge leads from the port.

        :raises ValueError: when the list is empty.
        :raises TypeError: for anything but media.
        """
        frames = [data] if isinstance(data, media) else data
        if not isinstance(frames, (list, tuple)):
            raise TypeError(
                "put() on {!r} takes a list of media, a tuple of media or one media, got {}".format(
                    self.name, type(data).__name__
                )
            )
        if not frames:
            raise ValueError("put() on {!r} got an empty list of media, expected at least one".format(self.name))
        for frame in frames:
            if not isinstance(frame, media):
                raise TypeError(
                    "put() on {!r} takes media as get() returns them, got {} among them".format(
                        self.name, type(frame).__name__
                    )
                )
        self._ready()
        self._activity.put()
        if self.record is not None:
            for frame in frames:
                if not frame.is_cached:
                    self.record(_recorded(self.name, frame))
        if not self.connected:
            advise("edge " + self.name, "put() on {!r}: no edge leads from it, nothing is shown".format(self.name))
        else:
            for frame in frames:
                self._sink(self.name, frame.stream_id).show(frame)


def _recorded(port_name: str, frame: media) -> Dict[str, Any]:
    """Return what is recorded of a frame that is put: which one it is, and what the application says of it."""
    annotations = frame._annotations  # noqa: SLF001 - ours, too
    return {
        "port": port_name,
        "stream": frame.stream_id,
        "frame": frame._picture.header.sequence,  # noqa: SLF001
        "labels": list(annotations.labels),
        "rects": list(annotations.rects),
    }


class Ports:
    """The ports of one direction, one attribute each."""

    def __init__(self, direction: str, ports: Dict[str, Any]) -> None:
        self._direction = direction
        self.__dict__.update(ports)

    def __getattr__(self, name: str) -> Any:
        # Called for what is not there only.
        names = sorted(key for key in self.__dict__ if key != "_direction")
        raise AttributeError(
            "the code package has no {} port {!r}; it has: {}".format(
                self.__dict__.get("_direction", ""), name, ", ".join(names) or "none"
            )
        )
