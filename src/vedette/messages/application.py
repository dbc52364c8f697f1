"""Status of an application instance and of each of its output streams."""

from enum import Enum

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.message import Message


class ApplicationState(str, Enum):
    """State of an application instance."""

    PREPARING = "preparing"
    STARTING = "starting"
    WAITING = "waiting"
    RUNNING = "running"
    HUNG = "hung"
    CRASHED = "crashed"
    HELD_BACK = "held-back"
    FAILED = "failed"
    STOPPED = "stopped"


class ParameterStatus(BaseModel):
    """One parameter as the application sees it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="input port of the code package")
    node: str = Field(default="", description="parameter node of the graph")
    value: str | int | float | bool
    origin: str = Field(default="graph", description="graph, override, deployment or shadow")
    reads: int = Field(default=0, description="how often the application has read it since it started")
    type: str = Field(default="", description="string, int32, float32 or boolean; empty: the sender does not tell")
    title: str = Field(default="", description="the graph's decorator: what people call it")
    help: str = Field(default="", description="the graph's decorator: description, and constraint in words")


class PortStatus(BaseModel):
    """A port of the application that is open to the outside, or should be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    container_port: int = Field(description="as the application's code has it")
    host_port: int = Field(description="of the device")
    detail: str = Field(default="", description="why it could not be opened; empty: it is open")


class ApplicationStatus(Message):
    """What the application's host knows of it."""

    instance: str
    application: str
    state: ApplicationState
    detail: str = Field(default="", description="one sentence: last exception line and place, what is awaited, ...")
    since: float
    next_try_s: float | None = None
    restarts: int = 0
    errors: int = Field(default=0, description="exits and error reports since the host started (ApplicationErrors)")
    exit_code: int | None = None
    last_error: str = Field(default="", description="why it ended last; stays after it was started again")
    pid: int | None = Field(default=None, description="of the application's process on the host")
    sandbox: str = Field(default="", description="bubblewrap, or none")
    environment: str = Field(default="", description="which Python environment was chosen, and why")
    cameras: dict[str, list[str]] = Field(default_factory=dict, description="input port -> camera ids, in get() order")
    paused: list[str] = Field(default_factory=list, description="those camera ids that it is not to get frames of now")
    models: dict[str, str] = Field(default_factory=dict, description="model node -> model id")
    code_node: str = Field(default="", description="graph node of the code; empty: the sender does not tell")
    camera_nodes: dict[str, list[str]] = Field(default_factory=dict, description="camera node -> camera ids")
    output_nodes: dict[str, str] = Field(default_factory=dict, description="output port -> output node")
    outputs: list[str] = Field(default_factory=list, description="output ids")
    parameters: list[ParameterStatus] = Field(default_factory=list)
    ports: list[PortStatus] = Field(default_factory=list, description="ports that it has opened, by routing rules")
    fps: float | None = Field(default=None, description="put() a second over the last seconds")
    model_ms: float | None = Field(default=None, description="median of node.call as the application sees it")
    last_activity_at: float | None = Field(default=None, description="Unix time of the last get, call or put")
    waiting: bool = Field(default=False, description="whether it waits in get() or call() at present")

    @staticmethod
    def topic(instance: str) -> str:
        """Topic of one instance's status; ``+`` for all."""
        return f"vedette/application/{instance}/status"


class OutputStatus(Message):
    """One stream that an application puts on an output port: a tile on the page."""

    output_id: str = Field(description="<instance>.<port>.<stream>")
    instance: str
    application: str
    node: str = Field(description="output node of the graph the port is connected to")
    port: str
    stream: str = Field(description="stream_id of the frames: the camera's name")
    camera_id: str | None = None
    socket: str = Field(description="path of the output ring's socket")
    since: float
    fps: float | None = None
    frames: int = 0
    width: int | None = None
    height: int | None = None
    last_frame_at: float | None = None

    @staticmethod
    def topic(output_id: str) -> str:
        """Topic of one output stream's status; ``+`` for all."""
        return f"vedette/output/{output_id}/status"
