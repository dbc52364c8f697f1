"""Options that several commands have: of a project as ``vedette run`` reads it, and of what is printed."""

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Override document; may be given several times.")
]
Cameras = Annotated[
    list[str] | None, typer.Option(metavar="NODE=URL", help="Camera for a node, as with `vedette run`.")
]
Subs = Annotated[
    list[str] | None,
    typer.Option(
        "--sub",
        metavar="NODE=URL",
        help="Small stream of a node's camera, with the same login: the application gets it, and the camera's main"
        " stream is opened only while somebody looks at it.",
    ),
]
SubMissing = Annotated[
    str | None,
    typer.Option(
        metavar="wait|main", help="Where a camera has no small stream: wait for it (default), or take the main one."
    ),
]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="NODE=VALUE", help="Value of a parameter node.")]
Graph = Annotated[str | None, typer.Option(metavar="NAME", help="Graph, where the project has several.")]
InstanceName = Annotated[
    str | None, typer.Option(metavar="NAME", help="Name of the application instance; default: the graph's.")
]
CamerasFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Known cameras: {NAME: {Username, Password, StreamUrl}}.")
]
Transport = Annotated[str, typer.Option(metavar="tcp|udp", help="How RTSP cameras send their video.")]
MaxFps = Annotated[
    float | None,
    typer.Option(metavar="N", min=0.01, max=1000, help="Pictures a second of each camera at most; saves decoding."),
]
Role = Annotated[str | None, typer.Option(metavar="ARN", help="AWS role whose credentials the application is given.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
