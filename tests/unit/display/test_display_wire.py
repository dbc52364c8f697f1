"""The WebSocket's messages: both directions, and what a hostile page may send."""

import json

import pytest
from vedette_display.picture import Picture, Variant
from vedette_display.wire import DRAWN, PICTURE, Drawn, Look, WireError, decode, encode_picture

SHOT = Picture(7, Variant(640), 640, 360, 1_700_000_000_123_000_000, 5, 6, 7, True, b"\xff\xd8jpeg")


def test_picture_message_has_another_layout_than_link_js_reads() -> None:
    message = encode_picture(513, SHOT)
    assert PICTURE.size == 20
    assert message[0:2] == b"\x01\x00"
    assert int.from_bytes(message[2:4], "little") == 513
    assert int.from_bytes(message[4:8], "little") == 7
    assert PICTURE.unpack(message[:20])[4] == pytest.approx(1_700_000_000_123.0)
    assert message[20:] == SHOT.jpeg
    assert encode_picture(0, SHOT, kept=True)[1] == 1


def test_number_over_32_bits_ends_the_display() -> None:
    assert int.from_bytes(encode_picture(0, SHOT._replace(number=2**32 + 5))[4:8], "little") == 5


def test_confirmation_is_misread() -> None:
    assert decode(DRAWN.pack(2, 513, 70_000)) == Drawn(513, 70_000)


def test_look_is_misread() -> None:
    look = decode('{"type":"look","overlays":false,"tiles":[{"tile":3,"width":640}]}')
    assert isinstance(look, Look)
    assert not look.overlays
    assert [(entry.tile, entry.width) for entry in look.tiles] == [(3, 640)]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x02",
        b"\x01" + bytes(7),
        bytes(9),
        "",
        "{}",
        '{"type":"state","tiles":[]}',
        '{"type":"look","tiles":[{"tile":-1,"width":640}]}',
        '{"type":"look","tiles":[{"tile":1,"width":0}]}',
        '{"type":"look","tiles":[{"tile":1,"width":1e9}]}',
        '{"type":"look","tiles":[],"more":1}',
        json.dumps({"type": "look", "tiles": [{"tile": i, "width": 9} for i in range(65)]}),
    ],
)
def test_nonsense_is_taken_for_a_message(message: bytes | str) -> None:
    with pytest.raises(WireError, match="message"):
        decode(message)
