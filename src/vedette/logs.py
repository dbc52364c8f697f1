"""One way of logging for every component: one line an event, on standard output, without secrets.

The nucleus captures standard output into ``<root>/logs/<component>.log``; it adds time and component itself, but not
the level, so a line begins with the level and the logger.
"""

import logging
import sys

from vedette.redaction import redact


class RedactingFormatter(logging.Formatter):
    """Formats one line an event: ``2026-11-23T09:41:12.345Z INFO camera_ingest.worker message``; no credentials."""

    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        import time

        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Format the record and take out what looks like credentials in a URL, tracebacks included."""
        return redact(super().format(record))


def configure(level: str = "INFO") -> None:
    """Send the root logger to standard output at ``level``; called once, at the start of a component's process."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(RedactingFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The SDK tells of every connection at INFO; the bus does so itself where it matters.
    logging.getLogger("awsiot").setLevel(logging.WARNING)
