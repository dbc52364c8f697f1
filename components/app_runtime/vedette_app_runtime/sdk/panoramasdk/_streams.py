"""One camera's frames in this process."""

import os
import socket
import threading
import weakref
from typing import TYPE_CHECKING, Callable, Optional, Tuple, Union

from ._picture import Picture
from ._read_ahead import Direct, ReadAhead
from ._rings import Lease, RingError, RingReader

if TYPE_CHECKING:
    from ._main_frames import MainFrames

_Offer = Tuple[socket.socket, "Optional[Callable[[], None]]"]


class Stream:
    """The reading end of one camera of a video port.

    The host's packets (``offer``, ``note``) come in another thread than ``adopt``, ``give_back`` and ``receive``,
    which the thread in ``get()`` calls; they only leave their word in attributes that ``adopt`` picks up.

    A lease is held from one get() to the next: given back at get(), the ring answers at once with its newest frame, so
    the application never works on one that grew old in a queue.
    """

    def __init__(self, stream_id: str, stream_uri: str, lost: "Callable[[], None]", keep_latest: bool = False) -> None:
        self.stream_id = stream_id
        self.stream_uri = stream_uri
        self.paused = False
        self.detail = "connecting"
        self.frames = 0
        self.main: Optional["MainFrames"] = None
        """The camera's main stream, where this is its small one."""
        self._lost = lost
        self._keep_latest = keep_latest
        self._latest: Optional[Picture] = None
        self._offering = threading.Lock()
        self._offered: Optional[_Offer] = None
        self._source: Optional[Union[Direct, ReadAhead]] = None
        self._lease: Optional[Lease] = None
        self._picture: Callable[[], Optional[Picture]] = lambda: None
        self._unsure = False
        """Whether a frame is being taken or given back; what interrupts that leaves it set."""

    @property
    def latest(self) -> Optional[Picture]:
        """The newest picture, for a stream of several; None before the first, and for a port's only stream."""
        return self._latest

    @property
    def holds_lease(self) -> bool:
        """Whether the ring waits for us, so that nothing new comes."""
        return self._lease is not None

    def offer(self, sock: socket.socket, ahead: "Optional[Callable[[], None]]" = None) -> None:
        """Take a new connection to the camera's ring.

        :param ahead: to read ahead; called when there is a picture
        """
        with self._offering:
            previous, self._offered = self._offered, (sock, ahead)
        if previous is not None:
            previous[0].close()

    def note(self, paused: bool, detail: str, stream_uri: str) -> None:
        """Note whether the stream is paused, and what is known of its camera."""
        self.paused, self.detail = paused, detail
        self.stream_uri = stream_uri or self.stream_uri

    def adopt(self) -> None:
        """Change over to a connection that was offered; drop the one of a stream that is paused.

        And one that was left in the middle of a change: a signal's handler may raise anywhere (an alarm, Ctrl-C in a
        notebook), and a frame may be lost on the way, which the ring would wait for.
        """
        if self._unsure:
            self._unsure = False
            self._drop()
        with self._offering:
            offered, self._offered = self._offered, None
        if offered is not None or (self.paused and self._source is not None):
            self._disconnect()
        if offered is not None:
            sock, ahead = offered
            if self.paused:
                sock.close()
            else:
                reader = RingReader(sock)
                self._source = Direct(reader) if ahead is None else ReadAhead(reader, ahead)

    def give_back(self) -> bool:
        """End the lease of the last get(); return whether there was one, so that a newer frame may come at once."""
        if self._lease is None:
            return False
        self._unsure = True
        picture = self._picture()
        if picture is not None:
            picture.keep()
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()
        self._unsure = False
        return True

    def fileno(self) -> Optional[int]:
        """Descriptor to wait on, or None where there is none."""
        return None if self._source is None else self._source.fileno()

    def receive(self) -> Optional[Picture]:
        """Return a new picture if there is one; never waits."""
        if self._source is None or self._lease is not None:
            return None
        self._unsure = True
        try:
            taken = self._source.take()
        except RingError:
            # Its owner is gone, or sends what cannot be (another version?): the host connects anew.
            self._unsure = False
            self._drop()
            return None
        if taken is None:
            self._unsure = False
            return None
        picture, self._lease = taken
        self._picture = weakref.ref(picture)
        if self._keep_latest:
            self._latest = picture
        self.frames += 1
        self._unsure = False
        return picture

    def close(self) -> None:
        """Disconnect."""
        if self.main is not None:
            self.main.stream.close()
        self._disconnect()
        with self._offering:
            offered, self._offered = self._offered, None
        if offered is not None:
            offered[0].close()

    def abandon(self) -> None:
        """In a forked process: let go of the connection without a word, since it is the parent's."""
        if self.main is not None:
            self.main.abandon()
        picture = self._picture()
        if picture is not None:
            picture.keep()
        source, self._source, self._lease = self._source, None, None
        if source is not None:
            detach_descriptor(source.ring.fileno())
            self._forgotten = source

    def _drop(self) -> None:
        self._disconnect()
        if not self.paused:
            self._lost()

    def _disconnect(self) -> None:
        self.give_back()
        if self._source is not None:
            self._source.close()
            self._source = None


def detach_descriptor(fd: int) -> None:
    """Lead ``fd`` to /dev/null, so that the connection behind it no longer counts this process.

    Its Python object lives on and may close the number later without harm.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.dup2(null, fd, inheritable=False)
    finally:
        os.close(null)
