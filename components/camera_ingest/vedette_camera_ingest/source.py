"""A camera as its worker knows it.

Workers do without pydantic: it takes 17 MB in each of them, and what they hear and say is checked in the main process.
"""

from typing import Any, NamedTuple, Protocol


class Source(Protocol):
    """Where a camera's video comes from; ``vedette.messages.CameraSource`` is one, too."""

    @property
    def camera_id(self) -> str:
        """Name and 8 hex digits of the definition."""

    @property
    def name(self) -> str:
        """The name for people."""

    @property
    def url(self) -> str:
        """Address or path; empty when the secret has it."""

    @property
    def secret(self) -> str | None:
        """Name of the secret with the login."""

    @property
    def transport(self) -> str:
        """How RTSP cameras send: tcp or udp."""

    @property
    def pace(self) -> str:
        """How files are played: own or fastest."""

    @property
    def loop(self) -> bool:
        """Whether files begin anew at their end."""

    @property
    def max_fps(self) -> float | None:
        """Pictures a second at most; None: all there are."""


class PlainSource(NamedTuple):
    """A source in the worker."""

    camera_id: str
    name: str
    url: str = ""
    secret: str | None = None
    transport: str = "tcp"
    pace: str = "own"
    loop: bool = True
    max_fps: float | None = None


def document_of(source: Source) -> dict[str, Any]:
    """Return what the worker is told of ``source``."""
    return {field: getattr(source, field) for field in PlainSource._fields}
