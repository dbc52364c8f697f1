"""Metrics on their way: each inside the bound arrives once and in order, whatever network, disk and clock do."""

import gzip
import os
import random
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from vedette_device_monitor.datum import Datum, pack
from vedette_device_monitor.put_metric_data import encode, encoded_bytes
from vedette_device_monitor.sender import Sender
from vedette_device_monitor.spool import Batch, Spool

from vedette.aws_calls import AwsError, OutcomeUnknown, Rejected, Response, Unreachable

NOW = 1_800_000_000.0


class Cloud:
    """CloudWatch, its network, and the clocks of the device."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float, float]] = []
        """(metric, value, Unix time) in the order of arrival."""
        self.fails: list[Exception | None] = []
        """What the next calls raise."""
        self.offline = False
        self.refuses = -1.0
        """A value that is not taken."""
        self.uptime = 1_000.0
        self.clock_checked = True
        self.calls = 0

    def now(self) -> float:
        return NOW + self.uptime

    def call(self, action: str, body: bytes, headers: dict[str, str]) -> Response:
        assert action == "cloudwatch:PutMetricData"
        self.calls += 1
        if self.offline:
            raise Unreachable("no route to host")
        fails = self.fails.pop(0) if self.fails else None
        if fails is not None:
            raise fails
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        form = {key: values[0] for key, values in parse_qs(plain.decode()).items()}
        found, number = [], 1
        while (key := f"MetricData.member.{number}") + ".MetricName" in form:
            at = datetime.fromisoformat(form[f"{key}.Timestamp"].replace("Z", "+00:00")).timestamp()
            found.append((form[f"{key}.MetricName"], float(form[f"{key}.Value"]), at))
            number += 1
        assert 0 < len(found) <= 1000
        if any(value == self.refuses for _, value, _ in found):
            raise Rejected("cloudwatch:PutMetricData: InvalidParameterValue")
        self.taken += found
        return Response(200, {}, b"")


class Rig:
    def __init__(self, folder: Path, **options: int) -> None:
        self.path = folder / "spool.db"
        self.cloud = Cloud()
        self.options = options
        self.open()

    def open(self, boot: str = "boot-1") -> None:
        self.spool = Spool(self.path, **self.options)
        self.monotonic = 0.0
        self.sender = Sender(
            self.spool,
            threading.Lock(),
            self.cloud,
            boot=boot,
            uptime=lambda: self.cloud.uptime,
            clock=lambda: self.monotonic,
        )

    def minute(self, value: float, metrics: int = 1, wall: float | None = None) -> None:
        data = [Datum(f"M{n}", "Count", (("Application", f"app {n % 10}"),), (value,)) for n in range(metrics)]
        when = self.cloud.now() if wall is None else wall
        self.spool.add([Batch("Vedette", when, "boot-1", self.cloud.uptime, pack(data))], {"counters": value})

    def send(self) -> float:
        self.monotonic += 1_000.0
        return self.sender.run_once()

    @property
    def values(self) -> list[float]:
        return [value for _, value, _ in self.cloud.taken]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder where a write to the disk costs nothing, if there is one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def rig(folder: Path) -> Iterator[Rig]:
    made = Rig(folder)
    yield made
    made.spool.close()


def test_an_hour_without_a_connection_is_lost_doubled_or_out_of_order(rig: Rig) -> None:
    rig.cloud.offline = True
    began = rig.cloud.now()
    for minute in range(60):
        data = [Datum(f"app {n // 6}", "Count", (), (float(minute),)) for n in range(60)]  # ten applications
        rig.spool.add([Batch("Vedette", rig.cloud.now(), "boot-1", rig.cloud.uptime, pack(data))], {})
        rig.cloud.uptime += 60.0
        rig.send()
    assert rig.spool.size == 60
    rig.cloud.offline = False
    calls = rig.cloud.calls
    rig.send()
    assert rig.values == [float(minute) for minute in range(60) for _ in range(60)]
    assert [at for _, _, at in rig.cloud.taken] == [began + minute * 60 for minute in range(60) for _ in range(60)]
    assert rig.cloud.calls - calls == 4  # 3,600 values, a thousand a request
    assert (rig.spool.size, rig.spool.dropped, rig.spool.uncertain) == (0, 0, 0)


def test_the_spool_grows_without_end(folder: Path) -> None:
    rig = Rig(folder, max_bytes=8_000)
    rig.cloud.offline = True
    random.seed(3)
    for minute in range(80):
        rig.minute(float(minute), metrics=random.randrange(1, 60))
    assert rig.spool.dropped > 10
    assert rig.path.stat().st_size < 120_000
    rig.cloud.offline = False
    rig.send()
    assert sorted(set(rig.values)) == [float(n) for n in range(rig.spool.dropped, 80)]  # the oldest went
    assert rig.values == sorted(rig.values)
    rig.spool.close()


def test_what_may_have_arrived_is_sent_again(rig: Rig) -> None:
    rig.minute(1.0)
    rig.cloud.fails = [OutcomeUnknown("no answer")]
    assert rig.send() > 0
    rig.minute(2.0)
    rig.send()
    assert rig.values == [2.0]
    assert rig.spool.uncertain == 1


def test_a_process_that_died_while_it_sent_counts_twice(rig: Rig) -> None:
    rig.minute(1.0)
    rig.spool.mark(rig.spool.oldest(1))  # and then the power failed
    rig.minute(2.0)
    rig.spool.close()
    rig.open()
    rig.send()
    assert rig.values == [2.0]
    assert rig.spool.uncertain == 1


def test_what_did_not_arrive_is_given_up(rig: Rig) -> None:
    rig.minute(1.0)
    waits = []
    for error in (Unreachable("throttled"), AwsError("no"), Unreachable("x"), Unreachable("y"), Unreachable("z")):
        rig.cloud.fails = [error]
        waits.append(rig.send())
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert rig.sender.last_error == "z"
    rig.send()
    assert rig.values == [1.0]
    assert rig.sender.last_error == ""


def test_one_refused_minute_holds_all_others_up(rig: Rig) -> None:
    for value in (1.0, 2.0, 3.0):
        rig.minute(value)
    rig.cloud.refuses = 2.0
    rig.send()
    assert rig.values == [1.0, 3.0]
    assert (rig.spool.size, rig.spool.dropped) == (0, 1)


def test_a_clock_that_jumps_moves_the_values(rig: Rig) -> None:
    for minute, jump in enumerate((0.0, -50_000_000.0, 86_400.0, -1_700_000_000.0)):
        rig.minute(float(minute), wall=rig.cloud.now() + jump)
        rig.cloud.uptime += 60.0
    rig.send()
    assert [at - NOW for _, _, at in rig.cloud.taken] == [1000.0, 1060.0, 1120.0, 1180.0]


def test_values_of_an_earlier_start_lose_their_time(rig: Rig) -> None:
    rig.minute(1.0)
    rig.minute(2.0, wall=1_000.0)  # 1970: the clock was not set yet
    rig.spool.close()
    rig.open(boot="boot-2")
    rig.cloud.uptime += 3_600.0
    rig.send()
    assert [(value, at) for _, value, at in rig.cloud.taken] == [(1.0, NOW + 1_000.0)]
    assert rig.spool.dropped == 1


def test_an_unset_clock_throws_the_past_away(rig: Rig) -> None:
    rig.minute(1.0)
    rig.spool.close()
    rig.open(boot="boot-2")
    rig.cloud.clock_checked = False
    rig.cloud.uptime = -NOW  # it is 1970 here until AWS has told the time
    rig.send()
    assert rig.values == [1.0]


def test_a_full_disk_ends_the_monitor_or_loses_what_fits_into_memory(rig: Rig) -> None:
    rig.minute(0.0, metrics=50)
    db = rig.spool._db
    assert db is not None
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    for minute in range(1, 30):
        rig.minute(float(minute), metrics=50)
    assert rig.spool.size == 30
    rig.send()
    assert sorted(set(rig.values)) == [float(n) for n in range(30)]
    assert len(rig.values) == 30 * 50
    db.execute("PRAGMA max_page_count = 100000")
    rig.minute(99.0)
    assert rig.spool.note("counters") == 99.0


def test_a_damaged_spool_ends_the_monitor(rig: Rig) -> None:
    rig.minute(1.0)
    rig.spool.close()
    rig.path.write_bytes(b"not a database at all" * 500)
    rig.open()
    rig.minute(2.0)
    rig.send()
    assert rig.values == [2.0]
    assert rig.path.with_name("spool.db.damaged").exists()


def test_a_batch_and_its_counters_part(rig: Rig) -> None:
    rig.minute(1.0)
    rig.spool.close()
    with sqlite3.connect(rig.path) as db:
        assert db.execute("SELECT value FROM note").fetchall() == [("1.0",)]
        assert db.execute("SELECT count(*) FROM batch").fetchone() == (1,)
    db.close()
    rig.open()
    assert rig.spool.note("counters") == 1.0


def test_a_request_grows_too_large() -> None:
    long = "n" * 200
    dimensions = tuple((f"{long}{k}", long) for k in range(10))
    data = [Datum("M", "Count", dimensions, tuple(float(v) for v in range(150)), (1,) * 150) for _ in range(40)]
    whole = gzip.decompress(encode("V", [(datum, 0.0) for datum in data])[0])
    assert len(whole) <= sum(encoded_bytes(datum) for datum in data)
