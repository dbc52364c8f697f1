"""What waits for a slow client."""

from vedette.nucleus.ipc.outbox import EventQueue, Outbox


def test_event_overtakes_the_answer_of_its_subscription() -> None:
    outbox, queue = Outbox(), EventQueue()
    outbox.event(queue, b"event")
    outbox.answer(b"answer")
    assert list(outbox) == [b"answer", b"event"]
    assert outbox.answer_bytes == 0


def test_events_of_two_streams_change_their_order() -> None:
    outbox, one, two = Outbox(), EventQueue(), EventQueue()
    for queue, frame in ((one, b"1"), (two, b"2"), (one, b"3"), (two, b"4")):
        outbox.event(queue, frame)
    assert list(outbox) == [b"1", b"2", b"3", b"4"]


def test_full_queue_drops_the_newest_or_loses_count() -> None:
    outbox, full, other = Outbox(), EventQueue(messages=3), EventQueue()
    for number in range(10):
        outbox.event(full, b"%d" % number)
    outbox.event(other, b"other")
    assert list(outbox) == [b"7", b"8", b"9", b"other"]
    assert (full.dropped, other.dropped) == (7, 0)
    outbox.event(full, b"10")
    assert list(outbox) == [b"10"]


def test_large_events_fill_the_memory() -> None:
    outbox, queue = Outbox(), EventQueue(size=100)
    for number in range(5):
        outbox.event(queue, bytes([number]) * 40)
    assert (len(queue), queue.dropped) == (2, 3)
    outbox.event(queue, bytes(1000))
    assert [len(frame) for frame in outbox] == [1000]
    assert queue.dropped == 5
    assert len(queue) == 0


def test_ended_stream_still_sends() -> None:
    outbox, ended, other = Outbox(), EventQueue(), EventQueue()
    outbox.event(ended, b"1")
    outbox.event(other, b"2")
    ended.clear()
    assert list(outbox) == [b"2"]
