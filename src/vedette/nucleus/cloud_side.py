"""What a nucleus has of AWS: the connection to IoT Core and the shadows that it keeps equal with AWS's."""

from collections.abc import Sequence
from pathlib import Path

from vedette.nucleus.iot_link import IotLink, IotSettings
from vedette.nucleus.ipc import IpcServer
from vedette.nucleus.shadow_sync import ShadowSync
from vedette.nucleus.shadows import ShadowStore

__all__ = ["CloudSide"]


class CloudSide:
    """Belongs to the event loop's thread, ``state`` excepted."""

    def __init__(self, settings: IotSettings, thing: str, ipc: IpcServer) -> None:
        self._ipc = ipc
        self._thing = thing
        self._link = IotLink(settings, thing, ipc.iot_core.deliver, self._changed)
        self._sync: ShadowSync | None = None

    @property
    def state(self) -> str:
        """Return the state of the connection in words."""
        return self._link.state

    @property
    def connected(self) -> bool:
        """Tell whether there is a connection now."""
        return self._link.connected

    def start(self, shadow_names: Sequence[str], store: ShadowStore, path: Path | None) -> None:
        """Begin to connect and to synchronise; ``path`` keeps what was agreed on.

        :raises NucleusError: if certificate or key cannot be used
        """
        self._ipc.iot_core.carrier = self._link
        self._link.start()
        if shadow_names:
            self._sync = ShadowSync(
                self._thing,
                shadow_names,
                store=store,
                shadows=self._ipc.shadows,
                broker=self._ipc.broker,
                iot_core=self._ipc.iot_core,
                path=path,
            )
            self._sync.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._sync is not None:
            self._sync.stop()
        await self._link.stop()

    def _changed(self) -> None:
        if self._sync is not None:
            self._sync.connection_changed(connected=self._link.connected)
