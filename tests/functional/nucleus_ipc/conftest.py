"""A local nucleus's IPC server on a real socket, and the unmodified SDK client against it."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from awsiot.greengrasscoreipc import connect
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2

from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.ipc import JAVA, IpcServer, Personality
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore

THING = "bench-1"
EVERYTHING = {
    service: {f"{service}:all": {"operations": ["*"], "resources": ["*"]}}
    for service in (
        "aws.greengrass.ipc.pubsub",
        "aws.greengrass.SecretManager",
        "aws.greengrass.ShadowManager",
        "aws.greengrass.ipc.mqttproxy",
    )
}


@dataclass
class Nucleus:
    """An IpcServer on a thread of its own, with its stores."""

    folder: Path
    personality: Personality = JAVA
    configuration: ConfigurationStore = field(default_factory=ConfigurationStore)
    states: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.secrets_file = self.folder / "secrets.json"
        self.socket_path = self.folder / self.personality.socket_name
        self.shadows = ShadowStore(self.folder / "shadows")
        self.server = IpcServer(
            self.socket_path,
            configuration=self.configuration,
            secrets=SecretStore(self.secrets_file),
            shadows=self.shadows,
            thing_name=THING,
            on_state=lambda component, state: self.states.append((component, state)),
            personality=self.personality,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nucleus", daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(5)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def on_loop(self, function: Callable[[], Any]) -> Any:
        """Run a function on the server's thread and return what it returns."""

        async def call() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(5)

    def on_loop_async(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the server's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    def token(self, component: str, access: dict[str, Any] | None = None, **configuration: Any) -> str:
        """Make a component known (by default it may do everything) and return its token."""
        policies = EVERYTHING if access is None else access
        self.configuration.set_defaults(component, {"accessControl": policies, **configuration})
        token: str = self.on_loop(lambda: self.server.tokens.issue(component))
        return token


@pytest.fixture
def personality() -> Personality:
    """Which nucleus is under test; overridden where both are."""
    return JAVA


@pytest.fixture
def nucleus(personality: Personality) -> Iterator[Nucleus]:
    """A running nucleus; its socket lies in a short folder, as the limit of 107 bytes demands."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as folder:
        running = Nucleus(Path(folder), personality)
        running.start()
        yield running
        running.stop()


Client = Callable[..., GreengrassCoreIPCClientV2]


@pytest.fixture
def client(nucleus: Nucleus) -> Iterator[Client]:
    """``client("component", access=None, **configuration)``: a connected SDK client of a component."""
    clients: list[GreengrassCoreIPCClientV2] = []

    def make(
        component: str, access: dict[str, Any] | None = None, *, token: str | None = None, **configuration: Any
    ) -> GreengrassCoreIPCClientV2:
        token = token or nucleus.token(component, access, **configuration)
        raw = connect(ipc_socket=str(nucleus.socket_path), authtoken=token, timeout=20)
        made = GreengrassCoreIPCClientV2(raw, executor=ThreadPoolExecutor(max_workers=1))
        clients.append(made)
        return made

    yield make
    for made in clients:
        made.close(executor_wait=True)
