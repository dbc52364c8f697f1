"""The picture as SVG, drawn without anything else: readable on light and dark pages, with all texts as text."""

from html import escape
from typing import Final

from vedette.diagram.cleaning import cleaned
from vedette.diagram.picture import Picture
from vedette.diagram.svg_layout import HEAD, MARGIN, PADDING, ROW, Box, Layout, Line, Pin, clip_note, lay_out

_TOP: Final = 76
_STYLE: Final = """
svg { --page: #ffffff; --text: #1f2328; --quiet: #59636e; --box: #f6f8fa; --rim: #d1d9e0; --edge: #59636e;
  --code: #0969da; --model: #8250df; --camera: #1a7f37; --output: #bc4c00; --parameter: #6e7781; --network: #1b7c83;
  --unknown: #cf222e; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --text: #f0f6fc; --quiet: #9198a1; --box: #151b23; --rim: #3d444d; --edge: #9198a1;
    --code: #4493f8; --model: #ab7df8; --camera: #3fb950; --output: #f0883e; --parameter: #9198a1; --network: #39c5cf;
    --unknown: #f85149; }
}
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--text); }
.name { font-weight: 700; } .head { font-size: 16px; font-weight: 700; } .quiet, .type { fill: var(--quiet); }
.box { fill: var(--box); stroke: var(--rim); } .pin { fill: var(--page); stroke: var(--edge); stroke-width: 1.5; }
.loose { stroke-dasharray: 2 2; } .edge { fill: none; stroke: var(--edge); stroke-width: 1.5; }
.call { stroke-dasharray: 5 4; } .arrow { fill: var(--edge); }
"""


def as_svg(picture: Picture) -> str:
    """Return an SVG document."""
    picture = cleaned(picture)
    about = clip_note(_about(picture))
    layout = lay_out(picture, top=_TOP, texts=[picture.name + " " * 8, about])
    width, height = round(layout.width), round(layout.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title about">',
        f'<title id="title">{_text(picture.name)}</title>',
        f'<desc id="about">{_text(_about(picture))}</desc>',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="arrow" d="M0 0 8 4 0 8z"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="8" fill="var(--page)"/>',
        f'<text class="head" x="{MARGIN}" y="36">{_text(picture.name)}</text>',
        f'<text class="quiet" x="{MARGIN}" y="56">{_text(about)}</text>',
        *(_edge(line) for line in layout.lines),
        *(_box(box) for box in layout.boxes),
        *(_pin(pin, layout) for pin in layout.pins),
        *_notes(layout),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _about(picture: Picture) -> str:
    return " + ".join([picture.graph, *picture.overrides])


def _edge(line: Line) -> str:
    bend = max((line.x2 - line.x1) / 2, 20)
    path = f"M{_n(line.x1)} {_n(line.y1)}C{_n(line.x1 + bend)} {_n(line.y1)} {_n(line.x2 - bend)} {_n(line.y2)} "
    path += f"{_n(line.x2 - 5)} {_n(line.y2)}"
    return f'<path class="edge{" call" if line.call else ""}" marker-end="url(#arrow)" d="{path}"/>'


def _box(box: Box) -> str:
    x, y, right = box.x, box.y, box.x + box.width
    rows = [
        f"<g><title>{_text(box.name)}</title>",
        f'<rect class="box" x="{_n(x)}" y="{_n(y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="6"/>',
        f'<rect x="{_n(x)}" y="{_n(y + 6)}" width="3" height="{_n(box.height - 12)}" fill="var(--{box.kind})"/>',
        f'<text class="name" x="{_n(x + PADDING)}" y="{_n(y + HEAD - 4)}">{_text(box.name)}</text>',
        f'<text text-anchor="end" x="{_n(right - PADDING)}" y="{_n(y + HEAD - 4)}" '
        f'style="fill: var(--{box.kind})">{box.kind}</text>',
    ]
    for number, line in enumerate(box.lines, start=1):
        rows.append(
            f'<text class="quiet" x="{_n(x + PADDING)}" y="{_n(y + HEAD - 4 + ROW * number)}">{_text(line)}</text>'
        )
    return "".join([*rows, "</g>"])


def _pin(pin: Pin, layout: Layout) -> str:
    x = layout.pins_x[0] if pin.left else layout.pins_x[1]
    loose = "" if pin.connected else " loose"
    kind = f'<tspan class="type">{_text(pin.type)}</tspan>' if pin.type else ""
    label = _text(pin.label)
    if pin.left:
        words = f'<text x="{_n(x + PADDING)}" y="{_n(pin.y + 4)}">{label} {kind}</text>'
    else:
        words = f'<text text-anchor="end" x="{_n(x - PADDING)}" y="{_n(pin.y + 4)}">{kind} {label}</text>'
    return f'<circle class="pin{loose}" cx="{_n(x)}" cy="{_n(pin.y)}" r="4"/>{words}'


def _notes(layout: Layout) -> list[str]:
    if not layout.notes:
        return []
    rows = [f'<text class="name" x="{MARGIN}" y="{_n(layout.notes_y)}">not connected</text>']
    for number, note in enumerate(layout.notes, start=1):
        rows.append(f'<text class="quiet" x="{MARGIN}" y="{_n(layout.notes_y + ROW * number)}">{_text(note)}</text>')
    return rows


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(text, quote=True)
