"""``vedette camera add NAME --onvif HOST``: the camera itself tells the addresses of its streams."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vedette.cli.camera_registry import Given
from vedette.cli.discover import given_camera
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.onvif import USUAL_MODEL, OnvifError, Selection, StreamProfile, select, streams_of

if TYPE_CHECKING:
    from vedette.messages import Tensor

_ASK_S: Final = 10.0
_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
_COLOURS: Final = (1, 3, 4)


def with_streams_of(host: str, size: str | None, given: Given, terminal: Terminal) -> Given:
    """Return what is given of a camera with the addresses of its streams, and say which were taken.

    :param size: of the pictures that models take: ``WIDTHxHEIGHT``, or the folder of a project; None: as most do
    :param given: with the password, where there is a user
    :raises Failure: when the camera does not tell, or has no stream that can be played
    """
    if given.url is not None or given.from_file is not None:
        raise Failure("--onvif excludes --url and --from-file", exit_code=EXIT_USAGE)
    model, whose = _model(size)
    try:
        told = streams_of(given_camera(host).service, given.user or None, given.password, _ASK_S)
    except OnvifError as error:
        login = "" if given.user else " --user NAME"
        raise Failure(str(error), hint=f"vedette camera discover {host}{login}") from error
    chosen = select(told.profiles, model)
    if chosen is None:
        raise Failure(f"{host} offers no H.264, H.265 or MJPEG over RTSP", hint="set one up in the camera's settings")
    _say(chosen, whose, terminal)
    sub = given.sub if given.sub is not None or chosen.sub is None else chosen.sub.url
    return replace(given, url=chosen.main.url, sub=sub)


def _say(chosen: Selection, whose: str, terminal: Terminal) -> None:
    terminal.done("main", _shown(chosen.main))
    if chosen.sub is None:
        terminal.warn("sub", f"none taken: {chosen.reason}; applications get the main stream")
    else:
        terminal.done("sub", f"{_shown(chosen.sub)}, for applications: {chosen.reason}{whose}")


def _shown(profile: StreamProfile) -> str:
    size = f"{profile.width}x{profile.height}" if profile.width and profile.height else ""
    rate = f"{profile.fps:g} fps" if profile.fps else ""
    return " ".join(part for part in (profile.name, size, profile.codec, rate, profile.url) if part)


def _model(size: str | None) -> tuple[tuple[int, int], str]:
    """Return width and height that models take, and words about whose they are."""
    if size is None:
        return USUAL_MODEL, " (--model-size tells another size)"
    if match := _SIZE.fullmatch(size):
        width, height = int(match[1]), int(match[2])
        if width and height:
            return (width, height), ""
    if not Path(size).is_dir():
        raise Failure(
            f"--model-size takes WIDTHxHEIGHT or the folder of a project, got `{size}`",
            hint="--model-size 640x640",
            exit_code=EXIT_USAGE,
        )
    found = model_picture_sizes(Path(size))
    if not found:
        raise Failure(f"no model of {size} says the size of its pictures", hint="--model-size 640x640")
    largest = max(found, key=lambda name: found[name])
    return found[largest], f" (that is what {largest} of {size} takes)"


def model_picture_sizes(directory: Path) -> dict[str, tuple[int, int]]:
    """Return model node -> width and height of the pictures it takes, of the models of a project that tell.

    :raises Failure: when the folder holds no project that can be read
    """
    from vedette.cli.conversion import conversion_deferred
    from vedette.documents import DocumentError, load_project, resolve

    try:
        resolution = resolve(load_project(directory), complete=False, convert=conversion_deferred)
    except DocumentError as error:
        raise Failure(f"{directory} cannot be read as a project", hint=f"vedette validate {directory}") from error
    if resolution.application is None:
        raise Failure(f"{directory} has errors", hint=f"vedette validate {directory}")
    sizes: dict[str, tuple[int, int]] = {}
    for model in resolution.application.models:
        for tensor in model.unit.inputs:
            if (picture := _picture_size(tensor)) is not None:
                sizes.setdefault(model.node, picture)
    return sizes


def _picture_size(tensor: "Tensor") -> tuple[int, int] | None:
    """Return width and height of a batch of pictures, colours first or last."""
    shape = tensor.shape or []
    if len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:]):
        return None
    _, a, b, c = (side if isinstance(side, int) else 0 for side in shape)
    height, width = (b, c) if a in _COLOURS else (a, b) if c in _COLOURS else (0, 0)
    return (width, height) if width > 1 and height > 1 else None
