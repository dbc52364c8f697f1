"""Where tiles and pictures lie on the screen. Pure."""

import math
from typing import NamedTuple


class Box(NamedTuple):
    """In pixels."""

    x: int
    y: int
    width: int
    height: int


def tiles(count: int, width: int, height: int, aspect: float = 16 / 9) -> list[Box]:
    """Return the boxes of ``count`` tiles: that number of columns with which pictures of ``aspect`` get largest."""
    if count < 1:
        return []

    def shown(columns: int) -> tuple[int, int]:
        rows = math.ceil(count / columns)
        # Side by side rather than one above the other where both are as large.
        return round(min(width / columns, height / rows * aspect)), columns

    columns = max(range(1, count + 1), key=shown)
    rows = math.ceil(count / columns)
    boxes = []
    for index in range(count):
        row, column = divmod(index, columns)
        # The last row is centred when it is not full.
        own = columns if row < rows - 1 else count - columns * (rows - 1)
        left = (width - own * width // columns) // 2 if own < columns else 0
        x0, x1 = left + column * width // columns, left + (column + 1) * width // columns
        y0, y1 = row * height // rows, (row + 1) * height // rows
        boxes.append(Box(x0, y0, x1 - x0, y1 - y0))
    return boxes


def fit(box: Box, width: int, height: int) -> Box:
    """Return the largest box of a picture's aspect ratio in the middle of ``box``."""
    if width < 1 or height < 1:
        return box
    scale = min(box.width / width, box.height / height)
    own_width, own_height = max(1, round(width * scale)), max(1, round(height * scale))
    return Box(box.x + (box.width - own_width) // 2, box.y + (box.height - own_height) // 2, own_width, own_height)
