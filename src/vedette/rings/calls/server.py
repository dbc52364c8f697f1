"""The serving side of the channel: one thread, one handler, any number of clients."""

import logging
import os
import select
import socket
import time
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Collection, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..endpoint import peer_allowed, peer_pid
from ..errors import RingClosed, RingError
from . import wire
from .connection import Begun, Connection
from .errors import EXPIRED, NO_FRAMES, RUN_FAILED, TOO_LARGE, CallError
from .fair_queue import FairQueue
from .repetition import BoundRun
from .tensors import Description, FrameView, TensorBuffer, TensorView
from .transport import Receiver, close_descriptors, send_bytes

logger = logging.getLogger(__name__)

DEFAULT_SLOTS = 4
DEFAULT_MAX_BYTES = 512 * 1024 * 1024
_PACKETS_A_TURN = 16
_MOST_OF_ONE = 128
"""Connections of one application to one model: each of its processes that calls has one."""
_ACCEPT_RETRY_S = 0.2
_COMPLAINT_S = 60.0
"""How often one kind of error is logged: an application that calls wrongly does so at every frame."""
_LATE = "the call's time was over before its turn came"
_ACTIVE_S = 0.5
"""A client that called within this time is expected to call again."""


class CallRefused(CallError):
    """What a handler raises to answer a call with an error: ``code`` and ``message`` reach the caller."""


CallInput = Union[Tuple[TensorView, ...], FrameView]
"""Tensors, or a frame. They are the client's memory, which may change them at any time, to its own harm."""
CallOutcome = Union[Sequence[TensorBuffer], CallError]
_OUTPUTS_HERE: Sequence[CallOutcome] = ((),)
"""The outcome of one call whose outputs are in its slot."""
_Turns = List[Tuple[Connection, Begun]]


class CallHandler(ABC):
    """Runs the calls of a :class:`CallServer`: on the thread that serves, or on one of its lanes."""

    max_batch = 1
    """So many calls at most are given to one :meth:`run_many`."""
    lanes = 1
    """So many :meth:`run_many` may be under way at once, each on a thread of its own."""

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

    def bind(
        self,
        inputs: Sequence[TensorView],  # noqa: ARG002 - for those that can
        outputs: Sequence[TensorView],  # noqa: ARG002
    ) -> Optional[BoundRun]:
        """Return what runs the model on ``inputs`` and writes to ``outputs``, or None where that cannot be.

        Both are memory in which a call lies that comes again and again; the outputs are as :meth:`run_many` gave them.
        What is returned is called on any thread, for one call at a time, and raises CallError as :meth:`run_many`, also
        when the outputs have other shapes this time; :meth:`run_many` is then asked. The client may change the inputs
        at any time and cannot change the outputs.
        """
        return None


class CallStats(NamedTuple):
    """``queued`` calls wait now; ``calls`` gave outputs, ``errors`` did not, ``expired`` were dropped unrun."""

    clients: int
    queued: int
    calls: int
    errors: int
    expired: int


def _is_late(call: Begun) -> bool:
    return bool(call.deadline_ns) and time.monotonic_ns() >= call.deadline_ns


class CallServer:
    """Serves calls to clients that connect at ``listener``, which is closed at the end.

    Clients are served round robin. Where the handler runs several calls as one, a call waits up to ``batch_wait_s``
    for those of other clients that called a moment ago, never for its own client's. Where it does not, calls that come
    while others run are run on threads beside this one, as many at once as the handler has lanes, and each is answered
    when it is done; a caller alone is served without a change of threads.

    ``max_bytes`` bounds the shared memory of all clients that one process has connected; a client with large tensors
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
        # By the process that connected, the host of one application, for all of the application's processes.
        self._families: Dict[int, List[Connection]] = {}
        self._queue: FairQueue[int, Begun] = FairQueue()
        self._receiver = Receiver()
        self._calls = self._errors = self._expired = 0
        self._complaints: Dict[str, Tuple[float, int]] = {}
        self._closed = False
        # What comes while a batch is run is wanted for the next batch, not for a run of its own.
        batches = handler.max_batch > 1
        self._lanes = None if batches else ThreadPoolExecutor(handler.lanes, thread_name_prefix="lane")
        # One more than can run: a lane that is done goes on with it at once, while its answer is given.
        self._most_running = 1 if batches else handler.lanes + 1
        self._running = 0
        self._done: Deque[Tuple[_Turns, Sequence[CallOutcome]]] = deque()
        self._crowded_until = 0.0
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        self._epoll = select.epoll()
        for descriptor in (self._listener.fileno(), self._wake_r):
            self._epoll.register(descriptor, select.EPOLLIN)

    @property
    def stats(self) -> CallStats:
        """The counters; may be read from any thread."""
        waiting = self._queue.waiting + max(0, self._running - self._handler.lanes)
        return CallStats(len(self._clients), waiting, self._calls, self._errors, self._expired)

    def serve(self) -> None:
        """Serve until :meth:`close`; the caller's thread does the work. To be called once."""
        try:
            while not self._closed:
                may_run = self._running < self._most_running
                self._listen(0 if self._queue.waiting and may_run else None)
                self._answer_done()
                if self._handler.max_batch > 1 and self._queue.waiting:
                    self._gather()
                while not self._closed and self._serve_turn():
                    pass
        finally:
            self._shut()

    def _listen(self, timeout_s: Optional[float]) -> None:
        """Take in what clients sent, waiting for it up to ``timeout_s``; None waits for ever."""
        events = self._epoll.poll(timeout_s)
        for descriptor, _ in events:
            connection = self._clients.get(descriptor)
            if connection is not None:
                self._hear(connection, len(events) == 1)
            elif descriptor == self._wake_r:
                os.read(self._wake_r, 4096)
            elif descriptor == self._listener.fileno():
                self._accept()

    def _gather(self) -> None:
        """Wait a moment for the calls of clients that called lately: they are about to call again."""
        now = time.monotonic()
        until = now + self._batch_wait_s
        active = sum(now - at < _ACTIVE_S for at in self._last_call.values())
        wanted = min(self._handler.max_batch, active)
        while self._queue.waiting < wanted and not self._closed:
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
        family = self._families.setdefault(peer_pid(sock), [])
        if len(family) >= _MOST_OF_ONE:
            # One that says again and again that it has lost its connection, and keeps it.
            self._complain("connections", "its application has {} connections already".format(len(family)))
            sock.close()
            return
        connection = Connection(sock, self._slots, self._max_bytes, self._handler, family)
        self._clients[connection.fd] = connection
        self._epoll.register(connection.fd, select.EPOLLIN)
        self._send(connection, self._hello)

    def _hear(self, connection: Connection, alone: bool) -> None:
        """Take in what the client sent: never more than its slots allow, so it cannot fill the queue.

        ``alone``: no other client has sent anything. To look for more from one that calls alone, and to be told that
        there is none, costs more than it gives.
        """
        try:
            for _ in range(_PACKETS_A_TURN):
                data, descriptors = self._receiver.receive(connection.sock)
                call = wire.split_call(data)
                if call is not None and not descriptors:
                    alone = alone and self._quiet()
                    if alone and self._run_at_once(connection, *call):
                        return
                    self._begun(connection, connection.begin(*call))
                    if alone:
                        return
                    continue
                try:
                    self._apply(connection, wire.decode(data), descriptors)
                finally:
                    close_descriptors(descriptors)
                if not connection.alive:
                    return
        except BlockingIOError:
            return
        except RingClosed:
            self._forget(connection)
        except RingError as error:
            logger.warning("disconnected a caller of %s: %s", self._name, error)
            self._forget(connection)

    def _begun(self, connection: Connection, call: Begun) -> None:
        self._queue.push(connection.fd, call)
        self._last_call[connection.fd] = time.monotonic()

    def _crowded(self) -> bool:
        """Whether calls met lately."""
        return self._running > 0 or time.monotonic() < self._crowded_until

    def _quiet(self) -> bool:
        """Whether a call can be run without a look at what else there is: no batch is to be made, nothing waits."""
        return not self._queue.waiting and not self._crowded() and (self._lanes is not None or len(self._clients) == 1)

    def _run_at_once(self, connection: Connection, number: int, deadline_ns: int, rest: bytes) -> bool:
        """Run and answer a call whose like was answered before; False when it has to go the usual way.

        The way of the one application that most devices have: what is not done between its packet and the answer to it
        is what counts, because the model leaves nothing of ours in the processor's caches.
        """
        repetition = connection.repetitions.get(rest)
        if repetition is None or not repetition.bound or (deadline_ns and time.monotonic_ns() >= deadline_ns):
            return False
        if not repetition.run():
            return False
        self._send_bytes(connection, repetition.answer(number))
        self._calls += 1
        now = time.monotonic()
        if connection.alive:
            self._last_call[connection.fd] = now
        # Asked after the answer, which the caller waits for; it may have called again by now, and that is no crowd.
        if any(descriptor != connection.fd for descriptor, _ in self._epoll.poll(0)):
            self._crowded_until = now + _ACTIVE_S
        return True

    def _apply(self, connection: Connection, packet: wire.Packet, descriptors: Sequence[int]) -> None:
        if isinstance(packet, wire.Frame):
            self._begun(connection, connection.begin_frame(packet))
        elif isinstance(packet, wire.Share):
            connection.share(packet, descriptors)
        elif isinstance(packet, wire.Unshare):
            connection.unshare(packet)
        elif isinstance(packet, wire.Open):
            try:
                memory, memories = connection.open(packet)
            except CallError as error:
                self._send(connection, wire.Refused(packet.request, error.code, error.message))
                return
            try:
                self._send_bytes(connection, wire.encode(memory), memories)
            finally:
                close_descriptors(memories)
        elif isinstance(packet, wire.Close):
            connection.close_generation(packet.generation)
        else:
            raise RingError("a client sent {}".format(type(packet).__name__))

    def _serve_turn(self) -> bool:
        """Run the calls whose turn it is, one or as many as the handler takes at once; False when nothing may run."""
        if self._running >= self._most_running:
            return False
        turns = self._turns()
        if not turns:
            return False
        if self._lanes is not None and (self._queue.waiting or self._crowded()):
            self._running += 1
            self._lanes.submit(self._run_in_lane, turns)
            return True
        outcomes = self._run(turns)
        # Asked before the answer, after which the caller may call again.
        if len(turns) > 1 or self._epoll.poll(0):
            # Somebody called in the meantime and could have been served beside this one.
            self._crowded_until = time.monotonic() + _ACTIVE_S
        self._answer_all(turns, outcomes)
        return False

    def _turns(self) -> _Turns:
        """Take the next calls from the queue; those whose time is over are answered so."""
        turns: _Turns = []
        while len(turns) < self._handler.max_batch:
            turn = self._queue.pop()
            if turn is None:
                break
            connection, call = self._clients[turn[0]], turn[1]
            if _is_late(call):
                late = "{}: {} calls wait".format(_LATE, self._queue.waiting)
                self._answer(connection, call, CallError(EXPIRED, late))
                continue
            turns.append((connection, call))
        return turns

    def _run_in_lane(self, turns: _Turns) -> None:
        """Run on a thread of the lanes; the thread that serves gives the answers."""
        if self._closed:
            return
        late = [call for _, call in turns if _is_late(call)]
        self._done.append((turns, [CallError(EXPIRED, _LATE)] * len(turns) if late else self._run(turns)))
        os.write(self._wake_w, b"d")

    def _answer_done(self) -> None:
        """Answer what the lanes have done."""
        while self._done:
            turns, outcomes = self._done.popleft()
            self._running -= 1
            if self._running or self._queue.waiting:
                self._crowded_until = time.monotonic() + _ACTIVE_S
            self._answer_all(turns, outcomes)

    def _answer_all(self, turns: _Turns, outcomes: Sequence[CallOutcome]) -> None:
        for (connection, call), outcome in zip(turns, outcomes):  # noqa: B905 - Python 3.10
            if connection.alive:
                self._answer(connection, call, outcome)

    def _answer(self, connection: Connection, call: Begun, outcome: CallOutcome) -> None:
        if call.repetition is not None and call.repetition.outputs_here:
            self._calls += 1
            self._finish(connection, call, call.repetition.answer(call.number))
            return
        descriptor = -1
        try:
            if isinstance(outcome, CallError):
                raise outcome
            data, descriptor = connection.write_outputs(call, outcome)
            self._calls += 1
        except CallError as error:
            self._expired += error.code == EXPIRED
            self._errors += error.code != EXPIRED
            self._complain(error.code, error.message)
            data = wire.encode(wire.Fault(call.number, error.code, error.message))
        except RingError as error:
            self._errors += 1
            self._complain(TOO_LARGE, str(error))
            data = wire.encode(wire.Fault(call.number, TOO_LARGE, str(error)))
        try:
            self._finish(connection, call, data, [descriptor] if descriptor >= 0 else ())
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _complain(self, code: str, message: str) -> None:
        """Log why a call got no outputs: each kind at once, then not more than once a minute, with their number."""
        now = time.monotonic()
        since, count = self._complaints.get(code, (0.0, 0))
        if since and now - since < _COMPLAINT_S:
            self._complaints[code] = (since, count + 1)
            return
        self._complaints[code] = (now, 0)
        more = ", {} more like it in the last {:.0f} s".format(count, now - since) if count else ""
        logger.warning("a call of %s was refused: %s (%s)%s", self._name, message, code, more)

    def _run(self, turns: _Turns) -> Sequence[CallOutcome]:
        try:
            if len(turns) == 1:
                repetition = turns[0][1].repetition
                if repetition is not None and repetition.run():
                    return _OUTPUTS_HERE
            outcomes = self._handler.run_many([call.given for _, call in turns])
            if len(outcomes) != len(turns):
                raise RuntimeError("{} outcomes for {} calls".format(len(outcomes), len(turns)))
            return outcomes
        except CallError as error:
            return [error] * len(turns)
        except Exception as error:
            logger.exception("a call of %s failed", self._name)
            return [CallRefused(RUN_FAILED, "the model run failed: {}".format(type(error).__name__))] * len(turns)

    def _finish(self, connection: Connection, call: Begun, answer: bytes, descriptors: Sequence[int] = ()) -> None:
        connection.finish(call)
        self._send_bytes(connection, answer, descriptors)

    def _send(self, connection: Connection, packet: wire.Packet) -> None:
        self._send_bytes(connection, wire.encode(packet))

    def _send_bytes(self, connection: Connection, data: bytes, descriptors: Sequence[int] = ()) -> None:
        try:
            send_bytes(connection.sock, data, descriptors)
        except BlockingIOError:
            # Answers are bounded by the slots, so its buffer is full only when it asks and asks and never reads.
            logger.warning("disconnected a caller of %s: it does not read its answers", self._name)
            self._forget(connection)
        except RingClosed:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if not connection.alive:
            return
        self._queue.drop(connection.fd)
        del self._clients[connection.fd]
        self._last_call.pop(connection.fd, None)
        self._epoll.unregister(connection.fd)
        connection.close()
        self._families = {pid: family for pid, family in self._families.items() if family}

    def _shut(self) -> None:
        self._closed = True
        if self._lanes is not None:
            # The handler's owner ends what runs early.
            self._lanes.shutdown(wait=True)
        clients: List[Connection] = list(self._clients.values())
        for connection in clients:
            self._forget(connection)
        self._epoll.close()
        self._listener.close()
        os.close(self._wake_r)
        wake, self._wake_w = self._wake_w, -1
        os.close(wake)
