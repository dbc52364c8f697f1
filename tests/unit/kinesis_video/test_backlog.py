"""What waits for AWS keeps to its memory, and the oldest goes first."""

from vedette.kinesis_video.backlog import DISORDER, Backlog
from vedette.kinesis_video.fragment import Fragment
from vedette.kinesis_video.matroska import Sample, Track

TRACK = Track(b"", 640, 360)


def fragment(start_ms: int, size: int = 1000) -> Fragment:
    return Fragment(TRACK, (Sample(b"", start_ms, True), Sample(b"", start_ms + 2000, False)), size)


def taken(backlog: Backlog) -> list[int]:
    found = []
    while (each := backlog.take(0.0)) is not None:
        found.append(each.start_ms)
    return found


def test_the_newest_goes_or_memory_grows() -> None:
    backlog = Backlog(3500)
    for number in range(10):
        backlog.put(fragment(number))
        assert backlog.waiting_bytes <= 3500
    assert taken(backlog) == [7, 8, 9]
    assert backlog.lost() == (7, 14.0)
    assert (backlog.lost().fragments, backlog.dropped) == (0, 7)


def test_a_fragment_larger_than_all_memory_is_never_sent() -> None:
    backlog = Backlog(500)
    backlog.put(fragment(1))
    assert taken(backlog) == [1]


def test_what_was_sent_without_a_word_is_lost() -> None:
    backlog = Backlog(10_000)
    for number in range(4):
        backlog.put(fragment(number))
    assert [backlog.take(0.0), backlog.take(0.0), backlog.take(0.0)]
    assert backlog.release(1) is not None
    assert backlog.release(1) is None
    backlog.again()
    assert taken(backlog) == [0, 2, 3], "in the order of time"


def test_what_waits_for_a_lost_acknowledgement_fills_the_memory() -> None:
    backlog = Backlog(100_000)
    for number in range(30):
        backlog.put(fragment(number))
    assert len(taken(backlog)) == 30
    assert backlog.release(29) is not None
    assert backlog.unacknowledged == DISORDER
    assert backlog.waiting_bytes == DISORDER * 1000


def test_a_fragment_that_aws_refuses_is_sent_again_for_ever() -> None:
    backlog = Backlog(10_000)
    for number in range(3):
        backlog.put(fragment(number))
    taken(backlog)
    assert backlog.leave_out(1)
    assert not backlog.leave_out(1)
    backlog.again()
    assert taken(backlog) == [0, 2]
    assert backlog.dropped == 1
