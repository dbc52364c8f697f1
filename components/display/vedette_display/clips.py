"""``/outputs/<id>.mp4``, ``/cameras/<id>.mp4``: the next seconds as a movie, sent while it is recorded."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from vedette_display.encoders import AccessUnit
from vedette_display.movie import MovieStream
from vedette_display.request import HttpError, Request, Response
from vedette_display.video import VideoFeeds, VideoVariant

MOST_S: Final = 60.0
DEFAULT_S: Final = 10.0
FIRST_UNIT_S: Final = 5.0
_WAITING: Final = 90
"""Access units that may wait for a slow client; 3 s at 30 a second."""


class ClipOrder:
    """What the address asks for: ``?seconds=10&width=1280&overlays=0``."""

    def __init__(self, request: Request) -> None:
        """:raises HttpError: when a number is none, or too large."""
        self.seconds = _number(request, "seconds", DEFAULT_S, MOST_S)
        width = round(_number(request, "width", 1920, 3840))
        self.variant = VideoVariant(max(64, width), request.query.get("overlays", "1") != "0")


async def clip(feeds: VideoFeeds, output_id: str, order: ClipOrder) -> AsyncIterator[bytes]:
    """Yield the movie's bytes as they come.

    :raises HttpError: when no picture comes. A client that takes too little gets a shorter movie.
    """
    loop = asyncio.get_running_loop()
    units: asyncio.Queue[AccessUnit] = asyncio.Queue(_WAITING)
    behind = asyncio.Event()

    def put(unit: AccessUnit) -> None:
        if units.full():
            behind.set()
        else:
            units.put_nowait(unit)

    def sink(unit: AccessUnit) -> None:
        # On the feed's thread. The loop may be closed already while the display ends.
        try:
            loop.call_soon_threadsafe(put, unit)
        except RuntimeError:
            return

    movie = MovieStream()
    detach = feeds.attach(output_id, order.variant, sink)
    try:
        while movie.duration_s < order.seconds and not behind.is_set():
            try:
                unit = await asyncio.wait_for(units.get(), FIRST_UNIT_S)
            except asyncio.TimeoutError:
                if movie.duration_s > 0:
                    break
                raise HttpError(
                    HTTPStatus.SERVICE_UNAVAILABLE, f"No new picture of {output_id} in {FIRST_UNIT_S:.0f} s."
                ) from None
            # A movie's first bytes come when it has a fragment: muxing is too little work for a thread.
            if data := movie.add(unit):
                yield data
        if data := movie.end():
            yield data
    finally:
        detach()


def clip_head(output_id: str, seconds: float) -> Response:
    """Return the head of an answer whose length is not known yet."""
    name = "".join(char if char.isalnum() or char in "-_." else "-" for char in output_id)
    save = ("Content-Disposition", f'attachment; filename="{name}-{seconds:.0f}s.mp4"')
    return Response(HTTPStatus.OK, "video/mp4", b"", (save,))


def _number(request: Request, name: str, default: float, most: float) -> float:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= most:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"{name} is {text[:20]!r}, expected a number from 1 to {most:.0f}.")
    return float(text)
