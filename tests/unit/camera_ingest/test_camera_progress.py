"""When a stream counts as stalled, or as one without pictures."""

from vedette_camera_ingest.progress import Progress, Verdict


def fed(interval_s: float, packets: int, *, frames: bool = True) -> tuple[Progress, float]:
    progress, now = Progress(0.0), 0.0
    for _ in range(packets):
        now += interval_s
        progress.packet(now)
        if frames:
            progress.frame(now)
    return progress, now


def test_fast_camera_stalls_after_3_s() -> None:
    progress, now = fed(0.04, 50)
    assert progress.verdict(now + 2.9) is Verdict.GOOD
    assert progress.verdict(now + 3.1) is Verdict.STALLED


def test_slow_camera_stalls_after_5_intervals() -> None:
    progress, now = fed(2.0, 10)
    assert progress.verdict(now + 9.9) is Verdict.GOOD
    assert progress.verdict(now + 10.1) is Verdict.STALLED


def test_camera_of_unknown_rate_gets_10_s() -> None:
    progress = Progress(0.0)
    assert progress.verdict(9.9) is Verdict.GOOD
    assert progress.verdict(10.1) is Verdict.STALLED
    progress.packet(10.0)
    assert progress.verdict(19.9) is not Verdict.STALLED


def test_burst_at_the_start_does_not_hide_the_rate() -> None:
    progress, now = fed(0.0001, 8)
    for _ in range(20):
        now += 1.0
        progress.packet(now)
        progress.frame(now)
    assert progress.patience_s == 5.0


def test_packets_without_pictures_are_told_from_silence() -> None:
    progress, now = fed(0.04, 90, frames=False)
    assert now > 3.0
    assert progress.verdict(now) is Verdict.NO_PICTURE


def test_a_minute_without_a_picture_is_worth_a_new_connection() -> None:
    progress, now = fed(0.04, 1600, frames=False)
    assert progress.verdict(now) is Verdict.HOPELESS
