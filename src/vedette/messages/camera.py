"""Camera demands (who wants frames of which camera) and camera status."""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.camera_state import CameraState
from vedette.messages.message import Message


class CameraSource(BaseModel):
    """Where a camera's video comes from. Holds no credentials, only the name of the secret that does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="camera name, shown to people and given to applications as stream_id")
    url: str = Field(
        default="",
        description="rtsp://, rtsps://, http:// or https:// URL without credentials, or the path of a video file,"
        " a folder of images or a device",
    )
    secret: str | None = Field(
        default=None,
        description="Secrets Manager name or ARN of {Username, Password, StreamUrl}; its URL serves when url is empty",
    )
    transport: Literal["tcp", "udp"] = "tcp"
    pace: Literal["own", "fastest"] = Field(
        default="own",
        description="files only: at the file's own frame rate, or as fast as the readers take frames",
    )
    loop: bool = Field(default=True, description="files only: start again at the end")
    max_fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="pictures a second at most; what is not needed for them is not decoded. Folders of images and"
        " cameras that send one image a request: this many, 1 when not given",
    )
    sub: str | None = Field(
        default=None,
        description="small stream of the same camera, with the same login, as url: applications get it, and url's"
        " stream, the main one, is opened on demand. Empty: SubStreamUrl of the secret. None: there is none",
    )
    sub_missing: Literal["main"] | None = Field(
        default=None,
        description="cameras with sub: main: give applications the main stream where the camera has no small one;"
        " None: wait for it",
    )

    @property
    def camera_id(self) -> str:
        """Name plus 8 hex digits of the definition: equal sources share one session, whoever asks (CAM-06)."""
        # Cameras that were named before there were substreams keep their names.
        later = {name for name in ("sub", "sub_missing") if getattr(self, name) is None}
        digest = hashlib.sha256(self.model_dump_json(exclude=later).encode()).hexdigest()[:8]
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.name)[:48]
        return f"{safe}-{digest}"


class CameraDemand(Message):
    """Somebody wants this camera's frames; repeated every REPEAT_S, withdrawn by silence or ``wanted=False``."""

    source: CameraSource
    instance: str = Field(description="application instance that asks, or component")
    node: str = Field(description="camera node of its graph; main stream: what for")
    wanted: bool = Field(default=True, description="False: the node is paused or the application stops")
    main: bool = Field(
        default=False, description="the main stream of a camera with a small one; else the one that applications get"
    )

    @staticmethod
    def topic(camera_id: str) -> str:
        """Topic of the demands for one camera; ``+`` for all."""
        return f"vedette/camera/{camera_id}/demand"


class MainStreamStatus(BaseModel):
    """The main stream of a camera whose small one applications get."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: CameraState = Field(default=CameraState.PAUSED, description="paused: closed, nobody wants it")
    detail: str = ""
    since: float = Field(description="Unix time of the change to this state, s")
    next_try_s: float | None = None
    url: str = Field(default="", description="without credentials")
    socket: str | None = Field(default=None, description="path of its ring's socket; None while it is closed")
    pid: int | None = None
    codec: str | None = None
    width: int | None = Field(default=None, description="as delivered: at most 2 megapixels")
    height: int | None = None
    source_width: int | None = None
    source_height: int | None = None
    fps: float | None = None
    frames: int = 0
    decode_errors: int = 0
    last_frame_at: float | None = None
    decoder: str | None = None
    wanted_for: list[str] = Field(default_factory=list, description="why it is open: page, snapshot, clip, stream, ...")
    opened: int = Field(default=0, description="how often it was opened since the component started")


class CameraStatus(Message):
    """What CameraIngest knows of one camera: of the stream that applications get, and beside it of the main one."""

    camera_id: str
    name: str
    state: CameraState
    detail: str = Field(default="", description="one sentence with the facts: host, port, answer; never a credential")
    since: float = Field(description="Unix time of the change to this state, s")
    next_try_s: float | None = Field(default=None, description="seconds until the next attempt, while waiting for it")
    url: str = Field(default="", description="without credentials")
    socket: str | None = Field(default=None, description="path of the ring's socket; None while no worker runs")
    coded_socket: str | None = Field(
        default=None, description="path of the socket of its coded pictures, as it sends them"
    )
    pid: int | None = None
    codec: str | None = None
    source_width: int | None = None
    source_height: int | None = None
    width: int | None = Field(default=None, description="as delivered: at most 2 megapixels")
    height: int | None = None
    fps: float | None = Field(default=None, description="frames decoded a second over the last seconds")
    frames: int = 0
    dropped: int = Field(default=0, description="frames not written because every slot was leased")
    decode_errors: int = 0
    reconnects: int = 0
    last_frame_at: float | None = Field(default=None, description="Unix time of the newest frame, s")
    decoder: str | None = Field(default=None, description="what decodes, for people: software, NVDEC (NVIDIA)")
    clock_behind_s: float | None = Field(
        default=None, description="the camera's clock against this device's, the way here included; None: not told"
    )
    users: list[str] = Field(default_factory=list, description="application instances that want it")
    stream: Literal["main", "sub"] = Field(default="main", description="which of its streams applications get")
    warning: str = Field(default="", description="why applications get another stream than they should; else empty")
    main: MainStreamStatus | None = Field(default=None, description="cameras with a small stream only")

    @staticmethod
    def topic(camera_id: str) -> str:
        """Topic of one camera's status; ``+`` for all."""
        return f"vedette/camera/{camera_id}/status"
