"""The local nucleus: runs Greengrass components on this machine, for development and tests.

It is no replacement for AWS's nucleus: no cloud, no users other than the one who runs it. Everything runs on one event
loop in a thread of its own; the methods here may be called from any other thread.
"""

import concurrent.futures
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from vedette.nucleus.assembly import Parts, Settings, assemble
from vedette.nucleus.cloud_side import CloudSide
from vedette.nucleus.command_line_access import principal as command_line
from vedette.nucleus.command_line_access import remove_access, write_access
from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.control import ControlServer
from vedette.nucleus.control_operations import serve_nucleus
from vedette.nucleus.deployment import Deployment
from vedette.nucleus.errors import LifecycleError, NucleusError
from vedette.nucleus.event_loop import LoopThread
from vedette.nucleus.events import Event, Events, Listener
from vedette.nucleus.guard import Guard
from vedette.nucleus.instances import Instance, new_run_id, register, registry_folder
from vedette.nucleus.iot_link import IotSettings
from vedette.nucleus.ipc import JAVA, Broker, ShadowService, personality_named
from vedette.nucleus.ipc.component_control import ComponentControl
from vedette.nucleus.ipc.server import MAX_SOCKET_PATH_BYTES
from vedette.nucleus.keeping import Keeping
from vedette.nucleus.local_deployments import LocalDeployments
from vedette.nucleus.own_log import OwnLog
from vedette.nucleus.root import Root
from vedette.nucleus.store import ComponentStore
from vedette.nucleus.token_exchange import Lend
from vedette.nucleus.view import ComponentView, Outlook

logger = logging.getLogger(__name__)

_START_LIMIT_S: Final = 10.0
_CALL_LIMIT_S: Final = 10.0
_CLEAN_UP_S: Final = 1.0
"""Part of a stop's deadline for closing the sockets and for the guard."""
_ResultT = TypeVar("_ResultT")


class Nucleus:
    """One run: ``start``, any number of ``deploy``, ``stop``. An instance cannot be started again."""

    def __init__(
        self,
        root: Path,
        *,
        thing_name: str = "local",
        region: str = "us-east-1",
        secrets_file: Path | None = None,
        run_id: str | None = None,
        environment: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        personality: str = JAVA.name,
        persistent: bool = False,
        iot: IotSettings | None = None,
        synchronised_shadows: Sequence[str] = (),
        lend: Lend | None = None,
    ) -> None:
        """Prepare a nucleus; nothing is opened before ``start``.

        :param root: folder with the component store; work folders, logs and shadows are kept there
        :param secrets_file: JSON of secrets, see ``vedette.nucleus.secrets``; without it there are none
        :param environment: added to what component processes get
        :param listeners: called with every event, from the start
        :param personality: ``java`` or ``lite``: which of AWS's nuclei to behave as
        :param persistent: keep deployments and configuration in the root, and begin with those of the run before
        :param iot: connect to AWS IoT Core; without it IoT Core topics are a loop-back on this machine
        :param synchronised_shadows: names of shadows of this thing to keep equal with AWS's; ``classic`` is unnamed
        :param lend: returns AWS credentials for components that depend on the token exchange service
        :raises NucleusError: for another personality, and for shadows to synchronise without a connection
        """
        self.run_id = run_id or new_run_id()
        self.thing_name = thing_name
        self.events = Events()
        self.stop_requested = threading.Event()
        """Set when somebody asks over the control socket to stop; whoever owns the nucleus then calls ``stop``."""
        self.personality = personality_named(personality)
        self.configuration = ConfigurationStore(lite=self.personality.lite)
        self.instance: Instance | None = None
        self._root = Root(root)
        self.store = ComponentStore(self._root.path, lite=self.personality.lite)
        if synchronised_shadows and (iot is None or self.personality.lite):
            raise NucleusError(
                "shadows can be synchronised only with a connection to IoT Core, and not as nucleus lite"
            )
        self._settings = Settings(
            run_id=self.run_id,
            thing_name=thing_name,
            region=region,
            personality=self.personality,
            secrets_file=secrets_file,
            environment=environment,
            iot=iot,
            synchronised_shadows=synchronised_shadows,
            lend=lend,
        )
        self._keeping = Keeping(self._root.state if persistent else None)
        self._own_log = OwnLog(self._root.logs) if persistent else None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._stopped = False
        self._loop: LoopThread | None = None
        self._guard: Guard | None = None
        self._parts: Parts | None = None
        self._control: ControlServer | None = None
        self._health: Callable[[], Any] | None = None
        self._page: Callable[[], str | None] = lambda: None
        self.resume_error: NucleusError | None = None
        """Why the components of the run before could not be started again, None when they could."""
        self.events.subscribe(self._wake)
        for listener in listeners:
            self.events.subscribe(listener)

    @property
    def root(self) -> Path:
        """Return the root folder, resolved."""
        return self._root.path

    @property
    def broker(self) -> Broker:
        """Return publish and subscribe within this process; may be used from any thread."""
        return self._running().ipc.broker

    def start(self) -> None:
        """Open the sockets and be ready for deployments.

        :raises NucleusError: if the root is in use, or a folder or socket cannot be made; nothing is left then
        """
        try:
            self._open()
        except BaseException:
            self.stop(deadline_s=2.0)
            raise

    def _open(self) -> None:
        lock = self._root.open()
        self._keeping.load()
        if self._own_log is not None:
            self._own_log.open()
            logger.info("nucleus %s starts as %s, thing %s", self.run_id, self.personality.name, self.thing_name)
        folder = registry_folder() / self.run_id
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise NucleusError(f"run folder {folder} cannot be made: {error.strerror}") from error
        self._guard = Guard(self.run_id, folder, self._root.work, lock=lock)
        self._guard.start()
        self.instance = register(self.run_id, self.root, self.thing_name)
        self._loop = LoopThread("nucleus")
        socket = self._socket_in(folder)
        self._parts = self._on_loop(self._assemble(socket, self._guard), _START_LIMIT_S)
        self._control = ControlServer(self.instance.control_socket)
        self._control.serve("components", lambda _: [view.document() for view in self.components()])
        self._control.serve("health", lambda _: self._health() if self._health is not None else None)
        self._control.serve("page", lambda _: self._page())
        self._control.serve("stop", lambda _: self.stop_requested.set())
        serve_nucleus(self._control, self)
        self._control.start()
        parts = self._parts
        self.resume_error = self._keeping.resume(parts.deployer, parts.local_deployments, self.configuration)
        if not self.personality.lite:
            write_access(self.root, self._on_loop(self._command_line_token(), _CALL_LIMIT_S), socket)

    def _socket_in(self, run_folder: Path) -> Path:
        """Return where components connect: of a nucleus that runs as root beside the root's folders, as AWS's has it.

        Components that run as other users cannot enter the run folder.
        """
        beside = self.root / self.personality.socket_name
        fits = len(os.fsencode(beside)) <= MAX_SOCKET_PATH_BYTES
        shared = self._keeping.folder is not None and os.geteuid() == 0 and fits
        return (self.root if shared else run_folder) / self.personality.socket_name

    async def _assemble(self, socket: Path, guard: Guard) -> Parts:
        return await assemble(
            self._settings,
            root=self._root,
            socket=socket,
            store=self.store,
            configuration=self.configuration,
            events=self.events,
            guard=guard,
            keeping=self._keeping,
            stopping=self._stopping,
            wait_running=self.wait_running,
        )

    async def _command_line_token(self) -> str:
        return self._running().ipc.tokens.issue(command_line())

    def set_health(self, health: Callable[[], Any]) -> None:
        """Answer ``{"op": "health"}`` on the control socket with what ``health`` returns (a JSON document)."""
        self._health = health

    def set_page(self, page: Callable[[], str | None]) -> None:
        """Answer ``{"op": "page"}`` with the page's address and its key: whoever reaches the socket owns the run."""
        self._page = page

    def deploy(self, deployment: Deployment) -> None:
        """Make the run what ``deployment`` says; returns when its components have been set going, not when they run.

        Components left out are stopped and removed. A change of plain configuration restarts nothing: components hear
        of it over IPC.

        :raises NucleusError: with every finding, before anything has changed
        """
        self._running().deployer.deploy(deployment)

    @property
    def local_deployments(self) -> LocalDeployments:
        """Return the desk that takes deployments as ``greengrass-cli`` asks for them."""
        return self._running().local_deployments

    def wait_running(self, components: Iterable[str] | None = None, timeout_s: float = 60.0) -> None:
        """Wait until the components (all, if none are named) are RUNNING or FINISHED.

        :raises LifecycleError: if one breaks, is not deployed, or is not up in time; says which and why
        """
        names = None if components is None else set(components)
        until = time.monotonic() + timeout_s
        with self._changed:
            while True:
                outlook = Outlook.of(self.components(), names)
                left = until - time.monotonic()
                if not outlook.waiting:
                    return
                if outlook.broken or left <= 0 or self._stopped:
                    raise LifecycleError(*outlook.findings(timeout_s))
                self._changed.wait(left)

    def components(self) -> list[ComponentView]:
        """Return every component in start order."""
        return [] if self._parts is None else self._parts.supervisor.views()

    @property
    def cloud(self) -> CloudSide | None:
        """Return the connection to AWS IoT Core, None without one."""
        return self._running().cloud

    def with_shadows(self, work: Callable[[ShadowService], _ResultT]) -> _ResultT:
        """Return what ``work`` returns, called with the shadows on the thread that they belong to."""
        ipc = self._running().ipc

        async def call() -> _ResultT:
            return work(ipc.shadows)

        return self._on_loop(call(), _CALL_LIMIT_S)

    def with_components(self, work: Callable[[ComponentControl], _ResultT]) -> _ResultT:
        """Return what ``work`` returns, called with the components on the thread that they belong to.

        :raises LookupError: for a component that is not there
        """
        supervisor = self._running().supervisor

        async def call() -> _ResultT:
            return work(supervisor)

        return self._on_loop(call(), _CALL_LIMIT_S)

    def describe_ipc(self) -> dict[str, Any]:
        """Return connections, subscriptions and counters of the IPC server."""
        ipc = self._running().ipc

        async def call() -> dict[str, Any]:
            return ipc.describe()

        return self._on_loop(call(), _CALL_LIMIT_S)

    @property
    def socket(self) -> Path:
        """Return the socket that components connect to."""
        return self._running().ipc.socket_path

    @property
    def secrets_file(self) -> Path | None:
        """Return the file of secrets, None when there is none."""
        return self._settings.secrets_file

    def stop(self, deadline_s: float = 5.0) -> None:
        """Stop every component, dependents first, close all sockets and remove the run folder. May be called twice."""
        begun = time.monotonic()
        if self._stopped:
            return
        parts = self._parts
        if parts is not None:
            parts.local_deployments.abandon()
        self._stopped = True
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if parts is not None:
            try:
                self._on_loop(_close(parts, deadline_s - _CLEAN_UP_S), deadline_s + _CLEAN_UP_S)
            except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                logger.warning("components did not stop in %.1f s; the guard ends them", deadline_s)
        if self._control is not None:
            self._control.close()
        if parts is not None:
            parts.local_deployments.close()
            remove_access(self.root)
        self._keeping.close()
        if self._loop is not None:
            self._loop.stop(_CLEAN_UP_S)
        if self._own_log is not None:
            logger.info("nucleus %s stops", self.run_id)
            self._own_log.shut()
        if self._guard is not None and not self._guard.close(max(deadline_s - (time.monotonic() - begun), _CLEAN_UP_S)):
            logger.warning("the guard is still cleaning up")
        self._root.close()

    def _on_loop(self, work: Coroutine[Any, Any, _ResultT], limit_s: float) -> _ResultT:
        if self._loop is None:
            work.close()
            raise NucleusError("the nucleus is not running")
        return self._loop.run(work, limit_s)

    def _running(self) -> Parts:
        if self._parts is None or self._stopped:
            raise NucleusError("the nucleus is not running; call start first")
        return self._parts

    def _wake(self, event: Event) -> None:
        del event
        with self._changed:
            self._changed.notify_all()


async def _close(parts: Parts, deadline_s: float) -> None:
    await parts.supervisor.stop(deadline_s)
    if parts.cloud is not None:
        await parts.cloud.stop()
    if parts.exchange is not None:
        await parts.exchange.stop()
    await parts.ipc.stop()
