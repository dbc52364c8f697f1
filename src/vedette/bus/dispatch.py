"""The thread that handlers run on, and the bounded queues before it."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Dispatcher", "Mailbox"]

_log = logging.getLogger(__name__)
_JOIN_TIMEOUT_S: Final = 2.0

Job = Callable[[], None]


class Mailbox:
    """What waits for one subscription; when it is full the oldest is dropped and counted."""

    def __init__(self, dispatcher: "Dispatcher", name: str, limit: int) -> None:
        """Made by ``Dispatcher.mailbox``."""
        self.name = name
        self.limit = limit
        self.dropped = 0
        self.failed = 0
        """Calls that ended with an exception."""
        self.jobs: deque[Job] = deque()
        self._dispatcher = dispatcher

    def put(self, job: Job) -> None:
        """Have the job run on the dispatcher's thread after what is already waiting; from any thread."""
        self._dispatcher.enqueue(self, job)

    def close(self) -> None:
        """Forget what waits and take no more."""
        self._dispatcher.forget(self)


class Dispatcher:
    """Runs jobs one at a time, in the order in which they came."""

    def __init__(self, name: str = "bus") -> None:
        """Start the thread, a daemon."""
        self._turns: deque[Mailbox] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def mailbox(self, name: str, limit: int) -> Mailbox:
        """Return a new queue of at most ``limit`` jobs."""
        return Mailbox(self, name, limit)

    def enqueue(self, mailbox: Mailbox, job: Job) -> None:
        """Add a job to a mailbox."""
        with self._condition:
            if self._closed or mailbox.limit == 0:
                return
            if len(mailbox.jobs) >= mailbox.limit:
                mailbox.jobs.popleft()
                mailbox.dropped += 1
                if mailbox.dropped == 1:
                    _log.warning("handler of %s is too slow, its oldest messages are dropped", mailbox.name)
            else:
                # One turn for each job that waits; a job that pushed another out takes over its turn.
                self._turns.append(mailbox)
            mailbox.jobs.append(job)
            self._condition.notify()

    def forget(self, mailbox: Mailbox) -> None:
        """Drop what waits in a mailbox and take no more; its turns pass unused."""
        with self._condition:
            mailbox.limit = 0
            mailbox.jobs.clear()

    def close(self) -> None:
        """Run nothing more; wait a bounded time for the job that runs now, unless this is that job."""
        with self._condition:
            self._closed = True
            self._turns.clear()
            self._condition.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_TIMEOUT_S)
            if self._thread.is_alive():
                _log.warning("a handler did not end within %s s", _JOIN_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._turns or self._closed)
                if self._closed:
                    return
                mailbox = self._turns.popleft()
                if not mailbox.jobs:
                    continue
                job = mailbox.jobs.popleft()
            try:
                job()
            except Exception:  # noqa: BLE001 -- the edge of the handlers' thread
                mailbox.failed += 1
                _log.exception("handler of %s failed", mailbox.name)
