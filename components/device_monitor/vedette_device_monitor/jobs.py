"""Device jobs of AWS IoT: which there are, which are ours, and each of them at most once.

Over the jobs' MQTT topics, so that it works on every nucleus. What was begun is on disk before it is begun: a job whose
end nobody saw (power, a crash) has failed, or succeeded where its effect can be seen; it is never done again.
"""

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.bus import Bus, BusError, BusLost, Subscription
from vedette.whole_files import write_whole

logger = logging.getLogger(__name__)

OPERATIONS: Final = frozenset({"REBOOT", "DIAGNOSTICS", "DOCTOR"})
ANSWER_S: Final = 10.0
LOOK_S: Final = 300.0
"""How often it is asked for jobs when nobody says that there is one."""
_REMEMBERED: Final = 500
_MAX_VALUE: Final = 1000
"""Characters of a value in a job's details; AWS takes 1,024."""


@dataclass(frozen=True)
class Job:
    """One execution of a job on this device."""

    job_id: str
    number: int
    version: int
    status: str
    operation: str
    document: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What tells it from every other one, also of a job that was deleted and made again."""
        return f"{self.job_id} {self.number}"


@dataclass(frozen=True)
class Outcome:
    """How a job ended; ``None`` for ``succeeded``: it goes on (the machine is about to start anew)."""

    succeeded: bool | None
    details: Mapping[str, str]


Deed = Callable[[Job], Outcome]


class JobLog:
    """What was begun and how it ended, in a file that is written whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            found = {}
        self._entries: dict[str, dict[str, Any]] = found if isinstance(found, dict) else {}

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a job."""
        return self._entries.get(key)

    def put(self, key: str, entry: dict[str, Any]) -> None:
        """Note a job; on disk when this returns.

        :raises OSError: when the disk does not take it: the job must not be begun
        """
        entries = {**self._entries, key: entry}
        entries = dict(list(entries.items())[-_REMEMBERED:])
        write_whole(self._path, json.dumps(entries).encode(), synced=True)
        self._entries = entries


class Jobs:
    """Does the jobs of one thing, one after the other, on the thread of :meth:`run`."""

    def __init__(
        self,
        bus: Bus,
        thing: str,
        log: JobLog,
        deeds: Mapping[str, Deed],
        *,
        boot: str,
        answer_s: float = ANSWER_S,
        others: Callable[[Mapping[str, Any]], bool] = lambda _execution: False,
    ) -> None:
        """Prepare.

        :param deeds: operation -> what does it
        :param boot: which start of the machine this is
        :param others: is told of executions that are not ours; True: also of how this one ends
        """
        self._bus = bus
        self._topic = f"$aws/things/{thing}/jobs"
        self._log = log
        self._deeds = deeds
        self._boot = boot
        self._answer_s = answer_s
        self._others = others
        self._followed: set[str] = set()
        """Jobs of others whose end is to be told."""
        self._wake = threading.Event()
        self._answers: queue.SimpleQueue[tuple[str, Mapping[str, Any]]] = queue.SimpleQueue()

    def run(self, stop: threading.Event) -> None:
        """Do jobs until ``stop`` is set or the bus is lost."""
        subscriptions: list[Subscription] = []
        wait = 0.0
        while not stop.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            if stop.is_set():
                break
            try:
                if not subscriptions:
                    subscriptions = self.listen()
                self.run_once()
                wait = LOOK_S
            except BusLost:
                break
            except BusError as error:
                logger.log(logging.DEBUG if wait else logging.WARNING, "device jobs: %s", error)
                wait = min(LOOK_S, max(5.0, wait * 2))
        for subscription in subscriptions:
            subscription.close()

    def wake(self) -> None:
        """Have :meth:`run` look now, for jobs or for ``stop``."""
        self._wake.set()

    def listen(self) -> list[Subscription]:
        """Hear of new jobs and of the answers to what is asked."""
        filters = ("get/+", "+/get/+", "+/update/+")
        return [
            self._bus.subscribe_to_cloud(f"{self._topic}/notify", lambda _topic, _payload: self._wake.set()),
            *(self._bus.subscribe_to_cloud(f"{self._topic}/{each}", self._on_answer) for each in filters),
        ]

    def run_once(self) -> None:
        """Do every job that waits; those of others (deployments) are left alone.

        :raises BusError: when AWS IoT does not answer
        """
        listed = self._ask("get", {})
        waiting = [*listed.get("inProgressJobs", ()), *listed.get("queuedJobs", ())]
        ids = [each["jobId"] for each in waiting if isinstance(each, Mapping) and isinstance(each.get("jobId"), str)]
        failed: BusError | None = None
        for job_id in ids:
            try:
                self._look_at(job_id)
            except BusLost:
                raise
            except BusError as error:
                # The document of a large deployment does not come through nucleus lite: the next may be ours.
                failed = error
        for job_id in sorted(self._followed.difference(ids)):
            self._followed.discard(job_id)
            execution = self._ask(f"{job_id}/get", {"includeJobDocument": False}).get("execution")
            if isinstance(execution, Mapping):
                self._others(execution)
        if failed is not None:
            raise failed

    def _look_at(self, job_id: str) -> None:
        execution = self._ask(f"{job_id}/get", {"includeJobDocument": True}).get("execution")
        job = read_job(execution)
        if job is not None:
            self._do(job)
        elif isinstance(execution, Mapping) and self._others(execution):
            self._followed.add(job_id)

    def _do(self, job: Job) -> None:
        known = self._log.get(job.key)
        if known is not None or job.status == "IN_PROGRESS":
            self._tell(job, self._outcome_of(known))
            return
        deed = self._deeds.get(job.operation)
        if deed is None:
            self._tell(job, Outcome(False, {"reason": f"{job.operation} is not done on this device"}))
            return
        try:
            self._log.put(job.key, {"boot": self._boot, "operation": job.operation})
        except OSError as error:
            # Not begun: what cannot be remembered could be done twice.
            self._tell(job, Outcome(False, {"reason": f"the disk takes nothing: {error.strerror}"}))
            return
        if not self._update(job, "IN_PROGRESS", {}):
            return  # somebody has cancelled it meanwhile
        logger.info("job %s: %s", job.job_id, job.operation)
        outcome = deed(job)
        if outcome.succeeded is None:
            return  # told after the machine's next start
        self._note(job, outcome)
        self._tell(Job(job.job_id, job.number, job.version + 1, "IN_PROGRESS", job.operation, {}), outcome)

    def _outcome_of(self, known: Mapping[str, Any] | None) -> Outcome:
        if known is None:
            return Outcome(False, {"reason": "nothing is known of it on this device any more: it is not done again"})
        if "succeeded" in known:
            return Outcome(bool(known["succeeded"]), {str(k): str(v) for k, v in known.get("details", {}).items()})
        if known.get("operation") == "REBOOT" and known.get("boot") != self._boot:
            return Outcome(True, {"boot": self._boot})
        return Outcome(False, {"reason": "it was interrupted: it is not done again"})

    def _note(self, job: Job, outcome: Outcome) -> None:
        entry = {"boot": self._boot, "operation": job.operation, "succeeded": outcome.succeeded}
        try:
            self._log.put(job.key, {**entry, "details": dict(outcome.details)})
        except OSError as error:
            logger.warning("how job %s ended cannot be kept: %s", job.job_id, error.strerror)

    def _tell(self, job: Job, outcome: Outcome) -> None:
        logger.info("job %s %s: %s", job.job_id, "succeeded" if outcome.succeeded else "failed", dict(outcome.details))
        self._update(job, "SUCCEEDED" if outcome.succeeded else "FAILED", outcome.details)

    def _update(self, job: Job, status: str, details: Mapping[str, str]) -> bool:
        content = {
            "status": status,
            "expectedVersion": job.version,
            "executionNumber": job.number,
            "statusDetails": {key: value[:_MAX_VALUE] for key, value in details.items()},
        }
        answer = self._ask(f"{job.job_id}/update", content)
        if "code" in answer:
            logger.warning("job %s cannot be set to %s: %s", job.job_id, status, str(answer.get("message"))[:200])
        return "code" not in answer

    def _ask(self, what: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        while not self._answers.empty():
            self._answers.get()
        self._bus.publish_to_cloud(f"{self._topic}/{what}", json.dumps(content).encode())
        while True:
            try:
                topic, answer = self._answers.get(timeout=self._answer_s)
            except queue.Empty:
                raise BusError(f"AWS IoT has not answered about {self._topic}/{what}") from None
            if topic.rpartition("/")[0] == f"{self._topic}/{what}":
                return answer

    def _on_answer(self, topic: str, payload: bytes) -> None:
        try:
            answer = json.loads(payload)
        except ValueError:
            return
        if isinstance(answer, dict) and topic.endswith(("/accepted", "/rejected")):
            self._answers.put((topic, answer))


def read_job(execution: object) -> Job | None:
    """Return an execution that is one of ours; None for any other, as deployments of the nucleus are."""
    if not isinstance(execution, Mapping):
        return None
    document, number, version = (execution.get(key) for key in ("jobDocument", "executionNumber", "versionNumber"))
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return None
    if not isinstance(document, Mapping) or document.get("target", "vedette") != "vedette":
        return None
    operation = document.get("operation")
    if not isinstance(operation, str) or operation not in OPERATIONS or not isinstance(execution.get("jobId"), str):
        return None
    return Job(
        str(execution["jobId"]),
        int(number) if isinstance(number, int | float) else 1,
        int(version) if isinstance(version, int | float) else 1,
        str(execution.get("status", "")),
        operation,
        document,
    )
