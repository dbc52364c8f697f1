"""Status of the display: where the page is, who looks, how old the pictures are on screen."""

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.message import Message
from vedette.messages.monitor import UploadStatus


class ShownOutput(BaseModel):
    """How one output is shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    output_id: str
    viewers: int = 0
    fps: float | None = Field(default=None, description="pictures drawn a second by the viewer who draws most")
    latency_ms: float | None = Field(
        default=None, description="capture to drawn on screen, 95th percentile of the last seconds"
    )


class ScreenStatus(BaseModel):
    """The device's own screen."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = Field(description="showing; no-screen: nothing is connected; starting")
    detail: str = ""
    owner: str = Field(default="", description="application instance that has it")
    width: int = 0
    height: int = 0
    fps: float = 0.0


class DisplayStatus(Message):
    """What the display knows."""

    page: str = Field(description="address of the page")
    viewers: int = 0
    outputs: list[ShownOutput] = Field(default_factory=list)
    encoded: int = Field(default=0, description="pictures encoded since start; does not grow while nobody looks")
    encoder: str = Field(default="", description="of streams, clips and recordings: software, or the hardware's name")
    pid: int | None = None
    screen: ScreenStatus | None = Field(default=None, description="None: the screen is not used")
    uploads: list[UploadStatus] = Field(default_factory=list, description="video of outputs")

    @staticmethod
    def topic() -> str:
        """Topic of the display's status."""
        return "vedette/display/status"
