"""How an upload does."""

from enum import Enum
from typing import NamedTuple


class UploadState(Enum):
    """States of an upload."""

    IDLE = "idle"
    """There are no pictures."""
    CONNECTING = "connecting"
    SENDING = "sending"
    WAITING = "waiting"
    """For the next try, after something that may pass by itself."""
    REFUSED = "refused"
    """For somebody who mends something."""


class UploadReport(NamedTuple):
    """One upload, as status and page tell it."""

    stream: str
    region: str
    state: UploadState
    since: float
    """Unix time of the last change between well and not well, s."""
    last_success_at: float | None
    """Unix time at which AWS acknowledged something last, s."""
    last_error: str
    """Empty while it is well."""
    sent: int
    """Fragments, with those sent again."""
    acknowledged: int
    acknowledged_bytes: int
    errors: int
    """Requests that failed."""
    began_at: float
    """Unix time at which these counts were 0, s."""
    dropped: int
    """Fragments that had to make room, or that AWS does not take."""
    waiting_bytes: int
    """Not acknowledged."""
