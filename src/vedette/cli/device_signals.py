"""``vedette camera pause|resume --device``: Panorama's signal to cameras of applications on devices of the account."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from vedette.application.shadow import shadow_name
from vedette.cli.aws import speaking_to_aws
from vedette.cli.camera_signals import Signal
from vedette.cli.failure import Failure
from vedette.cli.terminal import Terminal

if TYPE_CHECKING:
    from vedette.cloud.access import Cloud

SCHEMA: Final = "vedette.camera-signal/1"
_SERVICE: Final = "iot-data"


def signal_devices(
    instance: str,
    camera: str | None,
    signal: Signal,
    devices: tuple[str, ...],
    *,
    profile: str | None,
    region: str | None,
    as_json: bool,
) -> int:
    """Write the signal into the instance's shadow of each device; one that is away takes it when it is back.

    ``camera`` is None where the application has one camera node only.

    :raises Failure: if a device has no such application, or AWS refuses; nothing is written then
    """
    from vedette.cloud.access import Cloud

    terminal = Terminal()
    shadow = shadow_name(instance)
    with speaking_to_aws():
        cloud = Cloud(profile=profile, region=region)
        # Every device is looked at before the first is changed.
        cameras = {device: _camera(_known(cloud, device, shadow, instance), camera, device) for device in devices}
        for device, (name, note) in cameras.items():
            payload = json.dumps({"state": {"desired": {"cameras": {name: signal}}}}).encode()
            cloud.call(_SERVICE, "update_thing_shadow", thingName=device, shadowName=shadow, payload=payload)
            terminal.done("camera", f"{name} of {instance} on {device} is to {signal.lower()}")
            if note:
                terminal.warn("camera", note)
    if as_json:
        said = {"schema": SCHEMA, "ok": True, "instance": instance, "signal": signal, "shadow": shadow}
        sent = {device: name for device, (name, _) in cameras.items()}
        sys.stdout.write(json.dumps({**said, "cameras": sent}, indent=2) + "\n")
    return 0


def _known(cloud: "Cloud", device: str, shadow: str, instance: str) -> Mapping[str, Any]:
    """Return what the application reports: PAUSE or RESUME by camera node, and by name where one was signalled."""
    from vedette.cloud.errors import NotFoundError

    try:
        answer = cloud.call(_SERVICE, "get_thing_shadow", thingName=device, shadowName=shadow)
    except NotFoundError as error:
        raise Failure(
            f"{device} has no shadow of an application `{instance}`",
            hint="the name is the instance's, as in vedette deploy --name; it has run on the device once",
        ) from error
    found = json.loads(answer["payload"].read()).get("state", {}).get("reported", {}).get("cameras", {})
    return found if isinstance(found, dict) else {}


def _camera(known: Mapping[str, Any], camera: str | None, device: str) -> tuple[str, str]:
    """Return the camera, and what is to be said of it. Names of cameras are the device's to know."""
    states = ", ".join(f"{name} ({'paused' if state == 'PAUSE' else 'on'})" for name, state in sorted(known.items()))
    if camera is None:
        if len(known) == 1:
            return next(iter(known)), ""
        raise Failure(f"{device} has {len(known)} cameras for it: name one", hint=f"it reports: {states or 'none'}")
    if camera in known:
        return camera, ""
    return camera, f"{device} reports {states or 'no camera'}: if it has no `{camera[:80]}`, its shadow says so"
