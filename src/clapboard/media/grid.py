"""The picture grid: the frame nearest in time to each point of a regular clock."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from clapboard.timebase import PICTURE_HZ
from clapboard.values import Frame

TIE_S = 1e-6
"""Two frames that are equally near within this are a tie, which the later one wins (s)."""
MAX_GAP_S = 60.0
"""A longer hole between two frames is left empty (s), so that one wrong timestamp cannot make a day of stills."""


def on_grid(frames: Iterable[Frame], rate_hz: Fraction | int = PICTURE_HZ) -> Iterator[tuple[int, Frame]]:
    """Fill the grid with the frames nearest in time.

    Point g is at ``g / rate_hz`` seconds of the file's clock. Each point from half a period before the first frame
    (included) to half a period after the last (excluded) comes once, in ascending order, with the frame nearest to
    it; of two equally near ones the later. Where the file is slower than the grid, the same object comes again; where
    it is faster, frames are left out. Only one frame is kept.

    Parameters
    ----------
    frames : in ascending order of ``time_s``
    rate_hz : points per second; 29.97 is ``Fraction(30000, 1001)``

    Yields
    ------
    (g, frame) : the frame keeps its true time
    """
    rate = float(rate_hz)
    half = 0.5 / rate
    kept: Frame | None = None
    point = 0
    for frame in frames:
        if kept is None:
            point = _first_point(frame.time_s - half, rate)
        elif frame.time_s - kept.time_s > MAX_GAP_S:
            for g in range(point, _first_point(kept.time_s + half, rate)):
                yield g, kept
            point = max(point, _first_point(frame.time_s - half, rate))
        else:
            end = _first_point((kept.time_s + frame.time_s) / 2, rate)
            for g in range(point, end):
                yield g, kept
            point = max(point, end)
        kept = frame
    if kept is not None:
        for g in range(point, _first_point(kept.time_s + half, rate)):
            yield g, kept


def _first_point(time_s: float, rate_hz: float) -> int:
    """First point of the grid that is not before a time."""
    return math.ceil((time_s - TIE_S) * rate_hz)
