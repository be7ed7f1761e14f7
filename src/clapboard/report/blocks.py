"""The weight of each block of a video, drawn: what is heard, the picture, and below it a bar of the weight.

Blocks follow each other in rows, each as wide as the others and with its own piece of time, so that blocks on either
side of a cut need not touch. All bars, and all colours over pictures, are to one scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.report.heat import colours, full_weight, over
from clapboard.report.pictures import data_uri, fitted, fitted_size
from clapboard.report.svg import opening

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

MOST_BLOCKS = 96
"""Of a longer film neighbours are drawn as one, so that no more than so many are to be looked at."""
SIDE_PX = 116
"""Longer side of a picture in the strip; it is kept at twice that, for fine screens."""
SHARP = 2
ROW_PX = 960
GAP_PX = 4
ONSET_PX, BAR_PX, NAME_PX, SPACE_PX = 30, 56, 16, 18
"""Height of the curve of the sound, of the longest bar, of a block's time, and between rows."""
NO_PICTURE = np.full((2, 2, 3), 96, np.uint8)
"""Stands for pictures where there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class Onsets:
    """What is heard: ``strength`` (R,) from 0 at ``time_s`` (R,), and ``events_s`` (E,), the times of its peaks, s."""

    time_s: F64
    strength: F64
    events_s: F64


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks to be drawn: ``blocks_s`` (B, 2) begin and end, s, ``weights`` (B,), ``maps`` (B, h, w) sum to weights.

    ``pictures`` are B of (H, W, 3) uint8, one of each block, or none. ``joined`` is how many blocks of the network
    stand behind each, at most.
    """

    blocks_s: F64
    weights: F64
    maps: F64
    pictures: tuple[U8, ...] = ()
    joined: int = 1

    def __post_init__(self) -> None:
        """Check shapes."""
        n = len(self.weights)
        good = self.blocks_s.shape == (n, 2) and self.weights.shape == (n,) and self.maps.shape[:1] == (n,)
        if not (good and self.maps.ndim == 3 and len(self.pictures) in (0, n)):
            shapes = f"{self.blocks_s.shape}, {self.weights.shape}, {self.maps.shape}, {len(self.pictures)} pictures"
            raise UsageError(f"blocks must be (B, 2), (B,), (B, h, w) and B pictures: {shapes}")


def grouped(
    blocks_s: NDArray[np.floating], weights: NDArray[np.floating], maps: NDArray[np.floating], most: int = MOST_BLOCKS
) -> tuple[Blocks, NDArray[np.int64]]:
    """At most so many blocks, neighbours joined: their weights and maps are added.

    Returns
    -------
    Blocks without pictures; heaviest (B',) int64, for each the index of its heaviest block, which is to be shown
    """
    spans = np.asarray(blocks_s, np.float64).reshape(-1, 2)
    shares, places = np.asarray(weights, np.float64), np.asarray(maps, np.float64)
    joined = max(1, -(-len(shares) // most))
    firsts = np.arange(0, len(shares), joined)
    if not len(firsts):
        return Blocks(spans, shares, places), np.zeros(0, np.int64)
    lasts = np.minimum(firsts + joined, len(shares)) - 1
    heaviest = [first + int(np.argmax(shares[first : first + joined])) for first in firsts.tolist()]
    together = Blocks(
        np.stack([spans[firsts, 0], spans[lasts, 1]], axis=1),
        np.add.reduceat(shares, firsts),
        np.add.reduceat(places, firsts, axis=0),
        joined=joined,
    )
    return together, np.array(heaviest, np.int64)


def strip(blocks: Blocks, onsets: Onsets | None = None, *, heat: bool = True) -> str:
    """The blocks in rows as one drawing.

    Parameters
    ----------
    blocks : with their pictures
    onsets : what is heard; left out where None
    heat : draw the weight of places over each picture
    """
    height, width = _cell(blocks.pictures)
    across = max(1, (ROW_PX + GAP_PX) // (width + GAP_PX))
    above = ONSET_PX if onsets is not None else 0
    row_px = above + height + BAR_PX + NAME_PX + SPACE_PX
    rows = -(-len(blocks.weights) // across)
    full, heaviest = full_weight(blocks.maps), max(float(blocks.weights.max(initial=0.0)), 1e-12)
    even = float(blocks.weights.sum()) / max(len(blocks.weights), 1)
    parts = [opening(across * (width + GAP_PX), max(rows * row_px, 1), "Weight of each block, under its picture")]
    for index, weight in enumerate(blocks.weights.tolist()):
        x, y = index % across * (width + GAP_PX), index // across * row_px
        start_s, end_s = blocks.blocks_s[index].tolist()
        if onsets is not None:
            parts.append(_heard(onsets, start_s, end_s, (x, y, width)))
        picture = fitted(blocks.pictures[index] if blocks.pictures else NO_PICTURE, SHARP * max(height, width))
        shown = data_uri(over(picture, blocks.maps[index], full) if heat else picture)
        size = f'width="{width}" height="{height}"'
        parts.append(f'<image x="{x}" y="{y + above}" {size} preserveAspectRatio="none" href="{shown}"/>')
        top, long_px = y + above + height + 2, BAR_PX * weight / heaviest
        said = escape(f"{start_s:.2f} to {end_s:.2f} s: weight {100 * weight:.2g} %")
        shape = f'x="{x}" y="{top}" width="{width}" height="{long_px:.2f}"'
        parts.append(f'<rect class="bar series-0" {shape}><title>{said}</title></rect>')
        name = f'x="{x + 1}" y="{top + BAR_PX + 12}"'
        parts.append(f'<text class="tick" {name}>{start_s:.1f} s</text>')
    for row in range(rows):
        even_y = row * row_px + above + height + 2 + BAR_PX * even / heaviest
        end = min(across, len(blocks.weights) - row * across) * (width + GAP_PX) - GAP_PX
        parts.append(f'<line class="axis dashed" x1="0" x2="{end}" y1="{even_y:.2f}" y2="{even_y:.2f}"/>')
    return "".join([*parts, "</svg>"])


def scale(times: float) -> str:
    """The colours of weights with their ends: 0, and so many times the even share."""
    source = data_uri(np.repeat(colours()[None], 8, axis=0))
    image = f'<image x="0" y="2" width="220" height="10" preserveAspectRatio="none" href="{source}"/>'
    names = '<text class="tick" x="0" y="26">0</text><text class="tick" x="220" y="26" text-anchor="end">'
    title = f"Colours of weights, from 0 to {times:.0f} times the even share"
    return f"{opening(220, 30, title)}{image}{names}{times:.0f} times the even share</text></svg>"


def full_times(maps: NDArray[np.floating]) -> float:
    """How many times the even share the last colour stands for."""
    total = float(maps.sum())
    return full_weight(maps) * maps.size / total if total > 0 else 1.0


def _cell(pictures: Sequence[U8]) -> tuple[int, int]:
    """Height and width of the pictures in the strip, px."""
    return fitted_size(pictures[0].shape[0], pictures[0].shape[1], SIDE_PX) if pictures else (SIDE_PX, SIDE_PX)


def _heard(onsets: Onsets, start_s: float, end_s: float, place: tuple[int, int, int]) -> str:
    """The curve of what is heard during one block, from its foot up, and a tick above at each event."""
    x, y, width = place
    length_s, highest = max(end_s - start_s, 1e-9), max(float(onsets.strength.max(initial=0.0)), 1e-12)
    foot, room = y + ONSET_PX - 2, ONSET_PX - 8
    inside = (onsets.time_s >= start_s) & (onsets.time_s < end_s)
    points = [f"{x},{foot}"]
    for time_s, strength in zip(onsets.time_s[inside].tolist(), onsets.strength[inside].tolist(), strict=True):
        points.append(f"{x + width * (time_s - start_s) / length_s:.1f},{foot - room * strength / highest:.1f}")
    last_x = float(points[-1].split(",")[0])
    drawn = f'<polygon class="bar series-2" points="{" ".join([*points, f"{last_x},{foot}"])}"/>'
    for time_s in onsets.events_s[(onsets.events_s >= start_s) & (onsets.events_s < end_s)].tolist():
        at = x + width * (time_s - start_s) / length_s
        tick = f'x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + 6}"'
        drawn += f'<line class="line series-2" {tick}><title>sound event at {time_s:.2f} s</title></line>'
    return drawn
