"""The application's host: keeps one application running and brings it everything it uses.

One thread owns everything here: the loop of :meth:`Host.run`. Handlers of the bus only leave what they heard in a
queue and wake the loop.
"""

import logging
import os
import queue
import selectors
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vedette.application import ApplicationConfiguration, ApplicationConfigurationError, ApplicationManifest
from vedette.application.log_streams import OCC_LOG, SHADOW_LOG, LogStreams
from vedette.bus import Bus, Subscription
from vedette.log_events import STREAM, about
from vedette.messages import REPEAT_S, ApplicationState, CameraStatus, ModelStatus
from vedette_app_runtime import condition, protocol
from vedette_app_runtime.announcements import Announcements
from vedette_app_runtime.condition import Condition
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.launch import start_application
from vedette_app_runtime.links import Links
from vedette_app_runtime.outputs import Outputs
from vedette_app_runtime.preparation import Preparation, Prepare, preparing
from vedette_app_runtime.process import ApplicationProcess, Start
from vedette_app_runtime.rates import Rate
from vedette_app_runtime.recording import Recording
from vedette_app_runtime.reports import makes_sense, output_entries
from vedette_app_runtime.restarts import RestartPolicy
from vedette_app_runtime.sessions import Session, SessionClosed, mains_wanted
from vedette_app_runtime.settings import Settings
from vedette_app_runtime.status import application_status
from vedette_app_runtime.supervisor import Supervisor
from vedette_app_runtime.wiring import Wiring, wire

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.25
_MOST_PACKETS: Final = 32
_SHADOW: Final = about(STREAM, SHADOW_LOG)
_STATES: Final = about(STREAM, OCC_LOG)


class Host:
    """Runs one application instance until it is told to stop."""

    def __init__(
        self,
        bus: Bus,
        manifest: ApplicationManifest,
        application_dir: Path,
        work: Path,
        *,
        prepare: Prepare | None = None,
        start: Start = start_application,
        policy: RestartPolicy | None = None,
        thing: str | None = None,
        artifacts: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Read the configuration.

        :param application_dir: folder of ``application.json``
        :param work: the component's work folder; its parent holds those of the models' components
        :param thing: the device's thing, on which the instance's shadow is; None: no shadow
        :param artifacts: folder of the application's container asset, where it has one
        :raises ApplicationConfigurationError: when the configuration breaks a rule
        :raises BusError: when the bus does not give it
        """
        self._bus = bus
        self._manifest = manifest
        self._application_dir = application_dir
        self._folders = Folders(work)
        self._clock = clock
        self._wall = wall
        self._configuration = self._configured()
        self._wiring = wire(manifest, self._configuration, self._folders.work.parent)
        self._links = Links(clock)
        self._outputs = Outputs(self._folders.sockets, clock, wall)
        self._announcements = Announcements(bus)
        self._heard: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stop = threading.Event()
        self._subscriptions: dict[str, Subscription] = {}
        self._settings = Settings(
            bus,
            thing,
            self._configuration.instance,
            manifest,
            work / "shadow.json",
            self._hear,
            lambda: self._use(self._configuration),
        )
        self._log_level: str = self._configuration.log_level
        preparation = Preparation(
            prepare
            or preparing(
                manifest,
                self._files,
                self._folders,
                artifacts=artifacts,
                choice=lambda: self._configuration.environment,
                debug=lambda: self._configuration.debug_port is not None,
            ),
            self._stop,
            self._wake,
        )
        self._supervisor = Supervisor(
            manifest,
            self._files,
            self._folders,
            preparation,
            start=start,
            policy=policy or RestartPolicy(),
            stop=self._stop,
        )
        self._condition = Condition(ApplicationState.PREPARING)
        self._since = wall()
        self._puts = Rate()
        self._told_at: float | None = None
        self._recording: Recording | None = None

    def run(self, stop: threading.Event) -> None:
        """Keep the application running until ``stop`` is set, then end it.

        :raises BusError: when the bus is lost
        """
        self._folders.make()
        self._name_streams()
        if self._configuration.record:
            self._recording = Recording(self._folders.recording)
        self._subscriptions["configuration"] = self._bus.watch_configuration(lambda: self._hear(self._reconfigure))
        self._listen()
        self._settings.start()
        for warning in self._configuration.unknown_names(self._manifest):
            logger.warning("the configuration names %s, which the application does not have", warning)
        try:
            while not stop.is_set():
                self.run_once(_TICK_S)
        finally:
            self._stop.set()
            self._settings.close()
            for subscription in self._subscriptions.values():
                subscription.close()
            self._supervisor.end(self._clock())
            self._supervisor.close()
            if self._recording is not None:
                self._recording.close()
            self._outputs.close()
            self._folders.clear_sockets()
        self._announcements.withdraw(self._wiring)
        self._become(Condition(ApplicationState.STOPPED))
        self._tell(self._clock())

    def run_once(self, wait_s: float) -> None:
        """Take in what has come within ``wait_s``, do what is due, tell what has changed.

        :raises BusError: when the bus is lost
        """
        self._receive(wait_s)
        now = self._clock()
        self._supervisor.step(self._configuration, now, self._outputs.close)
        if self._supervisor.process is not None:
            self._links.serve(self._wiring, self._supervisor.process.sessions)
        self._judge(now)
        if self._told_at is None or now - self._told_at >= REPEAT_S:
            self._measure(now)
            sessions = () if self._supervisor.process is None else self._supervisor.process.sessions
            self._announcements.demand(
                self._wiring,
                cameras=self._condition.state != ApplicationState.HELD_BACK,
                mains=mains_wanted(sessions, now),
            )
            self._tell(now)

    # What comes in.

    def _on_camera(self, _topic: str, payload: bytes) -> None:
        self._hear(lambda: self._links.cameras.hear(payload))

    def _on_model(self, _topic: str, payload: bytes) -> None:
        self._hear(lambda: self._links.models.hear(payload))

    def _listen(self) -> None:
        """Subscribe to what this wiring needs: no more is authorised for an application without cameras or models."""
        if self._wiring.cameras and "cameras" not in self._subscriptions:
            self._subscriptions["cameras"] = self._bus.subscribe(CameraStatus.topic("+"), self._on_camera)
        if self._wiring.models and "models" not in self._subscriptions:
            self._subscriptions["models"] = self._bus.subscribe(ModelStatus.topic("+"), self._on_model)

    def _hear(self, deed: Callable[[], None]) -> None:
        self._heard.put(deed)
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_w, b"x")
        except BlockingIOError:
            return

    def _receive(self, wait_s: float) -> None:
        process = self._supervisor.process
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_r, selectors.EVENT_READ, None)
            if process is not None:
                if process.attach_point.listener is not None and process.attach_point.listener.fileno() >= 0:
                    selector.register(process.attach_point.listener, selectors.EVENT_READ, None)
                if process.attach_point.sock.fileno() >= 0:
                    selector.register(process.attach_point.sock, selectors.EVENT_READ, None)
                for session in process.sessions:
                    selector.register(session.sock, selectors.EVENT_READ, session)
            ready = [key.data for key, _ in selector.select(wait_s)]
        try:
            os.read(self._wake_r, 4096)
        except BlockingIOError:
            pass
        while not self._heard.empty():
            self._heard.get()()
        if process is not None and process is self._supervisor.process:
            for session in process.accept():
                session.send(self._wiring.hello(record=self._recording is not None))
            for session in ready:
                if session is not None:
                    self._hear_session(process, session)

    def _hear_session(self, process: ApplicationProcess, session: Session) -> None:
        try:
            # No more at once: whoever goes on sending must not keep the host from everything else.
            for _ in range(_MOST_PACKETS):
                packet = session.receive()
                if packet is None:
                    break
                self._apply(session, packet)
        except SessionClosed as error:
            logger.debug("a process of the application is detached: %s", error)
            session.close()
            process.sessions.remove(session)

    def _apply(self, session: Session, packet: protocol.Packet) -> None:
        if isinstance(packet, protocol.Report):
            if not makes_sense(packet):
                raise SessionClosed("it reported what cannot be")
            session.report = packet
            self._supervisor.hear(self._clock())
        elif isinstance(packet, protocol.Record):
            if self._recording is not None:
                self._recording.write(packet.fields)
        elif isinstance(packet, protocol.CameraLost):
            session.cameras.discard(packet.camera)
        elif isinstance(packet, protocol.MainWanted):
            if not 0 <= packet.camera < len(self._wiring.cameras):
                raise SessionClosed(f"it asked for camera {packet.camera!r}, of {len(self._wiring.cameras)}")
            if packet.camera not in session.mains_wanted:
                self._told_at = None  # at once: it waits
            session.mains_wanted[packet.camera] = self._clock()
        elif isinstance(packet, protocol.MainLost):
            session.mains.discard(packet.camera)
        elif isinstance(packet, protocol.ModelLost):
            session.models.discard(packet.model)
        elif isinstance(packet, protocol.OutputWanted):
            self._outputs.offer(self._wiring, session, packet.port, packet.stream)
        else:
            raise SessionClosed(f"it sent {type(packet).__name__}")

    # Configuration.

    def _files(self) -> Path:
        """Return the folder that the application's files are in: its component's, or a developer's."""
        folder = self._configuration.source_folder
        return self._application_dir if folder is None else Path(folder)

    def _configured(self) -> ApplicationConfiguration:
        configuration = ApplicationConfiguration.from_component(self._bus.get_configuration())
        wire(self._manifest, configuration, self._folders.work.parent)  # refuses what breaks a rule
        return configuration

    def _reconfigure(self) -> None:
        try:
            configuration = self._configured()
        except ApplicationConfigurationError as error:
            logger.error("the new configuration is not used: %s", error)  # noqa: TRY400 - the text says it all
            return
        self._use(configuration)

    def _use(self, configuration: ApplicationConfiguration) -> None:
        """Make a configuration and the present shadow what the application sees."""
        desired = self._settings.read(configuration)
        before, old = self._wiring, self._configuration
        self._configuration = configuration
        self._wiring = wiring = wire(self._manifest, configuration, self._folders.work.parent, desired)
        self._set_log_level(desired.log_level or configuration.log_level)
        self._listen()
        self._name_streams()
        self._bring_to_application(before, old, restart=self._settings.restart_wanted())
        self._settings.report(wiring, self._log_level)
        self._told_at = None

    def _bring_to_application(self, before: Wiring, old: ApplicationConfiguration, *, restart: bool) -> None:
        other_files = old.source_folder != self._configuration.source_folder
        same_environment = (old.environment, old.debug_port) == (
            self._configuration.environment,
            self._configuration.debug_port,
        )
        if other_files or not same_environment:
            self._supervisor.forget_environment()
        if other_files:
            self._supervisor.forget_ends()
        process = self._supervisor.process
        if process is None:
            if restart or other_files:
                self._supervisor.end(self._clock())  # one that is held back starts at once
            return
        values = {parameter.port: parameter.value for parameter in before.parameters}
        changed = [each for each in self._wiring.parameters if each.value != values.get(each.port)]
        same = self._wiring.same_processes(before) and old.same_start(self._configuration)
        anew = bool(changed) and self._configuration.restart_on_change
        if restart or not same or anew:
            why = "its cameras or its surroundings were changed"
            if other_files:
                why = "its files were saved"
            elif restart:
                why = "a restart was asked for in the shadow"
            elif same:
                why = f"{', '.join(each.port for each in changed)} changed, and restartOnChange is set"
            logger.info("%s: the application starts anew", why)
            self._supervisor.end(self._clock())
            self._outputs.close()
            return
        for parameter in changed:
            logger.info("parameter %s was changed (%s)", parameter.port, parameter.origin, extra=_SHADOW)
            for session in process.sessions:
                session.send(protocol.Parameter(parameter.port, parameter.value))

    def _name_streams(self) -> None:
        """Leave word of which nodes cameras, models and outputs are: who sends logs names their streams by it."""
        streams = LogStreams.of(
            self._configuration.instance,
            self._manifest.code_node,
            cameras=((camera.camera_id, camera.node) for camera in self._wiring.cameras),
            models=((model.model_id, model.node) for model in self._wiring.models),
            outputs=((port, node) for port, node in self._wiring.outputs if node is not None),
        )
        try:
            streams.write(self._folders.logs)
        except OSError as error:
            logger.warning("log streams cannot be named after nodes: %s", error.strerror)

    def _set_log_level(self, level: str) -> None:
        if level != self._log_level:
            self._log_level = level
            logging.getLogger().setLevel(level)
            logger.log(logging.getLevelName(level), "the log level is now %s", level)

    # What is told.

    def _judge(self, now: float) -> None:
        process = self._supervisor.process
        if process is None:
            self._become(self._supervisor.condition)
            return
        if self._supervisor.ending:
            return
        limits = self._configuration.limits
        silent_s = self._supervisor.silent_s(now)
        may_restart = limits.restart_hung_after_s and self._configuration.debug_port is None
        if may_restart and silent_s > limits.restart_hung_after_s:
            self._supervisor.end_because(f"it has hung for {silent_s:.0f} s", now)
            self._outputs.close()
            self._become(self._supervisor.condition)
            return
        self._become(
            condition.of_running(
                self._wiring,
                attached=process.attached,
                running_s=now - self._supervisor.started_at,
                report=process.report(),
                camera=self._links.cameras.get,
                model=self._links.models.get,
                silent_s=silent_s if silent_s > limits.hung_after_s else 0.0,
                held=self._supervisor.held,
            )
        )

    def _become(self, new: Condition) -> None:
        """Take on a condition; a new state is told at once, a new detail with the next repetition."""
        if new.state != self._condition.state:
            logger.info("%s -> %s", self._condition.state.value, new.state.value, extra=_STATES)
            self._since = self._wall()
            self._told_at = None
        self._condition = new

    def _measure(self, now: float) -> None:
        process = self._supervisor.process
        if process is not None:
            report = process.report()
            self._puts.note(now, report.puts)
            self._outputs.report(output_entries(report))

    def _tell(self, now: float) -> None:
        self._told_at = now
        supervisor, process = self._supervisor, self._supervisor.process
        waits = process is None and supervisor.ended is not None and self._condition is supervisor.ended
        self._announcements.status(
            application_status(
                self._wiring,
                self._condition,
                since=self._since,
                next_try_s=max(0.0, round(supervisor.next_start_at - now, 1)) if waits else None,
                restarts=supervisor.restarts,
                errors=supervisor.errors,
                exit_code=supervisor.exit_code,
                last_error=supervisor.last_error,
                pid=None if process is None else process.pid,
                sandbox=supervisor.sandbox,
                environment=supervisor.environment,
                outputs=self._outputs.ids,
                report=None if process is None else process.report(),
                fps=None if process is None else self._puts.per_second(),
                ports=self._supervisor.opened,
            )
        )
        self._announcements.outputs(self._outputs.statuses(self._wiring))
