"""Line charts with bands as SVG text: a block for each panel, a chart in it for each reading.

Written here because a picture in the documentation must be the same bytes on every machine, and
because a plotting library would be the largest dependency of the project; the CSV files beside the
pictures are for whoever wants to draw them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10
from xml.sax.saxutils import escape

from scripts.paper_figures.rows import Panel, Point

WIDTH, HEIGHT = 330, 236
"""Of one chart with its axes."""
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 40
"""What the axes take of a chart."""
HEAD, LEGEND_LINE, GAP = 30, 18, 18
LEGEND_LEFT, KEY, LETTER = 14, 25, 6
"""Of a legend: its margin, the stroke before a name, and about the width of a letter."""
COLUMNS = 2
# Colours that stay apart for the colour-blind (Okabe and Ito), and dashes for print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#7a6a00")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "12 4", "4 2")
FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values and how they lie on the picture."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return where a value lies."""
        low, high, value = (
            (log2(self.low), log2(self.high), log2(value))
            if self.log
            else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def ticks_of(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers that cover a range."""
    span = (high - low) or 1.0
    size = 10 ** floor(log10(span / about))
    step = next(size * times for times in (1, 2, 2.5, 5, 10) if size * times * about >= span)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Block:
    """A panel with its points: the charts of its readings have one axis of values."""

    panel: Panel
    points: Sequence[Point]

    @property
    def readings(self) -> list[str]:
        """Return the readings, in their order."""
        return list(dict.fromkeys(point.reading for point in self.points))

    @property
    def curves(self) -> list[str]:
        """Return the names of the curves it shows, in their order."""
        names = dict.fromkeys(point.curve for point in self.points)
        return [name for name in names if name not in self.panel.unseen]

    @property
    def columns(self) -> int:
        """Return how many charts stand side by side."""
        return min(COLUMNS, len(self.readings))

    @property
    def height(self) -> int:
        """Return its height on the picture."""
        charts = -(-len(self.readings) // self.columns)
        lines = 1 + max(row for row, _ in self.legend())
        return HEAD + HEIGHT * charts + LEGEND_LINE * lines + GAP

    def legend(self) -> list[tuple[int, int]]:
        """Return the line of the legend each curve stands in, and how far to the right."""
        places = []
        row, across = 0, LEGEND_LEFT
        for curve in self.curves:
            width = KEY + LETTER * len(curve) + GAP
            if across > LEGEND_LEFT and across + width > self.columns * WIDTH:
                row, across = row + 1, LEGEND_LEFT
            places.append((row, across))
            across += width
        return places


def picture_of(blocks: Sequence[Block]) -> str:
    """Return a picture of panels, in lines of up to two charts."""
    body: list[str] = []
    across = down = line_height = widest = 0
    for block in blocks:
        if across and across + block.columns > COLUMNS:
            down, across, line_height = down + line_height, 0, 0
        body += _block(block, across * WIDTH, down)
        across += block.columns
        line_height, widest = max(line_height, block.height), max(widest, across)
    width, height = widest * WIDTH, down + line_height
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'"
        f" viewBox='0 0 {width} {height}' {FONT} font-size='11' fill='#222'>\n"
        f"<rect width='{width}' height='{height}' fill='#fff'/>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {more}>{escape(words)}</text>"


def _block(block: Block, left: int, top: int) -> Iterator[str]:
    panel = block.panel
    title = f"{panel.name}: {panel.title}"
    yield _text(left + 10, top + 20, title, "font-size='13' font-weight='bold'")
    several = len(block.readings) > 1
    for number, reading in enumerate(block.readings):
        row, column = divmod(number, block.columns)
        corner = left + column * WIDTH, top + HEAD + row * HEIGHT
        yield from _chart(block, reading, corner, reading if several else "")
    below = top + HEAD + HEIGHT * -(-len(block.readings) // block.columns)
    for number, (curve, place) in enumerate(zip(block.curves, block.legend(), strict=True)):
        x, y = left + place[1], below + 4 + place[0] * LEGEND_LINE
        yield f"<path d='M{x} {y}h20' {_stroke(number)}/>"
        yield _text(x + KEY, y + 4, curve, "font-size='10'")


def _stroke(number: int) -> str:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return f"fill='none' stroke='{colour}' stroke-width='1.8'{dashes}"


def _axes(block: Block, corner: tuple[int, int]) -> tuple[Axis, Axis, list[float]]:
    panel = block.panel
    points = [point for point in block.points if point.curve not in panel.unseen]
    places = [point.x / panel.x_scale for point in points]
    low = min(point.low for point in points) / panel.scale
    high = max(max(point.high, point.mean) for point in points) / panel.scale
    if low < 0.4 * high:
        low = min(low, 0.0)
    steps = ticks_of(low, high)
    left, top = corner
    flat = Axis(min(places), max(places), left + LEFT, left + WIDTH - RIGHT, panel.log_x)
    if flat.low == flat.high:
        flat = Axis(flat.low - 1, flat.high + 1, flat.start, flat.end)
    return flat, Axis(steps[0], steps[-1], top + HEIGHT - BOTTOM, top + TOP), steps


def _chart(block: Block, reading: str, corner: tuple[int, int], title: str) -> Iterator[str]:
    panel = block.panel
    flat, tall, steps = _axes(block, corner)
    left, top = corner
    for step in steps:
        y = tall.at(step)
        yield f"<path d='M{flat.start} {y:.1f}H{flat.end}' stroke='#e4e4e4'/>"
        yield _text(flat.start - 6, y + 4, f"{step:g}", "text-anchor='end'")
    for place in _places(block, flat):
        x = flat.at(place)
        yield f"<path d='M{x:.1f} {tall.start}v4' stroke='#888'/>"
        yield _text(x, tall.start + 16, f"{place:g}", "text-anchor='middle'")
    yield f"<path d='M{flat.start} {tall.start}H{flat.end}' stroke='#888'/>"
    middle = (flat.start + flat.end) / 2
    yield _text(middle, tall.start + 31, panel.x_label, "text-anchor='middle'")
    height = (tall.start + tall.end) / 2
    turned = f"text-anchor='middle' transform='rotate(-90 {left + 12} {height:.1f})'"
    yield _text(left + 12, height, panel.y_label, turned)
    if title:
        yield _text(middle, top + 14, title, "text-anchor='middle' fill='#555'")
    curves = list(enumerate(block.curves))
    lines = {
        curve: [one for one in block.points if (one.reading, one.curve) == (reading, curve)]
        for _, curve in curves
    }
    for number, curve in curves:
        yield from _band(panel, lines[curve], (flat, tall), number)
    for number, curve in curves:
        yield from _line(panel, lines[curve], (flat, tall), number)


def _places(block: Block, flat: Axis) -> list[float]:
    places = sorted({point.x / block.panel.x_scale for point in block.points})
    if flat.log or len(places) <= 6:
        return places
    return [tick for tick in ticks_of(flat.low, flat.high) if flat.low <= tick <= flat.high]


def _spots(panel: Panel, held: Sequence[tuple[int, float]], axes: tuple[Axis, Axis]) -> str:
    flat, tall = axes
    return "L".join(
        f"{flat.at(x / panel.x_scale):.1f} {tall.at(value / panel.scale):.1f}" for x, value in held
    )


def _band(
    panel: Panel, points: Sequence[Point], axes: tuple[Axis, Axis], number: int
) -> Iterator[str]:
    if points and points[0].seeds > 1:
        edge = [(point.x, float(point.high)) for point in points]
        edge += [(point.x, float(point.low)) for point in reversed(points)]
        colour = COLOURS[number % len(COLOURS)]
        yield f"<path d='M{_spots(panel, edge, axes)}Z' fill='{colour}' fill-opacity='.09'/>"


def _line(
    panel: Panel, points: Sequence[Point], axes: tuple[Axis, Axis], number: int
) -> Iterator[str]:
    if points:
        spots = _spots(panel, [(point.x, point.mean) for point in points], axes)
        yield f"<path d='M{spots}' {_stroke(number)}/>"
