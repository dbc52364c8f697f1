"""The call channel over real sockets: threads, time-outs, growth, refusals."""

import contextlib
import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.waiting import eventually
from vedette.rings import RingError, connect
from vedette.rings.calls import (
    CallClient,
    CallError,
    CallLost,
    CallRefused,
    CallTimeout,
    TensorBuffer,
    TensorView,
    wire,
)
from vedette.rings.calls.tensors import Placed
from vedette.rings.calls.transport import receive_packet, send_packet

Serve = Callable[..., Any]


def echo(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
    return [TensorBuffer(name, dtype, shape, bytes(buffer)) for name, dtype, shape, buffer in inputs]


def tensor(content: bytes, name: str = "x") -> TensorBuffer:
    return TensorBuffer(name, "uint8", (len(content),), content)


def call(client: CallClient, content: bytes, timeout_s: float | None = 20.0) -> bytes:
    with client.call([tensor(content)], timeout_s) as result:
        (output,) = result.outputs
        return bytes(output.buffer)


def called(client: CallClient) -> None:
    """Wait until a call of the client's was sent."""
    for _ in range(1000):
        with client._exchange.changed:
            if client._pending:
                return
        time.sleep(0.01)
    raise AssertionError("no call was sent")


class Gate:
    """A handler that runs when the test lets it; ``entered`` is set while a call is in it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.ran: list[bytes] = []

    def run(self, inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        self.entered.set()
        assert self.open.wait(20.0)
        self.ran.append(bytes(inputs[0].buffer))
        return echo(inputs)


def test_the_description_arrives_before_any_call(serve: Serve) -> None:
    description = serve().client().description
    assert [(spec.name, spec.dtype, spec.shape) for spec in description.inputs] == [("x", "uint8", (-1,))]


def test_several_inputs_come_back_in_their_order_with_their_shapes(serve: Serve) -> None:
    client = serve().client()
    sent = [
        TensorBuffer("a", "float32", (2, 1, 3), bytes(range(24))),
        TensorBuffer("empty", "int64", (0, 4), b""),
        TensorBuffer("scalar", "<f8", (), b"12345678"),
        TensorBuffer("flags", "bool", (3,), b"\0\1\1"),
    ]
    with client.call(sent, 10.0) as result:
        got = [(t.name, t.dtype, t.shape, bytes(t.buffer)) for t in result.outputs]
    assert got == [
        ("a", "float32", (2, 1, 3), bytes(range(24))),
        ("empty", "int64", (0, 4), b""),
        ("scalar", "float64", (), b"12345678"),
        ("flags", "bool", (3,), b"\0\1\1"),
    ]


def test_more_threads_than_slots_all_get_their_own_answer(serve: Serve) -> None:
    client = serve(slots=2).client()
    with ThreadPoolExecutor(12) as pool:
        contents = [bytes([n % 256]) * (1 + 997 * n % 20_000) for n in range(300)]
        assert list(pool.map(lambda content: call(client, content), contents)) == contents


def test_inputs_written_in_place_are_what_the_model_sees(serve: Serve) -> None:
    client = serve().client()
    prepared = client.prepare([("x", "uint8", (4,)), ("y", "uint16", (2,))], 10.0)
    prepared.buffers[0][:] = b"left"
    prepared.buffers[1][:] = b"rigt"
    with prepared.run(10.0) as result:
        assert [bytes(output.buffer) for output in result.outputs] == [b"left", b"rigt"]
    with pytest.raises(CallError, match="prepare another"):
        prepared.run()


def test_a_cancelled_and_a_forgotten_preparation_free_their_slot(serve: Serve) -> None:
    client = serve(slots=1).client()
    client.prepare([("x", "uint8", (4,))], 10.0).cancel()
    client.prepare([("x", "uint8", (4,))], 10.0)
    gc.collect()
    assert call(client, b"free") == b"free"


def test_a_buffer_still_in_use_stops_the_call_before_it_is_made(serve: Serve) -> None:
    gate = Gate()
    gate.open.set()
    client = serve(gate.run).client()
    prepared = client.prepare([("x", "uint8", (4,))], 10.0)
    user = prepared.buffers[0][1:2]
    with pytest.raises(BufferError, match="still in use: let go of it"):
        prepared.run(10.0)
    user.release()
    prepared.run(10.0).close()
    assert len(gate.ran) == 1


def test_an_output_still_in_use_keeps_its_slot_until_it_is_let_go(serve: Serve) -> None:
    client = serve(slots=1).client()
    result = client.call([tensor(b"kept")], 10.0)
    user = result.outputs[0].buffer[:]
    with pytest.raises(BufferError, match="copy it before the result is closed"):
        result.close()
    with pytest.raises(CallTimeout, match="all 1 slots"):
        client.call([tensor(b"more")], 0.05)
    assert bytes(user) == b"kept"
    user.release()
    result.close()
    assert call(client, b"more") == b"more"


def test_a_result_nobody_closed_gives_its_slot_back_when_it_is_collected(serve: Serve) -> None:
    client = serve(slots=1).client()
    for n in range(3):
        result = client.call([tensor(bytes([n]))], 10.0)
        assert bytes(result.outputs[0].buffer) == bytes([n])
        del result
    gc.collect()
    assert call(client, b"again") == b"again"


def test_a_thread_waiting_for_a_slot_gets_the_one_another_thread_frees(serve: Serve) -> None:
    client = serve(slots=1).client()
    held = client.call([tensor(b"held")], 10.0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, client, b"next")
        assert not wait([waiting], 0.05).done
        held.close()
        assert waiting.result(10.0) == b"next"


def test_a_call_that_timed_out_keeps_its_slot_until_the_late_answer(serve: Serve) -> None:
    gate = Gate()
    client = serve(gate.run, slots=1).client()
    with pytest.raises(CallTimeout, match="no answer in time"):
        client.call([tensor(b"late")], 1.0)
    assert gate.entered.wait(10.0)
    with pytest.raises(CallTimeout, match="all 1 slots"):
        client.call([tensor(b"lost")], 0.05)
    gate.open.set()
    assert call(client, b"good") == b"good"
    assert gate.ran == [b"late", b"good"]


def test_a_time_out_is_also_the_builtin_kind(serve: Serve) -> None:
    gate = Gate()
    client = serve(gate.run).client()
    with pytest.raises(TimeoutError):
        client.call([tensor(b"x")], 0.01)
    gate.open.set()


def test_a_call_whose_time_is_over_before_its_turn_is_never_run(serve: Serve) -> None:
    gate = Gate()
    served = serve(gate.run)
    first, second = served.client(), served.client()
    prepared = second.prepare([("x", "uint8", (6,))], 10.0)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call, first, b"first")
        assert gate.entered.wait(10.0)
        with pytest.raises(CallTimeout):
            prepared.run(0.05)
        gate.open.set()
        assert running.result(10.0) == b"first"
    assert call(second, b"third") == b"third"
    assert gate.ran == [b"first", b"third"]
    assert served.server.stats.expired == 1


def test_a_lane_that_is_done_waits_for_the_other(serve: Serve) -> None:
    # GIVEN a model with two lanes, and callers enough to use them
    gates = {name: threading.Event() for name in (b"first", b"slow")}
    entered = {name: threading.Event() for name in (b"first", b"slow")}

    def run(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        name = bytes(inputs[0].buffer)
        if name in gates:
            entered[name].set()
            assert gates[name].wait(20.0)
        return echo(inputs)

    served = serve(run, lanes=2)
    clients = [served.client() for _ in range(4)]
    for client in clients:
        assert call(client, b"hello") == b"hello"
    # A caller alone keeps the thread that serves.
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(call, clients[0], b"first")
        assert entered[b"first"].wait(10.0)
        slow = pool.submit(call, clients[1], b"slow")
        quick = pool.submit(call, clients[2], b"quick")
        for client in clients[1:3]:
            called(client)
        gates[b"first"].set()
        assert first.result(20.0) == b"first"
        assert entered[b"slow"].wait(10.0)
        # WHEN one lane is busy THEN the others' answers come, those of calls made meanwhile, too
        assert quick.result(20.0) == b"quick"
        for number in range(5):
            assert call(clients[3], b"new%d" % number) == b"new%d" % number
        assert not slow.done()
        gates[b"slow"].set()
        assert slow.result(20.0) == b"slow"
    assert served.server.stats.calls == 12


def test_a_server_that_is_closed_runs_what_was_still_to_come(serve: Serve) -> None:
    gate = Gate()
    served = serve(gate.run)
    clients = [served.client() for _ in range(3)]
    gate.open.set()
    for client in clients:
        assert call(client, b"hello") == b"hello"
    gate.open.clear()
    gate.entered.clear()
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(call, client, b"call") for client in clients]
        assert gate.entered.wait(10.0)
        for client in clients:
            called(client)
        served.server.close()
        gate.open.set()
        for each in calls:
            with contextlib.suppress(CallLost):
                each.result(20.0)
    assert gate.ran == [b"hello", b"hello", b"hello", b"call"]


def test_a_client_with_many_calls_delays_another_by_one_run_at_most(serve: Serve) -> None:
    gate = Gate()
    served = serve(gate.run)
    with connect(served.path) as greedy, connect(served.path) as modest:
        for sock in (greedy, modest):
            send_packet(sock, wire.Open(1, 10, 10))
        send_packet(greedy, wire.Call(1, 1, 0, 0, (Placed("greedy", "uint8", (1,), 0),)))
        assert gate.entered.wait(10.0)
        for slot in (1, 2, 3):
            send_packet(greedy, wire.Call(1 + slot, 1, slot, 0, (Placed("greedy", "uint8", (1,), 0),)))
        send_packet(modest, wire.Call(1, 1, 0, 0, (Placed("modest", "uint8", (2,), 0),)))
        gate.open.set()
        greedy.settimeout(10.0)
        answers = 0
        while answers < 4:
            answers += isinstance(wire.decode(greedy.recv(65536)), wire.Answer)
    assert gate.ran.index(bytes(2)) in (1, 2)
    assert len(gate.ran) == 5


def test_inputs_larger_than_the_slots_get_a_new_memory(serve: Serve) -> None:
    client = serve().client()
    for size in (10, 5000, 100, 3_000_000, 7):
        content = os.urandom(size)
        assert call(client, content) == content


def test_threads_that_grow_the_channel_at_once_all_get_through(serve: Serve) -> None:
    client = serve(slots=3).client()
    contents = [os.urandom(1 + (n * 37 % 11) * 40_000) for n in range(60)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda content: call(client, content), contents)) == contents


def test_replaced_memories_are_given_back(serve: Serve) -> None:
    """Each generation alone fits; were one kept, the next would not."""
    client = serve(slots=1, max_bytes=3_000_000, output_bytes=4096).client()
    for size in range(100_000, 1_000_000, 100_000):
        assert call(client, bytes(size)) == bytes(size)


def test_a_result_of_a_replaced_memory_stays_good(serve: Serve) -> None:
    client = serve().client()
    with client.call([tensor(b"old")], 10.0) as old:
        assert call(client, bytes(100_000)) == bytes(100_000)
        assert bytes(old.outputs[0].buffer) == b"old"


def test_outputs_larger_than_the_slots_arrive_and_the_next_ones_fit(serve: Serve) -> None:
    def swell(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        size = int.from_bytes(inputs[0].buffer, "little")
        return [TensorBuffer("big", "uint8", (size,), bytes([size % 251]) * size)]

    client = serve(swell, output_bytes=1).client()
    for size in (100, 50_000, 50_000, 2_000_000, 10):
        assert call(client, size.to_bytes(4, "little")) == bytes([size % 251]) * size


def test_outputs_that_may_not_have_larger_slots_go_on_coming(serve: Serve) -> None:
    def swell(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        return [TensorBuffer("big", "uint8", (400_000,), bytes(400_000))]

    client = serve(swell, slots=1, output_bytes=1, max_bytes=405_000).client()
    for _ in range(3):
        assert call(client, b"x") == bytes(400_000)


def test_inputs_over_the_clients_share_are_refused_and_smaller_ones_work(serve: Serve) -> None:
    client = serve(max_bytes=100_000).client()
    with pytest.raises(CallError, match="does not fit the 100000 bytes left") as caught:
        call(client, bytes(200_000))
    assert caught.value.code == "too_large"
    assert call(client, b"small") == b"small"


def test_more_connections_take_more_memory_than_one_application_may_have(serve: Serve) -> None:
    served = serve(max_bytes=1 << 20, slots=1)
    greedy = [served.client() for _ in range(3)]
    data = b"x" * 400_000
    for client in greedy[:2]:
        client.call([tensor(data)], 10.0).close()
    with pytest.raises(CallError, match="left of 1048576"):
        greedy[2].call([tensor(data)], 10.0)
    # WHEN another of its connections is closed THEN there is room again
    greedy[0].close()
    eventually(lambda: served.server.stats.clients == 2, "the server has heard")
    greedy[2].call([tensor(data)], 10.0).close()


def test_one_application_takes_every_descriptor_by_connections(serve: Serve) -> None:
    served = serve()
    greedy = []

    def refused() -> bool:
        greedy.append(served.client())
        try:
            assert greedy[-1].description
        except CallLost:
            return True
        return False

    eventually(refused, "no more are let in", every_s=0)
    assert len(greedy) == 129
    for client in greedy[1:100]:
        client.close()
    eventually(lambda: served.server.stats.clients == 29, "the server has heard")
    assert served.client().description
    greedy[0].call([tensor(b"abc")], 10.0).close()


def test_fewer_slots_when_all_would_not_fit(serve: Serve) -> None:
    client = serve(slots=4, max_bytes=250_000, output_bytes=4096).client()
    with client.call([tensor(bytes(70_000))], 10.0), client.call([tensor(bytes(70_000))], 10.0):
        with pytest.raises(CallTimeout, match="all 3 slots"), client.call([tensor(b"")], 1.0):
            client.call([tensor(b"")], 0.05)


def test_what_the_handler_refuses_reaches_the_caller(serve: Serve) -> None:
    def refuse(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        raise CallRefused("wrong_shape", f"input {inputs[0].name!r} should be larger")

    served = serve(refuse)
    client = served.client()
    for _ in range(6):  # more often than there are slots
        with pytest.raises(CallError, match="input 'x' should be larger") as caught:
            call(client, b"x")
        assert caught.value.code == "wrong_shape"
    assert served.server.stats.errors == 6


def test_a_handler_that_fails_costs_one_call(serve: Serve) -> None:
    def fail_once(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        if bytes(inputs[0].buffer) == b"bad":
            raise MemoryError("secret of the model")
        return echo(inputs)

    client = serve(fail_once).client()
    with pytest.raises(CallError, match="the model run failed: MemoryError") as caught:
        call(client, b"bad")
    assert caught.value.code == "run_failed"
    assert "secret" not in str(caught.value)
    assert call(client, b"good") == b"good"


def test_a_handler_whose_output_lies_about_its_size_costs_one_call(serve: Serve) -> None:
    client = serve(lambda _: [TensorBuffer("x", "float32", (9,), b"123")]).client()
    for _ in range(6):
        with pytest.raises(CallError, match="has 3 bytes, expected 36"):
            call(client, b"x")


def test_an_input_that_does_not_fit_its_buffer_is_refused_without_a_call(serve: Serve) -> None:
    served = serve()
    with pytest.raises(CallError, match="expected 4 for uint8"):
        served.client().call([TensorBuffer("x", "uint8", (4,), b"123")], 10.0)
    assert served.server.stats.calls == 0


def test_a_name_longer_than_a_packet_costs_one_call(serve: Serve) -> None:
    client = serve(slots=1).client()
    with pytest.raises(CallError, match="cannot be encoded"):
        client.call([tensor(b"x", "n" * 70_000)], 10.0)
    assert call(client, b"good") == b"good"


def test_closing_the_client_ends_a_call_that_waits(serve: Serve) -> None:
    gate = Gate()
    client = serve(gate.run).client()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, client, b"x", None)
        assert gate.entered.wait(10.0)
        client.close()
        with pytest.raises(CallLost, match="was closed"):
            waiting.result(10.0)
    client.close()
    gate.open.set()
    with pytest.raises(CallLost, match="was closed"):
        call(client, b"x")


def test_stopping_the_server_ends_a_call_that_waits_and_later_ones(serve: Serve) -> None:
    gate = Gate()
    served = serve(gate.run)
    first, second = served.client(), served.client()
    assert second.description
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(call, first, b"runs")
        assert gate.entered.wait(10.0)
        waiting = pool.submit(call, second, b"waits")
        served.server.close()
        gate.open.set()
        assert running.result(10.0) == b"runs"
        with pytest.raises(CallLost, match="model server is gone"):
            waiting.result(10.0)
    assert second.lost
    with pytest.raises(CallLost, match="model server is gone"):
        call(second, b"later")


def test_a_child_made_by_fork_is_told_to_connect_anew(serve: Serve) -> None:
    client = serve().client()
    assert call(client, b"parent") == b"parent"
    client._exchange._pid -= 1  # as the child sees it, without a fork of this threaded process
    with pytest.raises(CallLost, match="forked"):
        call(client, b"child")
    client._exchange._pid += 1
    assert call(client, b"parent") == b"parent"


BROKEN = {
    "a slot that does not exist": wire.Call(1, 1, 99, 0, ()),
    "a generation that does not exist": wire.Call(1, 7, 0, 0, ()),
    "an input outside of the slot": wire.Call(1, 1, 0, 0, (Placed("x", "uint8", (4097,), 0),)),
    "an input whose size wraps": wire.Call(1, 1, 0, 0, (Placed("x", "uint8", (2**33, 2**33), 0),)),
    "closing what is not open": wire.Close(9),
    "a packet only servers send": wire.Fault(1, "x", "y"),
}


@pytest.mark.parametrize("packet", BROKEN.values(), ids=BROKEN.keys())
def test_a_client_that_breaks_the_protocol_is_disconnected_alone(serve: Serve, packet: wire.Packet) -> None:
    served = serve()
    good = served.client()
    with connect(served.path) as sock:
        send_packet(sock, wire.Open(1, 10, 10))
        send_packet(sock, packet)
        assert answers_until_disconnected(sock) == []
    assert call(good, b"good") == b"good"
    assert served.server.stats.clients == 1


def test_the_same_slot_cannot_be_called_twice_at_once(serve: Serve) -> None:
    gate = Gate()
    served = serve(gate.run)
    inputs = (Placed("x", "uint8", (1,), 0),)
    with connect(served.path) as sock:
        send_packet(sock, wire.Open(1, 10, 10))
        send_packet(sock, wire.Call(1, 1, 0, 0, inputs))
        assert gate.entered.wait(10.0)
        send_packet(sock, wire.Call(2, 1, 0, 0, inputs))
        send_packet(sock, wire.Call(3, 1, 0, 0, inputs))
        gate.open.set()
        assert answers_until_disconnected(sock) == [1]
    assert gate.ran == [b"\0"]


def answers_until_disconnected(sock: Any) -> list[int]:
    """Read until the server hangs up; return the calls that were answered."""
    sock.settimeout(10.0)
    answered = []
    try:
        while data := sock.recv(65536):
            packet = wire.decode(data)
            if isinstance(packet, wire.Answer):
                answered.append(packet.call)
    except ConnectionResetError:
        pass
    return answered


def test_a_client_that_never_reads_is_disconnected(serve: Serve) -> None:
    served = serve()
    with connect(served.path) as sock:
        request = 0
        with pytest.raises((RingError, BlockingIOError)) as caught:
            while request < 100_000:
                request += 1
                try:
                    send_packet(sock, wire.Open(request, 1 << 40, 10))
                except BlockingIOError:
                    # The server is as busy as we are; it goes on when it refuses us or has room.
                    continue
        assert not isinstance(caught.value, BlockingIOError)
    assert call(served.client(), b"good") == b"good"


def test_a_server_that_breaks_the_protocol_is_left(tmp_path: Any) -> None:
    import socket

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client = CallClient(ours)
    with theirs:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(call, client, b"x")
            theirs.settimeout(10.0)
            assert isinstance(wire.decode(theirs.recv(65536)), wire.Open)
            send_packet(theirs, wire.Answer(77, 0, ()))
            with pytest.raises(CallLost, match="answer to call 77, which was not made"):
                waiting.result(10.0)
        theirs.setblocking(False)
        with pytest.raises(RingError):
            receive_packet(theirs)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 40_000),  # bytes of the input
                st.integers(0, 60_000),  # bytes of the output
                st.sampled_from([None, None, None, 0.0, 0.002]),  # time-out
                st.booleans(),  # keep the result open during the next call
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=6,
    ),
    slots=st.integers(2, 4),
)
def test_outputs_are_never_torn_or_mixed_up(
    serve: Serve, plans: list[list[tuple[int, int, float | None, bool]]], slots: int
) -> None:
    """Each thread follows a plan of calls; each answer must be that of its own call, all of it, whatever timed out."""

    def run(inputs: Sequence[TensorView]) -> Sequence[TensorBuffer]:
        mark, size = bytes(inputs[0].buffer[:1]), inputs[1].shape[0]
        assert set(bytes(inputs[0].buffer)) <= set(mark)
        return [TensorBuffer("y", "uint8", (size,), mark * size), TensorBuffer("mark", "uint8", (1,), mark)]

    served = serve(run, slots=slots, output_bytes=64)
    # One client for two threads, so that threads share slots and clients share the server.
    clients = [served.client() for _ in range((len(plans) + 1) // 2)]

    def follow(thread: int) -> list[str]:
        client, faults = clients[thread // 2], []
        held: tuple[bytes, int, Any] | None = None
        for number, (input_size, output_size, timeout_s, keep) in enumerate(plans[thread]):
            mark = bytes([thread * 40 + number])
            sent = [tensor(mark * (1 + input_size)), TensorBuffer("n", "bool", (output_size,), bytes(output_size))]
            try:
                result = client.call(sent, timeout_s)
            except CallTimeout:
                result = None
            for expected in ((mark, output_size, result), held):
                if expected is None or expected[2] is None:
                    continue
                y, echoed = expected[2].outputs
                if bytes(y.buffer) != expected[0] * expected[1] or bytes(echoed.buffer) != expected[0]:
                    faults.append(f"thread {thread} call {number}")
            if held is not None:
                held[2].close()
            held = None
            # Two threads of a client that each kept all but one slot would wait for each other for ever.
            if result is not None and keep and thread % 2 == 0:
                held = (mark, output_size, result)
            elif result is not None:
                result.close()
        if held is not None:
            held[2].close()
        return faults

    try:
        with ThreadPoolExecutor(len(plans)) as pool:
            assert [fault for faults in pool.map(follow, range(len(plans))) for fault in faults] == []
    finally:
        served.stop()
    assert served.server.stats.errors == 0
