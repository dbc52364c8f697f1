"""Draws a scene: tiles with their overlays at the screen's own resolution, words where there is no picture."""

from collections.abc import Mapping
from typing import Final

from vedette_display.overlay import Overlays
from vedette_display.screen.layout import Box, fit, tiles
from vedette_display.screen.lettering import Lettering
from vedette_display.screen.player import Player
from vedette_display.screen.scene import Scene, SceneTile
from vedette_display.screen.surface import Color, Picture, Surface

WHITE: Final = (255, 255, 255)
GREY: Final = (200, 206, 212)
DARK: Final = (16, 16, 16)
RED: Final = (255, 48, 48)
BARS: Final[tuple[Color, ...]] = (
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191),
)  # fmt: skip
"""The seven bars of a test pattern, 75 %."""
_CAPITAL: Final = 22 / 900
"""Height of a label's letters in parts of the picture's height, as the page draws them."""


class Painter:
    """Draws on one surface."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._lettering = Lettering()

    def paint(self, scene: Scene, players: Mapping[str, Player], pictures: Mapping[str, Picture], now: float) -> None:
        """Draw everything; players and pictures by the path of their ring."""
        surface = self._surface
        width, height = surface.size
        surface.begin()
        if not scene.tiles:
            self._pattern(scene, width, height)
        for tile, box in zip(scene.tiles, tiles(len(scene.tiles), width, height), strict=True):
            path = tile.socket or ""
            inner = _inset(box, 1) if len(scene.tiles) > 1 else box
            self._tile(tile, inner, players.get(path), pictures.get(path), now)
            if len(scene.tiles) > 1:
                self._caption(tile.name, inner)
        if scene.tiles and scene.notice:
            self._caption(scene.notice, Box(0, 0, width, max(10, height // 20)), max(12, height // 50))
        surface.end()

    def _tile(self, tile: SceneTile, box: Box, player: Player | None, picture: Picture | None, now: float) -> None:
        header = None if player is None else player.header
        if player is not None and picture is not None and header is not None:
            place = fit(box, header.width, header.height)
            self._surface.picture(picture, place)
            self._overlays(player.overlays, place, box)
            if player.live(now):
                return
            self._surface.fill(box, DARK, 190)
        title = tile.title or ("Waiting for the first picture" if header is None else "No new picture")
        self._words(title, tile.detail, box)

    def _overlays(self, overlays: Overlays, place: Box, clip: Box) -> None:
        thickness = max(2, round(place.height / 300))
        for left, top, right, bottom in overlays.rects:
            x0, x1 = sorted((place.x + round(left * (place.width - 1)), place.x + round(right * (place.width - 1))))
            y0, y1 = sorted((place.y + round(top * (place.height - 1)), place.y + round(bottom * (place.height - 1))))
            self._frame(_clipped(Box(x0, y0, x1 - x0 + 1, y1 - y0 + 1), place), thickness + 2, DARK)
            self._frame(_clipped(Box(x0 + 1, y0 + 1, x1 - x0 - 1, y1 - y0 - 1), _inset(place, 1)), thickness, RED)
        for text, x, y in overlays.labels:
            if text:
                self._label(text, place.x + round(x * place.width), place.y + round(y * place.height), place, clip)

    def _label(self, text: str, x: int, y: int, place: Box, clip: Box) -> None:
        image = self._lettering.line(text, max(10, round(place.height * _CAPITAL)))
        height, width = image.shape[:2]
        # Its lower left corner is at (x, y), moved so that all of it is seen.
        left = max(clip.x, min(x, clip.x + clip.width - width))
        top = max(clip.y, min(y - height, clip.y + clip.height - height))
        self._surface.fill(Box(left, top, min(width, clip.width), height), DARK, 166)
        self._surface.text(image, left, top)

    def _frame(self, box: Box, thickness: int, color: Color) -> None:
        x, y, width, height = box
        across, down = min(thickness, height), min(thickness, width)
        self._surface.fill(Box(x, y, width, across), color)
        self._surface.fill(Box(x, y + height - across, width, across), color)
        self._surface.fill(Box(x, y, down, height), color)
        self._surface.fill(Box(x + width - down, y, down, height), color)

    def _caption(self, name: str, box: Box, size: int = 0) -> None:
        image = self._lettering.line(name, size or max(10, round(box.height * 0.026)))
        height, width = image.shape[:2]
        pad = height // 4
        ground = Box(box.x, box.y + box.height - height - 2 * pad, min(box.width, width + 2 * pad), height + 2 * pad)
        self._surface.fill(ground, DARK, 150)
        self._surface.text(image, ground.x + pad, ground.y + pad)

    def _pattern(self, scene: Scene, width: int, height: int) -> None:
        for index, color in enumerate(BARS):
            left, right = index * width // len(BARS), (index + 1) * width // len(BARS)
            self._surface.fill(Box(left, 0, right - left, height), color)
        ramp = height - height // 6
        for step in range(32):
            left, right = step * width // 32, (step + 1) * width // 32
            grey = round(step * 255 / 31)
            self._surface.fill(Box(left, ramp, right - left, height - ramp), (grey, grey, grey))
        panel = Box(width // 8, height // 3, width - width // 4, height // 3)
        self._surface.fill(panel, DARK, 235)
        head = Box(panel.x, panel.y, panel.width, panel.height // 4)
        self._lines([f"Vedette   {scene.device}"], head, max(10, height // 50), GREY)
        self._words(scene.title, scene.detail, Box(panel.x, panel.y + head.height, panel.width, panel.height * 3 // 4))

    def _words(self, title: str, detail: str, box: Box) -> None:
        size = max(12, min(box.height // 18, box.width // 30))
        small = max(10, size * 2 // 3)
        heads, rest = _wrapped(title, box.width, size), _wrapped(detail, box.width, small)
        step, small_step = size * 9 // 4, small * 9 // 4
        top = box.y + (box.height - step * len(heads) - small_step * len(rest)) // 2
        self._lines(heads, Box(box.x, top, box.width, step * len(heads)), size, WHITE)
        self._lines(rest, Box(box.x, top + step * len(heads), box.width, small_step * len(rest)), small, GREY)

    def _lines(self, lines: list[str], box: Box, size: int, color: Color) -> None:
        for index, line in enumerate(lines):
            image = self._lettering.line(line, size, color[::-1])
            height, width = image.shape[:2]
            slot = box.height // max(1, len(lines))
            self._surface.text(image, box.x + (box.width - width) // 2, box.y + index * slot + (slot - height) // 2)


def _wrapped(text: str, width: int, size: int) -> list[str]:
    """Return the text in lines that fit: letters are about 0.9 of their height wide with the space beside them."""
    most = max(8, round(width * 0.92 / (size * 0.9)))
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word[:most])
    return lines[:4]


def _inset(box: Box, by: int) -> Box:
    return Box(box.x + by, box.y + by, max(1, box.width - 2 * by), max(1, box.height - 2 * by))


def _clipped(box: Box, to: Box) -> Box:
    x0, y0 = max(box.x, to.x), max(box.y, to.y)
    x1, y1 = min(box.x + box.width, to.x + to.width), min(box.y + box.height, to.y + to.height)
    return Box(x0, y0, max(1, x1 - x0), max(1, y1 - y0))
