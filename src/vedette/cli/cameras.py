"""Arguments of ``vedette camera add|list|update|remove|fetch|pause|resume``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vedette.cli.aws import Profile, Region
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.options import JsonFlag, SubMissing

if TYPE_CHECKING:
    from vedette.cli.camera_registry import Given, Place

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the camera: letters, digits, _ and -.")]
Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="rtsp://HOST/PATH.")]
User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="User; the password is asked for.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]
FromFile = Annotated[
    Path | None,
    typer.Option("--from-file", metavar="FILE", help="Panorama's template parameters: Username, Password, StreamUrl."),
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        metavar="FILE",
        help="For rtsps://: the camera's own certificate, or that of who signs it (PEM); no other is trusted.",
    ),
]
SubUrl = Annotated[
    str | None,
    typer.Option(
        "--sub",
        metavar="URL",
        help="Its small stream, with the same login: applications get it, the main one is opened while somebody"
        " looks. Empty: it has none any more.",
    ),
]
Onvif = Annotated[
    str | None,
    typer.Option("--onvif", metavar="HOST", help="In place of --url: ask the camera for its streams, and take two."),
]
ModelSize = Annotated[
    str | None,
    typer.Option(
        "--model-size",
        metavar="WxH|DIR",
        help="With --onvif: the size of the pictures that models take, or the project whose models tell it.",
    ),
]
About = Annotated[str | None, typer.Option("--description", metavar="TEXT", help="What people read about it.")]
Local = Annotated[
    bool, typer.Option("--local", help="On this machine alone, in ~/.config/vedette/cameras.json; no AWS account.")
]
CamerasFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Another file of cameras on this machine; implies --local.")
]

_credentials: Mapping[str, tuple[str, str]] = {}


def register(app: typer.Typer, credentials: Mapping[str, tuple[str, str]]) -> None:
    """Add the commands to ``app``; ``credentials`` are those taken out of the command line, by clean URL."""
    global _credentials  # noqa: PLW0603 - typer calls plain functions
    _credentials = credentials
    for name, command in (
        ("add", add),
        ("list", list_),
        ("update", update),
        ("remove", remove),
        ("fetch", fetch),
        ("pause", pause),
        ("resume", resume),
    ):
        app.command(name)(command)


def add(
    name: Name,
    url: Url = None,
    user: User = None,
    password_stdin: PasswordStdin = False,
    from_file: FromFile = None,
    certificate: Certificate = None,
    sub: SubUrl = None,
    sub_missing: SubMissing = None,
    onvif: Onvif = None,
    model_size: ModelSize = None,
    description: About = None,
    local: Local = False,
    cameras_file: CamerasFile = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a camera: its address and login become one secret of the AWS account.

    vedette camera add lobby --url rtsp://10.0.0.21/stream1 --user viewer

    vedette camera add lobby --url rtsp://viewer:password@10.0.0.21/stream1 --local

    vedette camera add lobby --onvif 10.0.0.21 --user viewer --model-size my-app
    """
    from vedette.cli.camera_registry import add_camera

    given, place = (
        _given(url, user, password_stdin, from_file, description, certificate, sub, sub_missing, onvif, model_size),
        _place(local, cameras_file, profile, region),
    )
    raise typer.Exit(add_camera(name, given, place, _credentials, as_json=as_json))


def update(
    name: Name,
    url: Url = None,
    user: User = None,
    password_stdin: PasswordStdin = False,
    from_file: FromFile = None,
    certificate: Certificate = None,
    sub: SubUrl = None,
    sub_missing: SubMissing = None,
    onvif: Onvif = None,
    model_size: ModelSize = None,
    description: About = None,
    local: Local = False,
    cameras_file: CamerasFile = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a camera; devices follow without a deployment. What is not given stays.

    vedette camera update lobby --user viewer --password-stdin < password.txt

    vedette camera update lobby --url rtsp://10.0.0.22/stream1 --local
    """
    from vedette.cli.camera_registry import update_camera

    given, place = (
        _given(url, user, password_stdin, from_file, description, certificate, sub, sub_missing, onvif, model_size),
        _place(local, cameras_file, profile, region),
    )
    raise typer.Exit(update_camera(name, given, place, _credentials, as_json=as_json))


def list_(
    users: Annotated[
        bool, typer.Option("--users", help="With the applications that use them, and what devices said of them last.")
    ] = False,
    local: Local = False,
    cameras_file: CamerasFile = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """List the cameras of the AWS account, or of this machine. No password is read.

    vedette camera list --users

    vedette camera list --local --json
    """
    from vedette.cli.camera_registry import list_cameras

    raise typer.Exit(list_cameras(_place(local, cameras_file, profile, region), as_json=as_json, users=users))


def remove(
    name: Name,
    delete_secret: Annotated[
        bool, typer.Option("--delete-secret", help="Delete the secret too; it can be restored for 7 days.")
    ] = False,
    local: Local = False,
    cameras_file: CamerasFile = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a camera off the list. Applications that use it are named and go on, and its secret stays.

    vedette camera remove lobby

    vedette camera remove lobby --delete-secret
    """
    from vedette.cli.camera_registry import remove_camera

    place = _place(local, cameras_file, profile, region)
    raise typer.Exit(remove_camera(name, place, delete_secret=delete_secret, as_json=as_json))


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Cameras; default: all.")] = None,
    cameras_file: CamerasFile = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Copy registered cameras with their logins to this machine, for vedette run.

    vedette camera fetch lobby

    vedette camera fetch
    """
    from vedette.cli.camera_registry import fetch_cameras

    raise typer.Exit(fetch_cameras(tuple(names or ()), _place(False, cameras_file, profile, region)))


Instance = Annotated[
    str | None,
    typer.Argument(
        metavar="INSTANCE", help="Application instance; `vedette status` lists them. Without one, choose from a list."
    ),
]
ItsCamera = Annotated[
    str | None, typer.Argument(metavar="CAMERA", help="Name of the camera; not needed where there is only one.")
]
Root = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the run, where several run here.")]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", metavar="THING", help="Device of the account, several times; default: what runs here."),
]


def pause(
    instance: Instance = None,
    camera: ItsCamera = None,
    device: Devices = None,
    root: Root = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Pause a camera of a running application: it is not decoded and gives no pictures; others go on.

    vedette camera pause people-counter lobby

    vedette camera pause shop-sample lobby --device shop-01
    """
    _signal(instance, camera, "PAUSE", device, root, profile, region, as_json=as_json)


def resume(
    instance: Instance = None,
    camera: ItsCamera = None,
    device: Devices = None,
    root: Root = None,
    profile: Profile = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a paused camera go on, or one that waits for its first signal (launch: onSignal).

    vedette camera resume people-counter lobby

    vedette camera resume shop-sample lobby --device shop-01
    """
    _signal(instance, camera, "RESUME", device, root, profile, region, as_json=as_json)


def _signal(
    instance: str | None,
    camera: str | None,
    signal: Literal["PAUSE", "RESUME"],
    devices: list[str] | None,
    root: Path | None,
    profile: str | None,
    region: str | None,
    *,
    as_json: bool,
) -> None:
    from vedette.cli.terminal import Terminal

    if instance is None:
        from vedette.cli.camera_choice import choose_and_signal

        code = choose_and_signal(
            tuple(devices or ()), Terminal(), root=root, profile=profile, region=region, as_json=as_json
        )
    elif devices:
        from vedette.cli.device_signals import signal_devices

        code = signal_devices(instance, camera, signal, tuple(devices), profile=profile, region=region, as_json=as_json)
    else:
        from vedette.cli.camera_signals import signal_camera

        code = signal_camera(instance, camera, signal, Terminal(), root=root, as_json=as_json)
    raise typer.Exit(code)


def _given(
    url: str | None,
    user: str | None,
    password_stdin: bool,
    from_file: Path | None,
    about: str | None,
    certificate: Path | None,
    sub: str | None,
    sub_missing: str | None,
    onvif: str | None,
    model_size: str | None,
) -> "Given":
    from vedette.cli.camera_registry import Given, read_password

    given = Given(url, user, password_stdin, from_file, about, certificate, sub, sub_missing)
    if onvif is None:
        if model_size is not None:
            raise Failure("--model-size is for --onvif", exit_code=EXIT_USAGE)
        return given
    from vedette.cli.onvif_camera import with_streams_of
    from vedette.cli.terminal import Terminal

    return with_streams_of(onvif, model_size, replace(given, password=read_password(given)), Terminal())


def _place(local: bool, cameras_file: Path | None, profile: str | None, region: str | None) -> "Place":
    from vedette.cli.camera_registry import Place

    return Place(local, cameras_file, profile, region)
