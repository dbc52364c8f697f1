"""``vedette demo``: the bundled street scene as an RTSP camera with a password, and the example application on it."""

import secrets
from typing import Any, Final

from vedette.cli.credentials import without_password
from vedette.cli.failure import Failure
from vedette.cli.run import RunOptions, run_application
from vedette.cli.terminal import Terminal
from vedette.resources import ResourceError, examples_dir
from vedette.rtsp_server import RtspServer, RtspServerError

_USER: Final = "viewer"


def run_demo(terminal: Terminal, **options: Any) -> int:
    """Serve the camera and run the example until Ctrl-C; ``options`` are those of ``RunOptions``.

    :raises Failure: when the camera cannot be served here
    """
    try:
        video = examples_dir() / "media" / "street.mp4"
        example = examples_dir() / "people-counter"
    except ResourceError as error:
        raise Failure(str(error)) from error
    password = secrets.token_urlsafe(12)
    try:
        with RtspServer({"street": video}, _USER, password, auth="digest") as camera:
            url = without_password(camera.url("street"), _USER)
            terminal.done("camera server", f"{camera.url('street')}, H.264, digest login as {_USER}")
            return run_application(
                RunOptions(directory=example, cameras=(f"camera_node={url}",), **options),
                {url: (_USER, password)},
                terminal,
            )
    except RtspServerError as error:
        raise Failure(str(error)) from error
