"""One socket to a server, many threads that wait for what comes over it."""

import os
import select
import socket
import threading
import time
from typing import Callable, Optional, Sequence

from ..errors import RingClosed, RingError
from .errors import CallLost, CallTimeout
from .transport import Receiver, close_descriptors, send_bytes

_FORKED = "this process was forked from the one that opened the model: connect anew"


class Exchange:
    """Sends and receives packets for any number of threads, without a thread of its own.

    Of the threads that wait, one reads the socket and hands every packet to ``apply(data, descriptors)``, which
    runs with ``changed`` held and changes what the waiting threads look at. A thread of its own would cost every call
    a change of threads, which the interpreter lock makes slow when the application computes at the same time.
    """

    def __init__(self, sock: socket.socket, apply: Callable[[bytes, Sequence[int]], None]) -> None:
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        # Of threads at the condition: mostly there are none, and to find that out takes the condition a while.
        self._waiting = 0
        self._receiver = Receiver()
        self._sock = sock
        self._sock.setblocking(True)
        self._apply = apply
        self._pid = os.getpid()
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_r.setblocking(False)
        self._wake_w.setblocking(False)
        self._wake_fd = self._wake_r.fileno()
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._readable.register(self._wake_r, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)
        # Of the thread that polls; 0: none does.
        self._reading = 0
        self._reader_looks_here = False
        self._lost: Optional[str] = None

    @property
    def lost(self) -> Optional[str]:
        """Why the connection is gone, or None. Needs no lock."""
        return self._lost

    def check(self) -> None:
        """Raise CallLost when the connection is gone or belongs to the parent of this process."""
        if self._lost is not None:
            raise CallLost(self._lost)
        if os.getpid() != self._pid:
            raise CallLost(_FORKED)

    def send(self, data: bytes, deadline: Optional[float], descriptors: Sequence[int] = ()) -> None:
        """Send an encoded packet, with the lock held; a full buffer is waited for: the server empties it between runs.

        :raises CallTimeout: when the deadline passed first; nothing was sent then.
        :raises CallLost: when the connection is gone.
        """
        while True:
            if self._lost is not None or os.getpid() != self._pid:
                self.check()
            try:
                send_bytes(self._sock, data, descriptors)
                return
            except RingClosed as error:
                self.lose("the model server is gone: {}".format(error))
            except BlockingIOError:
                self._writable.poll(_poll_ms(deadline))
                if deadline is not None and time.monotonic() >= deadline:
                    raise CallTimeout("the model server took no call in time") from None

    def send_now(self, data: bytes) -> None:
        """Send an encoded packet that nothing depends on, lock held: not when the buffer is full or all is lost."""
        if self._lost is None:
            try:
                send_bytes(self._sock, data)
            except BlockingIOError:
                return
            except RingClosed as error:
                self.lose("the model server is gone: {}".format(error))

    @property
    def watched(self) -> bool:
        """Whether anybody may wait for what :meth:`announce` tells of; the lock is held."""
        return self._waiting > 0 or self._reading != 0

    def announce(self) -> None:
        """Wake those who wait for something that this process itself changes, with ``changed`` held."""
        if self._waiting:
            self.changed.notify_all()
        if self._reading and self._reader_looks_here:
            try:
                self._wake_w.send(b"x")
            except OSError:
                # Full of wake-ups already, or closed.
                return

    def wait(self, done: Callable[[], object], deadline: Optional[float], looks_here: bool = False) -> bool:
        """Wait, with ``changed`` held and given up meanwhile, until ``done()``; False when the deadline passed.

        ``looks_here``: not only the server's packets but also :meth:`announce` may make it done.

        :raises CallLost: when the connection ended first.
        """
        while not done():
            if self._lost is not None:
                raise CallLost(self._lost)
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                # What has come by now counts although the time is over: another reader would have taken it in.
                return bool(done() if self._reading else self._read(done))
            if self._reading:
                self._waiting += 1
                try:
                    self.changed.wait(remaining)
                finally:
                    self._waiting -= 1
            else:
                self._reader_looks_here = looks_here
                self._poll(deadline)
                if self._read(done):
                    return True
        return True

    def lose(self, reason: str) -> None:
        """Disconnect and wake every thread, with ``changed`` held; the first reason stays."""
        if self._lost is not None:
            return
        self._lost = reason
        try:
            # Wakes the thread that polls; the descriptor is closed only when none does, so it names nothing else.
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        # A thread that was interrupted as it began or ended to poll still counts as polling: here it does not.
        if self._reading in (0, threading.get_ident()):
            self._close()
        self.changed.notify_all()

    def _close(self) -> None:
        for sock in (self._sock, self._wake_r, self._wake_w):
            sock.close()

    def _poll(self, deadline: Optional[float]) -> None:
        self._reading = threading.get_ident()
        self.lock.release()
        try:
            for descriptor, _ in self._readable.poll(_poll_ms(deadline)):
                if descriptor == self._wake_fd:
                    self._wake_r.recv(4096)
        finally:
            self.lock.acquire()
            self._reading = 0
            if self._lost is not None:
                self._close()
            # Whoever wakes takes over the reading, should this thread be done or be interrupted.
            if self._waiting:
                self.changed.notify_all()

    def _read(self, done: Callable[[], object]) -> bool:
        """Take in the packets that have come, until this thread has what it waits for: others then read on."""
        try:
            while self._lost is None:
                data, descriptors = self._receiver.receive(self._sock)
                try:
                    self._apply(data, descriptors)
                finally:
                    if descriptors:
                        close_descriptors(descriptors)
                if self._waiting:
                    self.changed.notify_all()
                if done():
                    return True
        except BlockingIOError:
            # It may be done for another reason: a slot that was freed here.
            return bool(done())
        except RingClosed:
            self.lose("the model server is gone: it stopped or was restarted")
        except RingError as error:
            self.lose("the model server broke the protocol: {}".format(error))
        except BaseException:
            # Interrupted with a packet half taken in: whose answer it was cannot be known any more.
            self.lose("reading from the model server was interrupted")
            raise
        return bool(done())


def _poll_ms(deadline: Optional[float]) -> Optional[int]:
    """Return what is left as poll wants it, rounded up so that it does not spin at the end."""
    return None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000) + 1)
