"""What the display tells the screen to show, as one line of JSON; and what the screen tells back. No I/O."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class SceneTile(BaseModel):
    """One picture. Empty ``title``: nothing is known to be wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    socket: str | None = None
    severity: str = "ok"
    title: str = ""
    detail: str = ""


class Scene(BaseModel):
    """Everything that is to be seen. Without tiles: the test pattern with ``title`` and ``detail``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    owner: str = ""
    title: str = ""
    detail: str = ""
    notice: str = Field(default="", description="a line over the tiles: an update is under way")
    tiles: list[SceneTile] = Field(default_factory=list)


class Report(BaseModel):
    """How the screen does. ``no-screen``: nothing is connected, or nothing can be drawn on it; it is tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Literal["no-screen", "showing"]
    detail: str = ""
    driver: str = ""
    width: int = 0
    height: int = 0
    fps: float = Field(default=0.0, description="pictures shown a second, of all tiles")
