"""What GetMedia sends: the chunks of a stream, as one Matroska after the other, with the service's tags."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from vedette.cloud_stand_in.video.ingestion import ArgumentError
from vedette.cloud_stand_in.video.streams import StoredFragment


def selected(fragments: Iterable[StoredFragment], selector: Mapping[str, Any]) -> int:
    """Return how many fragments a start selector passes over.

    :raises ArgumentError: for a selector that lacks something
    """
    kept = list(fragments)
    kind = selector.get("StartSelectorType")
    begins: Callable[[StoredFragment], bool]
    match kind:
        case "EARLIEST":
            return 0
        case "NOW":
            return len(kept)
        case "FRAGMENT_NUMBER" if "AfterFragmentNumber" in selector:
            after = int(selector["AfterFragmentNumber"])
            begins = lambda fragment: int(fragment.number) > after  # noqa: E731
        case "CONTINUATION_TOKEN" if "ContinuationToken" in selector:
            after = int(selector["ContinuationToken"])
            begins = lambda fragment: int(fragment.number) > after  # noqa: E731
        case "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" if "StartTimestamp" in selector:
            at_ms = float(selector["StartTimestamp"]) * 1000
            by = "producer_ms" if kind == "PRODUCER_TIMESTAMP" else "server_ms"
            begins = lambda fragment: float(getattr(fragment, by)) >= at_ms  # noqa: E731
        case _:
            raise ArgumentError(f"the start selector {kind} is unknown or lacks its value")
    return next((number for number, fragment in enumerate(kept) if begins(fragment)), len(kept))


def chunk(fragment: StoredFragment, before: StoredFragment | None, behind_ms: int) -> Iterator[bytes]:
    """Yield one chunk; the header is left out where it is that of the one before."""
    if before is None or before.header != fragment.header:
        yield fragment.header
    yield fragment.raw
    yield _tags(
        {
            "AWS_KINESISVIDEO_FRAGMENT_NUMBER": fragment.number,
            "AWS_KINESISVIDEO_SERVER_TIMESTAMP": f"{fragment.server_ms / 1000:.3f}",
            "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP": f"{fragment.producer_ms / 1000:.3f}",
            "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW": str(behind_ms),
            "AWS_KINESISVIDEO_CONTINUATION_TOKEN": fragment.number,
        }
    )


def _tags(values: Mapping[str, str]) -> bytes:
    simple = b"".join(
        _element(b"\x67\xc8", _element(b"\x45\xa3", name.encode()) + _element(b"\x44\x87", value.encode()))
        for name, value in values.items()
    )
    return _element(b"\x12\x54\xc3\x67", _element(b"\x73\x73", _element(b"\x63\xc0", b"") + simple))


def _element(number: bytes, content: bytes) -> bytes:
    return number + (len(content) | 1 << 56).to_bytes(8, "big") + content
