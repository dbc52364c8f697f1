"""Whether the converted model computes what the original does, on the same inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vedette.conversion.errors import ProofFailed

Array = npt.NDArray[Any]

TOLERANCE: Final = 1e-3
"""Largest difference that passes, as a part of the output's range."""
_SORTING: Final = frozenset({"NonMaxSuppression", "TopK", "Where", "Loop"})
_MATCHED: Final = 0.98
"""So much of sorted results has to be found again: near ties may change places or fall over the edge of a list."""


@dataclass(frozen=True)
class OutputDifference:
    """How far one output is from the original's, over all samples."""

    name: str
    shape: tuple[int, ...]
    largest: float
    span: float
    """The original's largest value less its smallest."""

    @property
    def relative(self) -> float:
        """The difference as a part of the range; infinite where a number is not one."""
        return self.largest / self.span if self.span > 0 else (0.0 if self.largest == 0 else float("inf"))


@dataclass(frozen=True)
class Proof:
    """What the comparison found."""

    samples: int
    outputs: tuple[OutputDifference, ...]
    sorted_rows: float | None = None
    """Part of the results sorted by score that was found again, in any order; None where it was not needed."""

    @property
    def largest(self) -> float:
        """The largest relative difference of any output."""
        return max((output.relative for output in self.outputs), default=0.0)

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Tell whether the result may stand for the original."""
        return self.largest <= tolerance or (self.sorted_rows is not None and self.sorted_rows >= _MATCHED)

    def words(self) -> str:
        """Say it in a few words."""
        if self.sorted_rows is not None:
            return (
                f"{self.samples} inputs compared, {self.sorted_rows:.1%} of the sorted results equal within {TOLERANCE}"
            )
        return f"{self.samples} inputs compared, largest difference {self.largest:.1e} of the range"

    def document(self, tolerance: float = TOLERANCE) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "samples": self.samples,
            "tolerance": tolerance,
            "largestDifference": self.largest,
            "sortedRows": self.sorted_rows,
            "words": self.words(),
            "outputs": [{**asdict(output), "relative": output.relative} for output in self.outputs],
        }


def read_reference(path: Path) -> tuple[list[dict[str, Array]], list[list[Array]]]:
    """Return samples and the original's outputs as the converter's program wrote them."""
    samples: dict[int, dict[str, Array]] = {}
    outputs: dict[int, dict[int, Array]] = {}
    with np.load(path) as stored:
        for key in stored.files:
            kind, number, name = key.split("/", 2)
            if kind == "in":
                samples.setdefault(int(number), {})[name] = stored[key]
            else:
                outputs.setdefault(int(number), {})[int(name)] = stored[key]
    ordered = sorted(samples)
    return [samples[n] for n in ordered], [[outputs[n][i] for i in sorted(outputs.get(n, {}))] for n in ordered]


def open_model(path: Path, threads: int = 0) -> Any:
    """Return an ONNX Runtime session on the CPU.

    :raises ProofFailed: if the engine does not take the model
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ProofFailed(f"ONNX Runtime does not take the converted model: {_line(error)}") from error


def run_model(path: Path, samples: Sequence[Mapping[str, Array]]) -> tuple[list[str], list[list[Array]]]:
    """Return the names of the outputs and what the model gives for each sample.

    :raises ProofFailed: if the engine does not take the model or fails
    """
    session = open_model(path)
    outputs = []
    for sample in samples:
        try:
            outputs.append([np.asarray(value) for value in session.run(None, dict(sample))])
        except Exception as error:
            raise ProofFailed(f"the converted model does not run: {_line(error)}") from error
    return [output.name for output in session.get_outputs()], outputs


def compare(
    names: Sequence[str],
    original: Sequence[Sequence[Array]],
    result: Sequence[Sequence[Array]],
    operators: Sequence[str] = (),
) -> Proof:
    """Compare outputs sample by sample.

    :param operators: the model's; where it sorts (non-maximum suppression), results are looked for in any order, too
    :raises ProofFailed: if there are more or fewer outputs, or their shapes differ
    """
    wanted, got = len(original[0]), len(result[0])
    if wanted != got:
        raise ProofFailed(f"the original has {wanted} outputs, the converted model {got}: {', '.join(names)}")
    found = []
    for index, name in enumerate(names):
        pairs = [(a[index], b[index]) for a, b in zip(original, result, strict=True)]
        free = bool(_SORTING & set(operators))
        for a, b in pairs:
            if a.shape != b.shape and not (free and a.ndim == b.ndim):
                raise ProofFailed(f"output {name} has the shape {list(b.shape)}, the original's is {list(a.shape)}")
        found.append(_difference(name, pairs))
    proof = Proof(len(original), tuple(found))
    if proof.largest > TOLERANCE and _SORTING & set(operators):
        return Proof(len(original), tuple(found), _found_again(original, result))
    return proof


def _difference(name: str, pairs: Sequence[tuple[Array, Array]]) -> OutputDifference:
    largest, low, high = 0.0, np.inf, -np.inf
    for a, b in pairs:
        if a.shape != b.shape:
            largest = float("inf")
            continue
        if not a.size:
            continue
        one, other = a.astype(np.float64), b.astype(np.float64)
        if (np.isnan(one) != np.isnan(other)).any():
            largest = float("inf")
        with np.errstate(invalid="ignore"):
            gap = np.abs(one - other)
        gap[one == other] = 0
        largest = max(largest, float(np.nanmax(gap)) if not np.isnan(gap).all() else 0.0)
        finite = one[np.isfinite(one)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    span = high - low if high > low else (abs(high) if np.isfinite(high) and high != 0 else 1.0)
    return OutputDifference(name, tuple(int(size) for size in pairs[0][1].shape), largest, span)


def _found_again(original: Sequence[Sequence[Array]], result: Sequence[Sequence[Array]]) -> float:
    """Return the part of the original's rows for which the result has an equal row at any place.

    Rows are what outputs have in common: (1, 100, 4), (1, 100), (1, 100, 1) are 100 rows of six numbers.
    """
    total = matched = 0
    for a, b in zip(original, result, strict=True):
        rows, others = _rows(a), _rows(b)
        if rows is None or others is None or rows.shape[1] != others.shape[1]:
            return 0.0
        span = np.maximum(rows.max(0, initial=0) - rows.min(0, initial=0), 1e-6)
        total += len(rows)
        for row in rows:
            gaps = (np.abs(others - row) / span).max(1, initial=0)
            matched += bool(len(gaps)) and bool(gaps.min() <= TOLERANCE)
    return matched / total if total else 1.0


def _rows(outputs: Sequence[Array]) -> Array | None:
    several = [value for value in outputs if value.ndim >= 2 and value.shape[0] == 1]
    if not several:
        return None
    count = several[0].shape[1]
    parts = [value.reshape(count, -1) for value in several if value.shape[1] == count]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
