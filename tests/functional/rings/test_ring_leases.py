"""Rings between real processes: nothing torn, nothing leaked, nobody waits for a reader."""

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.waiting import eventually
from vedette.rings import BGR24, FrameHeader, Lease, RingClosed, RingError, RingReader, RingWriter, connect, listen
from vedette.rings.wire import Frame, Release, encode

READER = Path(__file__).with_name("ring_reader_process.py")
HEADER = FrameHeader(0, 1, 2, 4, 4, BGR24)


@pytest.fixture
def socket_path(tmp_path: Path) -> str:
    return str(tmp_path / "ring.sock")


@pytest.fixture
def writer(socket_path: str) -> Iterator[RingWriter]:
    ring = RingWriter(listen(socket_path))
    yield ring
    ring.close()


def put(writer: RingWriter, nbytes: int, sequence: int, meta: bytes = b"") -> bool:
    slot = writer.reserve(nbytes)
    if slot is None:
        return False
    slot.buffer[:] = bytes([sequence % 251]) * nbytes
    writer.publish(slot, HEADER, meta)
    return True


def start_reader(socket_path: str, mode: str, python: str = sys.executable) -> "subprocess.Popen[str]":
    source = Path(__file__).parents[3] / "src"
    return subprocess.Popen(
        [python, str(READER), socket_path, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(source), "PATH": os.environ["PATH"]},
    )


def take(reader: RingReader) -> Lease:
    lease = reader.receive(5.0)
    assert lease is not None
    return lease


def test_frames_are_torn_under_fast_writer_and_several_readers(writer: RingWriter, socket_path: str) -> None:
    readers = [start_reader(socket_path, "check") for _ in range(3)]
    while writer.readers < 3:
        assert writer.wait_for_reader(10.0)
    sequence = 0
    for step in range(1500):
        size = 200_000 if step % 500 < 250 else 900_000  # a camera that changes its resolution
        assert writer.wait_for_want(10.0)
        if put(writer, size, sequence + 1):
            sequence += 1
    writer.wait_for_want(5.0)
    writer.close()
    for reader in readers:
        out, _ = reader.communicate(timeout=20)
        words = out.split()
        assert int(words[1]) > 10
        assert words[3] == "0", out


def test_reader_killed_while_holding_keeps_its_slot(writer: RingWriter, socket_path: str) -> None:
    holder = start_reader(socket_path, "hold")
    assert writer.wait_for_reader(10.0)
    put(writer, 100, 1)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding 1\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=20)
    other = RingReader(connect(socket_path), credit=3)
    sequences = []
    for sequence in range(2, 12):
        assert put(writer, 100, sequence)
        while True:
            lease = take(other)
            lease.release()
            if lease.header.sequence == sequence:
                break
        sequences.append(lease.header.sequence)
    assert sequences == list(range(2, 12))
    other.close()
    assert writer.stats.dropped == 0


_GREEDY = """
import sys
from vedette.rings import *
readers, held = [], []
for _ in range(200):
    try:
        readers.append(RingReader(connect(sys.argv[1]), credit=16))
    except RingError:  # more wait to be let in than may
        continue
print("connected", flush=True)
while True:
    for reader in list(readers):
        try:
            lease = reader.receive(0.001)
        except RingError:
            readers.remove(reader)
            print("left", len(readers), flush=True)
            continue
        if lease is not None:
            held.append(lease)
"""


def _connected(path: str) -> socket.socket | None:
    try:
        return connect(path)
    except RingError:
        return None


def test_one_process_takes_the_frames_of_all_others(writer: RingWriter, socket_path: str) -> None:
    # GIVEN a process with two hundred readers, which gives nothing back
    source = str(Path(__file__).parents[3] / "src")
    greedy = subprocess.Popen(
        [sys.executable, "-c", _GREEDY, socket_path],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": source, "PATH": os.environ["PATH"]},
    )
    try:
        assert greedy.stdout is not None
        assert greedy.stdout.readline() == "connected\n"
        for sequence in range(1, 60):
            put(writer, 100, sequence)
        # THEN another process gets every frame
        honest = RingReader(eventually(lambda: _connected(socket_path), "it is let in"))
        while (lease := take(honest)) and lease.header.sequence < writer.stats.published:
            lease.release()
        lease.release()
        for _ in range(100):
            assert put(writer, 100, 1)
            lease = take(honest)
            assert lease.header.sequence == writer.stats.published
            lease.release()
        assert writer.stats.dropped == 0
        # AND neither connections nor memory are without end
        assert writer.readers <= 129
        assert writer._memory is not None
        assert len(writer._memory.holds) <= 20
        honest.close()
    finally:
        greedy.kill()
        greedy.communicate(timeout=20)


def test_writer_killed_leaves_reader_waiting(tmp_path: Path) -> None:
    path = str(tmp_path / "victim.sock")
    code = (
        "import sys; from vedette.rings import *; w = RingWriter(listen(sys.argv[1]));\n"
        "s = w.reserve(9); s.buffer[:] = b'123456789'; w.publish(s, FrameHeader(0,1,2,1,3,2))\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    reader = RingReader(connect(path))
    lease = take(reader)
    process.kill()
    process.communicate(timeout=20)
    assert bytes(lease.buffer) == b"123456789"  # what is leased outlives its writer
    with pytest.raises(RingClosed):
        reader.receive(5.0)
    lease.release()
    reader.close()
    ring = RingWriter(listen(path))  # the stale socket file does not stop the next writer
    RingReader(connect(path)).close()
    ring.close()


def test_slow_reader_gets_old_frames(writer: RingWriter, socket_path: str) -> None:
    reader = RingReader(connect(socket_path))
    assert writer.wait_for_reader(5.0)
    put(writer, 10, 1)
    held = take(reader)
    for sequence in range(2, 50):
        assert put(writer, 10, sequence)
    assert reader.receive(0.0) is None
    held.release()
    newest = take(reader)
    assert newest.header.sequence == 49
    assert writer.stats.skipped == 47
    newest.release()
    reader.close()


def test_publishing_one_ahead_passes_frames_over(writer: RingWriter, socket_path: str) -> None:
    assert not writer.wait_for_taken(0.0)
    reader = RingReader(connect(socket_path))
    assert writer.wait_for_taken(5.0)
    put(writer, 10, 1)
    held = take(reader)
    for sequence in range(2, 20):
        # While the reader holds one, the next is made ready; the one after that has to wait.
        assert writer.wait_for_taken(5.0)
        put(writer, 10, sequence)
        assert not writer.wait_for_taken(0.0)
        held.release()
        held = take(reader)
        assert held.header.sequence == sequence
    assert writer.stats.skipped == 0
    held.release()
    reader.close()


def test_late_reader_waits_for_the_next_frame(writer: RingWriter, socket_path: str) -> None:
    put(writer, 10, 1, b"meta")
    reader = RingReader(connect(socket_path))
    lease = take(reader)
    assert (lease.header.sequence, lease.meta, bytes(lease.buffer)) == (1, b"meta", b"\x01" * 10)
    reader.close()


def test_writer_waits_when_every_slot_is_leased(socket_path: str) -> None:
    writer = RingWriter(listen(socket_path), slots=2)
    slots = [writer.reserve(10), writer.reserve(10)]
    assert None not in slots
    assert writer.reserve(10) is None
    assert writer.stats.dropped == 1
    assert slots[0] is not None
    writer.cancel(slots[0])
    assert writer.reserve(10) is not None
    writer.close()


def test_lease_of_old_size_changes_when_the_ring_is_resized(writer: RingWriter, socket_path: str) -> None:
    reader = RingReader(connect(socket_path), credit=2)
    assert writer.wait_for_reader(5.0)
    put(writer, 1000, 1)
    old = take(reader)
    put(writer, 1_000_000, 2)
    new = take(reader)
    for sequence in range(3, 20):
        put(writer, 1_000_000, sequence)
    assert set(bytes(old.buffer)) == {1}
    assert set(bytes(new.buffer)) == {2}
    reader.close()


def test_reader_can_draw_on_frames_of_others(writer: RingWriter, socket_path: str) -> None:
    put(writer, 10, 1)
    reader = RingReader(connect(socket_path))
    lease = take(reader)
    with pytest.raises(TypeError, match="read-only"):
        lease.buffer[0] = 1
    fd = writer._memory.fd if writer._memory else -1
    with pytest.raises(PermissionError):
        mmap.mmap(fd, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_WRITE | mmap.PROT_READ)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    reader.close()


def test_reader_that_gives_back_what_it_does_not_hold_is_served_on(writer: RingWriter, socket_path: str) -> None:
    put(writer, 10, 1)
    sock = connect(socket_path)
    reader = RingReader(sock)
    take(reader)
    sock.send(encode(Release(1, 3, 77)))
    with pytest.raises(RingClosed):
        for _ in range(3):
            reader.receive(5.0)
    reader.close()


def test_writer_that_leases_outside_its_memory_is_believed(tmp_path: Path) -> None:
    path = str(tmp_path / "liar.sock")
    listener = listen(path)
    reader = RingReader(connect(path))
    liar, _ = listener.accept()
    liar.send(encode(Frame(1, 900, HEADER, 10, b"")))
    with pytest.raises(RingError, match="outside its memory"):
        reader.receive(5.0)
    liar.close()
    listener.close()


def test_foreign_user_reads_a_camera(socket_path: str) -> None:
    writer = RingWriter(listen(socket_path), allowed_uids=[os.geteuid() + 1])
    put(writer, 10, 1)
    reader = RingReader(connect(socket_path))
    with pytest.raises(RingClosed):
        reader.receive(5.0)
    reader.close()
    writer.close()


def test_path_longer_than_a_socket_address_fails(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    path = str(folder / "ring.sock")
    writer = RingWriter(listen(path))
    put(writer, 10, 1)
    reader = RingReader(connect(path))
    take(reader).release()
    reader.close()
    writer.close()


def test_listening_where_nothing_can_be_says_why(tmp_path: Path) -> None:
    with pytest.raises(RingError, match="No such file"):
        listen(str(tmp_path / "missing" / "ring.sock"))
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RingError, match="not a socket"):
        listen(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(RingError, match="cannot reach"):
        connect(str(tmp_path / "nobody.sock"))


def test_metadata_over_the_limit_costs_a_slot(writer: RingWriter) -> None:
    for _ in range(10):
        slot = writer.reserve(10)
        assert slot is not None
        with pytest.raises(RingError, match="at most 32768"):
            writer.publish(slot, HEADER, b"x" * 40_000)


def test_close_leaves_threads_or_descriptors(socket_path: str) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    threads, before = threading.active_count(), descriptors()
    for _ in range(5):
        writer = RingWriter(listen(socket_path))
        reader = RingReader(connect(socket_path))
        put(writer, 10, 1)
        take(reader).release()
        reader.close()
        writer.close()
        del writer, reader
    assert (threading.active_count(), descriptors()) == (threads, before)


def test_rings_need_a_newer_python_than_applications_have(writer: RingWriter, socket_path: str) -> None:
    candidates = sorted(Path.home().glob(".pyenv/versions/3.7.*/bin/python3.7"))
    python = next((str(path) for path in candidates), "")
    if not python:
        pytest.skip("no Python 3.7 on this machine")
    process = start_reader(socket_path, "check", python)
    assert writer.wait_for_reader(10.0)
    for sequence in range(1, 4):
        assert put(writer, 50_000, sequence)
        assert writer.wait_for_want(5.0)
    writer.close()
    out, _ = process.communicate(timeout=10)
    assert "torn 0 last 3" in out


class Ring(RuleBasedStateMachine):
    """Any order of publishing, reading, releasing, leaving: what is leased never changes, and no slot is lost."""

    folder: Path

    @initialize()
    def start(self) -> None:
        self.path = str(self.folder / "machine.sock")
        self.writer = RingWriter(listen(self.path))
        self.readers: list[RingReader] = []
        self.held: list[tuple[RingReader, Lease, int]] = []
        self.sequence = 0

    @rule(size=st.integers(1, 5000))
    def publish(self, size: int) -> None:
        if put(self.writer, size, self.sequence + 1):
            self.sequence += 1

    # Which rules can be drawn, and what they draw, must not hang on what the ring's thread has done by now: a rule that
    # finds nothing to do does nothing.
    @rule(credit=st.integers(1, 3))
    def join(self, credit: int) -> None:
        if len(self.readers) < 4:
            self.readers.append(RingReader(connect(self.path), credit))

    @rule(which=st.integers(0, 11))
    def read(self, which: int) -> None:
        if self.readers:
            reader = self.readers[which % len(self.readers)]
            lease = reader.receive(0.01)
            if lease is not None:
                self.held.append((reader, lease, lease.header.sequence % 251))

    @rule(which=st.integers(0, 11))
    def release(self, which: int) -> None:
        if self.held:
            self.held.pop(which % len(self.held))[1].release()

    @rule(which=st.integers(0, 11))
    def leave(self, which: int) -> None:
        if self.readers:
            reader = self.readers.pop(which % len(self.readers))
            self.held = [entry for entry in self.held if entry[0] is not reader]
            reader.close()

    @invariant()
    def leased_frames_stay(self) -> None:
        for _, lease, mark in getattr(self, "held", []):
            assert set(bytes(lease.buffer)) == {mark}

    def teardown(self) -> None:
        for reader in self.readers:
            reader.close()
        self.writer.close()


@pytest.mark.timeout(120)
def test_some_order_of_events_breaks_a_lease(tmp_path: Path) -> None:
    Ring.folder = tmp_path
    run_state_machine_as_test(
        Ring,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
