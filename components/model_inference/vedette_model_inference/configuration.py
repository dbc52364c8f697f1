"""The component's configuration, read once at its start."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vedette_model_inference.errors import ConfigurationError
from vedette_model_inference.providers import AUTO

_NOT_OURS = ("accessControl",)
"""Keys that the nucleus keeps in a component's configuration for itself."""


class Configuration(BaseModel):
    """Keys as in the recipe's DefaultConfiguration."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="logLevel")
    threads: int = Field(0, ge=0, le=256, description="processor threads of one model's run; 0: half the cores, 1 to 4")
    spinning: bool = Field(
        False, description="let idle threads of a run spin: 2 threads ran 8 % faster for 40 % more processor time"
    )
    providers: tuple[str, ...] = Field(
        (AUTO,),
        min_length=1,
        description="ONNX Runtime's execution providers, first choice first; auto: TensorRT, CUDA, OpenVINO, CPU, "
        "whatever works here",
    )
    fp16: bool = Field(False, description="let TensorRT and OpenVINO compute in FP16")
    engine_cache: str = Field(
        "engines", alias="engineCache", description="folder in which TensorRT's engines are kept; empty: not kept"
    )
    unload_after_s: float = Field(
        30.0, ge=0, alias="unloadAfterS", description="seconds a model stays loaded after its last user went"
    )
    slots: int = Field(4, ge=1, le=64, description="calls one application may have under way at once, per model")
    max_call_megabytes: int = Field(
        512, ge=1, alias="maxCallMegabytes", description="shared memory one application may have per model, MiB"
    )
    max_batch: int = Field(
        8, ge=1, le=64, alias="maxBatch", description="calls that one run may answer, where the model can; 1: never"
    )
    batch_wait_ms: float = Field(
        2.0,
        ge=0,
        le=1000,
        alias="batchWaitMs",
        description="how long a call waits for those of other applications that called within the last half second",
    )
    verify: bool = Field(True, description="load a file never seen before in a process of its own first")
    verify_timeout_s: float = Field(300.0, gt=0, alias="verifyTimeoutS", description="seconds that may take")

    def engine_folder(self) -> Path | None:
        """Return the folder of TensorRT's engines; relative ones lie in the component's own."""
        return Path(self.engine_cache).absolute() if self.engine_cache else None

    def lanes(self) -> int:
        """Return how many calls of one model may be run side by side."""
        return min(self.runs_at_once(), self.max_batch)

    def runs_at_once(self) -> int:
        """Return how many models may compute at once: as many as their threads fit the cores."""
        return max(1, len(os.sched_getaffinity(0)) // self.thread_count())

    def thread_count(self) -> int:
        """Return the threads of one model's run.

        Half the cores, at most 4: the other half decodes cameras, and beyond 4 threads the models of this trade (224
        to 640 pixels) gain little.
        """
        return self.threads or max(1, min(4, len(os.sched_getaffinity(0)) // 2))


def read_configuration(document: dict[str, Any]) -> Configuration:
    """Return the configuration in ``document``, as the nucleus gives it.

    :raises ConfigurationError: naming each key that is wrong.
    """
    try:
        return Configuration.model_validate({key: value for key, value in document.items() if key not in _NOT_OURS})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationError(f"configuration of vedette.ModelInference: {faults}") from error
