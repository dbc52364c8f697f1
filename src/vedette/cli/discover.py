"""``vedette camera discover``: which cameras are plugged in, and which answer by ONVIF; their streams' addresses."""

import getpass
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from vedette.cli.failure import EXIT_FAILED, EXIT_USAGE, Failure
from vedette.cli.terminal import Terminal
from vedette.onvif import CameraDescription, Found, LoginNeeded, OnvifError, discover, select, streams_of
from vedette.video_devices import Device, Mode, describe, find_devices

_AT_ONCE: Final = 8
_ASK_S: Final = 10.0
_SERVICE: Final = "/onvif/device_service"


@dataclass(frozen=True)
class _Asked:
    found: Found
    description: CameraDescription | None
    error: OnvifError | None


def discover_cameras(hosts: list[str], user: str | None, terminal: Terminal, *, timeout_s: float, as_json: bool) -> int:
    """Find cameras, ask each for its streams, show them; 0 when there was one.

    :raises Failure: for a host that is none
    """
    found = [given_camera(host) for host in hosts]
    password = _password(user)
    devices = [] if hosts else find_devices()
    if not hosts:
        terminal.waiting("cameras", f"asking this machine's networks for {timeout_s:g} s")
        found = discover(timeout_s)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = list(pool.map(lambda camera: _ask(camera, user, password), found))
    terminal.clear_status()
    if as_json:
        sys.stdout.write(json.dumps(_document(asked, devices), indent=2) + "\n")
    else:
        _show_devices(devices, terminal)
        _show(asked, user, terminal)
    usable = any(each.description for each in asked) if hosts else bool(asked or devices)
    if not usable and not hosts:
        terminal.error(
            "no camera has answered",
            "cameras answer in their own network only, and many only with ONVIF switched on in their settings;"
            " vedette camera discover HOST asks one directly",
        )
    return 0 if usable else EXIT_FAILED


def given_camera(host: str) -> Found:
    """Return the camera at ``HOST``, ``HOST:PORT`` or the address of its device service.

    :raises Failure: for what is none of these
    """
    service = host if "://" in host else f"http://{host}{_SERVICE}"
    try:
        parts = urlsplit(service)
        name, _ = parts.hostname, parts.port
    except ValueError:
        name = None
    if not name or parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise Failure(
            f"`{host.rpartition('@')[2]}` is no host of a camera",
            hint="vedette camera discover 10.0.0.21:8080 --user viewer",
            exit_code=EXIT_USAGE,
        )
    return Found(service, name, service)


def _password(user: str | None) -> str | None:
    if user is None:
        return None
    if sys.stdin.isatty():
        return getpass.getpass(f"Password for {user}: ")
    return sys.stdin.readline().rstrip("\n")


def _ask(camera: Found, user: str | None, password: str | None) -> _Asked:
    try:
        return _Asked(camera, streams_of(camera.service, user, password, _ASK_S), None)
    except OnvifError as error:
        return _Asked(camera, None, error)


def _document(asked: list[_Asked], devices: list[Device]) -> dict[str, Any]:
    cameras = [
        {
            **asdict(each.found),
            **(asdict(each.description) if each.description else {"error": str(each.error)}),
        }
        for each in asked
    ]
    plugged = [
        {
            **asdict(device),
            "path": str(device.path),
            "node": str(device.node),
            "modes": [asdict(m) for m in device.modes],
        }
        for device in devices
    ]
    return {"schema": "vedette.cameras/1", "cameras": cameras, "devices": plugged}


def _show_devices(devices: list[Device], terminal: Terminal) -> None:
    """Write each camera that is plugged in, and for each format the largest size below it."""
    for device in devices:
        sys.stdout.write(f"{device.path}  {device.name or device.node.name}\n")
        if device.problem:
            sys.stdout.write(f"  {device.problem}\n")
        largest: dict[str, Mode] = {}
        for mode in device.modes:
            best = largest.get(mode.pixel_format)
            if best is None or mode.width * mode.height > best.width * best.height:
                largest[mode.pixel_format] = mode
        for mode in largest.values():
            sys.stdout.write(
                f"  {describe(mode):<28}  size={mode.width}x{mode.height}&format={mode.pixel_format.lower()}\n"
            )
    usable = next((device for device in devices if device.modes), None)
    if usable is not None:
        terminal.line(f"next: vedette camera test {usable.path}")


def _show(asked: list[_Asked], user: str | None, terminal: Terminal) -> None:
    """Write a camera a line and its streams below it; what to do next goes to the terminal."""
    example, both = "", ""
    for each in asked:
        told = each.description
        names = [told.maker, told.model] if told else [each.found.name, each.found.hardware]
        name = " ".join(dict.fromkeys(part for part in names if part)) or "camera"
        sys.stdout.write(f"{each.found.host}  {name}\n")
        chosen = select(told.profiles) if told else None
        for stream in told.profiles if told else ():
            size = f"{stream.width}x{stream.height}" if stream.width and stream.height else ""
            rate = f"{stream.fps:g} fps" if stream.fps else ""
            detail = " ".join(part for part in (size, stream.codec, rate) if part)
            role = {id(chosen.main): "  (main)", id(chosen.sub): "  (sub)"}.get(id(stream), "") if chosen else ""
            sys.stdout.write(f"  {stream.name:<16}  {detail:<28}  {stream.url}{role}\n")
            example = example or stream.url
        if chosen and chosen.sub:
            both = both or each.found.host
        if each.error is not None:
            sys.stdout.write(f"  {each.error}\n")
    sys.stdout.flush()
    if any(isinstance(each.error, LoginNeeded) for each in asked):
        terminal.line("hint: vedette camera discover --user NAME asks for the password")
    if example:
        shown = example.replace("://", f"://{user}:PASSWORD@", 1) if user else example
        terminal.line(f"next: vedette camera test {shown}")
    if both:
        login = f" --user {user}" if user else ""
        terminal.line(f"      vedette camera add NAME --onvif {both}{login}")
        terminal.line("      takes both streams: (sub) for models, (main) only while somebody looks")
