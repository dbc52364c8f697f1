"""``vedette model import`` and ``check``: a raw model becomes a proven one, alone or in a project's package."""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vedette.cli.conversion import wanted_of
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.frame_documents import frame_document
from vedette.cli.terminal import Terminal
from vedette.conversion import ConversionError, Converted, Converter, DeclaredInput, Framework, Wanted, read_raw_model
from vedette.conversion.environments import remove_environments
from vedette.conversion.folders import cache_folder
from vedette.documents import load_project
from vedette.documents.models import DescriptorDocument
from vedette.documents.project import Package
from vedette.pictures import FrameDocument
from vedette.projects.model_package import ModelPackageChange, put_model

SCHEMA: Final = "vedette.model/1"
_INPUT: Final = re.compile(r"(?P<name>[^=]+)=(?P<shape>\d+(?:[,x]\d+)*)(?::(?P<dtype>\w+))?")
_PRECISIONS: Final = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class ImportOptions:
    """What the commands were asked for; see their help."""

    file: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    precision: str = "fp32"
    calibrate: Path | None = None
    preprocess: Path | None = None
    tolerance: float = 1e-3
    fresh: bool = False
    as_json: bool = False
    out: Path | None = None
    project: Path | None = None
    package: str | None = None
    interface: str | None = None


def check_model(options: ImportOptions, terminal: Terminal) -> int:
    """Convert and prove; write the result where ``--out`` says. Returns the exit code.

    :raises Failure: why it cannot be converted
    """
    with _told(options):
        wanted = _wanted(options, None)
        with _model_file(options.file) as path:
            made = _make(path, options, wanted, frame_document(options.preprocess), terminal)
        if options.out is not None:
            made.copy_to(options.out)
            terminal.done("written", str(options.out))
        _answer(options, made.document, {"out": str(options.out) if options.out else None})
    return 0


def import_model(options: ImportOptions, terminal: Terminal) -> int:
    """Convert, prove, and put the result into the package. Returns the exit code.

    :raises Failure: why it cannot be converted, or the package cannot take it; nothing is changed then
    """
    with _told(options):
        package, descriptor = _package(options)
        document = frame_document(options.preprocess)
        with _model_file(options.file) as path:
            made = _make(path, options, _wanted(options, descriptor), document, terminal)
            change = ModelPackageChange(
                package=package,
                interface=options.interface,
                model=made.path,
                suffix=made.path.suffix,
                record=made.document,
                inputs=made.document["inputs"],
                frames=options.preprocess,
            )
            try:
                changed = put_model(change, load_project(options.project or Path()))
            except (OSError, ValueError) as error:
                raise Failure(f"{package.folder.name} cannot take the model: {error}") from error
        for place in changed:
            terminal.done("written", place)
        _answer(options, made.document, {"changed": changed})
    return 0


def clean_cache(terminal: Terminal, *, everything: bool) -> int:
    """Delete the converters' environments, and converted models with ``everything``."""
    cache = cache_folder()
    count = remove_environments(cache)
    terminal.done("environments", f"{count} deleted below {cache}")
    if everything and (cache / "models").exists():
        shutil.rmtree(cache / "models", ignore_errors=True)
        terminal.done("models", "the cache of converted models is empty")
    return 0


@dataclass(frozen=True)
class _Made:
    """A model ready to be used and what is known of it."""

    path: Path
    document: dict[str, Any]

    def copy_to(self, target: Path) -> None:
        try:
            shutil.copyfile(self.path, target)
            record = json.dumps(self.document, indent=2) + "\n"
            target.with_name(target.name + ".json").write_text(record)
        except OSError as error:
            raise Failure(f"{target} cannot be written: {error.strerror}") from error


def _make(
    path: Path, options: ImportOptions, wanted: Wanted, document: FrameDocument | None, terminal: Terminal
) -> _Made:
    def progress(text: str) -> None:
        terminal.waiting("model", text)

    try:
        with tempfile.TemporaryDirectory(prefix="vedette-model-") as folder:
            raw = read_raw_model(path, Path(folder))
            tflite = raw.framework is Framework.TFLITE and options.precision == "fp32"
            if tflite and not (options.out and options.out.suffix == ".onnx"):
                terminal.done("model", f"{path.name}: TFLite, served as it is by LiteRT (`vedette[tflite]`)")
                kept = cache_folder() / "models" / f"{raw.sha256()[:32]}.tflite"
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(raw.main, kept)
                inputs = [item.document() for item in wanted.inputs]
                source = {"name": raw.name, "framework": "tflite", "words": "TFLite", "sha256": raw.sha256()}
                return _Made(kept, {"source": source, "inputs": inputs, "proof": None, "precision": {"mode": "own"}})
        converted = Converter().convert(path, wanted, progress, fresh=options.fresh)
    except ConversionError as error:
        terminal.clear_status()
        raise Failure(str(error), hint=error.hint) from error
    terminal.done("model", f"{path.name}: {converted.words()}")
    if warning := converted.document["precision"].get("warning"):
        terminal.warn("precision", warning)
    return _made_int8(converted, options, document, terminal) if options.precision == "int8" else _plain(converted)


def _plain(converted: Converted) -> _Made:
    return _Made(converted.path, converted.document)


def _made_int8(
    converted: Converted, options: ImportOptions, document: FrameDocument | None, terminal: Terminal
) -> _Made:
    from vedette.conversion.quantising import quantise

    assert options.calibrate is not None  # noqa: S101 - asked for before anything is converted
    target = converted.path.with_name("int8.onnx")
    try:
        loss = quantise(
            converted.path, options.calibrate, document, target, lambda text: terminal.waiting("int8", text)
        )
    except ConversionError as error:
        terminal.clear_status()
        raise Failure(str(error), hint=error.hint) from error
    sizes = (converted.path.stat().st_size / 1e6, target.stat().st_size / 1e6)
    terminal.done("int8", f"loses {loss.words()}; {sizes[1]:.1f} MB of {sizes[0]:.1f}")
    precision = {"mode": "INT8", "loss": loss.document()}
    return _Made(target, {**converted.document, "precision": precision})


def _wanted(options: ImportOptions, descriptor: DescriptorDocument | None) -> Wanted:
    if options.precision not in _PRECISIONS:
        raise Failure(f"--precision takes {', '.join(_PRECISIONS)}, got `{options.precision}`", exit_code=EXIT_USAGE)
    if options.precision == "int8" and options.calibrate is None:
        raise Failure("int8 needs frames to calibrate with", hint="--calibrate VIDEO", exit_code=EXIT_USAGE)
    of_descriptor = wanted_of(descriptor.ml_model_descriptor if descriptor is not None else None)
    given = tuple(_input(text) for text in options.inputs)
    precision = "FP16" if options.precision == "fp16" else "FP32"
    return Wanted(given or of_descriptor.inputs, precision, options.outputs, options.tolerance)


def _input(text: str) -> DeclaredInput:
    found = _INPUT.fullmatch(text.strip())
    if found is None:
        raise Failure(f"--input takes NAME=1,3,224,224, got `{text}`", exit_code=EXIT_USAGE)
    shape = tuple(int(part) for part in re.split("[,x]", found["shape"]))
    return DeclaredInput(found["name"].strip(), shape, found["dtype"])


def _package(options: ImportOptions) -> tuple[Package, DescriptorDocument | None]:
    project = load_project(options.project or Path())
    named = [package for package in project.packages if package.name == options.package]
    if len(named) != 1:
        models = ", ".join(sorted(package.name for package in project.packages)) or "none"
        what = f"{len(named)} packages" if named else "no package"
        raise Failure(f"the project has {what} of the name `{options.package}`", hint=f"packages: {models}")
    package = named[0]
    if package.document.model is None:
        raise Failure(f"{package.document.file} cannot be read", hint="vedette validate")
    # A model that is put in the place of another brings its own inputs, unless they are given.
    return package, package.descriptor.model if package.descriptor is not None else None


@contextmanager
def _model_file(text: str) -> Iterator[Path]:
    """Yield the model's path; one in S3 is fetched first."""
    if not text.startswith("s3://"):
        yield Path(text)
        return
    from vedette.cloud.errors import CloudError
    from vedette.cloud.objects import fetch_object

    with tempfile.TemporaryDirectory(prefix="vedette-s3-") as folder:
        try:
            fetched = fetch_object(text, Path(folder))
        except CloudError as error:
            raise Failure(str(error), hint=error.hint) from error
        yield fetched


@contextmanager
def _told(options: ImportOptions) -> Iterator[None]:
    """With ``--json``, a failure is a document, too."""
    try:
        yield
    except Failure as failure:
        if options.as_json:
            _write({"schema": SCHEMA, "ok": False, "error": failure.message, "hint": failure.hint})
        raise


def _answer(options: ImportOptions, document: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    if options.as_json:
        _write({"ok": True, **document, "schema": SCHEMA, **more})


def _write(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
