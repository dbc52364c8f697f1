"""Where boxes, ports and edges of the drawing stand, in pixels.

An application is a star: all edges begin or end at the code. So there are three columns (what leads to the code, the
code, what it leads to), and each port of the code stands at the height of what it is connected to: most edges are
straight lines, and none cross but where one node leads to several ports.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from vedette.application import PortRoute
from vedette.diagram.picture import Picture
from vedette.diagram.words import (
    camera_words,
    cameras_missing,
    loose_words,
    model_words,
    parameter_words,
    tensor_words,
)

MARGIN: Final = 24
ROW: Final = 17
HEAD: Final = 24
PADDING: Final = 12
_GAP: Final = 14
_CHANNEL: Final = 96
"""Between two columns: room for the edges."""
_CHARACTER: Final = 7.3
"""Width of a character of the font, at 12 px."""
_LONGEST: Final = 46
_DEVICE: Final = "device port "


@dataclass
class Box:
    """A node. ``x`` and ``y`` are its upper left corner."""

    name: str
    kind: str
    lines: list[str]
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    def __post_init__(self) -> None:
        self.lines = [clip(line) for line in self.lines if line]
        self.width = max([text_width(f"{self.name}   {self.kind}"), *map(text_width, self.lines)]) + 2 * PADDING
        self.height = HEAD + ROW * len(self.lines) + 8

    @property
    def middle(self) -> float:
        """Return the height of the box's centre."""
        return self.y + self.height / 2


@dataclass
class Pin:
    """A port on the left or right edge of the code's box."""

    label: str
    type: str
    left: bool
    y: float
    connected: bool = True


@dataclass(frozen=True)
class Line:
    """An edge, from left to right."""

    x1: float
    y1: float
    x2: float
    y2: float
    call: bool = False


@dataclass
class Layout:
    """The whole drawing."""

    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)
    pins_x: tuple[float, float] = (0.0, 0.0)
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    notes_y: float = 0.0


def text_width(text: str) -> float:
    """Return the width of ``text`` in a fixed-width font of 12 px."""
    wide = sum(1 for character in text if unicodedata.east_asian_width(character) in {"W", "F"})
    return (len(text) + wide) * _CHARACTER


def clip(text: str) -> str:
    """Return ``text``, cut where it would make its column too wide."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def lay_out(picture: Picture, *, top: float, texts: Sequence[str] = ()) -> Layout:
    """Place everything of ``picture`` below ``top``, with room for ``texts`` above."""
    layout = Layout()
    left, right = _left(picture), _right(picture)
    code = _code(picture)
    head = code.height if code is not None else 0.0
    _stack(left, top + head)
    _stack(right, top + head)
    pins_left = _pins(picture, left, top + head, is_left=True)
    pins_right = _pins(picture, right, top + head, is_left=False)
    x = float(MARGIN)
    for box in left:
        box.x = x
    x += max((box.width for box in left), default=-float(_CHANNEL)) + _CHANNEL
    bottom = max([top, *(box.y + box.height for box in (*left, *right))])
    if code is not None:
        code.x, code.y = x, top
        code.width = max(code.width, _pins_width(pins_left) + _pins_width(pins_right) + 4 * PADDING)
        lowest = max([top + head - ROW, *(pin.y for pin in (*pins_left, *pins_right))])
        code.height = max(lowest + ROW, bottom) - top
        bottom = top + code.height
        layout.pins_x = (code.x, code.x + code.width)
        x += code.width + _CHANNEL
    for box in right:
        box.x = x
    layout.boxes = [*left, *([code] if code is not None else []), *right]
    layout.pins = [*pins_left, *pins_right]
    layout.lines = _lines(picture, layout, {box.name: box for box in (*left, *right)})
    layout.notes = [clip_note(loose_words(end)) for end in picture.loose]
    layout.notes_y = bottom + 30
    rights = [box.x + box.width for box in layout.boxes]
    layout.width = max([320.0, *rights, *(MARGIN + text_width(text) for text in (*texts, *layout.notes))]) + MARGIN
    layout.height = bottom + MARGIN + (14 + ROW * (len(layout.notes) + 1) if layout.notes else 0)
    return layout


def clip_note(text: str) -> str:
    """Return a note, cut to what any drawing has room for."""
    return text if len(text) <= 2 * _LONGEST else text[: 2 * _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _left(picture: Picture) -> list[Box]:
    found = []
    for camera in picture.cameras:
        lines = [camera.title] + [f"{item.name}: {camera_words(item)}" for item in camera.cameras]
        found.append(Box(camera.name, "camera", [*lines, cameras_missing(camera)]))
    found += [Box(item.name, "parameter", [item.title, parameter_words(item)]) for item in picture.parameters]
    found += [Box(_route_name(route), "network", []) for route in picture.routes]
    order = _order(picture)
    return sorted(found, key=lambda box: order(box.name))


def _order(picture: Picture) -> Callable[[str], int]:
    """Order what leads to the code by the ports of the code; what leads nowhere comes last."""
    ports = [port.name for port in picture.code.inputs] if picture.code is not None else []
    places: dict[str, int] = {}
    for port, names in picture.producers().items():
        for name in names:
            place = ports.index(port) if port in ports else len(ports)
            places[name] = min(places.get(name, place), place)
    return lambda name: len(ports) + 1 if name.startswith(_DEVICE) else places.get(name, len(ports) + 2)


def _right(picture: Picture) -> list[Box]:
    ports = [port.name for port in picture.code.outputs] if picture.code is not None else []
    consumers = picture.consumers()
    order = {name: ports.index(port) for port, names in consumers.items() if port in ports for name in names}
    outputs = [Box(output.name, "output", [output.title or output.interface]) for output in picture.outputs]
    outputs.sort(key=lambda box: order.get(box.name, len(ports)))
    models = [
        Box(
            model.name,
            "model",
            [
                f"{model.package} {model.version}".strip(),
                model_words(model),
                *(f"{tensor.name}: {tensor_words(tensor)}" for tensor in model.inputs),
            ],
        )
        for model in picture.models
    ]
    return [*outputs, *models, *(Box(other.name, "unknown", [other.interface]) for other in picture.others)]


def _code(picture: Picture) -> Box | None:
    code = picture.code
    if code is None:
        return None
    gpu = "asks for a GPU" if code.gpu else ""
    return Box(code.name, "code", [f"{code.package} {code.version}", code.command, gpu])


def _stack(boxes: Sequence[Box], y: float) -> None:
    width = max((box.width for box in boxes), default=0.0)
    for box in boxes:
        box.y, box.width = y, width
        y += box.height + _GAP


def _pins(picture: Picture, boxes: Sequence[Box], start: float, *, is_left: bool) -> list[Pin]:
    """Return the ports of one side at the height of what they are connected to; the others below ``start``."""
    if picture.code is None or (not boxes and not (picture.code.inputs if is_left else picture.code.outputs)):
        return []
    middles = {box.name: box.middle for box in boxes}
    ends = picture.producers() if is_left else picture.consumers()
    connected: list[Pin] = []
    loose: list[Pin] = []
    for port in picture.code.inputs if is_left else picture.code.outputs:
        heights = [middles[name] for name in ends.get(port.name, []) if name in middles]
        if heights:
            connected.append(Pin(port.name, port.type, is_left, sum(heights) / len(heights)))
        else:
            loose.append(Pin(port.name, port.type, is_left, 0.0, connected=False))
    if is_left:
        connected += [
            Pin(f"port {route.container_port}", "tcp", is_left, middles[_route_name(route)]) for route in picture.routes
        ]
    else:
        connected += [Pin("call()", "", is_left, middles[model.name]) for model in picture.models]
    connected.sort(key=lambda pin: pin.y)
    for above, pin in pairwise(connected):
        pin.y = max(pin.y, above.y + ROW + 4)
    ends_at = [box.y + box.height for box in boxes if any(pin.y < box.y + box.height for pin in connected)]
    y = max([start + PADDING, *(pin.y + ROW + 4 for pin in connected), *(ends_at if loose else [])])
    for pin in loose:
        pin.y = y
        y += ROW + 4
    return connected + loose


def _pins_width(pins: Sequence[Pin]) -> float:
    return max((text_width(f"{pin.label} {pin.type}") for pin in pins), default=0.0)


def _lines(picture: Picture, layout: Layout, boxes: dict[str, Box]) -> list[Line]:
    if picture.code is None:
        return []
    pins = {(pin.label, pin.left): pin for pin in layout.pins}
    left, right = layout.pins_x
    lines = [
        Line(boxes[name].x + boxes[name].width, boxes[name].middle, left, pins[port, True].y)
        for port, names in picture.producers().items()
        for name in names
        if name in boxes and (port, True) in pins
    ]
    lines += [
        Line(right, pins[port, False].y, boxes[name].x, boxes[name].middle)
        for port, names in picture.consumers().items()
        for name in names
        if name in boxes and (port, False) in pins
    ]
    for route in picture.routes:
        box = boxes[_route_name(route)]
        lines.append(Line(box.x + box.width, box.middle, left, pins[f"port {route.container_port}", True].y))
    calls = [pin for pin in layout.pins if pin.label == "call()" and not pin.left]
    for pin, model in zip(calls, picture.models, strict=False):
        lines.append(Line(right, pin.y, boxes[model.name].x, boxes[model.name].middle, call=True))
    return lines


def _route_name(route: PortRoute) -> str:
    return f"{_DEVICE}{route.host_port}"  # no node has a blank in its name
