"""The health document: everything known of one device, as data (schema ``vedette.health/1``).

Ages and intervals are seconds before ``at``, so that a reader with another clock is not misled.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.health.conditions import Severity
from vedette.messages import NetworkStatus, ParameterStatus, PortStatus, ScreenStatus

SCHEMA = "vedette.health/1"
NodeState = Literal["RUNNING", "ERROR", "NOT_AVAILABLE", "PAUSED"]
InstanceState = Literal["RUNNING", "ERROR", "NOT_AVAILABLE"]


class Part(BaseModel):
    """What every part of the document tells of its state."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    state: str = Field(description="the sender's state, or not-reporting")
    words: str = Field(description="the state in a word or two, for tables")
    title: str = Field(description="the state as a headline")
    detail: str = Field(default="", description="one sentence with the facts")
    severity: Severity
    action: str = Field(default="", description="what helps, in a word")
    hint: str = Field(default="", description="the command for it")
    state_age_s: float = Field(default=0.0, description="since when the state lasts")


class MainStreamHealth(Part):
    """The main stream of a camera whose small one applications get; opened on demand."""

    url: str = Field(default="", description="without credentials")
    next_try_s: float | None = None
    width: int | None = Field(default=None, description="pixels, as delivered")
    height: int | None = None
    source_width: int | None = Field(default=None, description="pixels, as sent by the camera")
    source_height: int | None = None
    codec: str | None = None
    fps: float | None = None
    last_frame_age_s: float | None = None
    wanted_for: list[str] = Field(default_factory=list, description="why it is open: page, snapshot, clip, stream, ...")
    opened: int = Field(default=0, description="how often it was opened since the component started")


class CameraHealth(Part):
    """One camera: the stream that applications get."""

    camera_id: str
    name: str
    url: str = Field(default="", description="without credentials")
    next_try_s: float | None = None
    width: int | None = Field(default=None, description="pixels, as delivered to applications")
    height: int | None = None
    source_width: int | None = Field(default=None, description="pixels, as sent by the camera")
    source_height: int | None = None
    codec: str | None = None
    fps: float | None = None
    frames: int = 0
    dropped: int = 0
    decode_errors: int = 0
    reconnects: int = 0
    last_frame_age_s: float | None = None
    users: list[str] = Field(default_factory=list, description="application instances")
    stream: Literal["main", "sub"] = Field(default="main", description="which of its streams applications get")
    warning: str = Field(default="", description="why they get another one than they should; else empty")
    main: MainStreamHealth | None = Field(default=None, description="cameras with a small stream only")


class ModelHealth(Part):
    """One model."""

    model_id: str
    name: str
    provider: str | None = None
    load_s: float | None = None
    calls: int = 0
    errors: int = 0
    latency_ms: float | None = None
    calls_per_s: float | None = None
    users: list[str] = Field(default_factory=list, description="instance/node")


class NodeHealth(BaseModel):
    """One node of an application's graph, in the words of Panorama's ``NodeInstanceStatus``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["code", "camera", "model", "output"]
    health: NodeState


class ApplicationHealth(Part):
    """One application instance."""

    instance: str
    application: str
    health: InstanceState = Field(default="NOT_AVAILABLE", description="Panorama's HealthStatus of the instance")
    nodes: list[NodeHealth] = Field(default_factory=list, description="code, cameras, models, outputs of the graph")
    restarts: int = 0
    errors: int = 0
    exit_code: int | None = None
    last_error: str = Field(default="", description="why it ended last; stays after it was started again")
    next_try_s: float | None = None
    sandbox: str = ""
    environment: str = ""
    fps: float | None = None
    model_ms: float | None = None
    last_activity_age_s: float | None = None
    waiting: bool = Field(default=False, description="whether it waits for a frame or a model at present")
    cameras: dict[str, list[str]] = Field(default_factory=dict, description="input port -> camera ids")
    paused: list[str] = Field(default_factory=list, description="camera ids that it gets no frames of now")
    models: dict[str, str] = Field(default_factory=dict, description="model node -> model id")
    outputs: list[str] = Field(default_factory=list, description="output ids")
    ports: list[PortStatus] = Field(default_factory=list, description="ports of the device that it has opened")
    parameters: list[ParameterStatus] = Field(default_factory=list)


class OutputHealth(Part):
    """One output stream of an application."""

    output_id: str
    instance: str
    application: str
    port: str
    stream: str
    camera_id: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = Field(default=None, description="pictures a second put by the application")
    shown_fps: float | None = Field(default=None, description="pictures a second drawn by a viewer")
    latency_ms: float | None = Field(default=None, description="capture to drawn on screen, 95th percentile")
    viewers: int = 0
    last_frame_age_s: float | None = None


class DisplayHealth(BaseModel):
    """The page. Its address is without the access key: the document goes to the device shadow too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page: str
    viewers: int = 0
    encoded: int = 0
    screen: ScreenStatus | None = None
    encoder: str = Field(default="", description="of streams, clips and recordings: software, or the hardware's name")


class ComponentHealth(BaseModel):
    """A component as the nucleus sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: str = Field(description="the nucleus's own: RUNNING, FINISHED, ERRORED, BROKEN, ...")
    version: str = ""
    detail: str = ""


class DeploymentHealth(Part):
    """The deployment that is under way, or the last one that this device was told of."""

    deployment_id: str
    name: str = ""


class UploadHealth(Part):
    """What is sent to AWS for as long as it is there: logs, metrics, video."""

    what: str = Field(description="logs, metrics, or video of an output or camera")
    where: str = Field(default="", description="in CloudWatch, or the stream; and the region")
    last_success_age_s: float | None = Field(default=None, description="None: not since its start")
    waiting: int = Field(default=0, description="bytes of logs or video, minutes of metrics that wait on the device")
    lost: int = Field(default=0, description="given up since its start; of video: fragments")
    acknowledged: int | None = Field(default=None, description="fragments of video that AWS has, since its start")


class Problem(BaseModel):
    """Something that needs attention."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    kind: Literal["camera", "model", "application", "output", "component", "deployment", "upload"]
    subject: str = Field(description="name for people")
    subject_id: str
    words: str
    title: str
    detail: str = ""
    hint: str = ""


class Summary(BaseModel):
    """The whole in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    words: str
    problems: int = 0


class HealthDocument(BaseModel):
    """Everything known of one device."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_id: Literal["vedette.health/1"] = Field(default="vedette.health/1", alias="schema")
    at: datetime = Field(description="UTC")
    summary: Summary
    problems: list[Problem] = Field(description="the cause nearest the camera first")
    cameras: list[CameraHealth]
    models: list[ModelHealth]
    applications: list[ApplicationHealth]
    outputs: list[OutputHealth]
    display: DisplayHealth | None = None
    components: list[ComponentHealth] = Field(default_factory=list)
    deployment: DeploymentHealth | None = None
    uploads: list[UploadHealth] = Field(default_factory=list, description="empty: nothing is sent")
    network: NetworkStatus | None = Field(default=None, description="None: no monitor")

    def to_json(self) -> str:
        """Return the document as JSON, with the key ``schema`` and without the fields that are None."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
