"""Accuracy within one frame for so many frames seen: the tables that lip-sync networks are compared by.

T windows of one clip, L lags of one frame each, C clips. A clip comes as its score at every window and lag, higher for
a better match, the true lag in the middle. Scores are averaged over windows first and the best lag is taken once,
as in the published work [1]_ [2]_.

Two tables use the same measure:

- **frames seen** (LRS2): +-15 frames, 31 lags, chance 9.7 %. A network that sees 5 frames gives one score row for K = 5
  frames and the mean of K - 4 rows for K frames.
- **windows averaged** (SyncNet): +-1 s, 51 lags, chance 5.9 %, over 1, 5, 10, 25, 50 and 100 rows.

Only positions count where every lag has real sound: at the ends of a clip the published code averages what is there, so
fewer lags compete and the task becomes easier.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016, section 4 and
   table 2: right is within one frame; samples are averaged over a clip.
.. [2] S.-W. Chung, J. S. Chung and H.-G. Kang, "Perfect match: improved cross-modal embeddings for audio-visual
   synchronisation", ICASSP 2019, section 4; code with the same protocol was published with V. S. Kadandale et al.,
   "VocaLiST", Interspeech 2022 (``test_lrs2.py``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.values import F64

FRAMES_SEEN = (5, 7, 9, 11, 13, 15, 25, 50, 100)
"""K of the first table; published are 5 to 15."""
FRAMES_REACH = 15
"""Lags of the first table, both ways (frames)."""
WINDOWS_AVERAGED = (1, 5, 10, 25, 50, 100)
"""Windows of the second table."""
WINDOWS_REACH = 25
"""Lags of the second table, both ways (frames): 1 s at 25 Hz."""
TOLERANCE_FRAMES = 1
"""Right is this near (frames)."""
PUBLISHED = {
    "SyncNet": (75.8, 82.3, 87.6, 91.8, 94.5, 96.1),
    "Perfect Match": (88.1, 93.8, 96.4, 97.9, 98.7, 99.1),
}
"""Accuracy on LRS2 for 5, 7, 9, 11, 13 and 15 frames, %, as the authors of MTDVocaLiST list it: another test set."""


def validate(scores: ArrayLike) -> NDArray[np.floating]:
    """Scores of one clip as an array.

    Parameters
    ----------
    scores : (T, L) real, higher is better, NaN where there is no sound; L odd, the true lag in the middle

    Raises
    ------
    UsageError : another shape, an even number of lags, or fewer than three
    """
    array = np.asarray(scores, np.float64)
    if array.ndim != 2 or array.shape[1] % 2 == 0 or array.shape[1] < 2 * TOLERANCE_FRAMES + 1:
        raise UsageError(f"scores must be (T, L) with an odd number of lags, at least 3, not {array.shape}")
    return array


def chance(reach_frames: int, tolerance_frames: int = TOLERANCE_FRAMES) -> float:
    """Accuracy of guessing a lag from -reach to +reach frames, 0 to 1: 3/31 for 15 frames."""
    return (2 * tolerance_frames + 1) / (2 * reach_frames + 1)


def running_mean(scores: ArrayLike, rows: int) -> F64:
    """Mean of every run of consecutive rows, for the runs that are finite throughout.

    Parameters
    ----------
    scores : (T, L)
    rows : how many are averaged

    Returns
    -------
    (P, L), P of at most T - rows + 1 positions

    Raises
    ------
    UsageError : fewer than one row is asked for
    """
    array = validate(scores)
    if rows < 1:
        raise UsageError(f"at least 1 row has to be averaged, not {rows}")
    if len(array) < rows:
        return np.zeros((0, array.shape[1]))
    whole = np.isfinite(array).all(1)
    sums = np.cumsum(np.vstack([np.zeros(array.shape[1]), np.where(whole[:, None], array, 0)]), axis=0)
    gaps = np.concatenate([[0], np.cumsum(~whole)])
    return np.asarray(((sums[rows:] - sums[:-rows]) / rows)[gaps[rows:] == gaps[:-rows]], np.float64)


def accuracy(scores: ArrayLike, rows: int, tolerance_frames: int = TOLERANCE_FRAMES) -> float:
    """Part of a clip's positions where the best lag of the mean of ``rows`` rows is right, 0 to 1; NaN without any."""
    means = running_mean(scores, rows)
    if not len(means):
        return float("nan")
    return float(np.mean(np.abs(means.argmax(1) - means.shape[1] // 2) <= tolerance_frames))


def evaluate(clips: Sequence[ArrayLike], rows: Sequence[int], tolerance_frames: int = TOLERANCE_FRAMES) -> F64:
    """Accuracy of every clip for every number of rows.

    The field's figure is the mean over the clips that have a value: ``np.nanmean(evaluate(...), axis=0)``. It is left
    to the caller, who may want the interval as well, see `clapboard.metrics.bootstrap`.

    Returns
    -------
    (C, len(rows)) 0 to 1, NaN where a clip is too short
    """
    found = [[accuracy(scores, number, tolerance_frames) for number in rows] for scores in clips]
    return np.asarray(found, np.float64).reshape(len(clips), len(rows))
