"""The states of a camera; importing them loads no models."""

from enum import Enum


class CameraState(str, Enum):
    """State of a camera. Words for people are in ``vedette.health.conditions``."""

    CONNECTING = "connecting"
    LIVE = "live"
    WRONG_PASSWORD = "wrong-password"
    PASSWORD_NEEDED = "password-needed"
    SECRET_UNAVAILABLE = "secret-unavailable"
    NAME_NOT_FOUND = "name-not-found"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NOT_FOUND = "not-found"
    BUSY = "busy"
    NOT_RTSP = "not-rtsp"
    NO_VIDEO = "no-video"
    UNSUPPORTED_CODEC = "unsupported-codec"
    NO_KEY_FRAME = "no-key-frame"
    STALLED = "stalled"
    LOST = "lost"
    ENDED = "ended"
    PAUSED = "paused"
    FAILED = "failed"
