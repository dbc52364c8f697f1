"""``vedette model bench``: what models cost on this machine, in each precision, and what that loses."""

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.frame_documents import frame_document
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal
from vedette.conversion import ConversionError
from vedette.conversion.measuring import Speed, measure
from vedette.pictures import FrameDocument

SCHEMA: Final = "vedette.bench/1"
_PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


@dataclass(frozen=True)
class BenchOptions:
    """What the command was asked for; see its help."""

    files: tuple[Path, ...]
    threads: str
    calibrate: Path | None
    preprocess: Path | None
    provider: str
    seconds: float
    as_json: bool


@dataclass(frozen=True)
class _Variant:
    name: str
    path: Path
    loss: dict[str, Any] | None = None
    loss_words: str = ""


def bench_models(options: BenchOptions, terminal: Terminal) -> int:
    """Measure and print a table. Returns the exit code.

    :raises Failure: for files that the engine does not take
    """
    threads = _threads(options.threads)
    provider = _PROVIDERS.get(options.provider.lower())
    if provider is None:
        raise Failure(f"--provider takes {', '.join(_PROVIDERS)}, got `{options.provider}`", exit_code=EXIT_USAGE)
    rows: list[dict[str, Any]] = []
    try:
        document = frame_document(options.preprocess)
        for file in options.files:
            with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder:
                for variant in _variants(file, options, document, Path(folder), terminal):
                    for count in threads:
                        terminal.waiting("bench", f"{variant.name}, {count} thread{'' if count == 1 else 's'}")
                        speed = measure(variant.path, count, options.seconds, provider)
                        rows.append(_row(file, variant, speed))
    except ConversionError as error:
        terminal.clear_status()
        raise Failure(str(error), hint=error.hint) from error
    terminal.clear_status()
    if options.as_json:
        sys.stdout.write(json.dumps({"schema": SCHEMA, "ok": True, "rows": rows}, indent=2) + "\n")
        return 0
    cells = [
        (
            str(row["file"]),
            row["precision"],
            f"{row['megabytes']:.1f}",
            str(row["threads"]),
            f"{row['median_ms']:.1f}",
            f"{row['p95_ms']:.1f}",
            f"{row['cpu_ms']:.1f}",
            f"{row['per_second']:.1f}",
            f"{row['memory_mb']:.0f}",
            row["lossWords"],
        )
        for row in rows
    ]
    heads = ("MODEL", "PRECISION", "MB", "THREADS", "MS", "P95", "CPU MS", "A SECOND", "MEMORY MB", "LOSS")
    sys.stdout.write("\n".join(table(heads, cells)) + "\n")
    return 0


def _threads(text: str) -> list[int]:
    if not text:
        return sorted({1, len(os.sched_getaffinity(0))})
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > 256:
        raise Failure(f"--threads takes numbers as 1,2,4, got `{text}`", exit_code=EXIT_USAGE)
    return counts


def _variants(
    file: Path, options: BenchOptions, document: FrameDocument | None, folder: Path, terminal: Terminal
) -> list[_Variant]:
    if not file.is_file():
        raise Failure(f"{file} does not exist")
    if file.suffix.lower() not in (".onnx", ".tflite"):
        raise Failure(f"{file} is not ONNX or TFLite", hint=f"vedette model check {file} -o {file.stem}.onnx")
    variants = [_Variant("as it is", file)]
    if file.suffix.lower() == ".tflite" or options.calibrate is None:
        return variants
    from vedette.conversion.quantising import CHECK_FRAMES, halve, loss_of, quantise, read_frames

    def progress(text: str) -> None:
        terminal.waiting("bench", text)

    half = folder / "fp16.onnx"
    try:
        halve(file, half, progress)
        frames = read_frames(options.calibrate, CHECK_FRAMES, document, file)
        loss = loss_of(file, half, list(frames.tensors), frames, document)
        variants.append(_Variant("FP16 weights", half, loss.document(), loss.words()))
    except ConversionError as error:
        terminal.warn("FP16", str(error))
    small = folder / "int8.onnx"
    try:
        loss = quantise(file, options.calibrate, document, small, progress)
        variants.append(_Variant("int8", small, loss.document(), loss.words()))
    except ConversionError as error:
        terminal.warn("int8", str(error))
    return variants


def _row(file: Path, variant: _Variant, speed: Speed) -> dict[str, Any]:
    return {
        "file": file.name,
        "precision": variant.name,
        "megabytes": round(variant.path.stat().st_size / 1e6, 1),
        **asdict(speed),
        "per_second": round(speed.per_second, 1),
        "loss": variant.loss,
        "lossWords": variant.loss_words,
    }
