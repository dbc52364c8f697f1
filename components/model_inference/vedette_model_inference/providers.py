"""Which of ONNX Runtime's execution providers run a model: the best that the device has, each tried in earnest.

A provider that ONNX Runtime was built with need not work here: no GPU, no driver, another version of CUDA. So one
after the other is tried, best first, and the CPU is always the last.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger(__name__)

AUTO: Final = "auto"
CPU: Final = "CPUExecutionProvider"
BEST_FIRST: Final = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    CPU,
)
_NEEDS_CUDA: Final = frozenset({"TensorrtExecutionProvider", "CUDAExecutionProvider"})
_NVIDIA: Final = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/nvmap")

Provider = tuple[str, dict[str, Any]]


class ProviderMissing(Exception):
    """A provider was asked for by name that this ONNX Runtime does not have."""


def candidates(wanted: Sequence[str], available: Sequence[str], *, nvidia: bool) -> list[str]:
    """Return the providers to try, best first.

    :param wanted: names, or ``auto`` for whatever there is
    :param available: what ONNX Runtime was built with
    :param nvidia: whether the device has an NVIDIA GPU
    :raises ProviderMissing: for a name that is not available
    """
    if AUTO not in wanted:
        for name in wanted:
            if name not in available:
                raise ProviderMissing(f"this ONNX Runtime has no {name}, only {', '.join(available)}: see `providers`")
        return list(wanted)
    found = [name for name in BEST_FIRST if name in available and (nvidia or name not in _NEEDS_CUDA)]
    return found if CPU in found else [*found, CPU]


def has_nvidia() -> bool:
    """Tell whether there is an NVIDIA GPU, discrete or a Jetson's."""
    return any(Path(device).exists() for device in _NVIDIA)


def options(name: str, *, threads: int, cache: Path | None, fp16: bool) -> dict[str, Any]:
    """Return the options that a provider gets.

    :param cache: folder for engines that take minutes to build; not kept where None
    :param fp16: compute in FP16 where the provider can
    """
    if name == "TensorrtExecutionProvider":
        kept: dict[str, Any] = {}
        if cache is not None:
            kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(cache),
                    "trt_timing_cache_enable": "1", "trt_timing_cache_path": str(cache)}  # fmt: skip
        return {"trt_fp16_enable": "1" if fp16 else "0", **kept}
    if name == "CUDAExecutionProvider":
        # The default grows in powers of two and never gives back: applications with a GPU of their own need the rest.
        return {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
    if name == "OpenVINOExecutionProvider":
        # Left alone it chooses bf16 on newer processors, which moves scores by up to 0.03.
        return {"device_type": "CPU", "num_of_threads": str(threads), "precision": "FP16" if fp16 else "FP32"}
    return {}


def attempts(names: Sequence[str]) -> list[list[str]]:
    """Return the lists of providers to open a model with, one after the other until one works.

    Each list ends with the CPU, which takes the operators that the others do not know.
    """
    tries = [[*names[start:]] for start in range(len(names))]
    return [each if each[-1] == CPU else [*each, CPU] for each in tries]
