"""Labels and rectangles as they travel beside a frame."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ._advice import advise

_PIXELS = 2.0
"""A coordinate from here on is no fraction that has run a little over."""
MAX_BYTES = 32 * 1024
"""What a ring carries beside a frame; some 500 labelled boxes."""


class Annotations(NamedTuple):
    """What an application has added to a media: [text, x, y] and [left, top, right, bottom], all in 0..1."""

    labels: List[List[Any]]
    rects: List[List[float]]


def clamped(value: Any) -> float:
    """Return a number (numpy's scalars included) limited to 0..1; not-a-number becomes 0.

    One that must be in pixels is told in the application's log.

    :raises TypeError: for what is not one number.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            "a coordinate is {}, expected a number between 0 and 1 (a fraction of the picture)".format(
                type(value).__name__
            )
        ) from None
    if number > _PIXELS:
        advise(
            "pixels",
            "add_label() and add_rect() take fractions of the picture from 0 to 1, got {:g}: divide pixels by the "
            "picture's width or height; it was limited to 1".format(number),
        )
    return round(min(1.0, number), 5) if number > 0.0 else 0.0


def encode(annotations: Annotations, clip: Optional[Dict[str, Any]] = None) -> Tuple[bytes, int]:
    """Return the metadata's JSON, at most MAX_BYTES, and how many entries were left out for that.

    Rectangles go in first: a box without its label says more than a label without its box. ``clip``: the wish for a
    recording, if there is one.
    """
    wish = ',"clip":{}'.format(json.dumps(clip)) if clip is not None else ""
    rects = [json.dumps(rect) for rect in list(annotations.rects)]
    labels = [json.dumps(label) for label in list(annotations.labels)]
    room = MAX_BYTES - len('{"labels":[],"rects":[]}') - len(wish)
    rects_kept, room = _fitting(rects, room)
    labels_kept, room = _fitting(labels, room)
    text = '{{"labels":[{}],"rects":[{}]{}}}'.format(",".join(labels_kept), ",".join(rects_kept), wish)
    return text.encode(), len(rects) - len(rects_kept) + len(labels) - len(labels_kept)


def _fitting(entries: List[str], room: int) -> Tuple[List[str], int]:
    """Return the first entries that fit into ``room`` bytes with a comma each, and the room that is left."""
    for count, entry in enumerate(entries):
        room -= len(entry) + 1
        if room < 0:
            return entries[:count], 0
    return entries, room
