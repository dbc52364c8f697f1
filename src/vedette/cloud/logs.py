"""Logs of Vedette and its applications in CloudWatch, where the Greengrass log manager puts them."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.application.log_upload import CONSOLE, FILES, log_group
from vedette.cloud.access import Cloud

_APPLICATION: Final = "vedette.app."
_PAGES: Final = 50
"""Of a log group at once, up to 10,000 lines each: what is older is not worth the calls."""


@dataclass(frozen=True)
class CloudLine:
    """One line."""

    label: str
    device: str
    time_ms: int
    text: str
    id: str


class CloudLogs:
    """Reads log groups of one region. Methods raise CloudError."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def labels(self) -> dict[str, str]:
        """Return label -> log group: as ``vedette logs`` calls the same logs on the device."""
        prefix = log_group("vedette.", self._cloud.region)
        found: dict[str, str] = {}
        arguments: dict[str, Any] = {"logGroupNamePrefix": prefix}
        while True:
            answer = self._cloud.call("logs", "describe_log_groups", **arguments)
            for group in answer.get("logGroups", ()):
                name = group["logGroupName"]
                found[_label(name.rpartition("/")[2])] = name
            if not answer.get("nextToken"):
                return found
            arguments["nextToken"] = answer["nextToken"]

    def newest(self, label: str, group: str, since_ms: int, count: int, device: str | None) -> list[CloudLine]:
        """Return the newest lines of a group since a time, the oldest of them first."""
        return list(deque(self.since(label, group, since_ms, device), maxlen=count))

    def since(self, label: str, group: str, since_ms: int, device: str | None) -> Iterator[CloudLine]:
        """Give out the lines of a group since a Unix time in ms, in order."""
        arguments: dict[str, Any] = {"logGroupName": group, "startTime": since_ms, "interleaved": True}
        for _ in range(_PAGES):
            answer = self._cloud.call("logs", "filter_log_events", **arguments)
            for event in answer.get("events", ()):
                line = _line(label, event)
                if device is None or line.device == device:
                    yield line
            if not answer.get("nextToken"):
                return
            arguments["nextToken"] = answer["nextToken"]


def _label(name: str) -> str:
    if name.startswith(_APPLICATION):
        for end, word in ((CONSOLE, "console"), (FILES, "files")):
            if name.endswith(end):
                return f"{name.removeprefix(_APPLICATION).removesuffix(end)}/{word}"
    return name


def _line(label: str, event: Mapping[str, Any]) -> CloudLine:
    # Streams are called /2026/11/27/thing/<thing>.
    device = str(event.get("logStreamName", "")).rpartition("/thing/")[2]
    return CloudLine(label, device, int(event["timestamp"]), str(event["message"]).rstrip("\n"), str(event["eventId"]))
