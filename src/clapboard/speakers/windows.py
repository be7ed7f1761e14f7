"""The two ways of adding up distances that were published, without a model of time.

`window`: the confidence averaged over a sliding window of 10 to 100 frames, as the paper does for speakers [1]_.
`median`: the confidence of every frame through a median filter, as ``run_syncnet.py`` published with it does [2]_.

Both stay with one decision: a face speaks where its evidence is positive and the largest of the faces in view.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 4.2.
.. [2] joonson/syncnet_python, ``SyncNetInstance.py``: ``signal.medfilt(..., kernel_size=9)``.
"""

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F64

MEDIAN_FRAMES = 9
"""Length of the published median filter (frames)."""


def window_means(values: F64, counts_in: NDArray[np.bool_], frames: int) -> F64:
    """Mean over a window about every frame, of those that count; (F, T), NaN where none does.

    Parameters
    ----------
    values : (F, T), NaN where unknown
    counts_in : (F, T) or (T,) bool
    frames : length of the window; an even one reaches one frame further ahead

    Raises
    ------
    UsageError : the window has no frames
    """
    if frames < 1:
        raise UsageError(f"a window must have at least one frame, not {frames}")
    counted = np.isfinite(values) & counts_in
    before = (frames - 1) // 2
    padding = ((0, 0), (before + 1, frames - 1 - before))
    sums = np.cumsum(np.pad(np.where(counted, values, 0.0), padding), axis=1)
    counts = np.cumsum(np.pad(counted.astype(np.float64), padding), axis=1)
    total, number = sums[:, frames:] - sums[:, :-frames], counts[:, frames:] - counts[:, :-frames]
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def median_filter(values: F64, frames: int = MEDIAN_FRAMES) -> F64:
    """Median over a window about every frame, (F, T); NaN counts for nothing, and where all are there is NaN.

    At the ends the window is cut short: zeros put there, as the published code does, would pull the median down.
    """
    half = frames // 2
    padded = np.pad(np.asarray(values, np.float64), ((0, 0), (half, half)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, frames, axis=1)
    found = np.full(values.shape, np.nan)
    some = np.isfinite(around).any(axis=-1)
    found[some] = np.nanmedian(around[some], axis=-1)
    return found


def largest(evidence: F64) -> NDArray[np.bool_]:
    """Who has it: evidence above 0, and more than anybody else in view; (F, T) bool, of equals the first."""
    known = np.where(np.isfinite(evidence), evidence, -np.inf)
    best = known.argmax(axis=0)
    return np.asarray((np.arange(len(known))[:, None] == best) & (known > 0))
