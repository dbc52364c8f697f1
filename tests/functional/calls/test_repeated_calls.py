"""Calls of one signature again and again: what both sides keep, and what they must not."""

import mmap
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from vedette.rings import RingError, connect, listen
from vedette.rings.calls import (
    CallClient,
    CallError,
    CallHandler,
    CallLost,
    CallRefused,
    CallServer,
    CallTimeout,
    Description,
    RepeatedCall,
    TensorBuffer,
    TensorSpec,
    TensorView,
    wire,
)
from vedette.rings.calls.transport import close_descriptors, receive_packet, send_packet


class Adds(CallHandler):
    """Adds one to every byte of its inputs; bound, it adds two, so that a test sees which of the two ran."""

    def __init__(self, lanes: int = 1) -> None:
        self.lanes = lanes
        self.bound = 0
        self.swell = 0
        self.fail = False
        self.threads: set[int] = set()

    @property
    def description(self) -> Description:
        return Description((TensorSpec("x", "uint8", (-1,)),), (TensorSpec("x", "uint8", (-1,)),))

    @property
    def output_bytes(self) -> int:
        return 4096

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        self.threads.add(threading.get_ident())
        size = inputs[0].shape[0] + self.swell
        return [TensorBuffer("y", "uint8", (size,), bytes([inputs[0].buffer[0] + 1]) * size)]

    def bind(self, inputs: Sequence[TensorView], outputs: Sequence[TensorView]) -> Callable[[], None] | None:
        self.bound += 1

        def run() -> None:
            self.threads.add(threading.get_ident())
            if self.fail:
                raise CallRefused("run_failed", "on purpose")
            outputs[0].buffer[:] = bytes([inputs[0].buffer[0] + 2]) * len(outputs[0].buffer)

        return run


class Here:
    """A server on a thread."""

    def __init__(self, path: str, handler: CallHandler, slots: int) -> None:
        self.path = path
        self.server = CallServer(listen(path), handler, slots=slots)
        self._thread = threading.Thread(target=self.server.serve)
        self._thread.start()
        self._clients: list[CallClient] = []

    def client(self) -> CallClient:
        self._clients.append(CallClient(connect(self.path)))
        return self._clients[-1]

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()
        self._thread.join(20.0)
        assert not self._thread.is_alive()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Callable[..., Here]]:
    started: list[Here] = []

    def start(handler: CallHandler, slots: int = 4) -> Here:
        started.append(Here(str(tmp_path / f"m{len(started)}.sock"), handler, slots))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def kept(client: CallClient, size: int, keep: bool = True) -> RepeatedCall:
    return RepeatedCall(client, [("x", "uint8", (size,))], lambda view: view.buffer, keep)


def once(repeated: RepeatedCall, value: int) -> bytes:
    turn = repeated.turn()
    try:
        turn.inputs[0][:] = bytes([value]) * len(turn.inputs[0])
        [output] = turn.run()
        return bytes(output)
    finally:
        turn.free()


def test_a_repeated_call_is_run_anew_or_gets_the_last_ones_outputs(here: Any) -> None:
    handler = Adds()
    repeated = kept(here(handler).client(), 5)
    assert once(repeated, 10) == bytes([11]) * 5
    for value in (20, 30, 20):
        assert once(repeated, value) == bytes([value + 2]) * 5
    assert handler.bound == 1


@pytest.mark.parametrize("keep", [True, False])
def test_calls_of_several_kinds_are_mixed_up(here: Any, keep: bool) -> None:
    client = here(Adds()).client()
    kinds = [kept(client, size, keep) for size in (3, 7, 5000)]
    for value in range(1, 5):
        for kind, size in zip(kinds, (3, 7, 5000), strict=True):
            assert once(kind, value) in (bytes([value + 1]) * size, bytes([value + 2]) * size)


def test_outputs_of_another_shape_are_taken_for_the_last_ones(here: Any) -> None:
    handler = Adds()
    repeated = kept(here(handler).client(), 5)
    once(repeated, 1)
    assert once(repeated, 1) == bytes([3]) * 5
    # A bound run says so; then the usual one gives other shapes, larger than the slot at last.
    handler.fail = True
    for swell in (2, 0, 3, 1, 4, 2, 5, 1):
        handler.swell = swell
        assert once(repeated, 7) == bytes([8]) * (5 + swell)
    assert handler.bound <= 5, "a model whose shapes change is bound for ever"
    for swell in (9000, 9000, 1, 20_000):
        handler.swell = swell
        assert once(repeated, 8) == bytes([9]) * (5 + swell)


def test_threads_that_repeat_a_call_get_each_others_outputs(here: Any) -> None:
    clients = [here(Adds(lanes=2), slots=2).client() for _ in range(2)]
    kinds = [kept(client, 3000) for client in clients]

    def many(number: int) -> bool:
        kind = kinds[number % 2]
        return all(
            once(kind, value) in (bytes([value + 1]) * 3000, bytes([value + 2]) * 3000)
            for value in range(number, 200, 7)
        )

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(many, range(6)))


def test_a_caller_alone_that_is_quick_is_moved_between_threads(here: Any) -> None:
    handler = Adds(lanes=2)
    repeated = kept(here(handler).client(), 5)
    for _ in range(200):
        once(repeated, 1)
    assert len(handler.threads) == 1


def test_a_client_changes_outputs_while_the_model_runs(here: Any) -> None:
    """A model may read what it wrote as an output, indices among it."""
    served = here(Adds())
    with connect(served.path) as sock:
        sock.settimeout(20.0)
        assert isinstance(wire.decode(sock.recv(65536)), wire.Describe)
        send_packet(sock, wire.Open(1, 10, 10))
        sock.setblocking(True)
        assert select.select([sock], [], [], 20.0)[0]
        packet, descriptors = receive_packet(sock)
        assert isinstance(packet, wire.Memory)
        inputs, outputs = descriptors
        mmap.mmap(inputs, 4096).close()
        mmap.mmap(outputs, 4096, prot=mmap.PROT_READ).close()
        with pytest.raises(PermissionError):
            mmap.mmap(outputs, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        close_descriptors(descriptors)


def test_a_model_writes_to_outputs_that_a_client_can_change(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels before 5.1 cannot seal against later writable mappings."""
    monkeypatch.setattr("vedette.rings.calls.connection.seal", lambda _descriptor: False)
    handler = Adds()
    repeated = kept(here(handler).client(), 5)
    for value in (10, 20, 30):
        assert once(repeated, value) == bytes([value + 1]) * 5
    assert handler.bound == 0


def test_a_slot_is_lost_with_a_repeated_call_that_failed(here: Any) -> None:
    class Refuses(Adds):
        def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
            raise CallRefused("wrong_shape", "no")

    client = here(Refuses(), slots=1).client()
    repeated = kept(client, 5)
    for _ in range(4):
        with pytest.raises(CallError, match="no"):
            once(repeated, 1)
        turn = repeated.turn()
        turn.free()
        turn.free()
    with pytest.raises(CallError, match="cannot be encoded"):
        RepeatedCall(client, [("n" * 70_000, "uint8", (1,))], lambda view: view).turn()
    turn = repeated.turn()
    with pytest.raises(CallTimeout, match="all 1 slots"):
        repeated.turn(0.0)
    turn.free()


def test_a_repeated_call_of_a_closed_client_goes_on(here: Any) -> None:
    client = here(Adds()).client()
    repeated = kept(client, 5)
    once(repeated, 1)
    client.close()
    with pytest.raises(CallLost, match="was closed"):
        once(repeated, 1)


def test_a_memory_of_one_descriptor_is_taken(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client = CallClient(ours)
    with theirs, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(once, kept(client, 5), 1)
        theirs.settimeout(20.0)
        asked = wire.decode(theirs.recv(65536))
        assert isinstance(asked, wire.Open)
        with (tmp_path / "f").open("w+b") as file:
            file.truncate(65536)
            send_packet(theirs, wire.Memory(asked.request, 1, 1, 4096, 4096), [file.fileno()])
        with pytest.raises(RingError, match="expected 2"):
            waiting.result(20.0)
