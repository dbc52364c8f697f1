"""Waits until a device is there: connected, known to Greengrass, and done with its deployments."""

from collections.abc import Callable
from typing import Final

from vedette.cloud.access import Cloud
from vedette.cloud.devices import Device, connectivity, describe_device
from vedette.cloud.errors import CloudError

PERIOD_S: Final = 5.0
ARRIVED: Final = frozenset({"ONLINE", "NOT_AVAILABLE"})
_STEPS: Final = {
    "AWAITING_PROVISIONING": (
        "first report",
        "the nucleus has not reported to Greengrass yet: has install.sh run? Its log lies beside the unpacked archive",
    ),
    "OFFLINE": (
        "connection",
        "it is not connected to AWS IoT: its clock, its network, and the firewall's ports 8883 and 443",
    ),
    "REBOOTING": ("reboot", "it has not come back from a reboot yet"),
    "PENDING": ("deployment", "its newest deployment is under way"),
}


class NotArrivedError(CloudError):
    """The device was not there in time, or its deployment failed; ``step`` is the one it stopped at."""

    def __init__(self, message: str, step: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.step = step


def wait_until_online(
    cloud: Cloud,
    name: str,
    *,
    limit_s: float,
    clock: Callable[[], float],
    wait: Callable[[float], object],
    tell: Callable[[str, str], object] = lambda _step, _words: None,
) -> Device:
    """Return the device once it is online and its deployments are done.

    :param clock: monotonic, s
    :param wait: waits so many seconds; true when the command is to stop
    :param tell: called with step and words whenever the step is another
    :raises NotArrivedError: naming the step, when the time is over or a deployment has failed
    :raises NotFoundError: if there is no thing of that name
    """
    until, told = clock() + limit_s, ""
    while True:
        found = describe_device(cloud, name)
        if found.status in ARRIVED:
            return found
        step, words = _step(cloud, found)
        if step != told:
            told = step
            tell(step, words)
        if found.status == "ERROR":
            raise NotArrivedError(f"{name} is there and not well, step `{step}`: {words}", step)
        if clock() >= until or wait(min(PERIOD_S, max(0.0, until - clock()))):
            raise NotArrivedError(
                f"{name} is not online after {limit_s:.0f} s, step `{step}`: {words}",
                step,
                hint=f"vedette device wait {name}",
            )


def _step(cloud: Cloud, device: Device) -> tuple[str, str]:
    if device.status == "AWAITING_PROVISIONING" and (connectivity(cloud, device.name) or {}).get(device.name):
        return (
            "first report",
            "it is connected to AWS IoT, and Greengrass does not know it yet: its IoT policy, port 8443",
        )
    if device.status != "ERROR":
        return _STEPS[device.status]
    failed = next((item for item in device.deployments if item["status"] in {"FAILED", "REJECTED", "TIMED_OUT"}), None)
    if failed is not None:
        return "deployment", f"{failed['target']} {failed['status']}: {failed['reason'] or 'no reason given'}"
    broken = ", ".join(str(item["name"]) for item in device.components if item["state"] in {"BROKEN", "ERRORED"})
    return "components", f"broken: {broken}" if broken else "Greengrass calls it unhealthy"
