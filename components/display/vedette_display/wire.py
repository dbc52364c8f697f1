"""What page and display say to one another over the WebSocket. A codec: no I/O.

Binary, little-endian:

| message | from | layout |
|---|---|---|
| picture | display | kind u8 = 1, flags u8, tile u16, number u32, capture f64 (Unix, ms), width u16, height u16; JPEG |
| drawn | page | kind u8 = 2, unused u8, tile u16, number u32 |

Flag 1 is "kept": the last picture there was, not a new one. Text is JSON with a ``type``: the page sends ``look``
(which tiles are in view, and how wide) and ``command`` (something to change), the display ``state`` (the health
document, tiles and figures) and ``answer`` (what became of a command).
"""

import struct
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vedette_display.picture import Picture

KEPT: Final = 1
MAX_TILES: Final = 64
PICTURE: Final = struct.Struct("<BBHIdHH")
DRAWN: Final = struct.Struct("<BxHI")
_KIND_PICTURE: Final = 1
_KIND_DRAWN: Final = 2


class WireError(Exception):
    """The page sent what cannot be understood."""


class LookTile(BaseModel):
    """A tile in view. ``width``: of its picture area, in device pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tile: int = Field(ge=0, le=0xFFFF)
    width: int = Field(ge=1, le=16384)


class Look(BaseModel):
    """Everything the page looks at now; it replaces what it looked at before. Empty: tab hidden."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["look"]
    overlays: bool = True
    tiles: list[LookTile] = Field(max_length=MAX_TILES)


class Command(BaseModel):
    """Something that the page wants changed. ``id``: comes back with the answer.

    ``set``: parameter ``node`` of ``instance`` gets ``value``, None: the deployment's own again. ``pause``, ``resume``:
    camera ``camera_id`` of ``instance``. ``restart``: ``instance`` starts anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["command"]
    id: int = Field(ge=0, le=2**53)
    action: Literal["set", "pause", "resume", "restart"]
    instance: str = Field(max_length=200)
    node: str = Field(default="", max_length=200)
    value: str | int | float | bool | None = None
    camera_id: str = Field(default="", max_length=200)


class Drawn(NamedTuple):
    """The page has drawn a picture."""

    tile: int
    number: int


def encode_picture(tile: int, picture: Picture, *, kept: bool = False) -> bytes:
    """Return the message for one picture."""
    head = PICTURE.pack(
        _KIND_PICTURE,
        KEPT if kept else 0,
        tile,
        picture.number & 0xFFFFFFFF,
        picture.capture_wall_ns / 1e6,
        picture.width,
        picture.height,
    )
    return head + picture.jpeg


_TEXTS: Final[TypeAdapter[Look | Command]] = TypeAdapter(Annotated[Look | Command, Field(discriminator="type")])


def decode(message: bytes | str) -> Look | Command | Drawn:
    """Return what the page said.

    :raises WireError: for an unknown kind, a wrong length or wrong fields.
    """
    if isinstance(message, str):
        try:
            return _TEXTS.validate_json(message)
        except ValidationError as error:
            raise WireError(f"text of {len(message)} characters is no `look` or `command` message") from error
    if len(message) != DRAWN.size or message[0] != _KIND_DRAWN:
        raise WireError(f"binary message of {len(message)} bytes, expected `drawn` with {DRAWN.size}")
    _, tile, number = DRAWN.unpack(message)
    return Drawn(tile, number)
