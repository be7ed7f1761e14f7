"""When blows begin: the peaks of a curve of probabilities, between its rows."""

import numpy as np

from clapboard.errors import UsageError
from clapboard.values import F32, F64

THRESHOLD = 0.5
"""A peak is a blow from this probability on, where no model says otherwise."""
APART_ROWS = 5
"""Of two peaks nearer than this, 50 ms, the weaker one is none; of equal ones the later."""


def peaks(curve: F32) -> tuple[F64, F32]:
    """All peaks of a curve, however low.

    Parameters
    ----------
    curve : (R,) float32, every 10 ms, finite

    Returns
    -------
    rows : (E,) float64 ascending, where the parabola through a peak and its neighbours is highest; of a flat top the
        middle. Whole numbers are middles of rows.
    heights : (E,) float32, the curve at the peak's row

    Raises
    ------
    UsageError : the curve is no row of finite numbers
    """
    curve = np.asarray(curve, np.float32)
    if curve.ndim != 1 or not np.isfinite(curve).all():
        raise UsageError(f"a curve of onsets is (R,) finite numbers, not {curve.shape}")
    if not len(curve):
        return np.zeros(0), np.zeros(0, np.float32)
    reach = APART_ROWS - 1
    padded = np.pad(curve, reach, constant_values=-np.inf)
    greatest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(1)
    high = curve >= greatest
    # What never rises is no peak: a flat curve, or the ground between two blows.
    low = np.lib.stride_tricks.sliding_window_view(np.pad(curve, reach, mode="edge"), 2 * reach + 1).min(1)
    edges = np.diff(np.concatenate([[False], high & (curve > low), [False]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    alone = np.diff(first, prepend=-APART_ROWS) >= APART_ROWS
    first, last = first[alone], last[alone]
    middle = (first + last) / 2.0
    single = (first == last) & (first > 0) & (last < len(curve) - 1)
    at = first[single]
    before, top, after = (curve[at + step].astype(np.float64) for step in (-1, 0, 1))
    bend = before - 2 * top + after  # below 0: of a single row, both neighbours are lower
    middle[single] += np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return middle, curve[first]


def onsets(curve: F32, threshold: float = THRESHOLD) -> F64:
    """Where blows begin, (E,) float64 positions on the rows, ascending.

    Parameters
    ----------
    curve : (R,) float32, probability that a blow begins in each row
    threshold : the least probability that counts, above 0

    Raises
    ------
    UsageError : the curve is no row of finite numbers, or the threshold is not within 0 to 1
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"a threshold of onsets is above 0 and at most 1, not {threshold:g}")
    rows, heights = peaks(curve)
    return rows[heights >= np.float32(threshold)]
