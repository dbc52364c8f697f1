"""Arguments of ``vedette model``: import, check, bench, clean."""

from pathlib import Path
from typing import Annotated

import typer

from vedette.cli.options import JsonFlag

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=1,3,224,224",
        help="Name and shape of an input, as the application knows it; `:uint8` behind it gives a type.",
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="OPERATOR", help="Output of a frozen graph; default: what nothing else uses."),
]
Precision = Annotated[str, typer.Option(metavar="fp32|fp16|int8", help="int8 needs --calibrate.")]
Calibrate = Annotated[
    Path | None, typer.Option(metavar="VIDEO", help="Video whose frames calibrate int8 and measure what it loses.")
]
FrameFile = Annotated[
    Path | None,
    typer.Option("--preprocess", metavar="FILE", help="preprocess.json: how frames become the input."),
]
Tolerance = Annotated[
    float, typer.Option(min=0.0, help="Largest difference from the original that passes, as a part of the range.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Convert again, whatever is in the cache.")]
RawFile = Annotated[
    str, typer.Argument(metavar="FILE", help="Model: file, folder, .tar.gz of `panorama-cli add-raw-model`, s3://…")
]

model_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Models: convert, prove, measure.")


def register(app: typer.Typer) -> None:
    """Add the group of commands to ``app``."""
    app.add_typer(model_app, name="model")


@model_app.command("import")
def import_(
    file: RawFile,
    package: Annotated[str, typer.Option("--package", metavar="NAME", help="Model package that gets it.")],
    project: Annotated[Path, typer.Option("--project", metavar="DIR", help="Panorama project.")] = Path(),
    interface: Annotated[
        str | None, typer.Option(metavar="NAME", help="Interface, where the package has several.")
    ] = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    precision: Precision = "fp32",
    calibrate: Calibrate = None,
    preprocess: FrameFile = None,
    tolerance: Tolerance = 1e-3,
    fresh: Fresh = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert a model, prove it, and put it into a package of a project.

    vedette model import squeezenet.pth --package SQUEEZENET_PYTORCH --input data=1,3,224,224

    vedette model import ssd.tar.gz --package DETECTOR --precision int8 --calibrate lobby.mp4
    """
    from vedette.cli.model_import import ImportOptions, import_model
    from vedette.cli.terminal import Terminal

    options = ImportOptions(
        file=file,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        precision=precision,
        calibrate=calibrate,
        preprocess=preprocess,
        tolerance=tolerance,
        fresh=fresh,
        as_json=as_json,
        project=project,
        package=package,
        interface=interface,
    )
    raise typer.Exit(import_model(options, Terminal()))


@model_app.command()
def check(
    file: RawFile,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write the result there.")] = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    precision: Precision = "fp32",
    calibrate: Calibrate = None,
    preprocess: FrameFile = None,
    tolerance: Tolerance = 1e-3,
    fresh: Fresh = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert a model and prove it, without a project: whether it works, how long it takes, what it gives.

    vedette model check ssd_mobilenet.pb

    vedette model check yolov4-tiny.weights -o yolov4-tiny.onnx
    """
    from vedette.cli.model_import import ImportOptions, check_model
    from vedette.cli.terminal import Terminal

    options = ImportOptions(
        file=file,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        precision=precision,
        calibrate=calibrate,
        preprocess=preprocess,
        tolerance=tolerance,
        fresh=fresh,
        as_json=as_json,
        out=out,
    )
    raise typer.Exit(check_model(options, Terminal()))


@model_app.command()
def bench(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="ONNX or TFLite files.")],
    threads: Annotated[str, typer.Option(metavar="1,2", help="Threads; default: 1 and the cores.")] = "",
    calibrate: Calibrate = None,
    preprocess: FrameFile = None,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="Execution provider of ONNX Runtime: CPU, CUDA, TensorRT, OpenVINO.")
    ] = "CPU",
    seconds: Annotated[float, typer.Option(min=0.2, help="Time for each measurement.")] = 2.0,
    as_json: JsonFlag = False,
) -> None:
    """Measure models on this machine: FP32 and FP16, and int8 where a video is given, with what each loses.

    vedette model bench detector.onnx --calibrate lobby.mp4

    vedette model bench detector.onnx --threads 1,2,4
    """
    from vedette.cli.model_bench import BenchOptions, bench_models
    from vedette.cli.terminal import Terminal

    options = BenchOptions(tuple(files), threads, calibrate, preprocess, provider, seconds, as_json)
    raise typer.Exit(bench_models(options, Terminal()))


@model_app.command()
def clean(
    everything: Annotated[bool, typer.Option("--all", help="Converted models, too.")] = False,
) -> None:
    """Delete the converters' environments: they are made again when needed.

    vedette model clean

    vedette model clean --all
    """
    from vedette.cli.model_import import clean_cache
    from vedette.cli.terminal import Terminal

    raise typer.Exit(clean_cache(Terminal(), everything=everything))
