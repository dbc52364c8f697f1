"""Status of the monitor: how what it sends to AWS gets there."""

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.message import Message


class UploadStatus(BaseModel):
    """One kind of what is sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: str = Field(description="logs or metrics")
    where: str = Field(default="", description="group of the device in CloudWatch, or namespace; and the region")
    since: float = Field(description="Unix time of the change to waiting, or from it, s")
    last_success_at: float | None = Field(default=None, description="Unix time, s; None: not since the start")
    last_error: str = Field(default="", description="why it waits on the device; empty while it does not")
    waiting: int = Field(default=0, description="bytes of logs, minutes of metrics")
    lost: int = Field(default=0, description="of these, what was given up since the start")


class MonitorStatus(Message):
    """What the monitor knows."""

    uploads: list[UploadStatus] = Field(default_factory=list)
    pid: int | None = None

    @staticmethod
    def topic() -> str:
        """Topic of the monitor's status."""
        return "vedette/monitor/status"
