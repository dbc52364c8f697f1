"""How much memory nucleus lite has for the parts of a request or message, and what becomes of one that has more.

It decodes JSON into objects of 11 bytes each, and 21 bytes for a key with its value, in memory of a fixed size: 255
objects for a request (``GG_MAX_OBJECT_SUBOBJECTS``), 200 where the broker takes a message (core-bus ``server.c``), 50
where it is handed to a subscriber (core-bus ``client_subscribe.c``). Text has no part in it. Levels: at most 15
(``GG_MAX_OBJECT_DEPTH``), of which what is wrapped around a message takes some. All limits were measured on 2.6.0.
"""

from enum import Enum
from typing import Any, Final

__all__ = ["Fate", "fate", "readable"]

_OBJECT_BYTES: Final = 11
_PAIR_BYTES: Final = _OBJECT_BYTES + 10
_REQUEST_BYTES: Final = 255 * _OBJECT_BYTES
_WRAPPING_BYTES: Final = 3 * _PAIR_BYTES
"""``topic``, ``type`` and ``message`` on the way through the broker."""
_BROKER_BYTES: Final = 200 * _OBJECT_BYTES - _WRAPPING_BYTES
_SUBSCRIBER_BYTES: Final = 50 * _OBJECT_BYTES - _WRAPPING_BYTES
_BROKER_LEVELS: Final = 13
_SUBSCRIBER_LEVELS: Final = 12


class Fate(Enum):
    """What becomes of a structured message."""

    DELIVERED = "delivered"
    LOST = "lost"
    """Acknowledged, and nobody hears of it."""
    DEAFENS = "deafens"
    """Acknowledged, and whoever is subscribed hears neither it nor anything after it: the subscription is broken."""
    REFUSED = "refused"


def readable(request: Any) -> bool:
    """Tell whether a request has few enough parts to be read at all."""
    return _measure(request)[0] <= _REQUEST_BYTES


def fate(message: Any) -> Fate:
    """Return what becomes of a structured message."""
    size, levels = _measure(message)
    if size > _BROKER_BYTES or levels > _BROKER_LEVELS:
        return Fate.REFUSED
    if size > _SUBSCRIBER_BYTES:
        return Fate.DEAFENS
    return Fate.LOST if levels > _SUBSCRIBER_LEVELS else Fate.DELIVERED


def _measure(document: Any) -> tuple[int, int]:
    """Return the bytes that the parts below a document take, and its levels."""
    if isinstance(document, dict):
        own, below = _PAIR_BYTES * len(document), [_measure(value) for value in document.values()]
    elif isinstance(document, list):
        own, below = _OBJECT_BYTES * len(document), [_measure(value) for value in document]
    else:
        return 0, 0
    return own + sum(size for size, _ in below), 1 + max((levels for _, levels in below), default=0)
