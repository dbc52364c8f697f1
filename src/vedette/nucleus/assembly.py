"""Puts the parts of a nucleus together, on its event loop."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import vedette
from vedette.nucleus.bootstrapped import Bootstrapped
from vedette.nucleus.cloud_side import CloudSide
from vedette.nucleus.configuration import ConfigurationStore
from vedette.nucleus.deploying import Deployer
from vedette.nucleus.effective_config import write_effective_config
from vedette.nucleus.environment import base_environment
from vedette.nucleus.events import ComponentOutput, Events
from vedette.nucleus.guard import Guard
from vedette.nucleus.iot_link import IotSettings
from vedette.nucleus.ipc import IpcServer, Personality
from vedette.nucleus.keeping import Keeping
from vedette.nucleus.limits import ControlGroups
from vedette.nucleus.local_deployments import LocalDeployments
from vedette.nucleus.plan import ComponentPlan
from vedette.nucleus.planner import Planner
from vedette.nucleus.recipe import Platform
from vedette.nucleus.root import Root
from vedette.nucleus.secrets import SecretStore
from vedette.nucleus.shadows import ShadowStore
from vedette.nucleus.states import ComponentState
from vedette.nucleus.steps import StepRunner
from vedette.nucleus.store import ComponentStore
from vedette.nucleus.supervisor import Supervisor
from vedette.nucleus.token_exchange import Lend, TokenExchange
from vedette.nucleus.view import ComponentView

__all__ = ["Parts", "Settings", "assemble"]


@dataclass(frozen=True)
class Settings:
    """What a nucleus was made with."""

    run_id: str
    thing_name: str
    region: str
    personality: Personality
    secrets_file: Path | None
    environment: Mapping[str, str] | None
    iot: IotSettings | None
    synchronised_shadows: Sequence[str]
    lend: Lend | None = None


@dataclass(frozen=True)
class Parts:
    """The parts that run; ``cloud`` is None without a connection to IoT Core, ``exchange`` without credentials."""

    ipc: IpcServer
    supervisor: Supervisor
    deployer: Deployer
    local_deployments: LocalDeployments
    cloud: CloudSide | None
    exchange: TokenExchange | None


async def assemble(
    settings: Settings,
    *,
    root: Root,
    socket: Path,
    store: ComponentStore,
    configuration: ConfigurationStore,
    events: Events,
    guard: Guard,
    keeping: Keeping,
    stopping: threading.Event,
    wait_running: Callable[[Sequence[str], float], None],
) -> Parts:
    """Make the parts and open the IPC socket.

    :param stopping: set when the nucleus stops
    :param wait_running: waits until components are up; LifecycleError when one breaks
    :raises NucleusError: if the socket cannot be opened, or the thing's certificate not be used
    """
    lite = settings.personality.lite
    shadows = ShadowStore(root.shadows)
    supervisor: Supervisor | None = None

    def report(component: str, state: str) -> None:
        if supervisor is not None:
            supervisor.report(component, ComponentState(state))

    ipc = IpcServer(
        socket,
        configuration=configuration,
        secrets=SecretStore(settings.secrets_file),
        shadows=shadows,
        thing_name=settings.thing_name,
        on_state=report,
        personality=settings.personality,
    )
    exchange, credentials = None, None
    if settings.lend is not None:

        def entitled(component: str) -> bool:
            plan = None if supervisor is None else supervisor.plans().get(component)
            return plan is not None and plan.exchanges_tokens

        exchange = TokenExchange(settings.lend, component=ipc.tokens.component, entitled=entitled)
        credentials = await exchange.start()
    supervisor = Supervisor(
        runner=_runner(settings, root, socket, events, guard, credentials),
        tokens=ipc.tokens,
        events=events,
        bootstrapped=Bootstrapped(keeping.path("bootstrap.json")),
    )
    deployer = Deployer(
        planner=Planner(
            root=root.path,
            store=store,
            configuration=configuration,
            thing_name=settings.thing_name,
            platform=Platform.of_this_machine(settings.personality.runtime, strict=lite),
            lite=lite,
            lends=exchange is not None,
        ),
        configuration=configuration,
        supervisor=supervisor,
        updates=ipc.updates,
        validation=ipc.validation,
        loop=asyncio.get_running_loop(),
        stopped=stopping,
        kept=keeping.store,
        applied=_writer(settings, root, configuration),
    )

    def views() -> Sequence[ComponentView]:
        return supervisor.views()

    desk = LocalDeployments(
        deployer=deployer,
        store=store,
        wait_running=wait_running,
        views=views,
        records=keeping.records,
        changed=keeping.keep_records,
        rolls_back=not lite,
        runs_with=os.geteuid() == 0 and not lite,
    )
    ipc.serve_components(supervisor)
    ipc.serve_deployments(desk)
    cloud = None
    try:
        await ipc.start()
        if settings.iot is not None:
            cloud = CloudSide(settings.iot, settings.thing_name, ipc)
            cloud.start(settings.synchronised_shadows, shadows, keeping.path("shadow_sync.json"))
    except BaseException:
        desk.close()
        await ipc.stop()
        if exchange is not None:
            await exchange.stop()
        raise
    return Parts(ipc, supervisor, deployer, desk, cloud, exchange)


def _runner(
    settings: Settings, root: Root, socket: Path, events: Events, guard: Guard, credentials: str | None
) -> StepRunner:
    return StepRunner(
        run_id=settings.run_id,
        environment=base_environment(
            run_id=settings.run_id,
            socket=socket,
            thing_name=settings.thing_name,
            region=settings.region,
            version=vedette.__version__,
            extra=settings.environment,
            lite=settings.personality.lite,
        ),
        logs=root.logs,
        guard=guard,
        groups=None if settings.personality.lite else ControlGroups(settings.run_id),
        reached=(socket.parent, root.work),
        credentials=credentials,
        output=lambda component, stream, line: events.emit(ComponentOutput(component, stream, line)),
    )


def _writer(
    settings: Settings, root: Root, configuration: ConfigurationStore
) -> Callable[[Sequence[ComponentPlan]], None]:
    """Return what writes ``effectiveConfig.yaml``; nucleus lite has no such file."""

    def write(plans: Sequence[ComponentPlan]) -> None:
        if not settings.personality.lite:
            write_effective_config(
                root.path,
                plans,
                configuration,
                thing_name=settings.thing_name,
                region=settings.region,
                version=vedette.__version__,
            )

    return write
