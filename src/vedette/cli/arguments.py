"""Reads ``--camera NODE=URL`` and ``--set NODE=VALUE``."""

import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.messages import CameraSource
from vedette.redaction import redact, split_credentials
from vedette.video_devices import DeviceAddressError, is_device, parse_address

_SCHEMES = ("rtsp", "rtsps", "http", "https")
_EXAMPLES = {
    "--camera": "camera_node=rtsp://10.0.0.21/stream1",
    "--sub": "camera_node=rtsp://10.0.0.21/stream2",
    "--set": "detection_threshold=35",
    "--tag": "team=shops",
}

_CAMERA_KEYS = ("Username", "Password", "StreamUrl", "Certificate", "SubStreamUrl", "SubMissing")


@dataclass(frozen=True)
class Cameras:
    """Cameras by camera node, and the secrets they name."""

    sources: Mapping[str, Sequence[CameraSource]]
    secrets: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Secret name -> {Username, Password, StreamUrl}, as Panorama's camera template calls them."""


def read_pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Split each ``NODE=VALUE``.

    :raises Failure: for a value without a node or an equals sign
    """
    pairs = []
    for value in values:
        node, equals, rest = value.partition("=")
        if not node or not equals:
            raise Failure(
                f"{option} takes {'KEY' if option == '--tag' else 'NODE'}=VALUE, got `{value}`",
                hint=f"for example {option} {_EXAMPLES[option]}",
                exit_code=EXIT_USAGE,
            )
        pairs.append((node, rest))
    return pairs


def read_cameras(
    values: Sequence[str],
    credentials: Credentials,
    *,
    known: Mapping[str, Mapping[str, str]],
    registered: Mapping[str, CameraSource] | None = None,
    transport: Literal["tcp", "udp"] = "tcp",
    pace: Literal["own", "fastest"] = "own",
    loop: bool = True,
    max_fps: float | None = None,
) -> Cameras:
    """Turn ``NODE=URL`` values into sources.

    A value is a URL (RTSP, or JPEG over HTTP), the path of a video file, folder of images or device, or the name of a
    camera: in ``registered`` (the account), else in ``known`` (the secrets file).
    Several values for one node put several cameras on it.

    :raises Failure: for what is none of these
    """
    sources: dict[str, list[CameraSource]] = {}
    secrets: dict[str, Mapping[str, str]] = {}
    for node, value in read_pairs(values, "--camera"):
        of_node = sources.setdefault(node, [])
        name = node if not of_node else f"{node}-{len(of_node) + 1}"
        url = value
        secret: str | None = None
        small: dict[str, Any] = {}
        if "://" in value:
            url, user, password = split_url(value)
            if user is not None:
                secret = f"vedette/{name}"
                password = credentials[value][1] if value in credentials else password
                secrets[secret] = {"Username": user, "Password": password or "", "StreamUrl": url}
        elif is_device(value):
            # As it is given: what a lasting name leads to changes, and a camera may be plugged in later.
            try:
                parse_address(value)
            except DeviceAddressError as error:
                raise Failure(str(error), exit_code=EXIT_USAGE) from error
        elif Path(value).expanduser().exists():
            url = str(Path(value).expanduser().resolve())
        elif registered is not None and value in registered:
            of_node.append(registered[value].model_copy(update={"transport": transport, "max_fps": max_fps}))
            continue
        elif value in known:
            name = secret = value
            secrets |= known_secrets(known, [value])
            url = secrets[value]["StreamUrl"]
            small = small_stream(known[value])
        else:
            raise _unknown_camera(node, value, {**known, **dict.fromkeys(registered or ())})
        of_node.append(
            CameraSource(
                name=name, url=url, secret=secret, transport=transport, pace=pace, loop=loop, max_fps=max_fps, **small
            ),
        )
    return Cameras(sources, secrets)


def registered_sources(
    known: Mapping[str, Mapping[str, str]],
    transport: Literal["tcp", "udp"] = "tcp",
    max_fps: float | None = None,
) -> Mapping[str, CameraSource]:
    """Return the known cameras as override documents name them; those with a login or a certificate by their secret."""
    found: dict[str, CameraSource] = {}
    for name, camera in known.items():
        url, user, _ = split_credentials(camera.get("StreamUrl", ""))
        secret = name if user or camera.get("Username") or camera.get("Certificate") else None
        small = small_stream(camera)
        found[name] = CameraSource(name=name, url=url, secret=secret, transport=transport, max_fps=max_fps, **small)
    return found


def small_stream(known: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a source that tell of a known camera's small stream; nothing when it has none."""
    if not known.get("SubStreamUrl"):
        return {}
    missing = "main" if known.get("SubMissing") == "main" else None
    return {"sub": split_credentials(known["SubStreamUrl"])[0], "sub_missing": missing}


def known_secrets(known: Mapping[str, Mapping[str, str]], names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Return the secrets of known cameras: {Username, Password, StreamUrl} by the camera's name."""
    found: dict[str, Mapping[str, str]] = {}
    for name in names:
        if name in known:
            url, user, password = split_credentials(known[name].get("StreamUrl", ""))
            login = {"Username": user or "", "Password": password or ""} if user else {}
            small = small_stream(known[name])
            addresses = {"StreamUrl": url, **({"SubStreamUrl": small["sub"]} if small else {})}
            kept = {key: value for key, value in known[name].items() if key != "SubMissing"}
            found[name] = {**login, **kept, **addresses}
    return found


def split_url(url: str) -> tuple[str, str | None, str | None]:
    """Return address, user and password of a camera's URL.

    :raises Failure: when it is none of a camera; the text holds no password
    """
    scheme = url.partition("://")[0]
    if scheme.lower() not in _SCHEMES:
        raise Failure(
            f"a camera's URL begins with {' or '.join(s + '://' for s in _SCHEMES)}, got `{scheme}://`",
            hint="a video file is given by its path alone",
            exit_code=EXIT_USAGE,
        )
    try:
        clean, user, password = split_credentials(url)
        host, _ = urlsplit(clean).hostname, urlsplit(clean).port
    except ValueError as error:
        raise Failure(f"the camera's URL `{redact(url)}` has no valid host and port", exit_code=EXIT_USAGE) from error
    if not host:
        raise Failure(f"the camera's URL `{redact(url)}` has no host", exit_code=EXIT_USAGE)
    return clean, user, password


def _unknown_camera(node: str, value: str, known: Mapping[str, Any]) -> Failure:
    names = ", ".join(sorted(known))
    return Failure(
        f"camera `{value}` for `{node}` is no rtsp:// URL, no file that exists and no known camera",
        hint=f"known cameras: {names}" if names else "give rtsp://HOST/PATH or the path of a video file",
        exit_code=EXIT_USAGE,
    )


def secrets_file() -> Path:
    """Return where the cameras of this user are kept for local runs."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "vedette" / "cameras.json"


def read_known_cameras(path: Path | None) -> dict[str, dict[str, str]]:
    """Read ``{NAME: {"Username", "Password", "StreamUrl"}}`` from ``path``, or from the user's own file if it is there.

    :raises Failure: when the file cannot be read, others may read it, or it holds something else
    """
    file = path or secrets_file()
    if path is None and not file.exists():
        return {}
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise Failure(f"cannot read the cameras of {file}: {reason}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Failure(f"{file} holds passwords and others may read it", hint=f"chmod 600 {file}")
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not all(_is_camera(camera) for camera in document.values()):
        raise Failure(
            f'{file} must hold {{"NAME": {{"Username": ..., "Password": ..., "StreamUrl": ...}}}}',
            hint="only StreamUrl is required; SubStreamUrl is the small stream, if any; all values are text",
        )
    return document


def _is_camera(camera: object) -> bool:
    return (
        isinstance(camera, dict)
        and "StreamUrl" in camera
        and all(key in _CAMERA_KEYS and isinstance(value, str) for key, value in camera.items())
    )
