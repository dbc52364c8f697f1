"""From a raw model to a proven ONNX file, once for each content."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.conversion.environments import Progress
from vedette.conversion.errors import ConversionError, ConversionFailed, ProofFailed
from vedette.conversion.folders import cache_folder
from vedette.conversion.frameworks import Framework
from vedette.conversion.parting import parting_words
from vedette.conversion.pictures import write_pictures
from vedette.conversion.proof import TOLERANCE, Proof, compare, read_reference, run_model
from vedette.conversion.raw_model import RawModel, read_raw_model
from vedette.conversion.tool import InOwnEnvironment, RunTool
from vedette.conversion.toolchains import CONVERTERS, ONNX, Toolchain

SCHEMA: Final = "vedette.conversion/1"
_REVISION: Final = "1"
"""Raised when the same converter gives another result than before."""


@dataclass(frozen=True)
class DeclaredInput:
    """An input as descriptor.json has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as the programs take it."""
        return {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}


@dataclass(frozen=True)
class Wanted:
    """What a model is converted to."""

    inputs: tuple[DeclaredInput, ...] = ()
    precision: str = "FP32"
    """FP32 or FP16, as the descriptor's ``precisionMode``."""
    outputs: tuple[str, ...] = ()
    """Operators of a frozen graph that are its outputs; those that nothing uses where empty."""
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Converted:
    """A model that was converted and proved."""

    path: Path
    record: Path
    """JSON beside it: source, converter, comparison."""
    document: dict[str, Any]
    cached: bool

    def words(self) -> str:
        """Say what was done, in one line."""
        proof, source = self.document["proof"], self.document["source"]
        text = f"{source['words']} to ONNX"
        if proof is not None:
            text += f", {proof['words']}"
        if self.document["precision"]["mode"] == "FP16":
            text += ", weights in FP16"
        return text + (", from cache" if self.cached else "")


class Converter:
    """Converts models; results are kept below ``cache`` by content, so that nothing is converted twice."""

    def __init__(self, cache: Path | None = None, run_tool: RunTool | None = None) -> None:
        self._cache = cache_folder() if cache is None else cache
        self._run_tool: RunTool = run_tool or InOwnEnvironment(self._cache)

    def convert(self, path: Path, wanted: Wanted, progress: Progress, *, fresh: bool = False) -> Converted:
        """Convert the model in ``path``: a file, a folder, or an archive of assets/.

        :param fresh: convert again, whatever is kept
        :raises ConversionError: why it cannot be converted; nothing is kept then
        """
        with tempfile.TemporaryDirectory(prefix="vedette-model-") as folder:
            work = Path(folder)
            model = read_raw_model(path, work / "unpacked")
            try:
                return self._converted(model, wanted, work, progress, fresh=fresh)
            except OSError as error:
                raise ConversionFailed(f"{error.filename or path}: {error.strerror}") from error

    def kept(self, path: Path, wanted: Wanted) -> Converted | None:
        """Return the result of an earlier conversion, or None.

        :raises vedette.conversion.errors.UnknownModel: if there is no model in ``path``
        """
        with tempfile.TemporaryDirectory(prefix="vedette-model-") as folder:
            return self._read(self._place(read_raw_model(path, Path(folder)), wanted))

    def _converted(self, model: RawModel, wanted: Wanted, work: Path, progress: Progress, *, fresh: bool) -> Converted:
        place = self._place(model, wanted)
        kept = None if fresh else self._read(place)
        if kept is not None:
            return kept
        began = time.monotonic()
        document = self._make(model, wanted, work, progress)
        document["seconds"] = round(time.monotonic() - began, 1)
        self._keep(work / "model.onnx", document, place, anew=fresh)
        made = self._read(place)
        if made is None:
            raise ConversionFailed(f"the result cannot be kept in {place}")
        return Converted(made.path, made.record, made.document, cached=False)

    def _make(self, model: RawModel, wanted: Wanted, work: Path, progress: Progress) -> dict[str, Any]:
        toolchain = CONVERTERS.get(model.framework)
        raw, reference = model.main, work / "reference.npz"
        rename: dict[str, str] = {}
        record: Callable[[], None] | None = None
        if toolchain is not None:
            raw = work / "raw.onnx"
            pictures = work / "pictures.npy"
            request = {
                "framework": model.framework.value,
                "main": str(model.main.absolute()),
                "other": str(model.other.absolute()) if model.other is not None else "",
                "inputs": [item.document() for item in wanted.inputs],
                "outputs": list(wanted.outputs),
                "output": str(raw),
                "reference": str(reference),
                "pictures": str(pictures) if write_pictures(pictures) else "",
            }
            said = self._run_tool(toolchain, request, work, progress)
            rename = said.get("rename") or {}

            def record() -> None:
                progress("running the original again, to see where the difference begins")
                asked = {**request, "options": {"values": str(work / "values.npz")}, "output": str(work / "again.onnx")}
                self._run_tool(toolchain, asked, work, lambda _: None)

        shapes = _constant_shapes(reference) if toolchain is not None else []
        finished = self._finish(raw, rename, shapes, wanted, work, progress)
        proof, free = self._prove(model, finished, record, wanted, work, progress)
        result = work / "free.onnx" if free else work / "fixed.onnx"
        precision = self._precision(result, wanted, reference if toolchain is not None else None, work, progress)
        return {
            "schema": SCHEMA,
            "source": {"name": model.name, "framework": model.framework.value, "words": model.words,
                       "sha256": model.sha256()},
            "converter": list(toolchain.requirements) if toolchain is not None else [],
            "inputs": finished["inputs"],
            "outputs": finished["outputs"],
            "batch": "free" if free or _is_free(finished) else "fixed",
            "proof": proof.document(wanted.tolerance) if proof is not None else None,
            "precision": precision,
        }  # fmt: skip

    def _finish(
        self,
        raw: Path,
        rename: dict[str, str],
        shapes: list[list[int]],
        wanted: Wanted,
        work: Path,
        progress: Progress,
    ) -> dict[str, Any]:
        request = {
            "framework": "onnx",
            "main": str(raw.absolute()),
            "inputs": [item.document() for item in wanted.inputs],
            "output": str(work / "fixed.onnx"),
            "reference": "",
            "options": {
                "step": "finish",
                "rename": rename,
                "output_shapes": shapes,
                "free_batch": str(work / "free.onnx"),
            },
        }
        return self._run_tool(ONNX, request, work, progress)

    def _prove(
        self,
        model: RawModel,
        finished: dict[str, Any],
        record: Callable[[], None] | None,
        wanted: Wanted,
        work: Path,
        progress: Progress,
    ) -> tuple[Proof | None, bool]:
        """Return the comparison with the original, None for ONNX itself; and whether the free batch holds, too.

        :param record: writes values.npz, what flows inside of the original; None for ONNX, which has no other original
        """
        operators = finished["operators"]
        if record is None:
            samples = _samples_of(finished, wanted)
            _, original = run_model(work / "fixed.onnx", samples)
            return None, finished["free_batch"] and _batch_holds(work / "free.onnx", samples, original, operators)
        progress("comparing with the original")
        samples, original = read_reference(work / "reference.npz")
        names, result = run_model(work / "fixed.onnx", samples)
        proof = compare(names, original, result, operators)
        if not proof.holds(wanted.tolerance):
            worst = max(proof.outputs, key=lambda output: output.relative)
            raise ProofFailed(
                f"the converted model does not compute what the {model.words} does: output {worst.name} differs by "
                f"{worst.largest:.3g}, {worst.relative:.1e} of its range, allowed {wanted.tolerance:.0e}"
                f"{self._parting(record, wanted.tolerance, work)}",
                "`--tolerance` allows more; the file was not kept",
            )
        return proof, finished["free_batch"] and _batch_holds(work / "free.onnx", samples, result, operators)

    def _parting(self, record: Callable[[], None], tolerance: float, work: Path) -> str:
        try:
            record()
        except ConversionError:
            # Converted once already: what keeps it from a second time is not what is to be told.
            return ""
        if not (work / "values.npz").exists():
            return ""
        sources = {"values": str(work / "values.npz"), "sample": str(work / "reference.npz")}
        return parting_words(self._run_tool, work / "fixed.onnx", work, sources, limit=tolerance)

    def _precision(
        self, model: Path, wanted: Wanted, reference: Path | None, work: Path, progress: Progress
    ) -> dict[str, Any]:
        target = work / "model.onnx"
        if wanted.precision != "FP16":
            shutil.copyfile(model, target)
            return {"mode": "FP32"}
        request = {
            "framework": "onnx",
            "main": str(model),
            "output": str(target),
            "reference": "",
            "options": {"step": "fp16"},
        }
        try:
            self._run_tool(ONNX, request, work, progress)
        except ConversionFailed as error:
            shutil.copyfile(model, target)
            return {"mode": "FP32", "warning": f"precisionMode FP16 has no effect: {error}"}
        loss = None
        if reference is not None:
            samples, _ = read_reference(reference)
            names, full = run_model(model, samples)
            loss = compare(names, full, run_model(target, samples)[1]).largest
        sizes = (model.stat().st_size, target.stat().st_size)
        return {"mode": "FP16", "loss": loss, "bytes": sizes[1], "bytesFP32": sizes[0]}

    def _place(self, model: RawModel, wanted: Wanted) -> Path:
        toolchain = CONVERTERS.get(model.framework)
        said = {
            "revision": _REVISION,
            "model": model.sha256(),
            "inputs": [item.document() for item in wanted.inputs],
            "outputs": list(wanted.outputs),
            "precision": wanted.precision,
            "tolerance": wanted.tolerance,
            "converter": [_tool_digest(chain) for chain in (toolchain, ONNX) if chain is not None],
        }
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return self._cache / "models" / digest[:32]

    @staticmethod
    def _read(place: Path) -> Converted | None:
        record, model = place / "model.onnx.json", place / "model.onnx"
        try:
            document = json.loads(record.read_text())
        except (OSError, ValueError):
            return None
        good = isinstance(document, dict) and document.get("schema") == SCHEMA and model.is_file()
        return Converted(model, record, document, cached=True) if good else None

    @classmethod
    def _keep(cls, model: Path, document: dict[str, Any], place: Path, *, anew: bool) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
        try:
            shutil.copyfile(model, fresh / "model.onnx")
            (fresh / "model.onnx.json").write_text(json.dumps(document, indent=2) + "\n")
            try:
                os.rename(fresh, place)  # noqa: PTH104 - one step, a folder is whole or not there
            except OSError:
                # Another process was faster: its result is as good, and may be in use.
                if not anew and cls._read(place) is not None:
                    return
                shutil.rmtree(place, ignore_errors=True)
                os.rename(fresh, place)  # noqa: PTH104
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _constant_shapes(reference: Path) -> list[list[int]]:
    """Return the outputs' shapes where they were the same for every sample, else nothing."""
    _, outputs = read_reference(reference)
    shapes = [[list(map(int, output.shape)) for output in given] for given in outputs]
    return shapes[0] if all(given == shapes[0] for given in shapes) else []


def _tool_digest(toolchain: Toolchain) -> str:
    tools = Path(__file__).parent / "tools"
    program = b"".join((tools / name).read_bytes() for name in ("toolkit.py", toolchain.script))
    return hashlib.sha256(program + "\n".join(toolchain.requirements).encode()).hexdigest()


def _is_free(finished: dict[str, Any]) -> bool:
    values = [*finished["inputs"], *finished["outputs"]]
    return all(value["shape"] and isinstance(value["shape"][0], str) for value in values)


def _samples_of(finished: dict[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    import numpy as np

    declared = {item.name: item.shape for item in wanted.inputs}
    rng = np.random.default_rng(7)
    samples = []
    for _ in range(3):
        sample = {}
        for value in finished["inputs"]:
            shape = declared.get(value["name"]) or [size if isinstance(size, int) else 1 for size in value["shape"]]
            sample[value["name"]] = (rng.random(shape) * (200 if value["dtype"] == "uint8" else 1)).astype(
                value["dtype"]
            )
        samples.append(sample)
    return samples


def _batch_holds(
    path: Path, samples: Sequence[Any], expected: Sequence[Sequence[Any]], operators: Sequence[str]
) -> bool:
    """Tell whether a batch of all samples gives what each of them gives alone."""
    import numpy as np

    if any(array.shape[:1] != (1,) for sample in samples for array in sample.values()):
        return False
    if any(not array.shape or array.shape[0] != 1 for outputs in expected for array in outputs):
        return False
    batch = {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}
    try:
        names, results = run_model(path, [batch])
        rows = [[output[index : index + 1] for output in results[0]] for index in range(len(samples))]
        return compare(names, expected, rows, operators).holds()
    except (ConversionError, IndexError):
        return False


def is_raw(framework: Framework) -> bool:
    """Tell whether a model of this form must be converted before it can be served."""
    return framework not in (Framework.ONNX, Framework.TFLITE)
