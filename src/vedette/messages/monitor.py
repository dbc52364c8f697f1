"""Status of the monitor: how what it sends to AWS gets there."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.message import Message


class UploadStatus(BaseModel):
    """One kind of what is sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: str = Field(description="logs, metrics, or video of an output or camera")
    service: Literal["CloudWatch", "Kinesis Video Streams"] = "CloudWatch"
    where: str = Field(
        default="", description="group of the device in CloudWatch, namespace, or stream of video; and the region"
    )
    since: float = Field(description="Unix time of the change to waiting, or from it, s")
    last_success_at: float | None = Field(default=None, description="Unix time, s; None: not since the start")
    last_error: str = Field(default="", description="why it waits on the device; empty while it does not")
    waiting: int = Field(default=0, description="bytes of logs or video, minutes of metrics")
    lost: int = Field(default=0, description="of these (of video: fragments), what was given up since the start")
    acknowledged: int | None = Field(default=None, description="fragments of video that AWS has, since the start")
    acknowledged_bytes: int | None = Field(default=None, description="of these")
    errors: int | None = Field(default=None, description="requests with video that failed, since the start")
    stream: str | None = Field(default=None, description="name of the stream of video")
    began_at: float | None = Field(default=None, description="Unix time of the start, s")


class InterfaceStatus(BaseModel):
    """One port of the device."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    mac: str = ""
    state: str = Field(description="CONNECTED or NOT_CONNECTED, as Panorama called a port with and without a cable")
    addresses: list[str] = Field(default_factory=list, description="with the length of the prefix: 192.0.2.7/24")
    mbps: int | None = Field(default=None, description="speed of the link")


class TimeStatus(BaseModel):
    """The device's clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = Field(description="CONNECTED: a time service sets it; NOT_CONNECTED")
    server: str = Field(default="", description="which one, where the time service tells")


class NetworkStatus(BaseModel):
    """The device's network."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    interfaces: list[InterfaceStatus] = Field(default_factory=list)
    uplink: str = Field(default="", description="name of the port that is the way out")
    time: TimeStatus | None = None


class MonitorStatus(Message):
    """What the monitor knows."""

    uploads: list[UploadStatus] = Field(default_factory=list)
    network: NetworkStatus | None = None
    pid: int | None = None

    @staticmethod
    def topic() -> str:
        """Topic of the monitor's status."""
        return "vedette/monitor/status"
