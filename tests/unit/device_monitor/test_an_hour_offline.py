"""The whole monitor through a bad hour of simulated time: ten applications, no connection, a kill, a full disk, a clock
that jumps both ways."""

import gzip
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from vedette_device_monitor.configuration import MonitorConfiguration
from vedette_device_monitor.main import Clocks, Monitor

from vedette.aws_calls import Response, Unreachable
from vedette.bus.memory import MemoryBus
from vedette.messages import ApplicationState, ApplicationStatus
from vedette.metrics import GROUPS

TRUE = 1_800_000_000.0
APPLICATIONS = [f"app-{number}" for number in range(10)]


class World:
    """True time, what the device's clock says, and CloudWatch."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.jump = 0.0
        self.offline = False
        self.clock_checked = True
        self.calls = 0
        self.taken: list[tuple[str, str, str, float, float]] = []
        """(namespace, metric, application, value, Unix time) in the order of arrival."""

    def clocks(self) -> Clocks:
        return Clocks(
            monotonic=lambda: self.passed,
            wall=lambda: TRUE + self.passed + self.jump,
            uptime=lambda: 500.0 + self.passed,
        )

    def now(self) -> float:
        return TRUE + self.passed

    def call(self, _action: str, body: bytes, headers: dict[str, str]) -> Response:
        self.calls += 1
        if self.offline:
            raise Unreachable("no route to host")
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        form = {key: values[0] for key, values in parse_qs(plain.decode()).items()}
        number = 1
        while (name := form.get(f"MetricData.member.{number}.MetricName")) is not None:
            key = f"MetricData.member.{number}"
            at = datetime.fromisoformat(form[f"{key}.Timestamp"].replace("Z", "+00:00")).timestamp()
            who = {
                form[f"{key}.Dimensions.member.{n}.Value"]
                for n in (1, 2)
                if f"{key}.Dimensions.member.{n}.Value" in form
            }
            application = next((each for each in APPLICATIONS if each in who), "")
            value = float(form.get(f"{key}.Value", form.get(f"{key}.Values.member.1", "nan")))
            self.taken.append((form["Namespace"], name, application, value, at))
            number += 1
        return Response(200, {}, b"")


class Device:
    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.minute = 0
        self.errors: dict[str, int] = defaultdict(int)
        self.buses: list[MemoryBus] = []
        self.start()

    def start(self) -> None:
        """Start the monitor, after a kill: nothing of the one before was closed."""
        bus = MemoryBus()
        self.buses.append(bus)
        configuration = MonitorConfiguration(groups=GROUPS, spool_mb=1)
        self.monitor = Monitor(
            bus, configuration, "shop-7", self.folder, environ={}, clocks=self.world.clocks(), caller=self.world
        )

    def minutes(self, count: int) -> None:
        for _ in range(count):
            for number, name in enumerate(APPLICATIONS):
                self.errors[name] += (self.minute + number) % 3 == 0
                status = ApplicationStatus(
                    instance=name,
                    application="x",
                    state=ApplicationState.RUNNING,
                    since=0.0,
                    errors=self.errors[name],
                    restarts=self.errors[name],
                    fps=15.0,
                    model_ms=20.0,
                )
                self.monitor._hear(ApplicationStatus.topic(name), status.encode())
            self.monitor.take_minute()
            self.monitor.sender.run_once()
            self.minute += 1
            self.world.passed += 60.0

    def fill_disk(self, *, full: bool) -> None:
        db = self.monitor.spool._db
        assert db is not None
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as name:
        made = Device(World(), Path(name))
        yield made
        made.monitor.spool.close()
        for bus in made.buses:
            bus.close()


def test_a_bad_hour_loses_doubles_or_moves_what_ten_applications_did(device: Device) -> None:
    world = device.world
    device.minutes(5)
    world.offline = True
    device.minutes(15)
    world.jump = -86_400.0  # the clock's battery
    device.minutes(10)
    device.monitor.spool.flush()
    device.start()  # killed
    device.minutes(10)
    device.fill_disk(full=True)
    world.jump = 7_200.0  # set by somebody's hand
    device.minutes(10)
    device.fill_disk(full=False)
    device.minutes(15)
    assert device.monitor.spool.size == 2 * 60
    assert (device.folder / "spool.db").stat().st_size < 1024 * 1024
    world.offline = False
    before = world.calls
    device.minutes(1)
    assert world.calls - before <= 6, "many minutes go into one request"
    assert device.monitor.spool.size == 0
    told = [row for row in world.taken if row[1] in {"ApplicationErrors", "Restarts"}]
    for metric in ("ApplicationErrors", "Restarts"):
        rows = [row for row in told if row[1] == metric]
        for name in APPLICATIONS:
            own = [row for row in rows if row[2] == name]
            assert len(own) == device.minute, "each minute once"
            assert sum(row[3] for row in own) == device.errors[name]
            assert [row[4] for row in own] == [TRUE + 60.0 * minute for minute in range(device.minute)], "in order"
    assert (device.monitor.spool.dropped, device.monitor.spool.uncertain) == (0, 0)


def test_the_bound_of_the_spool_keeps_the_oldest(device: Device) -> None:
    world = device.world
    world.offline = True
    device.monitor.spool._max_bytes = 20_000
    device.minutes(90)
    dropped = device.monitor.spool.dropped
    assert dropped > 20
    world.offline = False
    device.minutes(1)
    kept = sorted({round((at - TRUE) / 60) for _, metric, _, _, at in world.taken if metric == "ApplicationErrors"})
    assert kept == list(range(kept[0], 91)), "what is inside the bound arrives without a gap"
    assert kept[0] > 5
    of_one = [row for row in world.taken if row[1:3] == ("ApplicationErrors", "app-0")]
    assert len(of_one) == len(kept), "and once"
