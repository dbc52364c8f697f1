"""``/outputs/<id>.jpg`` and ``.mjpg``, ``/cameras/<id>.jpg`` and ``.mjpg``: for curl, VLC and Home Assistant."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

from vedette_display.budget import MAX_WIDTH, TOP_FPS
from vedette_display.flow import Flow
from vedette_display.gallery import Gallery
from vedette_display.picture import SIZES, Picture, Variant, size_for
from vedette_display.request import HttpError, Request, Response

FIRST_PICTURE_S: Final = 3.0
BOUNDARY: Final = b"vedette-picture"


class Stills:
    """Follows one output outside the page."""

    def __init__(self, gallery: Gallery, output_id: str, variant: Variant) -> None:
        self._gallery = gallery
        self._wake = asyncio.Event()
        self._flow = Flow(output_id, variant, TOP_FPS, self._wake.set, window=1)

    async def pictures(self, timeout_s: float) -> AsyncIterator[Picture]:
        """Yield new pictures, each when the one before has been taken; end after ``timeout_s`` without one."""
        self._gallery.attach(self._flow, "snapshot")
        try:
            while True:
                try:
                    await asyncio.wait_for(self._wake.wait(), timeout_s)
                except asyncio.TimeoutError:
                    return
                self._wake.clear()
                now = time.monotonic()
                sent = self._flow.take(now)
                if sent is None:
                    continue
                if not sent.kept:
                    yield sent.picture
                self._flow.drawn(sent.picture.number & 0xFFFFFFFF, time.monotonic())
        finally:
            self._gallery.detach(self._flow)


def variant_of(request: Request) -> Variant:
    """Return what the address asks for: ``?width=640`` and ``?overlays=0``.

    :raises HttpError: when the width is no number.
    """
    asked = request.query.get("width", str(MAX_WIDTH))
    if not asked.isascii() or not asked.isdigit():
        raise HttpError(HTTPStatus.BAD_REQUEST, f"width is {asked!r}, expected one of {', '.join(map(str, SIZES))}.")
    return Variant(size_for(int(asked)), overlays=request.query.get("overlays", "1") != "0")


async def still(
    gallery: Gallery, output_id: str, request: Request, wanted: Callable[[Picture], bool] = lambda _picture: True
) -> Picture:
    """Return one annotated picture that is new; those that are not ``wanted`` are passed over.

    :raises HttpError: when none comes.
    """
    pictures = Stills(gallery, output_id, variant_of(request)).pictures(FIRST_PICTURE_S)
    until = time.monotonic() + FIRST_PICTURE_S
    try:
        async for picture in pictures:
            if wanted(picture) or time.monotonic() > until:
                return picture
    finally:
        await pictures.aclose()  # type: ignore[attr-defined]
    raise HttpError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"No new picture of {output_id} in {FIRST_PICTURE_S:.0f} s. The page at / says why.",
    )


def jpeg(picture: Picture, *headers: tuple[str, str]) -> Response:
    """Return the answer with one picture."""
    return Response(HTTPStatus.OK, "image/jpeg", picture.jpeg, headers)


def multipart_head() -> Response:
    """Return the head of an endless answer."""
    return Response(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}", b"")


def multipart_part(picture: Picture) -> bytes:
    """Return one part with the boundary behind it: browsers show a part when they see the next one's beginning."""
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n".encode()
    return head + picture.jpeg + b"\r\n--" + BOUNDARY + b"\r\n"
