"""``vedette camera pause`` without a name: the cameras of all applications with their states, one to be chosen.

As Panorama's script did it: choosing one that runs pauses it, choosing one that is paused resumes it.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vedette.application.shadow import shadow_name
from vedette.cli.aws import speaking_to_aws
from vedette.cli.camera_signals import Signal, signal_camera
from vedette.cli.device_signals import signal_devices
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.instance import ask, chosen
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal


@dataclass(frozen=True)
class Entry:
    """A camera of an application."""

    instance: str
    camera: str
    paused: bool
    device: str = ""
    """Empty: what runs here."""

    @property
    def signal(self) -> Signal:
        """Return what choosing it does."""
        return "RESUME" if self.paused else "PAUSE"


def choose_and_signal(
    devices: tuple[str, ...],
    terminal: Terminal,
    *,
    root: Path | None,
    profile: str | None,
    region: str | None,
    as_json: bool,
) -> int:
    """List the cameras, ask for one, and signal it; returns the exit code.

    :raises Failure: without a terminal to ask on, or without cameras
    """
    if not sys.stdin.isatty():
        raise Failure(
            "nobody can be asked which camera", hint="vedette camera pause INSTANCE CAMERA", exit_code=EXIT_USAGE
        )
    entries = _on_devices(devices, profile, region) if devices else here(ask(chosen(root), "health") or {})
    entry = _asked(entries, terminal)
    if entry.device:
        return signal_devices(
            entry.instance,
            entry.camera,
            entry.signal,
            (entry.device,),
            profile=profile,
            region=region,
            as_json=as_json,
        )
    return signal_camera(entry.instance, entry.camera, entry.signal, terminal, root=root, as_json=as_json)


def here(health: Mapping[str, Any]) -> list[Entry]:
    """Return the cameras of what runs here, out of its health document."""
    names = {c["camera_id"]: c["name"] for c in health.get("cameras", ())}
    return [
        Entry(
            application["instance"],
            # Cameras that nobody has heard of yet are known by their id, which begins with the name.
            names.get(camera_id, camera_id.rpartition("-")[0]),
            camera_id in application.get("paused", ()),
        )
        for application in health.get("applications", ())
        for ids in application.get("cameras", {}).values()
        for camera_id in ids
    ]


def _on_devices(devices: tuple[str, ...], profile: str | None, region: str | None) -> list[Entry]:
    from vedette.cloud.access import Cloud
    from vedette.cloud.device_health import read_health
    from vedette.cloud.errors import NotFoundError

    entries = []
    with speaking_to_aws():
        cloud = Cloud(profile=profile, region=region)
        for device in devices:
            for application in read_health(cloud, device).applications:
                instance = str(application.get("instance", ""))
                try:
                    answer = cloud.call(
                        "iot-data", "get_thing_shadow", thingName=device, shadowName=shadow_name(instance)
                    )
                except NotFoundError:
                    continue
                reported = json.loads(answer["payload"].read()).get("state", {}).get("reported", {})
                for camera, state in sorted(reported.get("cameras", {}).items()):
                    entries.append(Entry(instance, camera, state == "PAUSE", device))
    return entries


def _asked(entries: list[Entry], terminal: Terminal) -> Entry:
    if not entries:
        raise Failure("there is no camera to choose from", hint="vedette status")
    rows = [
        (str(number), entry.device or "here", entry.instance, entry.camera, "paused" if entry.paused else "on")
        for number, entry in enumerate(entries, 1)
    ]
    for line in table(("", "DEVICE", "APPLICATION", "CAMERA", "STATE"), rows):
        terminal.line(line)
    sys.stderr.write("pause or resume which (number)? ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if not answer.isdecimal() or not 1 <= int(answer) <= len(entries):
        raise Failure("nothing was changed")
    return entries[int(answer) - 1]
