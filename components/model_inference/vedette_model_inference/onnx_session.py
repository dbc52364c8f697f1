"""ONNX Runtime, with the settings this component wants."""

import copy
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import onnxruntime

from vedette.rings.calls import TensorSpec
from vedette_model_inference.configuration import Configuration
from vedette_model_inference.errors import LoadError, first_line
from vedette_model_inference.providers import AUTO, CPU, ProviderMissing, attempts, candidates, has_nvidia, options
from vedette_model_inference.session import Array, RunError

logger = logging.getLogger(__name__)

_DTYPES = {
    "tensor(bool)": "bool", "tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(int16)": "int16",
    "tensor(uint16)": "uint16", "tensor(int32)": "int32", "tensor(uint32)": "uint32", "tensor(int64)": "int64",
    "tensor(uint64)": "uint64", "tensor(float16)": "float16", "tensor(float)": "float32", "tensor(double)": "float64",
}  # fmt: skip


class OnnxSession:
    """A model in ONNX Runtime.

    :raises LoadError: when ONNX Runtime does not take the file, or it has inputs or outputs that are not plain tensors.
    """

    def __init__(self, path: Path, configuration: Configuration) -> None:
        available = onnxruntime.get_available_providers()
        try:
            names = candidates(configuration.providers, available, nvidia=has_nvidia())
        except ProviderMissing as error:
            raise LoadError(str(error)) from error
        self._session = _open(path, configuration, names)
        self.inputs = _specs(path, self._session.get_inputs())
        self.outputs = _specs(path, self._session.get_outputs())
        self.provider = str(self._session.get_providers()[0]).removesuffix("ExecutionProvider")
        # One run does not fill several cores: four apart take less time than four behind one another.
        self.concurrent = self.provider == "CPU"
        self._run_options = onnxruntime.RunOptions()
        self._turn: AbstractContextManager[Any] = nullcontext() if self.concurrent else threading.Lock()

    def run(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """See :class:`Session`."""
        try:
            with self._turn:
                outputs: Sequence[Array] = self._session.run(None, dict(inputs), self._run_options)
        except Exception as error:
            raise RunError(first_line(error)) from error
        return outputs

    def bind(self, inputs: Mapping[str, Array], outputs: Sequence[Array]) -> Callable[[], None] | None:
        """See :class:`Session`; with the CPU's provider alone, others have their own memory."""
        if not self.concurrent or any(not array.size for array in (*inputs.values(), *outputs)):
            return None
        binding = self._session.io_binding()
        try:
            for name, array in inputs.items():
                binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
            for spec, array in zip(self.outputs, outputs, strict=True):
                binding.bind_output(spec.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        # As in _open: no common base.
        except Exception as error:  # noqa: BLE001
            logger.debug("cannot bind a call's memory: %s", first_line(error))
            return None
        run, options = self._session.run_with_iobinding, self._run_options

        def bound() -> None:
            try:
                run(binding, options)
            except Exception as error:
                raise RunError(first_line(error)) from error

        return bound

    def interrupt(self) -> None:
        """See :class:`Session`; no later run succeeds either."""
        self._run_options.terminate = True

    def share(self) -> "OnnxSession":
        """See :class:`Session`."""
        other = copy.copy(self)
        other._run_options = onnxruntime.RunOptions()  # noqa: SLF001 - its own kind
        return other


def _options(configuration: Configuration) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = configuration.thread_count()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    spinning = "1" if configuration.spinning else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Measured with NanoDet int8, 1 thread, process after 60 runs: as delivered 95 MB and 13.9 ms, without memory
    # patterns 88 MB and 13.3 ms; without the arena 102 MB and 13.6 ms, and giving pages back at each run 25.6 ms.
    options.enable_mem_pattern = False
    # Warnings are one line a tensor for some converters' files; errors reach us as exceptions.
    options.log_severity_level = 3
    return options


def _open(path: Path, configuration: Configuration, names: Sequence[str]) -> Any:
    """Open the model with the best provider that takes it.

    :raises LoadError: when not even the last one does; its reason is the CPU's, which says most about the file
    """
    cache = configuration.engine_folder()
    reason = ""
    for providers in attempts(names):
        chosen = [
            (name, options(name, threads=configuration.thread_count(), cache=cache, fp16=configuration.fp16))
            for name in providers
        ]
        try:
            session = onnxruntime.InferenceSession(str(path), _options(configuration), providers=chosen)
        # ONNX Runtime's errors derive from Exception itself, one class each; none of them has a common base.
        except Exception as error:  # noqa: BLE001
            reason = _reason(error, path)
            logger.warning("%s does not run %s: %s", providers[0], path.name, reason)
            continue
        got = session.get_providers()[0]
        if got != providers[0] and AUTO not in configuration.providers:
            logger.warning("%s was asked for and does not work here, %s runs %s", providers[0], got, path.name)
        # A provider that cannot work leaves the list without an error: what is left may lack the next best.
        if got == CPU and providers[0] != CPU and len(providers) > 2:
            continue
        return session
    raise LoadError(f"ONNX Runtime does not take {path.name}: {reason}")


def _specs(path: Path, nodes: Sequence[Any]) -> tuple[TensorSpec, ...]:
    specs = []
    for node in nodes:
        if node.type not in _DTYPES:
            raise LoadError(f"{path.name} has {node.name!r} of type {node.type}: only tensors of numbers can be passed")
        shape = tuple(-1 if dimension is None else dimension for dimension in node.shape)
        specs.append(TensorSpec(node.name, _DTYPES[node.type], shape))
    return tuple(specs)


def _reason(error: Exception, path: Path) -> str:
    """ONNX Runtime's reason in one line, without the path that every one of them repeats."""
    return first_line(error).replace(f"Load model from {path} failed:", "").strip()
