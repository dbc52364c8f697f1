"""The ``vedette`` command: reads arguments, calls one module a command, maps failures to exit codes.

Nothing heavy is imported before a command runs: ``vedette --help`` answers in under 0.3 s.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command_name

from vedette import __version__
from vedette.cli import (
    applications,
    cameras,
    credentials,
    developing,
    devices,
    fleet,
    greengrass,
    metrics,
    model,
    package,
    reading,
)
from vedette.cli.failure import EXIT_BUG, EXIT_FAILED, EXIT_INTERRUPTED, Failure
from vedette.cli.options import (
    Cameras,
    CamerasFile,
    Graph,
    InstanceName,
    JsonFlag,
    MaxFps,
    Overrides,
    Role,
    Settings,
    SubMissing,
    Subs,
    Transport,
)
from vedette.cli.terminal import Terminal
from vedette.redaction import redact

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Runs AWS Panorama applications, unmodified: here, or on any AWS IoT Greengrass v2 device.\n\n"
        "Start with `vedette demo`, then `vedette run my-app --camera camera_node=rtsp://HOST/PATH`."
    ),
)

_hidden: dict[str, tuple[str, str]] = {}
"""Credentials taken out of the command line, by clean URL; filled by ``main`` before anything else."""


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"vedette {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


ForSeconds = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=0.1, help="Stop by itself after this time.")
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of the page; the next free one is taken when it is busy, 0 is any.")
]
NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run the application without bubblewrap, with your own rights.")
]
LogLevel = Annotated[str, typer.Option(help="Least severe events in the components' logs: DEBUG, INFO, WARNING.")]
Threads = Annotated[
    int, typer.Option(min=0, help="Processor threads a model may use; 0: half of the cores, at most 4.")
]

Opened = Annotated[
    list[str] | None,
    typer.Option(
        "--open",
        metavar="[ADDRESS:]HOST[:CONTAINER]",
        help="Open a port of the application at a port of the device, or confirm the graph's rule for it.",
    ),
]


@app.command()
def run(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Panorama project: graphs/, packages/, assets/.")],
    override: Overrides = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NODE=URL",
            help="Camera for a node: RTSP or HTTP URL, video file, folder of images or device, or a name of "
            "~/.config/vedette/cameras.json. Several for one node put several cameras on it.",
        ),
    ] = None,
    sub: Subs = None,
    sub_missing: SubMissing = None,
    setting: Settings = None,
    opened: Opened = None,
    graph: Annotated[
        str | None, typer.Option(metavar="NAME", help="Graph to run, where the project has several.")
    ] = None,
    name: InstanceName = None,
    cameras_file: CamerasFile = None,
    transport: Transport = "tcp",
    max_fps: MaxFps = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Read video files as fast as the application takes frames, once.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Start the application again when a file of the project is saved.")
    ] = False,
    screen: Annotated[
        str,
        typer.Option(metavar="off|on|window", help="Show the pictures on this machine's screen too, or in a window."),
    ] = "off",
    nucleus: Annotated[
        str, typer.Option(metavar="java|lite", help="Which of AWS's nuclei the local one behaves as.")
    ] = "java",
    debug: Annotated[
        bool, typer.Option("--debug", help="Let the application wait for a debugger (debugpy) before it starts.")
    ] = False,
    debug_port: Annotated[int, typer.Option(min=1024, max=65535, help="Port of the debugger, on 127.0.0.1.")] = 5678,
    environment: Annotated[
        str,
        typer.Option(
            metavar="auto|container|sources",
            help="Run it from its packaged container, or from its sources; auto: the container where it fits.",
        ),
    ] = "auto",
    role: Role = None,
    kinesis_video: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM",
            help="Send the outputs to Amazon Kinesis Video Streams, which costs money; {device}, {instance}, {port} "
            "and {stream} have a place in the name.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --role and --kinesis-video: profile of the AWS configuration that takes the role on, or sends.",
        ),
    ] = None,
    for_seconds: ForSeconds = None,
    no_browser: NoBrowser = False,
    port: Port = 8790,
    no_sandbox: NoSandbox = False,
    model_threads: Threads = 0,
    log_level: LogLevel = "INFO",
) -> None:
    """Run a Panorama application here, with the live page.

    vedette run my-app --camera camera_node=rtsp://10.0.0.21/stream1

    vedette run my-app --override graphs/my-app/override.json --camera lobby=street.mp4 --set threshold=35
    """
    from vedette.cli.run import RunOptions, run_application

    options = RunOptions(
        directory=directory,
        overrides=tuple(override or ()),
        cameras=tuple(camera or ()),
        subs=tuple(sub or ()),
        sub_missing=sub_missing,
        settings=tuple(setting or ()),
        opened=tuple(opened or ()),
        graph=graph,
        instance=name,
        cameras_file=cameras_file,
        transport=transport,
        max_fps=max_fps,
        fast=fast,
        for_s=for_seconds,
        browser=not no_browser,
        port=port,
        sandbox=not no_sandbox,
        model_threads=model_threads,
        log_level=log_level,
        watch=watch,
        screen=screen,
        nucleus=nucleus,
        environment=environment,
        debug_port=debug_port if debug else None,
        role=role,
        profile=profile,
        kinesis_video=kinesis_video,
    )
    raise typer.Exit(run_application(options, _hidden, Terminal()))


@app.command()
def demo(
    for_seconds: ForSeconds = None,
    no_browser: NoBrowser = False,
    port: Port = 8790,
    no_sandbox: NoSandbox = False,
    model_threads: Threads = 0,
    log_level: LogLevel = "INFO",
) -> None:
    """Run the example on a real RTSP camera: a street scene, served here with a password.

    vedette demo

    vedette demo --no-browser --for 60
    """
    from vedette.cli.demo import run_demo

    raise typer.Exit(
        run_demo(
            Terminal(),
            for_s=for_seconds,
            browser=not no_browser,
            port=port,
            sandbox=not no_sandbox,
            model_threads=model_threads,
            log_level=log_level,
        )
    )


@app.command("compile")
def compile_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Panorama project: graphs/, packages/, assets/.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder that gets everything.")],
    override: Overrides = None,
    camera: Cameras = None,
    sub: Subs = None,
    sub_missing: SubMissing = None,
    setting: Settings = None,
    opened: Opened = None,
    graph: Graph = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the application instance; default: the folder's.")
    ] = None,
    cameras_file: CamerasFile = None,
    transport: Transport = "tcp",
    max_fps: MaxFps = None,
    role: Role = None,
    bucket: Annotated[
        str | None, typer.Option(metavar="NAME", help="S3 bucket in the recipes; default: GDK's BUCKET_NAME.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="ARN", help="Thing group or thing that the deployment is for.")
    ] = None,
    secrets_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the secrets with their values here, mode 0600.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write recipes, artifacts and the deployment of a project, for any Greengrass v2 device.

    vedette compile my-app -o out --camera camera_node=rtsp://10.0.0.21/stream1

    vedette compile my-app -o out --override graphs/my-app/override.json --set threshold=35 --name shop-1
    """
    from vedette.cli.compile import CompileOptions, compile_to_folder

    options = CompileOptions(
        directory=directory,
        out=out,
        overrides=tuple(override or ()),
        cameras=tuple(camera or ()),
        subs=tuple(sub or ()),
        sub_missing=sub_missing,
        settings=tuple(setting or ()),
        opened=tuple(opened or ()),
        graph=graph,
        instance=name,
        cameras_file=cameras_file,
        transport=transport,
        role=role,
        max_fps=max_fps,
        bucket=bucket,
        target=target,
        secrets_file=secrets_file,
        as_json=as_json,
    )
    raise typer.Exit(compile_to_folder(options, _hidden, Terminal()))


@app.command("import")
def import_command(
    source: Annotated[
        str, typer.Argument(metavar="DIR|ARCHIVE", help="Panorama project, or a .zip or .tar.gz of one, also s3://….")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Where an archive is unpacked to.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="Account id to put everywhere; default: the project's own.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Unpack a project, put one account id everywhere in it, and check its assets.

    vedette import my-app --account 111122223333

    vedette import s3://my-bucket/my-app.zip --out my-app
    """
    from vedette.cli.import_project import import_from

    raise typer.Exit(import_from(source, out, Terminal(), account=account, dry_run=dry_run, as_json=as_json))


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Folder to make; its last part names the application.")],
    camera_only: Annotated[
        bool, typer.Option("--camera-only", help="Code and camera, without a model (this is the default).")
    ] = False,
    with_model: Annotated[
        bool, typer.Option("--with-model", help="Code, camera and a model that finds 80 kinds of things.")
    ] = False,
) -> None:
    """Make a new application in Panorama's format that runs at once.

    vedette new my-app

    vedette new shop-counter --with-model
    """
    from vedette.cli.new import new_application

    raise typer.Exit(new_application(name, Terminal(), camera_only=camera_only, with_model=with_model))


@app.command()
def status(
    nodes: Annotated[bool, typer.Option("--nodes", help="With every node of the applications' graphs.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the state of what runs here: cameras, models, applications, outputs.

    vedette status --nodes

    vedette status --json
    """
    from vedette.cli.status import show_status

    raise typer.Exit(show_status(Terminal(), as_json=as_json, nodes=nodes))


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Say what this machine lacks to run applications, and how to get it.

    vedette doctor

    vedette doctor --json
    """
    from vedette.cli.doctor import show_checks

    raise typer.Exit(show_checks(Terminal(), as_json=as_json))


@app.command()
def logs(
    name: Annotated[
        str | None, typer.Argument(help="Part of a name: an application or a component; default: all.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Application's folder; default: what runs now.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Root folder of a nucleus, as /greengrass/v2.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write all logs into one archive instead, without passwords; needs no network."
        ),
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="Newest lines of each log.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")] = False,
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="Least severe lines: DEBUG, INFO, WARNING or ERROR.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only lines of the last 90s, 15m, 2h, 3d.")] = None,
    cloud: Annotated[bool, typer.Option("--cloud", help="From CloudWatch, of all devices, not from here.")] = False,
    device: Annotated[str | None, typer.Option(metavar="THING", help="With --cloud: of one device.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="With --cloud: AWS profile.")] = None,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="With --cloud: AWS region.")] = None,
) -> None:
    """Show what applications and components wrote, here or in CloudWatch.

    vedette logs people-counter

    vedette logs -f CameraIngest --level WARNING

    vedette logs people-counter --cloud --device shop-7 --since 2h

    vedette logs --bundle logs.zip
    """
    from vedette.cli.log_lines import duration_s, level_named

    least = None if level is None else level_named(level)
    since_s = None if since is None else duration_s(since)
    if cloud:
        from vedette.cli.cloud_logs import show_cloud_logs

        code = show_cloud_logs(
            name,
            lines=lines,
            follow=follow,
            level=least,
            since_s=since_s,
            device=device,
            profile=profile,
            region=region,
        )
        raise typer.Exit(code)
    from vedette.cli.logs import logs_root, show_logs

    folder = logs_root(directory, root)
    if bundle is not None:
        from vedette.cli.log_bundle import write_bundle

        raise typer.Exit(write_bundle(Terminal(), folder, bundle))
    raise typer.Exit(show_logs(name, folder, lines=lines, follow=follow, level=least, since_s=since_s))


camera_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Cameras: by name, and what they answer.")
app.add_typer(camera_app, name="camera")


@camera_app.command("discover")
def camera_discover(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HOST...]", help="Ask these only (HOST, HOST:PORT); default: every network."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="User of the cameras; the password is asked for, or read.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.5, max=60, help="Seconds to wait for cameras to answer.")] = 4.0,
    as_json: JsonFlag = False,
) -> None:
    """Find cameras plugged into this machine, and ONVIF cameras in its networks, with their streams.

    vedette camera discover

    vedette camera discover 10.0.0.21 --user viewer
    """
    from vedette.cli.discover import discover_cameras

    raise typer.Exit(discover_cameras(hosts or [], user, Terminal(), timeout_s=timeout, as_json=as_json))


@camera_app.command("test")
def camera_test(
    target: Annotated[
        list[str] | None, typer.Argument(metavar="[URL|FILE|NAME]...", help="RTSP URL, video file or known camera.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All cameras known on this machine, side by side.")] = False,
    cameras_file: CamerasFile = None,
    transport: Annotated[str, typer.Option(metavar="tcp|udp", help="How the camera sends its video.")] = "tcp",
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long to play it.")] = 5.0,
    as_json: JsonFlag = False,
) -> None:
    """Say what a camera answers, or the exact reason why it does not; of several, a report.

    vedette camera test rtsp://viewer:password@10.0.0.21/stream1

    vedette camera test --all --seconds 10
    """
    from vedette.cli.camera import TrialOptions, test_camera, test_cameras

    options = TrialOptions(cameras_file, transport, seconds, as_json)
    targets = target or []
    if not targets and not every:
        raise typer.BadParameter("name a camera, or --all")
    if len(targets) == 1 and not every:
        raise typer.Exit(test_camera(targets[0], _hidden, Terminal(), options))
    raise typer.Exit(test_cameras(targets, _hidden, Terminal(), options, every=every))


reading.register(app, _hidden)
developing.register(app, _hidden)
cameras.register(camera_app, _hidden)
greengrass.register(app)
metrics.register(app)
package.register(app)
model.register(app)
fleet.register(app, _hidden)
applications.register(app)
devices.register(app)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    _hidden.update(credentials.hide())
    terminal = Terminal()
    _leave_out_other_commands(sys.argv[1:])
    try:
        app()
    except Failure as failure:
        terminal.error(failure.message, failure.hint)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
    except Exception as error:  # the last resort: one line and a report, never a traceback on the screen
        terminal.error(
            f"this is a bug of Vedette: {type(error).__name__}: {redact(str(error))}",
            f"the whole story is in {_write_report(error)}; please send it in",
        )
        sys.exit(EXIT_BUG)


def _leave_out_other_commands(arguments: Sequence[str]) -> None:
    """Keep the one command that is asked for: typer builds the parsers of all of them first, 40 ms for sixty.

    A name that is none leaves all, so that what comes near it can be suggested.
    """
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    commands = [
        each
        for each in app.registered_commands
        if wanted == (each.name or get_command_name(getattr(each.callback, "__name__", "")))
    ]
    groups = [each for each in app.registered_groups if each.name == wanted]
    if commands or groups:
        app.registered_commands, app.registered_groups = commands, groups


def _write_report(error: BaseException) -> str:
    import tempfile
    import traceback

    text = redact("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="vedette-report-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"vedette {__version__}, Python {sys.version}\n{text}")
    return file.name


if __name__ == "__main__":
    main()
