"""The serving side of the channel: one thread, one handler, any number of clients."""

import logging
import os
import select
import selectors
import socket
import time
from abc import ABC, abstractmethod
from typing import Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..endpoint import peer_allowed
from ..errors import RingClosed, RingError
from . import wire
from .connection import Connection
from .errors import EXPIRED, RUN_FAILED, TOO_LARGE, CallError
from .fair_queue import FairQueue
from .tensors import Description, TensorBuffer, TensorView
from .transport import close_descriptors, receive_packet, send_packet

logger = logging.getLogger(__name__)

DEFAULT_SLOTS = 4
DEFAULT_MAX_BYTES = 512 * 1024 * 1024
_PACKETS_A_TURN = 16
_ACCEPT_RETRY_S = 0.2


class CallRefused(CallError):
    """What a handler raises to answer a call with an error: ``code`` and ``message`` reach the caller."""


class CallHandler(ABC):
    """Runs the calls of a :class:`CallServer`, one at a time, on the thread that serves."""

    @property
    @abstractmethod
    def description(self) -> Description:
        """What the model takes and gives."""

    @property
    @abstractmethod
    def output_bytes(self) -> int:
        """Room a slot should have for the outputs; larger ones are sent all the same, at the cost of a memory."""

    @abstractmethod
    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        """Return the outputs. The inputs are the client's memory: it may change them at any time, to its own harm.

        :raises CallRefused: to tell the caller what is wrong with the inputs.
        """


class CallStats(NamedTuple):
    """``queued`` calls wait now; ``calls`` gave outputs, ``errors`` did not, ``expired`` were dropped unrun."""

    clients: int
    queued: int
    calls: int
    errors: int
    expired: int


class CallServer:
    """Serves calls to clients that connect at ``listener``, which is closed at the end.

    Clients are served round robin. ``max_bytes`` bounds the shared memory of one client; a client with large tensors
    gets fewer slots. ``allowed_uids``: who may connect; None is our own user and root.
    """

    def __init__(
        self,
        listener: socket.socket,
        handler: CallHandler,
        *,
        slots: int = DEFAULT_SLOTS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        allowed_uids: Optional[Collection[int]] = None,
        name: str = "model",
    ) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._handler = handler
        self._hello = wire.Describe(handler.description)
        # Checked now: a description that fits no packet would fail at the first client only.
        wire.encode(self._hello)
        self._slots = slots
        self._max_bytes = max_bytes
        self._allowed_uids = allowed_uids
        self._name = name
        self._clients: Dict[int, Connection] = {}
        self._queue: FairQueue[int, wire.Call] = FairQueue()
        self._calls = self._errors = self._expired = 0
        self._closed = False
        self._wake_r, self._wake_w = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_r, selectors.EVENT_READ)

    @property
    def stats(self) -> CallStats:
        """The counters; may be read from any thread."""
        return CallStats(len(self._clients), len(self._queue), self._calls, self._errors, self._expired)

    def serve(self) -> None:
        """Serve until :meth:`close`; the caller's thread does the work. To be called once."""
        try:
            while not self._closed:
                for key, _ in self._selector.select(0 if len(self._queue) else None):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fd in self._clients:
                        self._hear(self._clients[key.fd])
                turn = None if self._closed else self._queue.pop()
                if turn is not None:
                    self._serve_call(self._clients[turn[0]], turn[1])
        finally:
            self._shut()

    def close(self) -> None:
        """Ask :meth:`serve` to end after the call it runs; from any thread, any number of times."""
        if not self._closed:
            self._closed = True
            try:
                os.write(self._wake_w, b"x")
            except OSError:
                # It ended by itself in this very moment.
                return

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            logger.warning("cannot accept a caller of %s: %s", self._name, error.strerror)
            # Out of descriptors, the caller stays in the line and would be tried again at once.
            select.select([self._wake_r], [], [], _ACCEPT_RETRY_S)
            return
        if not peer_allowed(sock, self._allowed_uids):
            logger.warning("refused a caller of %s: it runs as another user", self._name)
            sock.close()
            return
        sock.setblocking(False)
        connection = Connection(sock, self._slots, self._max_bytes, self._handler)
        self._clients[sock.fileno()] = connection
        self._selector.register(sock, selectors.EVENT_READ)
        self._send(connection, self._hello)

    def _hear(self, connection: Connection) -> None:
        """Take in what the client sent: never more than its slots allow, so it cannot fill the queue."""
        try:
            for _ in range(_PACKETS_A_TURN):
                packet, descriptors = receive_packet(connection.sock)
                close_descriptors(descriptors)
                self._apply(connection, packet)
                if connection.sock.fileno() < 0:
                    return
        except BlockingIOError:
            return
        except RingClosed:
            self._forget(connection)
        except RingError as error:
            logger.warning("disconnected a caller of %s: %s", self._name, error)
            self._forget(connection)

    def _apply(self, connection: Connection, packet: wire.Packet) -> None:
        if isinstance(packet, wire.Call):
            connection.begin(packet)
            self._queue.push(connection.sock.fileno(), packet)
        elif isinstance(packet, wire.Open):
            try:
                memory, descriptor = connection.open(packet)
            except CallError as error:
                self._send(connection, wire.Refused(packet.request, error.code, error.message))
                return
            try:
                self._send(connection, memory, descriptor)
            finally:
                os.close(descriptor)
        elif isinstance(packet, wire.Close):
            connection.close_generation(packet.generation)
        else:
            raise RingError("a client sent {}".format(type(packet).__name__))

    def _serve_call(self, connection: Connection, call: wire.Call) -> None:
        if call.deadline_ns and time.monotonic_ns() >= call.deadline_ns:
            self._expired += 1
            message = "the call's time was over before its turn came: {} calls wait".format(len(self._queue))
            self._finish(connection, call, wire.Fault(call.call, EXPIRED, message))
            return
        descriptor = -1
        answer: wire.Packet
        try:
            answer, descriptor = connection.write_outputs(call, self._run(connection, call))
            wire.encode(answer)
            self._calls += 1
        except CallError as error:
            self._errors += 1
            answer = wire.Fault(call.call, error.code, error.message)
        except RingError as error:
            self._errors += 1
            answer = wire.Fault(call.call, TOO_LARGE, str(error))
        try:
            self._finish(connection, call, answer, descriptor if isinstance(answer, wire.Answer) else -1)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _run(self, connection: Connection, call: wire.Call) -> Sequence[TensorBuffer]:
        inputs: Tuple[TensorView, ...] = connection.input_views(call)
        try:
            return self._handler.run(inputs)
        except CallError:
            raise
        except Exception as error:
            logger.exception("a call of %s failed", self._name)
            raise CallRefused(RUN_FAILED, "the model run failed: {}".format(type(error).__name__)) from error

    def _finish(self, connection: Connection, call: wire.Call, answer: wire.Packet, descriptor: int = -1) -> None:
        connection.finish(call)
        self._send(connection, answer, descriptor)

    def _send(self, connection: Connection, packet: wire.Packet, descriptor: int = -1) -> None:
        try:
            send_packet(connection.sock, packet, descriptor)
        except BlockingIOError:
            # Answers are bounded by the slots, so its buffer is full only when it asks and asks and never reads.
            logger.warning("disconnected a caller of %s: it does not read its answers", self._name)
            self._forget(connection)
        except RingClosed:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        number = connection.sock.fileno()
        if number < 0:
            return
        self._queue.drop(number)
        del self._clients[number]
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _shut(self) -> None:
        self._closed = True
        clients: List[Connection] = list(self._clients.values())
        for connection in clients:
            self._forget(connection)
        self._selector.close()
        self._listener.close()
        os.close(self._wake_r)
        wake, self._wake_w = self._wake_w, -1
        os.close(wake)
