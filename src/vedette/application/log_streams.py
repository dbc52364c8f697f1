"""In which log stream of CloudWatch what is written belongs, as the appliance had it.

A device has the group ``<prefix>/<device>``, an application instance on it
``<prefix>/<device>/applications/<instance>`` with a stream for each node of its graph, named after it. Which camera,
model and output is which node only the instance's host knows; it leaves word in its logs folder.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vedette.log_events import CAMERA, MODEL, OTA_LOG, OUTPUT, STREAM, Event
from vedette.whole_files import write_whole

GROUP_PREFIXES: Final = ("/aws/panorama/devices", "/aws/vedette/devices")
"""Where groups may lie: Panorama's own, for scripts and filters of old, or beside them."""
OCC_LOG: Final = "occ_log"
SYSLOG: Final = "syslog"
KERN_LOG: Final = "kern_log"
SETUP_LOG: Final = "logging_setup_logs"
AGENT_LOG: Final = "cloudwatch_agent_logs"
SHADOW_LOG: Final = "shadow_log"
MDS: Final = "mds"
CONSOLE_OUTPUT: Final = "console_output"
DEVICE_STREAMS: Final = frozenset({OCC_LOG, OTA_LOG, SYSLOG, KERN_LOG, SETUP_LOG, AGENT_LOG, SHADOW_LOG})
"""Streams of the device's group; all others are an application's."""
_FILE: Final = "streams.json"
_APPLICATION: Final = "vedette.app."
_OF_LOGGERS: Final[Sequence[tuple[str, str]]] = (
    ("vedette_app_runtime.role", MDS),
    ("vedette_app_runtime.sessions", MDS),
    ("vedette.shadows", SHADOW_LOG),
    ("vedette_device_monitor.logs.setup", SETUP_LOG),
    ("vedette_device_monitor.logs", AGENT_LOG),
    ("vedette_device_monitor.sender", AGENT_LOG),
    ("vedette_device_monitor.spool", AGENT_LOG),
    ("vedette.aws_calls", AGENT_LOG),
)
"""Loggers whose events have a stream of their own, whatever they are about; the first that fits."""


class Where(NamedTuple):
    """A stream: of the device where ``instance`` is empty, else of that application instance."""

    instance: str
    stream: str


class LogStreams(BaseModel):
    """The nodes of one instance, as the names of its streams."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    code: str = Field(description="node of the code")
    cameras: dict[str, list[str]] = Field(default_factory=dict, description="camera id -> camera nodes")
    models: dict[str, list[str]] = Field(default_factory=dict, description="model id -> model nodes")
    outputs: dict[str, str] = Field(default_factory=dict, description="output port of the code -> output node")

    @classmethod
    def of(
        cls,
        instance: str,
        code: str,
        *,
        cameras: Iterable[tuple[str, str]],
        models: Iterable[tuple[str, str]],
        outputs: Iterable[tuple[str, str]],
    ) -> "LogStreams":
        """Return the streams of an instance from pairs of (id, node)."""
        found = cls(instance=instance, code=code, outputs=dict(outputs))
        for pairs, nodes in ((cameras, found.cameras), (models, found.models)):
            for name, node in pairs:
                if node not in nodes.setdefault(name, []):
                    nodes[name].append(node)
        return found

    def write(self, folder: Path) -> None:
        """Leave it in the instance's logs folder.

        :raises OSError: when the disk does not take it
        """
        data = self.model_dump_json().encode()
        path = folder / _FILE
        if path.exists() and path.read_bytes() == data:
            return
        write_whole(path, data)

    @classmethod
    def read(cls, folder: Path, component: str) -> "LogStreams":
        """Return what the host of an instance has left; Panorama's usual names where it has not yet."""
        try:
            fd = os.open(folder / _FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                return cls.model_validate_json(file.read(1 << 20))
        except (OSError, ValidationError):
            return cls(instance=component.removeprefix(_APPLICATION), code="code_node")


def places(component: str, event: Event, instances: Mapping[str, LogStreams]) -> tuple[list[Where], str]:
    """Return the streams that an event of a component belongs into, and its text there.

    :param instances: component of an application -> its streams
    """
    text = event.line
    own = instances.get(component)
    kind, name = event.subject
    stream = next((stream for logger, stream in _OF_LOGGERS if event.logger.startswith(logger)), "")
    if kind == STREAM and not stream:
        stream = name
    if stream in DEVICE_STREAMS:
        return [Where("", stream)], f"{text} [{component}]"
    if own is not None:
        return [Where(own.instance, stream or own.code)], text
    found = [Where(each.instance, node) for each in instances.values() for node in _nodes(each, kind, name)]
    # What is about no node, or about one that nobody uses any more, is the device's own business.
    return (found, text) if found else ([Where("", OCC_LOG)], f"{text} [{component}]")


def _nodes(streams: LogStreams, kind: str, name: str) -> Sequence[str]:
    if kind == CAMERA:
        return streams.cameras.get(name, [])
    if kind == MODEL:
        return streams.models.get(name, [])
    if kind == OUTPUT and name.startswith(f"{streams.instance}."):
        # <instance>.<port>.<stream>, or <instance>. for all of them
        port = name.removeprefix(f"{streams.instance}.").partition(".")[0]
        return [node for each, node in streams.outputs.items() if port in ("", each)]
    return []
