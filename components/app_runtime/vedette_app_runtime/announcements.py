"""What the host says on the bus: demands for cameras and models, statuses of the application and its outputs."""

import logging
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from vedette.application import ParameterValue
from vedette.bus import Bus, BusError, BusLost
from vedette.messages import MAX_BYTES, ApplicationStatus, CameraDemand, ModelDemand, OutputStatus
from vedette.messages.message import Message
from vedette_app_runtime.wiring import Wiring

logger = logging.getLogger(__name__)

_SHORT_VALUE_CHARACTERS = 60
_DETAIL_CHARACTERS = 500


class Announcements:
    """Publishes for one instance."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.unsent = 0
        self._demanded: set[tuple[str, str]] = set()
        self._mains: set[str] = set()

    def demand(self, wiring: Wiring, *, cameras: bool, mains: AbstractSet[int] = frozenset()) -> None:
        """Repeat the demands; ``cameras`` False, or a paused camera, withdraws that camera's once.

        :param mains: cameras, by their index, whose main stream the application wants
        """
        wanted: set[tuple[str, str]] = set()
        for camera in wiring.cameras:
            if cameras and not camera.paused:
                wanted.add((camera.camera_id, camera.node))
        for camera in wiring.cameras:
            key = (camera.camera_id, camera.node)
            if key in wanted or key in self._demanded:
                demand = CameraDemand(
                    source=camera.source, instance=wiring.instance, node=camera.node, wanted=key in wanted
                )
                self._publish(CameraDemand.topic(camera.camera_id), demand)
        self._demanded = wanted
        self._demand_mains(wiring, mains if cameras else frozenset())
        for model in wiring.models:
            self._publish(ModelDemand.topic(model.model_id), wiring.model_demand(model))

    def withdraw(self, wiring: Wiring) -> None:
        """Say that neither cameras nor models are wanted any more."""
        for camera in wiring.cameras:
            if (camera.camera_id, camera.node) in self._demanded:
                demand = CameraDemand(source=camera.source, instance=wiring.instance, node=camera.node, wanted=False)
                self._publish(CameraDemand.topic(camera.camera_id), demand)
        self._demanded = set()
        self._demand_mains(wiring, frozenset())
        for model in wiring.models:
            self._publish(ModelDemand.topic(model.model_id), wiring.model_demand(model, wanted=False))

    def _demand_mains(self, wiring: Wiring, indices: AbstractSet[int]) -> None:
        """Repeat the demands for main streams, and withdraw each once."""
        sources = {camera.camera_id: camera.source for camera in wiring.cameras}
        wanted = {
            camera.camera_id for camera in wiring.cameras if camera.index in indices and camera.source.sub is not None
        }
        for camera_id in sorted((wanted | self._mains) & sources.keys()):
            demand = CameraDemand(
                source=sources[camera_id],
                instance=wiring.instance,
                node=f"application {wiring.instance}",
                wanted=camera_id in wanted,
                main=True,
            )
            self._publish(CameraDemand.topic(camera_id), demand)
        self._mains = wanted

    def status(self, status: ApplicationStatus) -> None:
        """Tell the application's state, shortened where it would not fit into a message."""
        self._publish(ApplicationStatus.topic(status.instance), fitting(status))

    def outputs(self, statuses: Iterable[OutputStatus]) -> None:
        """Tell the state of each output stream."""
        for status in statuses:
            self._publish(OutputStatus.topic(status.output_id), status)

    def _publish(self, topic: str, message: Message) -> None:
        payload = message.encode()
        if len(payload) > MAX_BYTES:
            logger.error("a message of %d bytes for %s was not sent: at most %d fit", len(payload), topic, MAX_BYTES)
            return
        try:
            self._bus.publish(topic, payload)
        except BusLost:
            raise
        except BusError as error:
            # Everything here is repeated every second; once is enough for the log.
            if not self.unsent:
                logger.warning("a message could not be sent on %s: %s", topic, error)
            self.unsent += 1


def fitting(status: ApplicationStatus) -> ApplicationStatus:
    """Return the status so that it fits: without help, long texts shortened, then the last parameters left out."""
    if len(status.encode()) <= MAX_BYTES:
        return status
    parameters = [each.model_copy(update={"help": "", "value": _short(each.value)}) for each in status.parameters]
    update = {
        "parameters": parameters,
        "detail": status.detail[:_DETAIL_CHARACTERS],
        "environment": status.environment[:_DETAIL_CHARACTERS],
    }
    status = status.model_copy(update=update)
    while len(status.encode()) > MAX_BYTES and status.parameters:
        status = status.model_copy(update={"parameters": status.parameters[:-1]})
    return status


def _short(value: ParameterValue) -> ParameterValue:
    if isinstance(value, str) and len(value) > _SHORT_VALUE_CHARACTERS:
        return value[:_SHORT_VALUE_CHARACTERS] + "…"
    return value
