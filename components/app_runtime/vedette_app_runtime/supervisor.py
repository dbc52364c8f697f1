"""Keeps one application's process running: prepares its environment, starts it, judges its end, starts it again."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from vedette.application import ApplicationConfiguration, ApplicationManifest
from vedette.messages import ApplicationState
from vedette_app_runtime.condition import Condition
from vedette_app_runtime.console import ConsoleLog
from vedette_app_runtime.debugging import debugged, route
from vedette_app_runtime.environments import EnvironmentFailed
from vedette_app_runtime.failure import describe_exit
from vedette_app_runtime.folders import Folders
from vedette_app_runtime.heartbeat import Heartbeat
from vedette_app_runtime.launch import region_of, sandbox_spec
from vedette_app_runtime.limits.confinement import Confining, scratch_size
from vedette_app_runtime.limits.disk import DiskKeeper
from vedette_app_runtime.log_files import LogFiles
from vedette_app_runtime.network.guard import PortGuard
from vedette_app_runtime.network.rules import Opened, PortRules, own_loopback
from vedette_app_runtime.preparation import AGAIN_S, Preparation
from vedette_app_runtime.process import ApplicationProcess, Start
from vedette_app_runtime.restarts import RestartPolicy
from vedette_app_runtime.role.credentials import RoleCredentials, assuming
from vedette_app_runtime.role.endpoint import RoleEndpoint
from vedette_app_runtime.role.panorama_service import Identity
from vedette_app_runtime.sandbox import SandboxError, choose
from vedette_app_runtime.sandbox.name_servers import NameServers
from vedette_app_runtime.sandbox.system_files import gpu_mounts
from vedette_app_runtime.sdk_folder import sdk_folder

logger = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
GRACE_S: Final = 1.8
"""Between SIGTERM and SIGKILL: the whole host has to end in under 2.5 s."""

NO_GPU: Final = "its package asks for a GPU (hardware_access), and this machine has none"
_ASKED: Final = frozenset({0, -signal.SIGTERM, 128 + signal.SIGTERM})
"""How applications end that were asked to."""
_ALL_ASKED_S: Final = 0.5
"""Nuclei send SIGTERM to the whole tree of a component: the application is often gone before its host has noticed."""


class Supervisor:
    """Everything is called by one thread; times are of a monotonic clock, s."""

    def __init__(
        self,
        manifest: ApplicationManifest,
        application_dir: Callable[[], Path],
        folders: Folders,
        preparation: Preparation,
        *,
        start: Start,
        policy: RestartPolicy,
        stop: threading.Event,
    ) -> None:
        self.process: ApplicationProcess | None = None
        self.started_at = 0.0
        self.restarts = 0
        self.errors = 0
        """Exits, with whatever code."""
        self.exit_code: int | None = None
        self.last_error = ""
        """Why the application ended last; stays when it runs again."""
        self.sandbox = ""
        """How the application was started last: bubblewrap, mount-view or none."""
        self.ended: Condition | None = None
        """Why no process runs, when that is a failure."""
        self.next_start_at = 0.0
        self._asked_at: float | None = None
        self._rules: PortRules | None = None
        self._confining: Confining | None = None
        self._disk = DiskKeeper(folders.storage, folders.application_logs, stop)
        self._looked_at = 0.0
        self._name_servers = NameServers(folders.attaching / "resolv.conf")
        self._names_at = 0.0
        self._heartbeat = Heartbeat()
        self._role: tuple[str, RoleEndpoint] | None = None
        self._manifest = manifest
        self._application_dir = application_dir
        self._folders = folders
        self._preparation = preparation
        self._start = start
        self._policy = policy
        self._console = ConsoleLog(folders.logs)
        self._log_files = LogFiles(folders.application_logs)
        self._sdk: Path | None = None

    @property
    def ending(self) -> bool:
        """Whether the application has ended in a way that may be everybody's end: no failure yet."""
        return self._asked_at is not None

    @property
    def environment(self) -> str:
        """The environment in words; empty while there is none."""
        environment = self._preparation.environment
        if environment is None:
            return ""
        lacks = [NO_GPU] if self._manifest.gpu and not gpu_mounts() else []
        return "; ".join((environment.summary, *environment.warnings, *lacks))

    @property
    def condition(self) -> Condition:
        """The application's condition while no process runs."""
        if self._preparation.running:
            return Condition(ApplicationState.PREPARING, self._preparation.progress)
        return self.ended or Condition(ApplicationState.PREPARING)

    @property
    def opened(self) -> list[Opened]:
        """The routing rules that the application has made use of since it was started."""
        return [] if self._rules is None or self.process is None else list(self._rules.opened.values())

    def step(self, configuration: ApplicationConfiguration, now: float, on_exit: "Callable[[], None]") -> None:
        """Do what is due; ``on_exit`` is called when the application has ended."""
        if self.process is not None:
            code = self.process.poll()
            if code is not None and not self._may_be_the_end_of_all(code, now):
                self._ended(code, now)
                on_exit()
            elif code is None and (broken := self._broken_limit(now)) is not None:
                self.end_because(broken, now)
                on_exit()
            elif code is None and now - self._names_at >= _LOOK_S:
                self._names_at = now
                self._look_up_names()
        elif now >= self.next_start_at:
            if self._preparation.environment is not None:
                self._launch(configuration, now)
            elif self._preparation.failure is not None:
                self._fail(self._preparation.take_failure(), now)
            else:
                self._preparation.begin()

    def hear(self, now: float) -> None:
        """Take in that a process of the application has reported."""
        if self.process is not None:
            self._heartbeat.note(self.process.report(), now)

    def silent_s(self, now: float) -> float:
        """Return for how long the application's working loop has given no sign."""
        return self._heartbeat.silent_s(now)

    @property
    def held(self) -> str | None:
        """Why the application cannot write at present; None: it can."""
        return self._disk.held

    def end_because(self, reason: str, now: float) -> None:
        """End the application for what it does or does not: that is a failure as if it had ended by itself."""
        if self.process is None:
            return
        code = self.process.end(GRACE_S)
        self._ended(code, now, because=f"{reason}; it was ended")

    def forget_environment(self) -> None:
        """Have the environment made anew before the next start."""
        self._preparation.forget()

    def forget_ends(self) -> None:
        """Do not hold the ends of what it was before against what it is now."""
        self._policy.forget()

    def end(self, now: float) -> None:
        """End the application without counting it as a failure; the next step starts it anew."""
        if self.process is not None:
            self.process.end(GRACE_S)
            self.process = None
            self._end_confining()
        self._asked_at = None
        self.next_start_at = now

    def _may_be_the_end_of_all(self, code: int, now: float) -> bool:
        """Tell whether to wait for the host's own SIGTERM before an end is taken for a failure."""
        if code not in _ASKED:
            return False
        if self._asked_at is None:
            self._asked_at = now
        return now - self._asked_at < _ALL_ASKED_S

    def _launch(self, configuration: ApplicationConfiguration, now: float) -> None:
        environment = self._preparation.environment
        if environment is None:
            return
        if self._sdk is None:
            self._sdk = sdk_folder(self._folders.work)
        argv = self._manifest.entry.argv()
        if self._manifest.gpu and not gpu_mounts():
            logger.warning("%s", NO_GPU)
        try:
            if configuration.network == "none":
                _check_offline(configuration)
            if configuration.debug_port is not None:
                argv = debugged(argv, configuration.debug_port)
            self.sandbox = choose(configuration.sandbox).kind
            guard = self._guard(configuration)
            self._end_confining()
            self._confining = Confining.of(configuration.instance, configuration.limits)
            spec = sandbox_spec(
                self._manifest,
                self._application_dir(),
                self._folders,
                environment,
                instance=configuration.instance,
                mode=configuration.sandbox,
                sdk=self._sdk,
                guard=guard,
                confinement=replace(self._confining.confinement, scoped=configuration.network != "machine"),
                role=self._role_environ(configuration),
                name_servers=self._name_servers.copy,
                offline=configuration.network == "none",
                scratch=scratch_size(configuration.limits),
            )
            self._name_servers.refresh()
            self._log_files.begin()
            self.process = ApplicationProcess(spec, argv, self._console, self._start)
        except (SandboxError, EnvironmentFailed, OSError) as error:
            self._fail(f"the application cannot be started: {error}", now)
            return
        if guard is not None and guard.trouble is not None:
            logger.warning(
                "the ports of applications cannot be kept apart on this machine (%s): the application opens the "
                "machine's own ports, and routing rules are not applied",
                guard.trouble,
            )
        self.restarts += self.ended is not None and self.errors > 0
        self.started_at = now
        self._heartbeat = Heartbeat()
        self._disk.begin(configuration.limits, lambda: None if self.process is None else self.process.root_pid)
        self.ended = None
        logger.info("the application was started: %s (limits are kept %s)", " ".join(argv), self._confining.words)

    def _role_environ(self, configuration: ApplicationConfiguration) -> dict[str, str] | None:
        """Return where the application finds its role's credentials; None: it has no role."""
        if self._role is not None and self._role[0] != configuration.role:
            self._role[1].close()
            self._role = None
        if configuration.role is None or configuration.network == "none":
            return None
        if self._role is None:
            assume = assuming(configuration.role, configuration.instance, region_of())
            device = os.environ.get("AWS_IOT_THING_NAME", "")
            identity = Identity(configuration.instance, self._manifest.name, device, time.time())
            endpoint = RoleEndpoint(configuration.role, RoleCredentials(configuration.role, assume), identity)
            self._role = (configuration.role, endpoint)
        if self._rules is not None:
            self._rules.lead_to_machine(self._role[1].port)
        return self._role[1].environ()

    def close(self) -> None:
        """Let go of what outlives a run of the application."""
        role, self._role = self._role, None
        if role is not None:
            role[1].close()

    def _look_up_names(self) -> None:
        try:
            self._name_servers.refresh()
        except OSError as error:
            logger.warning("the application does not have the machine's present name servers: %s", error)

    def _broken_limit(self, now: float) -> str | None:
        if self._confining is None or self.process is None or now - self._looked_at < _LOOK_S:
            return None
        self._looked_at = now
        return self._disk.excess or self._confining.broken(self.process.root_pid)

    def _end_confining(self) -> None:
        confining, self._confining = self._confining, None
        if confining is not None:
            confining.end()

    def _guard(self, configuration: ApplicationConfiguration) -> PortGuard | None:
        """Return the guard of a new run; None where the application is to have the machine's own ports."""
        if configuration.network != "own":
            self._rules = None
            return None
        ports = list(configuration.ports)
        if configuration.debug_port is not None:
            ports.append(route(configuration.debug_port))
        self._rules = PortRules(ports, own_loopback(configuration.instance))
        return PortGuard(self._rules)

    def _ended(self, code: int, now: float, because: str | None = None) -> None:
        self._asked_at = None
        because = because or (None if self._confining is None else self._confining.killed())
        detail = because or describe_exit(code, self._console.last_lines(), self._log_files.new_lines())
        self._end_confining()
        self.process = None
        self.errors += 1
        self.exit_code = code
        self.last_error = detail
        decision = self._policy.ended(self.started_at, now)
        self.next_start_at = now + decision.delay_s
        state = ApplicationState.HELD_BACK if decision.held_back else ApplicationState.CRASHED
        self.ended = Condition(state, detail)
        logger.error("the application ended: %s; it is started again in %.1f s", detail, decision.delay_s)

    def _fail(self, detail: str, now: float) -> None:
        self.ended = Condition(ApplicationState.FAILED, detail)
        self.next_start_at = now + AGAIN_S
        logger.error("%s; next try in %.0f s", detail, AGAIN_S)


def _check_offline(configuration: ApplicationConfiguration) -> None:
    """Say what of the configuration has no effect without a network.

    :raises EnvironmentFailed: if it is to wait for a debugger, which could never come
    """
    if configuration.debug_port is not None:
        raise EnvironmentFailed("no debugger reaches an application without a network: leave out one of the two")
    lost = [
        words
        for words, there in (
            ("its routing rules open nothing", configuration.ports),
            ("its AWS role gives it no credentials", configuration.role),
        )
        if there
    ]
    if lost:
        logger.warning("the application has no network (network: none): %s", " and ".join(lost))
