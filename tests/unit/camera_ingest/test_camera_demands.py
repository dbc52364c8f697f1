"""Leases on cameras."""

from vedette_camera_ingest.demands import LeaseTable, Wanted

from vedette.messages import CameraDemand, CameraSource

DOCK = CameraSource(name="dock", url="rtsp://10.0.0.21/s")
GATE = CameraSource(name="gate", url="rtsp://10.0.0.22/s")
YARD = CameraSource(name="yard", url="rtsp://10.0.0.23/main", sub="rtsp://10.0.0.23/sub")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def demand(
    source: CameraSource, instance: str, node: str = "camera", *, wanted: bool = True, main: bool = False
) -> CameraDemand:
    return CameraDemand(source=source, instance=instance, node=node, wanted=wanted, main=main)


def test_a_demand_that_is_not_repeated_ends() -> None:
    clock = Clock()
    leases = LeaseTable(clock, ttl_s=4.0)
    leases.hear(demand(DOCK, "a"))
    clock.now += 3.9
    assert leases.wanted() == {DOCK.camera_id: Wanted(DOCK, delivered=True, main=False)}
    clock.now += 0.2
    assert leases.wanted() == {}
    assert leases.users(DOCK.camera_id) == []


def test_a_repeated_demand_goes_on() -> None:
    clock = Clock()
    leases = LeaseTable(clock, ttl_s=4.0)
    for _ in range(10):
        leases.hear(demand(DOCK, "a"))
        clock.now += 1.0
    assert DOCK.camera_id in leases.wanted()


def test_two_applications_share_a_camera_and_one_pausing_does_not_stop_it() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(DOCK, "b"))
    leases.hear(demand(DOCK, "a"))
    leases.hear(demand(GATE, "a"))
    assert leases.users(DOCK.camera_id) == ["a", "b"]
    leases.hear(demand(DOCK, "a", wanted=False))
    assert set(leases.wanted()) == {DOCK.camera_id, GATE.camera_id}
    leases.hear(demand(DOCK, "b", wanted=False))
    assert set(leases.wanted()) == {GATE.camera_id}


def test_two_nodes_of_one_instance_hold_two_leases() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(DOCK, "a", "left"))
    leases.hear(demand(DOCK, "a", "right"))
    leases.hear(demand(DOCK, "a", "left", wanted=False))
    assert leases.users(DOCK.camera_id) == ["a"]


def test_a_withdrawal_nobody_asked_for_is_harmless() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(DOCK, "a", wanted=False))
    assert leases.wanted() == {}


def test_looking_at_the_main_stream_makes_no_application_a_user_and_asks_for_no_small_one() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(YARD, "vedette.Display", "page", main=True))
    assert leases.wanted() == {YARD.camera_id: Wanted(YARD, delivered=False, main=True)}
    assert leases.users(YARD.camera_id) == []
    assert leases.purposes(YARD.camera_id) == ["page"]


def test_the_main_stream_ends_with_who_looked_and_the_small_one_goes_on() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(YARD, "a"))
    leases.hear(demand(YARD, "vedette.Display", "page", main=True))
    assert leases.wanted()[YARD.camera_id] == Wanted(YARD, delivered=True, main=True)
    leases.hear(demand(YARD, "vedette.Display", "page", main=True, wanted=False))
    assert leases.wanted()[YARD.camera_id] == Wanted(YARD, delivered=True, main=False)


def test_a_camera_with_one_stream_is_not_opened_twice_for_who_wants_its_main_one() -> None:
    leases = LeaseTable(Clock())
    leases.hear(demand(DOCK, "vedette.Display", "page", main=True))
    assert leases.wanted() == {DOCK.camera_id: Wanted(DOCK, delivered=True, main=False)}
