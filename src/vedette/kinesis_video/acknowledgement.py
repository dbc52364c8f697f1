"""What Kinesis Video Streams says of fragments while it receives them: JSON objects, one after the other. No I/O."""

import json
from enum import Enum
from typing import Any, Final, NamedTuple

_MOST_BYTES: Final = 65_536
_DECODER: Final = json.JSONDecoder()


class AckEvent(Enum):
    """Kinds of acknowledgements (PutMedia, response elements)."""

    BUFFERING = "BUFFERING"
    """The first byte of the fragment has come."""
    RECEIVED = "RECEIVED"
    """All of it."""
    PERSISTED = "PERSISTED"
    """It is stored; not said by streams without retention."""
    IDLE = "IDLE"
    """Nothing has come for a while."""
    ERROR = "ERROR"


class Acknowledgement(NamedTuple):
    """One of them. ``timecode_ms``: of the cluster as it was sent; ``error_id``: AWS's number, 0 without an error."""

    event: AckEvent
    timecode_ms: int | None = None
    fragment_number: str = ""
    error_id: int = 0
    error_code: str = ""


class AcknowledgementError(Exception):
    """What came cannot be acknowledgements."""


class AcknowledgementReader:
    """Takes bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = ""
        self._bytes = b""

    def feed(self, data: bytes) -> list[Acknowledgement]:
        """Take bytes in; return the acknowledgements that are whole.

        :raises AcknowledgementError: for what cannot be read
        """
        self._bytes += data
        try:
            self._rest += self._bytes.decode()
            self._bytes = b""
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                raise AcknowledgementError("an acknowledgement is not UTF-8") from None
            self._rest += self._bytes[: error.start].decode()
            self._bytes = self._bytes[error.start :]
        found = []
        while rest := self._rest.lstrip():
            self._rest = rest
            if rest[0] != "{":
                raise AcknowledgementError(f"an acknowledgement begins with {rest[:20]!r}, expected a JSON object")
            try:
                document, end = _DECODER.raw_decode(rest)
            except (ValueError, RecursionError):
                if len(rest) > _MOST_BYTES:
                    raise AcknowledgementError("an acknowledgement is not JSON") from None
                break
            self._rest = rest[end:]
            acknowledgement = _read(document)
            if acknowledgement is not None:
                found.append(acknowledgement)
        return found


def _read(document: Any) -> Acknowledgement | None:
    """Return one acknowledgement; None for a kind that AWS may add one day."""
    # The reference's example wraps it; the service and its producers do not.
    facts = document.get("Acknowledgement", document)
    if not isinstance(facts, dict):
        raise AcknowledgementError("an acknowledgement is not a JSON object")
    try:
        event = AckEvent(str(facts.get("EventType", facts.get("AckEventType", ""))).upper())
    except ValueError:
        return None
    try:
        timecode = facts.get("FragmentTimecode", facts.get("FragmentTimeCode"))
        number = facts.get("ErrorId", 0)
        return Acknowledgement(
            event,
            None if timecode is None else int(timecode),
            str(facts.get("FragmentNumber", ""))[:128],
            int(number) if str(number).isdigit() else 0,
            str(facts.get("ErrorCode", ""))[:100],
        )
    except (ValueError, TypeError):
        raise AcknowledgementError("an acknowledgement's numbers cannot be read") from None
