"""Which of AWS's two nuclei the local one behaves as, and where the two differ on the wire.

Sources: the Java nucleus (``JAVA``); aws-greengrass-lite 2.6.0, its ``modules/ggipcd`` and ``ggpubsubd``, and
measurements on it (``LITE``).
"""

from dataclasses import dataclass
from typing import Final

from vedette.nucleus.errors import NucleusError
from vedette.nucleus.ipc.eventstream import MAX_MESSAGE_BYTES

__all__ = ["JAVA", "LITE", "Personality", "personality_named"]


@dataclass(frozen=True)
class Personality:
    """How a nucleus behaves."""

    name: str
    socket_name: str
    runtime: str
    """The platform attribute ``runtime`` that recipes may ask for."""
    max_packet_bytes: int = MAX_MESSAGE_BYTES
    """A longer packet ends the connection."""
    max_event_bytes: int = MAX_MESSAGE_BYTES
    """A longer event is not sent."""
    max_connections: int | None = None
    strict: bool = True
    """Whether stream ids must follow one another, PING is answered, and a refused CONNECT gets an answer."""
    terminates: bool = True
    """Whether the answer of an operation without events ends its stream. Where not, SDK clients leak."""
    lite: bool = False
    """Whether operations, errors, recipes and deployments are nucleus lite's."""


JAVA: Final = Personality(name="java", socket_name="ipc.sock", runtime="aws_nucleus_classic")
LITE: Final = Personality(
    name="lite",
    socket_name="gg-ipc.socket",
    runtime="aws_nucleus_lite",
    max_packet_bytes=10_012,  # 10,000 bytes after the 12 of the prelude
    max_event_bytes=10_000,
    max_connections=50,
    strict=False,
    terminates=False,
    lite=True,
)


def personality_named(name: str) -> Personality:
    """Return ``JAVA`` or ``LITE``; NucleusError for another name."""
    for known in (JAVA, LITE):
        if known.name == name:
            return known
    raise NucleusError(f"there is no nucleus {name!r}: expected java or lite")
