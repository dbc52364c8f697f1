"""The IPC server: a Unix socket that components' SDK clients connect to."""

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc.authorization import SHADOWS, Authorizer
from vedette.nucleus.ipc.broker import Broker
from vedette.nucleus.ipc.call import Operation
from vedette.nucleus.ipc.component_control import ComponentControl
from vedette.nucleus.ipc.component_updates import ComponentUpdates
from vedette.nucleus.ipc.configuration_validation import ConfigurationValidation
from vedette.nucleus.ipc.connection import Connection
from vedette.nucleus.ipc.deployment_desk import DeploymentDesk
from vedette.nucleus.ipc.errors import IpcError
from vedette.nucleus.ipc.iot_core import IotCore
from vedette.nucleus.ipc.operations.authorization import authorization_operations
from vedette.nucleus.ipc.operations.components import component_operations
from vedette.nucleus.ipc.operations.configuration import configuration_operations
from vedette.nucleus.ipc.operations.deployments import deployment_operations
from vedette.nucleus.ipc.operations.lifecycle import StateReport, lifecycle_operations
from vedette.nucleus.ipc.operations.lite import lite_operations
from vedette.nucleus.ipc.operations.metrics import metric_operations
from vedette.nucleus.ipc.operations.pubsub import pubsub_operations
from vedette.nucleus.ipc.operations.secrets import secret_operations
from vedette.nucleus.ipc.operations.shadows import shadow_operations
from vedette.nucleus.ipc.personality import JAVA, Personality
from vedette.nucleus.ipc.shadow_service import ShadowService
from vedette.nucleus.ipc.shadow_topics import serve_shadow_topics
from vedette.nucleus.ipc.tokens import TokenRegistry
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore

__all__ = ["MAX_SOCKET_PATH_BYTES", "IpcServer"]

_log = logging.getLogger(__name__)

MAX_SOCKET_PATH_BYTES: Final = 107
"""``sockaddr_un`` has room for 108 with the closing zero, and SDK clients connect by path."""
_STOP_TIMEOUT_S: Final = 2.0


class IpcServer:
    """Serves Greengrass IPC. Everything but ``broker`` and the stores belongs to the thread of the running loop."""

    def __init__(
        self,
        socket_path: Path,
        *,
        configuration: ConfigurationStore,
        secrets: SecretStore,
        shadows: ShadowStore,
        thing_name: str,
        on_state: StateReport,
        personality: Personality = JAVA,
    ) -> None:
        """Prepare a server; nothing is opened before ``start``.

        :param socket_path: at most 107 bytes; created with mode 0666, since components may run as other users
        :param thing_name: what ``{iot:thingName}`` stands for in policies
        :param on_state: called with a component and RUNNING or ERRORED for each UpdateState; LookupError when unknown
        :param personality: which of AWS's nuclei to answer as
        """
        self.socket_path = socket_path
        self.tokens = TokenRegistry(self._close_connections_of, lite=personality.lite)
        """Tokens of components: ``issue`` one before a process starts, ``revoke`` it when it has ended."""
        self.broker = Broker(lite=personality.lite)
        """Publish and subscribe within the nucleus process."""
        self.personality = personality
        self._configuration = configuration
        self._authorizer = authorizer = Authorizer(configuration, thing_name)
        self.shadows = ShadowService(
            shadows,
            self.broker,
            lambda component, operation, resource: authorizer.check(component, SHADOWS, operation, resource),
        )
        """Shadows, for the nucleus process itself; call on the loop's thread."""
        self.updates = ComponentUpdates()
        """Who is told of component updates."""
        self.validation = ConfigurationValidation()
        """Who checks a new configuration."""
        self.iot_core = IotCore(authorizer, lite=personality.lite)
        """IoT Core topics; ``carrier`` is a loop-back until another is set."""
        self._served: dict[str, Operation] = {
            **pubsub_operations(self.broker, authorizer),
            **configuration_operations(configuration),
            **lifecycle_operations(on_state),
            **secret_operations(secrets, authorizer),
            **shadow_operations(self.shadows),
            **self.updates.operations(),
            **self.validation.operations(),
            **self.iot_core.operations(),
            **metric_operations(),
            **authorization_operations(self.tokens.component),
        }
        self.operations: Mapping[str, Operation] = {}
        self._offer()
        self._connections: set[Connection] = set()
        self._dropped = 0
        self._server: asyncio.Server | None = None
        self._close_shadow_topics: Callable[[], None] | None = None

    def serve_components(self, components: ComponentControl) -> None:
        """Answer ListComponents, RestartComponent, ... with what ``components`` says and does."""
        self._served.update(component_operations(components, self._configuration, self._authorizer))
        self._offer()

    def serve_deployments(self, desk: DeploymentDesk) -> None:
        """Answer CreateLocalDeployment, ... with what ``desk`` says and does."""
        self._served.update(deployment_operations(desk, self._authorizer))
        self._offer()

    def _offer(self) -> None:
        lite = self.personality.lite
        self.operations = lite_operations(self._served, self.broker, self._authorizer) if lite else dict(self._served)

    async def start(self) -> None:
        """Open the socket; IpcError when the path is too long, in use, or cannot be created."""
        path = self.socket_path
        length = len(os.fsencode(path))
        if length > MAX_SOCKET_PATH_BYTES:
            raise IpcError(
                f"socket path {path} has {length} bytes, the limit is {MAX_SOCKET_PATH_BYTES}; "
                "choose a shorter root folder"
            )
        self._remove_stale_socket()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_unix_server(lambda: self._connection(loop), str(path))
            path.chmod(0o666)
        except OSError as error:
            raise IpcError(f"socket {path} cannot be created: {error.strerror}") from error
        if not self.personality.lite:
            self._close_shadow_topics = serve_shadow_topics(self.broker, self.shadows, loop)
        _log.debug("listening on %s", path)

    async def stop(self) -> None:
        """Close the socket and every connection; nothing happens when it is not running."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        if self._close_shadow_topics is not None:
            self._close_shadow_topics()
        for connection in list(self._connections):
            connection.close()
        try:
            await asyncio.wait_for(server.wait_closed(), _STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            _log.warning("%s connections did not close in time", len(self._connections))
        self.socket_path.unlink(missing_ok=True)

    @property
    def dropped(self) -> int:
        """Events that slow subscribers never got, since the server was made."""
        return self._dropped + sum(connection.dropped for connection in self._connections)

    def describe(self) -> dict[str, Any]:
        """Return connections and counters, for diagnostics."""
        return {
            "connections": [connection.describe() for connection in self._connections],
            "subscriptions": self.broker.subscribers,
            "published": self.broker.published,
            "dropped": self.dropped,
        }

    # -- for connections

    def authenticate(self, token: str) -> str | None:
        """Return the component a token belongs to, None when it is not valid."""
        return self.tokens.component(token)

    def closed(self, connection: Connection, dropped: int) -> None:
        """Forget a connection that has ended."""
        self._connections.discard(connection)
        self._dropped += dropped

    def _connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        connection = Connection(self, loop)
        limit = self.personality.max_connections
        if limit is not None and len(self._connections) >= limit:
            _log.warning("a connection is refused: there are %d already", limit)
            connection.close()
        self._connections.add(connection)
        return connection

    def _close_connections_of(self, component: str) -> None:
        for connection in list(self._connections):
            if connection.component == component:
                connection.close()

    def _remove_stale_socket(self) -> None:
        try:
            if not stat.S_ISSOCK(self.socket_path.lstat().st_mode):
                raise IpcError(f"{self.socket_path} exists and is no socket; move it away")
        except FileNotFoundError:
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.socket_path))
            except ConnectionRefusedError:
                self.socket_path.unlink(missing_ok=True)
            except OSError as error:
                raise IpcError(f"socket {self.socket_path} cannot be taken over: {error.strerror}") from error
            else:
                raise IpcError(f"another nucleus listens on {self.socket_path}; stop it first")
