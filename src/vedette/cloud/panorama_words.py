"""AWS's states in the words of Panorama's API, version 2019-07-24: scripts that read those go on reading them."""

from collections.abc import Mapping
from typing import Final

STATUS: Final[Mapping[str, str]] = {
    "DEPLOYMENT_PENDING": "The deployment has been created; no device has heard of it yet.",
    "DEPLOYMENT_REQUESTED": "The deployment waits for devices.",
    "DEPLOYMENT_IN_PROGRESS": "Devices carry the deployment out.",
    "DEPLOYMENT_ERROR": "The deployment was stopped or replaced before it was through.",
    "DEPLOYMENT_SUCCEEDED": "Application deployed successfully.",
    "DEPLOYMENT_FAILED": "Devices could not carry the deployment out.",
    "REMOVAL_PENDING": "The removal has been created; no device has heard of it yet.",
    "REMOVAL_REQUESTED": "The removal waits for devices.",
    "REMOVAL_IN_PROGRESS": "Devices remove the application.",
    "REMOVAL_SUCCEEDED": "Application removed successfully.",
    "REMOVAL_FAILED": "Devices could not remove the application.",
}
"""ApplicationInstanceStatus -> StatusDescription."""

JOB_PROGRESS: Final[Mapping[str, str]] = {
    "QUEUED": "PENDING",
    "IN_PROGRESS": "IN_PROGRESS",
    "SUCCEEDED": "COMPLETED",
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "REJECTED": "FAILED",
    "TIMED_OUT": "FAILED",
    "CANCELED": "FAILED",
    "REMOVED": "FAILED",
    "INACTIVE": "FAILED",
}
"""State of a job or deployment on a device -> UpdateProgress. Panorama's DOWNLOADING and VERIFYING are IN_PROGRESS."""
_BAD: Final = ("failed", "rejected", "timed_out")


def progress_of(status: str, *, reboot: bool = False) -> str:
    """Return UpdateProgress of a job on a device."""
    if reboot and status == "IN_PROGRESS":
        return "REBOOTING"
    return JOB_PROGRESS.get(status, "PENDING")


def status_of(devices: Mapping[str, int], *, removed: bool) -> str:
    """Return ApplicationInstanceStatus of a deployment by how many devices are in which state.

    :param devices: as ``following.Standing.counts``
    :param removed: whether the deployment took the application away
    """
    word = "REMOVAL" if removed else "DEPLOYMENT"
    waiting, busy = devices.get("queued", 0), devices.get("in_progress", 0)
    done = devices.get("succeeded", 0)
    if any(devices.get(key) for key in _BAD):
        return f"{word}_FAILED"
    if busy or (waiting and done):
        return f"{word}_IN_PROGRESS"
    if waiting:
        return f"{word}_REQUESTED"
    if done:
        return f"{word}_SUCCEEDED"
    if devices.get("canceled") or devices.get("removed"):
        return "REMOVAL_FAILED" if removed else "DEPLOYMENT_ERROR"
    return f"{word}_PENDING"
