"""Plots as SVG text, to be put into a page: no script, no font and no colour of their own; the style sheet has these.

Every mark has a class, ``series-0`` and so on, or ``quiet`` for what is only there to compare with. Whoever points at a
dot or a bar is told its value by the browser.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 56.0, 20.0, 12.0, 44.0
"""Room around the plot for the names of the axes."""


def opening(width_px: float, height_px: float, title: str) -> str:
    """The first tag of a drawing, and what those who cannot see it are told."""
    size = f'width="{width_px:g}" height="{height_px:g}" viewBox="0 0 {width_px:g} {height_px:g}"'
    return f'<svg class="plot" {size} role="img"><title>{escape(title)}</title>'


def round_ticks(low: float, high: float, most: int = 6, *, signed: bool = False) -> tuple[tuple[float, str], ...]:
    """Ticks at round numbers between two ends, at most so many: steps of 1, 2 or 5 times a power of ten."""
    least = (high - low) / max(most - 1, 1)
    if not math.isfinite(least) or least <= 0:
        return ()
    power = 10.0 ** math.floor(math.log10(least))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [round(index * step, 12) + 0.0 for index in range(first, last + 1)]  # no "-0"
    return tuple((value, f"{value:+g}" if signed and value else f"{value:g}") for value in values)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its ends, its ticks with their names, what it shows, and whether it is logarithmic."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    label: str
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the low end to 1 at the high one; what lies beyond an end is put onto it."""
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, max(value, self.low)))
        return min(max((at - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Plot:
    """Two axes and the size of the drawing, px."""

    x: Axis
    y: Axis
    width_px: float = 460.0
    height_px: float = 300.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the drawing, px."""
        across, up = self.width_px - LEFT_PX - RIGHT_PX, self.height_px - TOP_PX - BOTTOM_PX
        return LEFT_PX + across * self.x.share(x), TOP_PX + up * (1 - self.y.share(y))

    def _path(self, points: Points) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))

    def line(self, points: Points, kind: str, *, dots: str = "", dashed: bool = False) -> str:
        """A line through some points; ``dots`` is what is said of each, with ``{x}`` and ``{y}``, none where empty."""
        if not points:
            return ""
        style = f"line {kind}{' dashed' if dashed else ''}"
        drawn = f'<polyline class="{style}" points="{self._path(points)}"/>'
        return drawn + (self.dots(points, kind, dots) if dots else "")

    def dots(self, points: Points, kind: str, said: str, radii_px: Sequence[float] = ()) -> str:
        """Dots, of one size or each of its own."""
        drawn = ""
        for index, (x, y) in enumerate(points):
            px, py = self.at(x, y)
            radius = radii_px[index] if radii_px else 3.5
            title = escape(said.format(x=f"{x:g}", y=f"{y:.3g}"))
            circle = f'<circle class="dot {kind}" cx="{px:.1f}" cy="{py:.1f}" r="{radius:.1f}">'
            drawn += f"{circle}<title>{title}</title></circle>"
        return drawn

    def band(self, low: Points, high: Points, kind: str) -> str:
        """The area between two lines."""
        return f'<polygon class="band {kind}" points="{self._path([*low, *reversed(high)])}"/>' if low else ""

    def bars(self, edges: Sequence[float], values: Sequence[float], kind: str, said: str) -> str:
        """Bars from the bottom, from edge to edge; ``said`` of each, with ``{low}``, ``{high}`` and ``{y}``."""
        drawn = ""
        for low, high, value in zip(edges, edges[1:], values, strict=False):
            if value <= self.y.low:
                continue
            (left, top), (right, bottom) = self.at(low, value), self.at(high, self.y.low)
            title = escape(said.format(low=f"{low:g}", high=f"{high:g}", y=f"{value:g}"))
            shape = f'x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(right - left - 1, 0.5):.1f}"'
            drawn += f'<rect class="bar {kind}" {shape} height="{bottom - top:.1f}"><title>{title}</title></rect>'
        return drawn

    def drawing(self, marks: Sequence[str], title: str) -> str:
        """The whole drawing: grid, axes, marks; ``title`` is what those who cannot see it are told."""
        left, bottom = self.at(self.x.low, self.y.low)
        right, top = self.at(self.x.high, self.y.high)
        parts = [opening(self.width_px, self.height_px, title)]
        for value, name in self.y.ticks:
            y = self.at(self.x.low, value)[1]
            parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
            )
        for value, name in self.x.ticks:
            x = self.at(value, self.y.low)[0]
            parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>')
            words = f'x="{x:.1f}" y="{bottom + 17:.1f}" text-anchor="middle"'
            parts.append(f'<text class="tick" {words}>{escape(name)}</text>')
        parts.append(f'<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
        middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
        below = f'x="{middle_x:.1f}" y="{self.height_px - 8:.1f}" text-anchor="middle"'
        parts.append(f'<text class="label" {below}>{escape(self.x.label)}</text>')
        beside = f'transform="translate(12 {middle_y:.1f}) rotate(-90)" text-anchor="middle"'
        parts.append(f'<text class="label" {beside}>{escape(self.y.label)}</text>')
        return "".join([*parts, *marks, "</svg>"])
