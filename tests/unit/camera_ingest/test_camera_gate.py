"""Which packets are decoded."""

from vedette_camera_ingest.gate import Gate, Passage


class Readers:
    count = 1

    def __call__(self) -> int:
        return self.count


def test_nothing_passes_before_the_first_key_frame() -> None:
    gate = Gate(Readers(), 0.0)
    assert [gate.judge(0.1, 0.1, key=key) for key in (False, False, True, False)] == [
        Passage.DROP, Passage.DROP, Passage.DECODE, Passage.DECODE,
    ]  # fmt: skip


def test_late_packets_are_left_out_up_to_the_next_key_frame() -> None:
    gate = Gate(Readers(), 0.0)
    assert gate.judge(1.0, 1.0, key=True) is Passage.DECODE
    assert gate.judge(3.0, 1.9, key=False) is Passage.DROP
    assert gate.judge(3.0, 2.5, key=False) is Passage.DROP
    assert gate.judge(3.0, 2.6, key=True) is Passage.DECODE
    assert gate.judge(3.0, 2.7, key=False) is Passage.DECODE
    assert gate.behind == 1


def test_nobody_looking_leaves_a_glance_a_second_and_who_comes_gets_whole_pictures() -> None:
    readers = Readers()
    gate = Gate(readers, 0.0)
    assert gate.judge(1.0, 1.0, key=True) is Passage.DECODE
    readers.count = 0
    assert gate.judge(3.9, 3.9, key=False) is Passage.DECODE
    assert gate.judge(4.1, 4.1, key=False) is Passage.DROP
    assert gate.idle is True
    assert gate.judge(4.2, 4.2, key=True) is Passage.GLANCE
    assert gate.judge(4.3, 4.3, key=True) is Passage.DROP
    assert gate.judge(5.3, 5.3, key=True) is Passage.GLANCE
    readers.count = 1
    assert gate.judge(5.4, 5.4, key=False) is Passage.DROP
    assert bool(gate.idle) is False
    assert gate.judge(5.5, 5.5, key=True) is Passage.DECODE
    assert gate.judge(5.6, 5.6, key=False) is Passage.DECODE


def test_without_readers_at_the_start_pictures_are_ready_for_a_while() -> None:
    readers = Readers()
    readers.count = 0
    gate = Gate(readers, 0.0)
    assert gate.judge(2.9, 2.9, key=True) is Passage.DECODE
    assert gate.judge(3.1, 3.1, key=False) is Passage.DROP
