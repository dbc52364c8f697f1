"""The monitor's process: hears the others, counts, spools, sends."""

import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from vedette.aws_calls import AwsCaller, CredentialsSource
from vedette.bus import Bus, BusError, BusLost, BusTimeout, NotFound, Subscription
from vedette.bus.component import ComponentFailed
from vedette.diagnostics import LeftOut, Source, log_sources
from vedette.health import ComponentHealth, HealthBook
from vedette.messages import (
    ApplicationStatus,
    CameraStatus,
    DeploymentStatus,
    DisplayStatus,
    ModelStatus,
    MonitorStatus,
    UploadStatus,
)
from vedette.metrics import NAMESPACE, PANORAMA_NAMESPACE
from vedette.shadows import ShadowKeeper
from vedette_device_monitor.collection import Collection, Identity
from vedette_device_monitor.configuration import ConfigurationError, MonitorConfiguration, read
from vedette_device_monitor.counters import Counters
from vedette_device_monitor.datum import pack
from vedette_device_monitor.deeds import diagnostics, doctor, examined, plain, reboot
from vedette_device_monitor.deployments import Deployments
from vedette_device_monitor.health import REPEAT_S, SHADOW, TOPIC, Telling, condensed, device_facts
from vedette_device_monitor.jobs import Job, JobLog, Jobs
from vedette_device_monitor.logs.setup import uploader
from vedette_device_monitor.logs.uploader import Uploader
from vedette_device_monitor.machine import Machine
from vedette_device_monitor.network import NetworkWatch
from vedette_device_monitor.pictures import take_pictures
from vedette_device_monitor.sender import Sender
from vedette_device_monitor.spool import Batch, Spool
from vedette_device_monitor.uploads import Uploads

logger = logging.getLogger(__name__)

MINUTE_S: Final = 60.0
_IN_THE_MIDDLE_S: Final = 30.0
"""Second of the minute at which values are taken: at its edge two would fall into one minute and none into the next."""
_LOOK_S: Final = 1.0
_COMPONENTS_S: Final = 30.0
"""Between two looks at the nucleus's list of components."""
_UNANSWERED: Final = 3
"""Questions for it without an answer, each of which holds everything up for seconds, before none is asked any more."""
_COUNTERS: Final = "counters"


def main(bus: Bus, stop: threading.Event) -> None:
    """Monitor until ``stop`` is set.

    :raises ComponentFailed: when the configuration is wrong
    :raises BusError: when the bus is lost
    """
    try:
        configuration = read(bus.get_configuration())
    except NotFound:
        configuration = MonitorConfiguration()
    except ConfigurationError as error:
        raise ComponentFailed(str(error)) from error
    thing = os.environ.get("AWS_IOT_THING_NAME", "")
    Monitor(bus, configuration, thing or "device", Path()).run(stop)


@dataclass(frozen=True)
class Clocks:
    """Where the time comes from; a test has its own."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    uptime: Callable[[], float] = Machine.uptime


class Monitor:
    """Everything but the sending happens on one thread, that of :meth:`run`, under one lock with the bus's."""

    def __init__(
        self,
        bus: Bus,
        configuration: MonitorConfiguration,
        thing: str,
        work: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        clocks: Clocks | None = None,
        caller: Any = None,
        log_caller: Any = None,
    ) -> None:
        """Prepare.

        :param work: the component's work folder
        :param caller: of CloudWatch; None: over the network, with the device's credentials
        :param log_caller: of CloudWatch Logs, likewise
        """
        self._bus = bus
        self._configuration = configuration
        self._thing = thing
        self._clocks = clocks or Clocks()
        self._lock = threading.Lock()
        self._machine = Machine(work)
        self._boot = self._machine.boot()
        self.spool = Spool(work / "spool.db", max_bytes=configuration.spool_mb * 1024 * 1024)
        identity = Identity(
            configuration.device_id or thing, configuration.device_name or thing, dict(configuration.application_ids)
        )
        self._counters = Counters(self.spool.note(_COUNTERS))
        self._collection = Collection(identity, self._counters, self._clocks.monotonic)
        self._book = HealthBook(self._clocks.monotonic, self._clocks.wall)
        self._telling = Telling(self._clocks.monotonic)
        self._deployments = Deployments(self._clocks.wall)
        self._components: list[ComponentHealth] = []
        self._ask_components = True
        self._components_due = 0.0
        self._unanswered = 0
        self._facts = {"thing": thing, **device_facts(environ)}
        self._network = NetworkWatch()
        self._keeper: ShadowKeeper | None = None
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.sender = Sender(
            self.spool,
            self._lock,
            caller
            or AwsCaller(
                "monitoring",
                region,
                CredentialsSource(environ, wall=self._clocks.wall, clock=self._clocks.monotonic),
                environ=environ,
                wall=self._clocks.wall,
                times_in_body=True,
            ),
            boot=self._boot,
            uptime=self._clocks.uptime,
            clock=self._clocks.monotonic,
        )
        self.uploader: Uploader | None = None
        if configuration.logs:
            self.uploader = uploader(
                configuration,
                # The component works in <root>/work/vedette.DeviceMonitor.
                root=work.absolute().parents[1],
                work=work,
                device=identity.device_id,
                region=configuration.log_region or region,
                boot=self._boot,
                environ=environ,
                clock=self._clocks.monotonic,
                wall=self._clocks.wall,
                uptime=self._clocks.uptime,
                caller=log_caller,
            )
        self._uploads = Uploads(self._clocks.monotonic, self._clocks.wall)
        self._region = region
        self._work = work
        self._jobs = self._prepared_jobs(region, environ) if configuration.jobs else None
        self._wake = threading.Event()
        self._told: tuple[int, float] | None = None
        """Changes of the book and time of the last document."""
        self._minutes = 0
        self._malformed = 0

    def run(self, stop: threading.Event) -> None:
        """Monitor until ``stop`` is set.

        :raises BusError: when the bus is lost
        """
        subscriptions = self.listen()
        sending = threading.Thread(target=self.sender.run, args=(stop, self._wake), name="sender", daemon=True)
        if self._configuration.metrics:
            sending.start()
        uploading: threading.Thread | None = None
        if self.uploader is not None:
            uploading = threading.Thread(target=self.uploader.run, args=(stop,), name="logs", daemon=True)
            uploading.start()
        if self._configuration.health:
            self._keeper = ShadowKeeper(self._bus, self._thing, SHADOW, refresh_s=600.0)
            self._keeper.start()
            # Ends with the process: a time service that does not answer must not hold up a stop.
            threading.Thread(target=self._network.run, args=(stop,), name="network", daemon=True).start()
        working: threading.Thread | None = None
        if self._jobs is not None:
            working = threading.Thread(target=self._jobs.run, args=(stop,), name="jobs", daemon=True)
            working.start()
        due = self._clocks.monotonic() + self.until_next_minute()
        try:
            while not stop.wait(_LOOK_S):
                self.look_around()
                self.tell_uploads()
                self.tell()
                if self._clocks.monotonic() >= due:
                    self.take_minute()
                    due = self._clocks.monotonic() + self.until_next_minute()
        finally:
            for subscription in subscriptions:
                subscription.close()
            if self._keeper is not None:
                self._keeper.close()
            self._wake.set()
            if self._jobs is not None and working is not None:
                self._jobs.wake()
                working.join(0.5)
            for thread in (sending, uploading):
                if thread is not None and thread.is_alive():
                    thread.join(0.7)
            if self.uploader is not None and uploading is not None and not uploading.is_alive():
                self.uploader.close()
            # A request that is under way keeps its mark: it may have arrived.
            if self._lock.acquire(timeout=1.0):
                self.spool.close()
                self._lock.release()

    def listen(self) -> list[Subscription]:
        """Hear the states. Not the demands and the pictures of the topic table: each message costs 0.2 ms."""
        filters = (
            CameraStatus.topic("+"),
            ModelStatus.topic("+"),
            ApplicationStatus.topic("+"),
            DisplayStatus.topic(),
        )
        subscriptions = [self._bus.subscribe(topic, self._hear) for topic in filters]
        try:
            subscriptions.append(self._bus.watch_updates(self._on_update))
        except BusLost:
            raise
        except BusError as error:
            logger.info("updates of this device are told of by AWS IoT's jobs alone: %s", error)
        return subscriptions

    def look_around(self) -> None:
        """Take in what nobody says on the bus: the deployment, and the components where the nucleus lists them.

        :raises BusLost: when the bus is lost
        """
        with self._lock:
            status, shown = self._deployments.status, self._deployments.to_tell
            if status is not None:
                self._book.apply(DeploymentStatus.topic(), status.encode())
        if shown is not None:
            self._publish(DeploymentStatus.topic(), shown.encode())
        if not self._ask_components or self._clocks.monotonic() < self._components_due:
            return
        self._components_due = self._clocks.monotonic() + _COMPONENTS_S
        try:
            listed = self._bus.list_components()
        except BusLost:
            raise
        except BusError as error:
            # Nucleus lite, or the Java nucleus without aws.greengrass.Cli: AWS knows the states all the same.
            self._unanswered += 1
            if not isinstance(error, BusTimeout) or self._unanswered >= _UNANSWERED:
                logger.info("states of components are not in the health document: %s", error)
                self._ask_components = False
            return
        self._unanswered = 0
        with self._lock:
            self._components = [ComponentHealth(name=c.name, state=c.state, version=c.version) for c in listed]
            self._told = None if self._told is None else (-1, self._told[1])

    def until_next_minute(self) -> float:
        """Return the seconds until values are taken next: in the middle of a minute, the next but half a one."""
        wait = (_IN_THE_MIDDLE_S - self._clocks.wall()) % MINUTE_S
        return wait if wait >= MINUTE_S / 2 else wait + MINUTE_S if wait < 1.0 else wait

    def take_minute(self) -> None:
        """Take the values of a minute into the spool."""
        if not self._configuration.metrics:
            return
        self._minutes += 1
        with self._lock:
            found = [(PANORAMA_NAMESPACE, self._collection.panorama())]
            if self._minutes % max(1, round(self._configuration.interval_s / MINUTE_S)) == 0:
                figures = self._machine.figures()
                own = self._collection.own(self._configuration.groups, figures, self._clocks.wall())
                if own:
                    found.append((NAMESPACE, own))
            wall, uptime = self._clocks.wall(), self._clocks.uptime()
            batches = [Batch(namespace, wall, self._boot, uptime, pack(data)) for namespace, data in found]
            self.spool.add(batches, {_COUNTERS: self._counters.to_note()})
        self._wake.set()

    def tell(self) -> None:
        """Tell the health of the device where it is due.

        :raises BusLost: when the bus is lost
        """
        if not self._configuration.health:
            return
        now = self._clocks.monotonic()
        with self._lock:
            changes = self._book.changes
            if self._told is not None and self._told[0] == changes and now - self._told[1] < REPEAT_S:
                return  # making the document costs a millisecond
            self._told = (changes, now)
            short = condensed(self._book.document(self._components), self._facts, self._network.facts)
        moment = datetime.fromtimestamp(self._clocks.wall(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._telling.publish_due(short):
            payload = json.dumps({**short, "at": moment}, separators=(",", ":"), ensure_ascii=False).encode()
            self._publish(TOPIC, payload)
        if self._keeper is not None and self._telling.report_due(short):
            self._keeper.report({**short, "at": moment})

    def tell_uploads(self) -> None:
        """Tell how metrics and logs get to AWS, where it is due.

        :raises BusLost: when the bus is lost
        """
        told: list[UploadStatus] = []
        if self._configuration.metrics:
            told.append(self._uploads.metrics(self.sender, self.spool, self._lock, self._region))
        if self.uploader is not None:
            told.append(self._uploads.logs(self.uploader))
        payload = self._uploads.due(told, self._network.facts)
        if payload is None:
            return
        topic = MonitorStatus.topic()
        with self._lock:
            self._book.apply(topic, payload)
        self._publish(topic, payload)

    def _publish(self, topic: str, payload: bytes) -> None:
        try:
            self._bus.publish(topic, payload)
        except BusLost:
            raise
        except BusError as error:
            logger.debug("%s", error)

    def _on_update(self, deployment_id: str, begins: bool) -> None:
        with self._lock:
            self._deployments.announced(deployment_id, begins=begins)
        if self._jobs is not None:
            self._jobs.wake()  # what AWS IoT calls it, and how it ended

    def _on_job(self, execution: Mapping[str, Any]) -> bool:
        with self._lock:
            return self._deployments.job(execution)

    def _prepared_jobs(self, region: str, environ: Mapping[str, str]) -> Jobs:
        s3 = AwsCaller("s3", region, CredentialsSource(environ), environ=environ, wall=self._clocks.wall)
        bucket = self._configuration.diagnostics_bucket
        deeds = {
            "REBOOT": reboot(),
            "DOCTOR": doctor(),
            "DIAGNOSTICS": diagnostics(self._sources, s3, self._thing, bucket, now=s3.now),
        }
        log = JobLog(self._work / "jobs.json")
        return Jobs(self._bus, self._thing, log, deeds, boot=self._boot, others=self._on_job)

    def _sources(self, job: Job) -> list[Source]:
        """Return what a bundle of diagnostics holds."""
        with self._lock:
            document = self._book.document(self._components)
        names = ["vedette.CameraIngest", "vedette.ModelInference", "vedette.Display", "vedette.DeviceMonitor"]
        names += [f"vedette.app.{application.instance}" for application in document.applications]

        def configuration(name: str) -> Callable[[], str]:
            return lambda: json.dumps(self._bus.get_configuration(component=name), indent=2)

        return [
            Source("device.json", lambda: json.dumps(self._facts, indent=2)),
            Source("health.json", document.to_json),
            Source("doctor.json", examined),
            Source("versions.json", _versions),
            *(Source(f"configuration/{name}.json", configuration(name)) for name in names),
            # The component works in <root>/work/vedette.DeviceMonitor.
            *log_sources(self._work.absolute().parents[1]),
            *(self._pictures() if job.document.get("pictures") is True else ()),
        ]

    def _pictures(self) -> list[Source]:
        """Return the cameras' last frames: only where the device's owner allows it, whatever the job asks for."""
        if not self._configuration.diagnostics_pictures:
            return [Source("pictures", _left_out("diagnosticsPictures of this device is false"))]
        with self._lock:
            sockets = self._collection.camera_sockets()
        try:
            taken = take_pictures(sockets)
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            return [Source("pictures", _left_out(f"they could not be taken: {type(error).__name__}"))]
        reads = {n: partial(bytes, each) if isinstance(each, bytes) else _left_out(each) for n, each in taken.items()}
        return [Source(f"pictures/{plain(name)}.jpg", read) for name, read in reads.items()]

    def _hear(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self._book.apply(topic, payload)
            try:
                if topic.startswith("vedette/camera/"):
                    self._collection.hear_camera(CameraStatus.model_validate_json(payload))
                elif topic.startswith("vedette/model/"):
                    self._collection.hear_model(ModelStatus.model_validate_json(payload))
                elif topic.startswith("vedette/application/"):
                    self._collection.hear_application(ApplicationStatus.model_validate_json(payload))
                elif topic == DisplayStatus.topic():
                    self._collection.hear_display(DisplayStatus.model_validate_json(payload))
            except ValidationError:
                self._malformed += 1  # the book has said so


def _versions() -> str:
    """Return the packages that the components run with."""
    from importlib.metadata import distributions

    return json.dumps({each.metadata["Name"]: each.version for each in distributions()}, indent=2, sort_keys=True)


def _left_out(why: str) -> Callable[[], bytes]:
    def read() -> bytes:
        raise LeftOut(why)

    return read
