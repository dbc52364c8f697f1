"""A worker's end: whoever connects gets every coded picture, as far as they take them."""

import contextlib
import logging
import socket
import threading
from collections import deque
from typing import Final

from vedette.coded_video.wire import Coded, packets
from vedette.rings import listen
from vedette.rings.endpoint import peer_allowed

_log = logging.getLogger(__name__)

MOST_TAKERS: Final = 4
MOST_WAITING_BYTES: Final = 8 * 1024 * 1024
"""For one taker; who is slower goes on at the next key frame."""
_STALLED_S: Final = 5.0


class CodedOffer:
    """Listens at ``path``. Pictures are given to :meth:`publish` by one thread.

    :raises RingError: when the socket cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._listener = listen(path)
        self._takers: list[_Taker] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="coded-offer", daemon=True).start()

    @property
    def wanted(self) -> bool:
        """Whether somebody is connected."""
        return bool(self._takers)

    def publish(self, picture: Coded) -> None:
        """Give a picture to all; never waits."""
        for taker in self._takers:
            taker.put(picture)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if len(self._takers) >= MOST_TAKERS or not peer_allowed(sock, None):
                    _log.warning("a taker of coded pictures is turned away")
                    sock.close()
                    continue
                taker = _Taker(sock)
                self._takers = [*self._takers, taker]
            threading.Thread(target=self._serve, args=(taker,), name="coded-taker", daemon=True).start()

    def _serve(self, taker: "_Taker") -> None:
        taker.run()
        with self._lock:
            self._takers = [other for other in self._takers if other is not taker]


class _Taker:
    """One connection: what waits for it, from a key frame on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._changed = threading.Condition()
        self._waiting: deque[Coded] = deque()
        self._bytes = 0
        self._from_key = True

    def put(self, picture: Coded) -> None:
        with self._changed:
            if self._from_key and not picture.key:
                return
            if self._bytes + len(picture.data) > MOST_WAITING_BYTES and self._waiting:
                self._from_key = True
                return
            self._from_key = False
            self._waiting.append(picture)
            self._bytes += len(picture.data)
            self._changed.notify()

    def run(self) -> None:
        """Send until the other end is gone, or takes nothing for a while."""
        self._sock.settimeout(_STALLED_S)
        with contextlib.suppress(OSError), self._sock:
            while True:
                with self._changed:
                    if not self._waiting:
                        self._changed.wait(0.25)
                    picture = self._waiting.popleft() if self._waiting else None
                    self._bytes -= len(picture.data) if picture else 0
                if picture is None:
                    if self._hung_up():
                        return
                    continue
                for packet in packets(picture):
                    self._sock.send(packet)

    def _hung_up(self) -> bool:
        """Tell whether the other end has closed: takers never say anything else."""
        try:
            return not self._sock.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except BlockingIOError:
            return False
