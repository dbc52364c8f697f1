"""The one table of words: what a state is called, how bad it is, and what helps.

The page, ``vedette status``, ``vedette camera test``, the problem bar and the device shadow all take their words from
here, so that a wrong password is called the same everywhere. ``{...}`` in a title or hint is a fact of the case.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from vedette.messages import ApplicationState, CameraState, DeploymentState, ModelState


class Severity(str, Enum):
    """How much a state needs somebody's attention; ordered from nothing to most."""

    OK = "ok"
    INFO = "info"
    BUSY = "busy"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for OK up to 4 for ERROR."""
        return list(Severity).index(self)


class OutputState(str, Enum):
    """State of an application's output stream, judged by its pictures."""

    LIVE = "live"
    WAITING = "waiting"
    STALLED = "stalled"
    SILENT = "not-reporting"


class Condition(NamedTuple):
    """The words for one state.

    ``short``: for tables and the problem bar. ``title``: bold on the tile. ``detail``: said when the sender gave none.
    ``action``: what to do, in a word; ``hint``: the command for it. ``retry``: how the time to the next try is told.
    ``patience_s``: a BUSY state that lasts longer is a WARNING.
    """

    short: str
    title: str
    severity: Severity
    action: str = ""
    hint: str = ""
    detail: str = ""
    retry: str = "Next try in {retry_s} s"
    patience_s: float | None = None


_TEST: Final = ("Test camera", "vedette camera test {camera}")
_LOG: Final = ("Log", "vedette logs {instance}")

CAMERAS: Final[Mapping[CameraState, Condition]] = {
    CameraState.CONNECTING: Condition(
        "connecting", "Connecting… {age_s} s", Severity.BUSY, *_TEST, patience_s=10.0
    ),
    CameraState.LIVE: Condition("live", "Live", Severity.OK),
    CameraState.WRONG_PASSWORD: Condition(
        "wrong password", "Wrong user name or password", Severity.ERROR, *_TEST,
        detail="The camera refused the login",
    ),
    CameraState.PASSWORD_NEEDED: Condition(
        "password needed", "This camera wants a password", Severity.ERROR, *_TEST,
        detail="No secret is named for this camera",
    ),
    CameraState.SECRET_UNAVAILABLE: Condition(
        "secret not available", "The camera's secret is not available", Severity.ERROR, "Check secret",
        "vedette doctor", detail="The secret with user name and password could not be read",
    ),
    CameraState.NAME_NOT_FOUND: Condition(
        "name not found", "Camera unreachable", Severity.ERROR, *_TEST, detail="Its host name was not found"
    ),
    CameraState.UNREACHABLE: Condition(
        "unreachable", "Camera unreachable", Severity.ERROR, *_TEST, detail="No answer for {age_s} s"
    ),
    CameraState.REFUSED: Condition(
        "refused", "Camera unreachable", Severity.ERROR, *_TEST, detail="It refused the port: is RTSP switched on?"
    ),
    CameraState.NOT_FOUND: Condition(
        "no such stream", "No stream at {path}", Severity.ERROR, "Edit camera", _TEST[1],
        detail="The camera answered 404",
    ),
    CameraState.BUSY: Condition(
        "busy", "Camera is busy", Severity.ERROR, *_TEST, detail="It answered 453: too many viewers"
    ),
    CameraState.NOT_RTSP: Condition(
        "not RTSP", "This is not an RTSP camera", Severity.ERROR, *_TEST,
        detail="Something answers at this address, but it does not speak RTSP",
    ),
    CameraState.NO_VIDEO: Condition(
        "no video", "No video in this stream", Severity.ERROR, "Edit camera", _TEST[1],
        detail="The stream holds sound or data only",
    ),
    CameraState.UNSUPPORTED_CODEC: Condition(
        "unsupported codec", "{codec} is not supported", Severity.ERROR, "Edit camera", _TEST[1],
        detail="Set the camera to H.264, H.265 or MJPEG",
    ),
    CameraState.NO_KEY_FRAME: Condition(
        "waiting for a key frame", "Waiting for a key frame, {age_s} s", Severity.BUSY, "How to", _TEST[1],
        detail="Video arrives, but no complete picture yet. Set the camera's I-frame interval to 1–2 s"
        " and switch off H.264+/H.265+",
        patience_s=4.0,
    ),
    CameraState.STALLED: Condition(
        "stalled", "No new picture for {picture_age_s} s", Severity.ERROR, *_TEST, detail="Still connected"
    ),
    CameraState.LOST: Condition(
        "connection lost", "Connection to the camera lost", Severity.ERROR, *_TEST, detail="The camera hung up"
    ),
    CameraState.ENDED: Condition("ended", "The recording has ended", Severity.INFO, detail="It does not repeat"),
    CameraState.PAUSED: Condition("paused", "Paused", Severity.INFO, detail="The application does not want it now"),
    CameraState.FAILED: Condition("failed", "The camera's worker failed", Severity.ERROR, "Log", "vedette logs"),
}  # fmt: skip
MAIN_CLOSED: Final = Condition("closed", "Closed", Severity.INFO, detail="Opened when somebody looks")
MAIN_BARRED: Final = Condition("not opened", "The main stream is not opened", Severity.WARNING, *_TEST)
SUB_MISSING: Final = Condition(
    "no small stream", "Applications get the main stream", Severity.WARNING, "Edit camera", _TEST[1]
)

CAMERA_SILENT: Final = Condition(
    "not reporting", "Nothing is heard of camera {camera}", Severity.ERROR, "Log", "vedette logs",
    detail="vedette.CameraIngest has said nothing of it for {age_s} s",
)  # fmt: skip

MODELS: Final[Mapping[ModelState, Condition]] = {
    ModelState.LOADING: Condition(
        "loading", "Loading model {model}", Severity.BUSY, "Log", "vedette logs", "{age_s} s so far", patience_s=120.0
    ),
    ModelState.READY: Condition("ready", "Ready", Severity.OK),
    ModelState.FAILED: Condition("failed", "Model {model} cannot be used", Severity.ERROR, "Log", "vedette logs"),
}

MODEL_SILENT: Final = Condition(
    "not reporting", "Nothing is heard of model {model}", Severity.ERROR, "Log", "vedette logs",
    detail="vedette.ModelInference has said nothing of it for {age_s} s",
)  # fmt: skip

APPLICATIONS: Final[Mapping[ApplicationState, Condition]] = {
    ApplicationState.PREPARING: Condition(
        "installing", "Installing requirements, {age_s} s", Severity.BUSY, *_LOG, patience_s=900.0
    ),
    ApplicationState.STARTING: Condition(
        "starting", "Starting {application}", Severity.BUSY, *_LOG, "{age_s} s so far", patience_s=60.0
    ),
    ApplicationState.WAITING: Condition(
        "waiting", "{application} is waiting", Severity.BUSY, *_LOG, "For its cameras and models, {age_s} s so far",
        patience_s=60.0,
    ),
    ApplicationState.RUNNING: Condition("running", "{application} is running", Severity.OK),
    ApplicationState.HUNG: Condition("hung", "{application} hangs", Severity.ERROR, *_LOG),
    ApplicationState.CRASHED: Condition(
        "crashed", "{application} crashed", Severity.ERROR, *_LOG, retry="Restarting in {retry_s} s"
    ),
    ApplicationState.HELD_BACK: Condition(
        "keeps crashing", "{application} keeps crashing", Severity.ERROR, *_LOG
    ),
    ApplicationState.FAILED: Condition("failed", "{application} cannot start", Severity.ERROR, *_LOG),
    ApplicationState.STOPPED: Condition("stopped", "{application} is stopped", Severity.INFO),
}  # fmt: skip

APPLICATION_ENDED: Final = Condition(
    "ended", "{application} ended (exit 0)", Severity.ERROR, *_LOG,
    detail="Applications should not end", retry="Restarting in {retry_s} s",
)  # fmt: skip
"""CRASHED with exit code 0: many Panorama applications end so after a bare ``except``."""

APPLICATION_SILENT: Final = Condition(
    "not reporting", "Nothing is heard of {application}", Severity.ERROR, *_LOG,
    detail="Its component has said nothing for {age_s} s",
)  # fmt: skip

PAUSED_FOR_ONE: Final = Condition(
    "paused", "Paused", Severity.INFO, "Resume", "vedette camera resume {instance} {camera}",
    "{instance} gets no pictures of {camera} until it is resumed",
)  # fmt: skip
"""Of an application that has paused a camera: others may go on with it."""

OUTPUTS: Final[Mapping[OutputState, Condition]] = {
    OutputState.LIVE: Condition("live", "Live", Severity.OK),
    OutputState.WAITING: Condition(
        "waiting for the first picture", "Waiting for the first picture", Severity.BUSY, *_LOG,
        "{application} runs, but has put nothing on {port} for {age_s} s", patience_s=30.0,
    ),
    OutputState.STALLED: Condition(
        "no new picture", "No new picture for {picture_age_s} s", Severity.WARNING, *_LOG,
        "{application} runs, but puts nothing on {port}",
    ),
    OutputState.SILENT: Condition(
        "not reporting", "Nothing is heard of this output", Severity.BUSY, *_LOG,
        "{application} has said nothing of it for {age_s} s", patience_s=10.0,
    ),
}  # fmt: skip

DEPLOYMENTS: Final[Mapping[DeploymentState, Condition]] = {
    DeploymentState.QUEUED: Condition(
        "update waits", "An update waits", Severity.BUSY, detail="{deployment}, for {age_s} s", patience_s=3600.0
    ),
    DeploymentState.IN_PROGRESS: Condition(
        "updating", "Updating this device", Severity.BUSY, detail="{deployment}, {age_s} s so far", patience_s=1800.0
    ),
    DeploymentState.DONE: Condition("updated", "The last update is over", Severity.OK, detail="{deployment}"),
    DeploymentState.SUCCEEDED: Condition("updated", "The last update succeeded", Severity.OK, detail="{deployment}"),
    DeploymentState.FAILED: Condition(
        "update failed", "The last update failed", Severity.WARNING, "Log", "vedette logs", detail="{deployment}"
    ),
    DeploymentState.CANCELED: Condition(
        "update canceled", "The last update was canceled", Severity.INFO, detail="{deployment}"
    ),
}
UPLOADED: Final = Condition("sent", "Sent to {service}", Severity.OK)
UPLOAD_WAITS: Final = Condition(
    "waiting on this device", "{what} do not reach CloudWatch", Severity.BUSY, "Log", "vedette logs DeviceMonitor",
    patience_s=300.0,
)  # fmt: skip
VIDEO_WAITS: Final = Condition(
    "not uploaded", "{what} does not reach Kinesis Video Streams", Severity.BUSY, "Log", "vedette logs",
    patience_s=30.0,
)  # fmt: skip
"""Sooner than logs: those wait on the disk, of video only the last seconds do."""

COMPONENTS: Final[Mapping[str, Condition]] = {
    "BROKEN": Condition(
        "broken", "{component} is broken", Severity.ERROR, "Log", "vedette logs",
        "It failed three times in an hour; the nucleus starts it no more until it is deployed or restarted",
    ),
    "ERRORED": Condition("errored", "{component} failed", Severity.WARNING, "Log", "vedette logs"),
}  # fmt: skip
"""States of the nucleus that need attention; every other one needs none."""


class Words(NamedTuple):
    """A condition with the facts of one case filled in."""

    short: str
    title: str
    detail: str
    severity: Severity
    action: str
    hint: str


def describe(
    condition: Condition, facts: Mapping[str, object], *, age_s: float, detail: str = "", retry_s: float | None = None
) -> Words:
    """Fill the facts into a condition's words.

    ``age_s``: since when the state lasts. ``detail``: the sender's own sentence, which goes before the table's.
    ``retry_s``: seconds to the next try, told behind the detail.
    """
    known = _Facts({"age_s": round(max(0.0, age_s)), **facts})
    sentence = (detail or condition.detail.format_map(known)).strip()
    if retry_s is not None and retry_s >= 0.5:
        retry = condition.retry.format(retry_s=max(1, round(retry_s)))
        sentence = sentence.rstrip(".")
        sentence = f"{sentence}{'' if sentence.endswith('?') else '.'} {retry}" if sentence else retry
    severity = condition.severity
    if severity is Severity.BUSY and condition.patience_s is not None and age_s > condition.patience_s:
        severity = Severity.WARNING
    hint = condition.hint.format_map(known).strip()
    return Words(condition.short, condition.title.format_map(known), sentence, severity, condition.action, hint)


class _Facts(dict[str, object]):
    """Facts by name; one that is not known reads as nothing rather than failing the whole document."""

    def __missing__(self, key: str) -> str:
        return {"codec": "This codec", "path": "this address"}.get(key, "")
