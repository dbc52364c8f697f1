"""Cameras and models as the bus tells of them, and the connections to them that sessions are given."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from vedette.messages import TTL_S, CameraState, CameraStatus, ModelState, ModelStatus
from vedette.rings import RingError, connect
from vedette_app_runtime import protocol
from vedette_app_runtime.sessions import Session
from vedette_app_runtime.wiring import Wiring

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S: Final = 0.5
_AGAIN_S: Final = 0.2
"""Not sooner after the last hand-over: an owner may close each connection at once."""

StatusT = TypeVar("StatusT", CameraStatus, ModelStatus)


@dataclass
class _Heard(Generic[StatusT]):
    status: StatusT
    at: float


class Board(Generic[StatusT]):
    """The last status of each camera (or model) that was heard of within TTL_S."""

    def __init__(self, model: type[StatusT], clock: Callable[[], float]) -> None:
        self._model: type[StatusT] = model
        self._clock = clock
        self._heard: dict[str, _Heard[StatusT]] = {}
        self.malformed = 0

    def hear(self, payload: bytes) -> None:
        """Take in a status from the bus; one that cannot be read is counted and passed over."""
        try:
            status = self._model.model_validate_json(payload)
        except ValidationError:
            if not self.malformed:
                logger.warning("a %s that cannot be read came over the bus", self._model.__name__)
            self.malformed += 1
            return
        key = status.camera_id if isinstance(status, CameraStatus) else status.model_id
        self._heard[key] = _Heard(status, self._clock())

    def get(self, key: str) -> StatusT | None:
        """Return the status if it was repeated recently."""
        heard = self._heard.get(key)
        return heard.status if heard is not None and self._clock() - heard.at <= TTL_S else None


class Links:
    """Gives each session the connections it lacks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.cameras: Board[CameraStatus] = Board(CameraStatus, clock)
        self.models: Board[ModelStatus] = Board(ModelStatus, clock)

    def serve(self, wiring: Wiring, sessions: Iterable[Session]) -> None:
        """Connect what can be connected and tell what cannot; called often, does nothing when nothing is missing."""
        for session in sessions:
            self._serve_cameras(wiring, session)
            self._serve_models(wiring, session)

    def camera_detail(self, camera_id: str) -> str:
        """Return what is known of a camera, for people."""
        status = self.cameras.get(camera_id)
        if status is None:
            return "vedette.CameraIngest does not answer"
        return f"{status.state.value}: {status.detail}" if status.detail else status.state.value

    def model_detail(self, model_id: str) -> str:
        """Return what is known of a model, for people."""
        status = self.models.get(model_id)
        if status is None:
            return "vedette.ModelInference does not answer"
        return f"{status.state.value}: {status.detail}" if status.detail else status.state.value

    def _serve_cameras(self, wiring: Wiring, session: Session) -> None:
        for camera in wiring.cameras:
            status = self.cameras.get(camera.camera_id)
            detail = self.camera_detail(camera.camera_id)
            uri = status.url if status is not None else ""
            state = protocol.CameraState(camera.index, camera.paused, detail, uri)
            if camera.paused:
                session.cameras.discard(camera.index)
                session.tell(camera.index, state)
                continue
            session.tell(camera.index, state)
            if camera.source.sub is not None and status is not None:
                self._serve_main(session, camera.index, status)
            if camera.index in session.cameras or status is None or not status.socket:
                continue
            packet = protocol.CameraSocket(camera.index, ahead=camera.source.pace == "fastest")
            if status.state != CameraState.PAUSED and self._hand_over(session, camera.index, packet, status.socket):
                session.cameras.add(camera.index)

    def _serve_main(self, session: Session, index: int, status: CameraStatus) -> None:
        """Tell whether there is a main stream to ask for, and connect to it once it shows pictures."""
        apart = status.stream == "sub"
        session.tell(("main", index), protocol.MainState(index, apart))
        main = status.main
        if not apart or main is None or main.state != CameraState.LIVE or not main.socket:
            return
        if index not in session.mains_wanted or index in session.mains:
            return
        if self._hand_over(session, ("main", index), protocol.MainSocket(index), main.socket):
            session.mains.add(index)

    def _serve_models(self, wiring: Wiring, session: Session) -> None:
        for model in wiring.models:
            status = self.models.get(model.model_id)
            if model.node in session.models:
                continue
            if status is not None and status.state == ModelState.READY and status.socket:
                if self._hand_over(session, model.node, protocol.ModelSocket(model.node), status.socket):
                    session.models.add(model.node)
                    session.told.pop(model.node, None)
                continue
            # A server that does not answer yet is no failure: it may be starting.
            state = "loading" if status is None else status.state.value
            detail = self.model_detail(model.model_id) if status is None else status.detail
            session.tell(model.node, protocol.ModelState(model.node, state, detail))

    def _hand_over(self, session: Session, key: object, packet: protocol.Packet, path: str) -> bool:
        """Connect to ``path`` and give the connection to the session; False when either does not work at present."""
        now = self._clock()
        if now - session.tried.get(key, -_AGAIN_S) < _AGAIN_S:
            return False
        session.tried[key] = now
        try:
            sock = connect(path, _CONNECT_TIMEOUT_S)
        except RingError as error:
            # Its owner was just restarted and does not listen yet; the next try, or its next status, finds it.
            logger.debug("%s", error)
            return False
        try:
            return session.send(packet, sock.fileno())
        finally:
            sock.close()
