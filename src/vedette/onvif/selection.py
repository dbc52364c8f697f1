"""Which of a camera's streams is taken as the main one and which for models. No I/O."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from vedette.onvif.camera import StreamProfile

USUAL_MODEL: Final = (640, 640)
"""Width and height of pictures that most detectors take; for who does not say another size."""
_PLAYABLE: Final = frozenset({"H.264", "H.265", "MJPEG"})
# A picture of half the model's size still shows what is large; of less, hardly anything.
_LEAST_SHARE: Final = 0.5


class Selection(NamedTuple):
    """The streams taken; ``sub`` is None where none is worth it. ``reason`` is a sentence for people."""

    main: StreamProfile
    sub: StreamProfile | None
    reason: str


def select(profiles: Sequence[StreamProfile], model: tuple[int, int] = USUAL_MODEL) -> Selection | None:
    """Choose among a camera's profiles for a model that takes pictures of ``model`` pixels (width, height).

    Main is the largest. For models it is the smallest that has at least the model's pixels on its longer side, since
    a picture is fitted into the model's; where all others are smaller, the largest of these. None: nothing is playable.
    """
    playable = [profile for profile in profiles if profile.codec in _PLAYABLE]
    if not playable:
        return None
    main = max(playable, key=lambda profile: (_pixels(profile), profile.fps or 0.0))
    size = f"{model[0]}x{model[1]}"
    smaller = [profile for profile in playable if 0 < _pixels(profile) < _pixels(main) and profile.url != main.url]
    if not smaller:
        return Selection(main, None, "the camera has no smaller stream")
    enough = [profile for profile in smaller if _side(profile) >= max(model)]
    if enough:
        sub = min(enough, key=lambda profile: (_pixels(profile), profile.fps or 0.0))
        return Selection(main, sub, f"{_size(sub)} is the smallest that models of {size} lose nothing by")
    sub = max(smaller, key=_pixels)
    if _side(sub) < _LEAST_SHARE * max(model):
        return Selection(main, None, f"its smaller streams end at {_size(sub)}, too small for models of {size}")
    return Selection(main, sub, f"{_size(sub)} is the nearest to models of {size}, which lose some detail by it")


def _pixels(profile: StreamProfile) -> int:
    return (profile.width or 0) * (profile.height or 0)


def _side(profile: StreamProfile) -> int:
    return max(profile.width or 0, profile.height or 0)


def _size(profile: StreamProfile) -> str:
    return f"{profile.width}x{profile.height}"
