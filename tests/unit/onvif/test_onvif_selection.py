"""Which of a camera's streams becomes the main one, and which one models get."""

import pytest

from vedette.onvif import StreamProfile, select


def profile(name: str, width: int | None, height: int | None, codec: str = "H.264", fps: float = 25) -> StreamProfile:
    return StreamProfile(name, f"rtsp://10.0.0.21/{name}", codec, width, height, fps)


UHD = profile("uhd", 3840, 2160, "H.265")
HD = profile("hd", 1280, 720)
VGA = profile("vga", 640, 360)
TINY = profile("tiny", 320, 180)


@pytest.mark.parametrize(
    ("profiles", "model", "main", "sub"),
    [
        ((TINY, UHD, VGA, HD), (640, 640), UHD, VGA),
        ((UHD, VGA), (640, 640), UHD, VGA),
        ((UHD, HD, VGA, TINY), (300, 300), UHD, TINY),
        ((UHD, HD, VGA), (1280, 1280), UHD, HD),
        ((UHD, TINY), (640, 640), UHD, TINY),
        ((UHD, TINY), (1280, 736), UHD, None),
        ((HD,), (640, 640), HD, None),
        ((HD, profile("again", 1280, 720)), (640, 640), HD, None),
    ],
)
def test_models_get_too_little_or_too_much(
    profiles: tuple[StreamProfile, ...], model: tuple[int, int], main: StreamProfile, sub: StreamProfile | None
) -> None:
    chosen = select(profiles, model)
    assert chosen is not None
    assert (chosen.main, chosen.sub) == (main, sub)
    assert chosen.reason


def test_what_cannot_be_played_or_has_no_size_is_taken() -> None:
    odd = (profile("old", 640, 480, "MPEG-4 Part 2"), profile("mute", None, None), HD)
    chosen = select(odd)
    assert chosen is not None
    assert (chosen.main, chosen.sub) == (HD, None)
    assert select(odd[:1]) is None


def test_the_main_stream_itself_is_taken_for_the_small_one() -> None:
    same = StreamProfile("copy", HD.url, "H.264", 640, 360, 25)
    chosen = select((HD, same))
    assert chosen is not None
    assert chosen.sub is None
