"""Brings the spool to CloudWatch: in order, in large requests, again after what surely failed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from vedette.aws_calls import AwsError, OutcomeUnknown, Rejected, Response
from vedette_device_monitor.datum import Datum, unpack
from vedette_device_monitor.put_metric_data import ACTION, MAX_BYTES, MAX_METRICS, encode, encoded_bytes
from vedette_device_monitor.spool import Batch, Spool

logger = logging.getLogger(__name__)

OLDEST_S: Final = 13.5 * 86400
"""CloudWatch takes values of the last two weeks."""
NEWEST_S: Final = 3600.0
"""And none that lie more than two hours ahead."""
_AGAIN_S: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
_READ: Final = 200


class Caller(Protocol):
    """What of AwsCaller is used here."""

    def call(self, action: str, body: bytes, headers: dict[str, str]) -> Response:
        """Make one call."""

    def now(self) -> float:
        """Return the Unix time as AWS has it."""

    @property
    def clock_checked(self) -> bool:
        """Whether AWS has told the time."""


class Sender:
    """Sends what is in the spool. ``lock`` guards the spool, which another thread fills."""

    def __init__(
        self,
        spool: Spool,
        lock: threading.Lock,
        caller: Caller,
        *,
        boot: str,
        uptime: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls = 0
        """Requests made."""
        self.last_error = ""
        """Why the last request failed; empty after one that did not."""
        self.last_success_at: float | None = None
        """Unix time."""
        self._spool = spool
        self._lock = lock
        self._caller = caller
        self._boot = boot
        self._uptime = uptime
        self._clock = clock
        self._failures = 0
        self._not_before = 0.0

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Send whenever there is something, until ``stop`` is set."""
        while not stop.is_set():
            wait = self.run_once()
            wake.wait(wait)
            wake.clear()

    def run_once(self) -> float:
        """Send all that can be sent now; return after how many seconds to try again."""
        if self._clock() < self._not_before:
            return self._not_before - self._clock()
        while True:
            with self._lock:
                waiting = self._spool.oldest(_READ)
            if not waiting:
                return 60.0
            try:
                self._send(*self._request(waiting))
            except AwsError as error:
                return self._failed(error)
            self._failures = 0

    def _request(self, waiting: list[Batch]) -> tuple[list[Batch], list[tuple[Datum, float]]]:
        """Return as many batches, and their data with times, as one request holds; what cannot be sent is removed."""
        taken: list[Batch] = []
        data: list[tuple[Datum, float]] = []
        size = 0
        for batch in waiting:
            at = self._time_of(batch)
            age = self._caller.now() - at
            try:
                # A device may start in 1970: nothing is judged by a clock that nobody has checked.
                in_time = -NEWEST_S <= age <= OLDEST_S or not self._caller.clock_checked
                found = unpack(batch.data) if in_time else None
            except ValueError:
                found = None
            if found is None:
                logger.warning("metrics of %.0f h ago are given up: too old, too new or damaged", age / 3600)
                with self._lock:
                    self._spool.remove([batch])
                    self._spool.dropped += 1
                continue
            found = found[:MAX_METRICS]
            more = sum(encoded_bytes(datum) for datum in found)
            if taken and (len(data) + len(found) > MAX_METRICS or size + more > MAX_BYTES):
                break
            taken.append(batch)
            data += [(datum, at) for datum in found]
            size += more
        return taken, data

    def _time_of(self, batch: Batch) -> float:
        """Return the Unix time of a batch.

        One of this start of the machine goes by its distance from now: a clock that was wrong then, or is set in
        between, does not matter.
        """
        if batch.boot and batch.boot == self._boot:
            return self._caller.now() - max(0.0, self._uptime() - batch.uptime)
        return batch.wall

    def _send(self, taken: list[Batch], data: list[tuple[Datum, float]]) -> None:
        if not data:
            with self._lock:
                self._spool.remove(taken)
            return
        body, headers = encode(taken[0].namespace, data)
        with self._lock:
            if not self._spool.mark(taken):
                raise AwsError("the spool cannot be written, so nothing is sent that could be sent twice")
        self.calls += 1
        try:
            self._caller.call(ACTION, body, headers)
        except OutcomeUnknown as error:
            # They may have been counted: to count nothing twice, they are not sent again.
            logger.warning("%s; %d minutes of metrics may be missing", error, len(taken))
            with self._lock:
                self._spool.remove(taken)
                self._spool.uncertain += len(taken)
            raise
        except Rejected as error:
            if len(taken) > 1:
                self._one_by_one(taken)
                return
            logger.error("%s: this minute of metrics is given up", error)  # noqa: TRY400 - the text says it all
            with self._lock:
                self._spool.remove(taken)
                self._spool.dropped += 1
            return
        except AwsError:
            with self._lock:
                self._spool.unmark(taken)
            raise
        self.last_error, self.last_success_at = "", self._caller.now()
        with self._lock:
            self._spool.remove(taken)

    def _one_by_one(self, taken: list[Batch]) -> None:
        """Find the batch that is refused: the others count."""
        with self._lock:
            self._spool.unmark(taken)
        for batch in taken:
            self._send([batch], [(datum, self._time_of(batch)) for datum in unpack(batch.data)[:MAX_METRICS]])

    def _failed(self, error: AwsError) -> float:
        text = str(error)
        if text != self.last_error:
            logger.warning("metrics wait on this device: %s", text)
        self.last_error = text
        wait = _AGAIN_S[min(self._failures, len(_AGAIN_S) - 1)]
        self._failures += 1
        self._not_before = self._clock() + wait
        return wait
