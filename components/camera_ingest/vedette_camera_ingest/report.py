"""What a worker says of its camera: the fields of ``vedette.messages.CameraStatus`` that it knows."""

from dataclasses import asdict, dataclass
from typing import Any

from vedette.messages import CameraState


@dataclass(frozen=True)
class Report:
    """See ``CameraStatus`` for what each field means; ``users`` is for the main process to fill in."""

    camera_id: str
    name: str
    state: CameraState
    detail: str
    since: float
    next_try_s: float | None
    url: str
    socket: str
    coded_socket: str | None
    pid: int
    codec: str | None
    source_width: int | None
    source_height: int | None
    width: int | None
    height: int | None
    fps: float | None
    frames: int
    dropped: int
    decode_errors: int
    reconnects: int
    last_frame_at: float | None
    clock_behind_s: float | None
    decoder: str | None

    def document(self) -> dict[str, Any]:
        """Return the fields that are not None, ready for JSON."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {**fields, "state": self.state.value}
