"""Drawings that stand alone: one SVG file with its colours, light and dark, for a page of documentation."""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clapboard.report.page import COLOURS, MARKS
from clapboard.report.pictures import data_uri
from clapboard.report.svg import opening

EDGE_PX, TITLE_PX, GAP_PX = 12.0, 24.0, 16.0
"""Room about all panels, above each for its title, and between them."""

_SIZE = re.compile(r'<svg class="plot" width="([\d.]+)" height="([\d.]+)"')


class Panel(NamedTuple):
    """One drawing of `clapboard.report.svg` and the line above it."""

    title: str
    drawing: str


def picture(image: NDArray[np.uint8], title: str) -> str:
    """A picture (H, W, 3) uint8 as a drawing, a pixel a pixel; ``title`` is what those who cannot see it are told."""
    height, width = image.shape[:2]
    shown = f'<image width="{width}" height="{height}" href="{data_uri(image)}"/>'
    return f"{opening(width, height, title)}{shown}</svg>"


def alone(panels: Sequence[Panel], title: str, across: int = 1) -> str:
    """The text of an SVG file with panels side by side, so many in a row; ``title`` is what the file is of."""
    rows = [panels[first : first + across] for first in range(0, len(panels), across)]
    y, width_px, parts = EDGE_PX, 0.0, list[str]()
    for row in rows:
        x, tallest_px = EDGE_PX, 0.0
        for panel in row:
            wide_px, high_px = _size(panel.drawing)
            words = f'<text class="label" x="{x:g}" y="{y + 14:g}">{escape(panel.title)}</text>'
            parts.append(f'{words}<g transform="translate({x:g} {y + TITLE_PX:g})">{panel.drawing}</g>')
            x, tallest_px = x + wide_px + GAP_PX, max(tallest_px, high_px)
        y, width_px = y + TITLE_PX + tallest_px + GAP_PX, max(width_px, x - GAP_PX + EDGE_PX)
    size = f'width="{width_px:g}" height="{y:g}" viewBox="0 0 {width_px:g} {y:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>'
    ground = f'<style>{COLOURS}{MARKS}</style><rect width="{width_px:g}" height="{y:g}" style="fill: var(--paper)"/>'
    return f"{head}{ground}{''.join(parts)}</svg>\n"


def _size(drawing: str) -> tuple[float, float]:
    """Width and height of a drawing, px."""
    found = _SIZE.match(drawing)
    assert found is not None
    return float(found[1]), float(found[2])
