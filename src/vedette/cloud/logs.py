"""Logs of Vedette and its applications in CloudWatch: in the log manager's groups, and in those of the monitor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vedette.application.log_streams import GROUP_PREFIXES
from vedette.application.log_upload import CONSOLE, FILES, log_group
from vedette.cloud.access import Cloud

_APPLICATION: Final = "vedette.app."
_APPLICATIONS: Final = "/applications/"
_PAGES: Final = 50
"""Of a log group at once, up to 10,000 lines each: what is older is not worth the calls."""


@dataclass(frozen=True)
class CloudLog:
    """A log group. ``device``: whose it is alone; empty: the whole fleet's, with a stream for each device and day."""

    label: str
    group: str
    device: str = ""

    def fits(self, name: str | None) -> bool:
        """Tell whether it is a log of that name, or has one among its streams as ``<instance>/<node>``."""
        return name is None or name in self.label or (bool(self.device) and name.startswith(f"{self.label}/"))


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

    def logs(self) -> list[CloudLog]:
        """Return every log, called as ``vedette logs`` calls it on the device."""
        prefix = log_group("vedette.", self._cloud.region)
        found = [CloudLog(_label(name.rpartition("/")[2]), name) for name in self._groups(prefix)]
        for beginning in GROUP_PREFIXES:
            for name in self._groups(f"{beginning}/"):
                device, _, instance = name.removeprefix(f"{beginning}/").partition(_APPLICATIONS)
                found.append(CloudLog(instance or "device", name, device))
        return found

    def since(self, log: CloudLog, since_ms: int, device: str | None) -> Iterator[CloudLine]:
        """Give out the lines of a log since a Unix time in ms, in order."""
        if device is not None and log.device not in ("", device):
            return
        arguments: dict[str, Any] = {"logGroupName": log.group, "startTime": since_ms, "interleaved": True}
        for _ in range(_PAGES):
            answer = self._cloud.call("logs", "filter_log_events", **arguments)
            for event in answer.get("events", ()):
                line = _line(log, event)
                if device is None or line.device == device:
                    yield line
            if not answer.get("nextToken"):
                return
            arguments["nextToken"] = answer["nextToken"]

    def _groups(self, prefix: str) -> Iterator[str]:
        arguments: dict[str, Any] = {"logGroupNamePrefix": prefix}
        while True:
            answer = self._cloud.call("logs", "describe_log_groups", **arguments)
            for group in answer.get("logGroups", ()):
                yield str(group["logGroupName"])
            if not answer.get("nextToken"):
                return
            arguments["nextToken"] = answer["nextToken"]


def _label(name: str) -> str:
    if name.startswith(_APPLICATION):
        for end, word in ((CONSOLE, "console"), (FILES, "files")):
            if name.endswith(end):
                return f"{name.removeprefix(_APPLICATION).removesuffix(end)}/{word}"
    return name


def _line(log: CloudLog, event: Mapping[str, Any]) -> CloudLine:
    stream = str(event.get("logStreamName", ""))
    if log.device:
        label, device = f"{log.label}/{stream}", log.device
    else:
        # Streams are called /2026/11/27/thing/<thing>.
        label, device = log.label, stream.rpartition("/thing/")[2]
    return CloudLine(label, device, int(event["timestamp"]), str(event["message"]).rstrip("\n"), str(event["eventId"]))
