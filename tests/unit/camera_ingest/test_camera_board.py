"""What the status says."""

from vedette_camera_ingest.board import StatusBoard
from vedette_camera_ingest.failure import CaptureError

from vedette.messages import MAX_BYTES, CameraSource, CameraState, CameraStatus

SOURCE = CameraSource(name="dock", url="rtsp://viewer:geheim@10.0.0.21/s")


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def board(changes: list[CameraState] | None = None) -> tuple[StatusBoard, Clock, Clock]:
    clock, wall = Clock(10.0), Clock(1000.0)
    made: list[StatusBoard] = []
    made.append(
        StatusBoard(
            SOURCE,
            "/work/s.sock",
            changed=lambda: changes.append(made[0].state) if changes is not None else None,
            dropped=lambda: 7,
            clock=clock,
            wall_clock=wall,
        )
    )
    return made[0], clock, wall


def test_login_in_an_address_is_not_in_the_status() -> None:
    status = board()[0].status()
    assert status.url == "rtsp://***@10.0.0.21/s"
    assert "geheim" not in str(status.document())


def test_cause_and_its_time_stay_through_the_tries() -> None:
    changes: list[CameraState] = []
    it, clock, wall = board(changes)
    it.wait_for_next_try(CaptureError(CameraState.REFUSED, "refused"), 4.0)
    clock.now, wall.now = 12.5, 1002.5
    assert (it.status().next_try_s, it.status().since) == (1.5, 1000.0)
    it.trying()
    assert it.status().next_try_s is None
    assert it.status().state is CameraState.REFUSED
    it.wait_for_next_try(CaptureError(CameraState.REFUSED, "refused"), 4.0)
    assert it.status().since == 1000.0
    it.wait_for_next_try(CaptureError(CameraState.UNREACHABLE, "no answer"), 4.0)
    assert it.status().since == 1002.5
    assert changes == [CameraState.REFUSED] * 3 + [CameraState.UNREACHABLE]


def test_a_burst_at_the_start_reads_as_a_high_rate() -> None:
    it, clock, _ = board()
    for number in range(26):
        it.decoded((1920, 1080), (1920, 1080), clock.now - 1.0 + number * 0.04)
        clock.now += 0.001
    assert 20 < (it.status().fps or 0) <= 26


def test_first_frame_makes_it_live_and_the_rate_falls_when_frames_stop() -> None:
    it, clock, wall = board()
    for _ in range(26):
        clock.now += 0.04
        wall.now += 0.04
        it.decoded((3840, 2160), (1920, 1080))
    status = it.status()
    assert status.state is CameraState.LIVE
    assert (status.source_width, status.width, status.frames, status.dropped) == (3840, 1920, 26, 7)
    assert status.fps == 25.0
    assert status.last_frame_at == wall.now
    clock.now += 3.0
    slower = it.status().fps
    assert slower is not None
    assert slower < 10
    clock.now += 10.0
    assert it.status().fps is None


def test_only_changes_are_announced() -> None:
    changes: list[CameraState] = []
    it, _, _ = board(changes)
    it.enter(CameraState.NO_KEY_FRAME)
    it.enter(CameraState.NO_KEY_FRAME)
    it.decoded((4, 4), (4, 4))
    it.decoded((4, 4), (4, 4))
    assert changes == [CameraState.NO_KEY_FRAME, CameraState.LIVE]


def test_status_fits_on_the_bus_with_everything_in_it() -> None:
    it, _, _ = board()
    it.wait_for_next_try(CaptureError(CameraState.FAILED, "x" * 400), 4.0)
    users = [f"application-{i:03}" for i in range(10)]
    status = CameraStatus.model_validate({**it.status().document(), "users": users})
    assert len(status.encode()) < MAX_BYTES
    assert CameraStatus.model_validate_json(status.encode()) == status
