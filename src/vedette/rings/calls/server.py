"""The serving side of the channel: one thread, one handler, any number of clients."""

import logging
import os
import select
import selectors
import socket
import time
from abc import ABC, abstractmethod
from typing import Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..endpoint import peer_allowed
from ..errors import RingClosed, RingError
from . import wire
from .connection import Connection
from .errors import EXPIRED, NO_FRAMES, RUN_FAILED, TOO_LARGE, CallError
from .fair_queue import FairQueue
from .tensors import Description, FrameView, TensorBuffer, TensorView
from .transport import close_descriptors, receive_packet, send_packet

logger = logging.getLogger(__name__)

DEFAULT_SLOTS = 4
DEFAULT_MAX_BYTES = 512 * 1024 * 1024
_PACKETS_A_TURN = 16
_ACCEPT_RETRY_S = 0.2
_ACTIVE_S = 0.5
"""A client that called within this time is expected to call again."""


class CallRefused(CallError):
    """What a handler raises to answer a call with an error: ``code`` and ``message`` reach the caller."""


CallInput = Union[Tuple[TensorView, ...], FrameView]
"""Tensors, or a frame. They are the client's memory, which may change them at any time, to its own harm."""
CallOutcome = Union[Sequence[TensorBuffer], CallError]


class CallHandler(ABC):
    """Runs the calls of a :class:`CallServer` on the thread that serves."""

    max_batch = 1
    """So many calls at most are given to one :meth:`run_many`."""

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
        """Return the outputs.

        :raises CallRefused: to tell the caller what is wrong with the inputs.
        """

    def run_frame(self, frame: FrameView) -> Sequence[TensorBuffer]:
        """Return the outputs for a frame; for handlers whose description says ``frames``.

        :raises CallRefused: to tell the caller what is wrong.
        """
        raise CallRefused(NO_FRAMES, "the model takes no frames of {}x{}".format(frame.width, frame.height))

    def run_many(self, calls: Sequence[CallInput]) -> Sequence[CallOutcome]:
        """Return the outcome of each call; a handler that can run them as one does so here."""
        outcomes: List[CallOutcome] = []
        for call in calls:
            try:
                outcomes.append(self.run_frame(call) if isinstance(call, FrameView) else self.run(call))
            except CallError as error:
                outcomes.append(error)
        return outcomes


class CallStats(NamedTuple):
    """``queued`` calls wait now; ``calls`` gave outputs, ``errors`` did not, ``expired`` were dropped unrun."""

    clients: int
    queued: int
    calls: int
    errors: int
    expired: int


class CallServer:
    """Serves calls to clients that connect at ``listener``, which is closed at the end.

    Clients are served round robin. Where the handler runs several calls as one, a call waits up to ``batch_wait_s``
    for those of other clients that called a moment ago, never for its own client's.

    ``max_bytes`` bounds the shared memory of one client; a client with large tensors
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
        batch_wait_s: float = 0.0,
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
        self._batch_wait_s = batch_wait_s
        self._last_call: Dict[int, float] = {}
        self._clients: Dict[int, Connection] = {}
        self._queue: FairQueue[int, wire.AnyCall] = FairQueue()
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
                self._listen(0 if len(self._queue) else None)
                if self._handler.max_batch > 1 and len(self._queue):
                    self._gather()
                if not self._closed:
                    self._serve_turn()
        finally:
            self._shut()

    def _listen(self, timeout_s: Optional[float]) -> None:
        """Take in what clients sent, waiting for it up to ``timeout_s``; None waits for ever."""
        for key, _ in self._selector.select(timeout_s):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd in self._clients:
                self._hear(self._clients[key.fd])

    def _gather(self) -> None:
        """Wait a moment for the calls of clients that called lately: they are about to call again."""
        now = time.monotonic()
        until = now + self._batch_wait_s
        active = sum(now - at < _ACTIVE_S for at in self._last_call.values())
        wanted = min(self._handler.max_batch, active)
        while len(self._queue) < wanted and not self._closed:
            remaining = until - time.monotonic()
            if remaining <= 0:
                return
            self._listen(remaining)

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
                try:
                    self._apply(connection, packet, descriptors)
                finally:
                    close_descriptors(descriptors)
                if connection.sock.fileno() < 0:
                    return
        except BlockingIOError:
            return
        except RingClosed:
            self._forget(connection)
        except RingError as error:
            logger.warning("disconnected a caller of %s: %s", self._name, error)
            self._forget(connection)

    def _apply(self, connection: Connection, packet: wire.Packet, descriptors: List[int]) -> None:
        if isinstance(packet, (wire.Call, wire.Frame)):
            connection.begin(packet)
            self._queue.push(connection.sock.fileno(), packet)
            self._last_call[connection.sock.fileno()] = time.monotonic()
        elif isinstance(packet, wire.Share):
            connection.share(packet, descriptors)
        elif isinstance(packet, wire.Unshare):
            connection.unshare(packet)
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

    def _serve_turn(self) -> None:
        """Run the calls whose turn it is: one, or as many as the handler takes at once."""
        turns: List[Tuple[Connection, wire.AnyCall]] = []
        while len(turns) < self._handler.max_batch:
            turn = self._queue.pop()
            if turn is None:
                break
            connection, call = self._clients[turn[0]], turn[1]
            if call.deadline_ns and time.monotonic_ns() >= call.deadline_ns:
                self._expired += 1
                message = "the call's time was over before its turn came: {} calls wait".format(len(self._queue))
                self._finish(connection, call, wire.Fault(call.call, EXPIRED, message))
                continue
            turns.append((connection, call))
        if turns:
            outcomes = self._run(turns)
            for (connection, call), outcome in zip(turns, outcomes):  # noqa: B905 - Python 3.10
                if connection.sock.fileno() >= 0:
                    self._answer(connection, call, outcome)

    def _answer(self, connection: Connection, call: wire.AnyCall, outcome: CallOutcome) -> None:
        descriptor = -1
        answer: wire.Packet
        try:
            if isinstance(outcome, CallError):
                raise outcome
            answer, descriptor = connection.write_outputs(call, outcome)
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

    def _run(self, turns: Sequence[Tuple[Connection, wire.AnyCall]]) -> Sequence[CallOutcome]:
        try:
            inputs = [connection.inputs(call) for connection, call in turns]
            outcomes = self._handler.run_many(inputs)
            if len(outcomes) != len(turns):
                raise RuntimeError("{} outcomes for {} calls".format(len(outcomes), len(turns)))
            return outcomes
        except CallError as error:
            return [error] * len(turns)
        except Exception as error:
            logger.exception("a call of %s failed", self._name)
            return [CallRefused(RUN_FAILED, "the model run failed: {}".format(type(error).__name__))] * len(turns)

    def _finish(self, connection: Connection, call: wire.AnyCall, answer: wire.Packet, descriptor: int = -1) -> None:
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
        self._last_call.pop(number, None)
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
