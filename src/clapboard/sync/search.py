"""The offset in a curve: its minimum, to the millisecond, and how deep that minimum is.

The mean curve comes first, one minimum after [1]_. The articles about SyncNet take an offset per window and average
these by confidence instead; that rule is kept as `mean_of_windows`.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 4.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.sync.distance import Curves, Edges, curves, distances
from clapboard.timebase import offset_ms_of_lag
from clapboard.values import F32, F64, Embeddings, Offset

MIN_COVERAGE = 0.4
"""A lag counts where at least this part of the windows has sound there: a mean over a few windows is low by chance."""


class Minimum(NamedTuple):
    """Where a curve is lowest: ``lag_s``, the value there, and the place of the lowest point; NaN and -1 if empty."""

    lag_s: float
    value: float
    place: int


def minimum(curve: F32, lags_s: F64) -> Minimum:
    """Lowest point of a curve, refined by the parabola through it and its two neighbours.

    The lowest point at either end, or beside a gap, is returned as it is.

    Parameters
    ----------
    curve : (K,), NaN where unknown
    lags_s : (K,) ascending, evenly spaced, s
    """
    if not np.isfinite(curve).any():
        return Minimum(float("nan"), float("nan"), -1)
    index = int(np.nanargmin(curve))
    lag_s, value = float(lags_s[index]), float(curve[index])
    if 0 < index < len(curve) - 1:
        left, here, right = (float(v) for v in curve[index - 1 : index + 2])
        bend = left - 2 * here + right
        if np.isfinite(bend) and bend > 0:
            step = 0.5 * (left - right) / bend
            lag_s += step * float(lags_s[index + 1] - lags_s[index])
            value = here - 0.25 * (left - right) * step
    return Minimum(lag_s, value, index)


def confidence(curve: F32) -> float:
    """Median of the curve minus its minimum, the confidence of the paper's code; NaN for an empty curve."""
    real = curve[np.isfinite(curve)]
    return float(np.median(real) - real.min()) if len(real) else float("nan")


def offset_of(of: Curves) -> Offset:
    """Offset of the mean of all blocks; what speaks against it is judged by `clapboard.sync.trust`."""
    curve = of.mean()
    curve[of.coverage() < MIN_COVERAGE] = np.nan
    lags_s = of.exact_lags_s()
    lowest = minimum(curve, lags_s)
    return Offset(
        offset_ms=offset_ms_of_lag(lowest.lag_s),
        confidence=confidence(curve),
        min_distance=lowest.value,
        curve=curve,
        offsets_ms=-1000.0 * lags_s,
        windows=round(float(of.windows.sum())),
    )


def find_offset(
    picture: Embeddings,
    sound: Embeddings,
    max_offset_ms: float = 1000.0,
    *,
    speaking: NDArray[np.bool_] | None = None,
    edges: Edges = "mask",
) -> Offset:
    """Offset between two streams of embeddings.

    Parameters
    ----------
    picture : (T, D) embeddings of picture windows
    sound : (R, D) embeddings of sound every 10 ms, NaN where the file has none
    max_offset_ms : search range, both ways
    speaking : (T,) bool, windows that count; all where None
    edges : ``"mask"`` or, to reproduce published numbers only, ``"zeros"``; see `clapboard.sync.distance.distances`

    Returns
    -------
    Offset, positive = sound early. ``p_within_frame`` is NaN: it needs a model's calibration, see
    `clapboard.sync.trust`.
    """
    found = distances(picture, sound, max_offset_ms / 1000, edges=edges)
    if not len(found.time_s):
        nothing = np.full(len(found.lags_s), np.nan, np.float32)
        return Offset(float("nan"), float("nan"), float("nan"), nothing, -1000.0 * found.lags_s, 0)
    return offset_of(curves(found, speaking))


def mean_of_windows(
    offsets_ms: ArrayLike, confidences: ArrayLike, min_confidence: float = 0.0, *, weighted: bool = True
) -> float:
    """The articles' rule: mean of the windows' offsets, weighted by confidence, without those below a threshold.

    Kept to compare with; on few windows it is far worse than the minimum of the mean curve.

    Raises
    ------
    UsageError : the lengths differ, or no window is confident enough
    """
    offsets, weights = np.asarray(offsets_ms, np.float64), np.asarray(confidences, np.float64)
    if offsets.shape != weights.shape or offsets.ndim != 1:
        raise UsageError(f"offsets {offsets.shape} and confidences {weights.shape} must be of one length")
    keep = weights >= min_confidence
    if not keep.any() or (weighted and weights[keep].sum() <= 0):
        raise UsageError(f"no window has a confidence of at least {min_confidence:g}")
    return float(np.average(offsets[keep], weights=weights[keep] if weighted else None))
