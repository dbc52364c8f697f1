"""Model demands (which model an application calls) and model status."""

from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vedette.messages.message import Message


class Tensor(BaseModel):
    """Name, element type (numpy's name) and shape of one model input or output; -1 or a name = free dimension."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    dtype: str | None = None
    shape: list[int | str] | None = None


class ModelDemand(Message):
    """An application wants to call this model; repeated every REPEAT_S, withdrawn by silence or ``wanted=False``."""

    model_id: str = Field(description="16 hex digits: hash of the model file and its descriptor")
    path: str = Field(description="absolute path of the model file on this device")
    format: Literal["onnx", "tflite"] = "onnx"
    inputs: list[Tensor] = Field(default_factory=list, description="as descriptor.json declares them; may be empty")
    frames: dict[str, Any] | None = Field(default=None, description="preprocess.json, for calls with a frame")
    instance: str
    node: str
    wanted: bool = True

    @staticmethod
    def topic(model_id: str) -> str:
        """Topic of the demands for one model; ``+`` for all."""
        return f"vedette/model/{model_id}/demand"


class ModelState(str, Enum):
    """State of a model."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class ModelStatus(Message):
    """What ModelInference knows of one model."""

    model_id: str
    name: str = Field(description="file name without folder, for people")
    state: ModelState
    detail: str = ""
    since: float
    socket: str | None = Field(default=None, description="path of the call socket, once ready")
    pid: int | None = None
    provider: str | None = Field(default=None, description="execution provider, e.g. CPU")
    inputs: list[Tensor] = Field(default_factory=list)
    outputs: list[Tensor] = Field(default_factory=list)
    load_s: float | None = None
    calls: int = 0
    errors: int = 0
    latency_ms: float | None = Field(default=None, description="median of the session run over the last calls")
    calls_per_s: float | None = None
    queue: int = 0
    batch: float | None = Field(default=None, description="calls answered by one run, mean of the last runs")
    users: list[str] = Field(default_factory=list, description="instance/node that want it")

    @staticmethod
    def topic(model_id: str) -> str:
        """Topic of one model's status; ``+`` for all."""
        return f"vedette/model/{model_id}/status"
