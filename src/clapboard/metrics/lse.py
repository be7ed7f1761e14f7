"""LSE-D and LSE-C, what generators of lip movements are scored by: how far lips and sound are apart at the best match.

T windows, K lags, N files. The distances are averaged over the windows; of that mean curve the minimum is LSE-D, the
less the better, and its median minus that minimum LSE-C, the more the better [2]_. Numbers of different networks cannot
be compared, nor those of the two rules here: `published` is that of the published SyncNet code [1]_; `masked` leaves
out what is not there, counts only windows that are to count, and looks between the lags.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016; ``evaluate`` of the released
   ``SyncNetInstance.py``.
.. [2] K. R. Prajwal, R. Mukhopadhyay, V. Namboodiri, C. V. Jawahar, "A lip sync expert is all you need for speech to
   lip generation in the wild", 2020.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from clapboard.errors import UsageError
from clapboard.metrics import bootstrap
from clapboard.values import F64

MIN_COVERAGE = 0.4
"""A lag counts where at least this part of the windows has sound there: a mean over a few windows is low by chance."""


class Lse(NamedTuple):
    """LSE-D and LSE-C of one track or file; NaN where nothing was compared."""

    lse_d: float
    lse_c: float


class Published(NamedTuple):
    """What the published code prints of a track.

    Attributes
    ----------
    offset_frames : positive when the sound is early, frames of 40 ms
    min_distance : minimum of the mean curve, LSE-D
    confidence : median of the mean curve minus its minimum, LSE-C
    """

    offset_frames: int
    min_distance: float
    confidence: float


def validate(distances: ArrayLike) -> F64:
    """Distances as an array.

    Raises
    ------
    UsageError : not (T, K) with at least one window and an odd number of lags, or not all finite
    """
    array = np.asarray(distances, np.float64)
    if array.ndim != 2 or not len(array) or array.shape[1] % 2 == 0:
        raise UsageError(f"distances must be (T, K), T at least 1 and K odd, not {array.shape}")
    if not np.isfinite(array).all():
        raise UsageError("distances must be finite: the published rule knows no gaps")
    return array


def published(distances: ArrayLike) -> Published:
    """Mean over all windows, then the minimum; of equal minima the first.

    Parameters
    ----------
    distances : (T, K), K odd; column k is the distance to the sound k - (K - 1) / 2 frames later

    Raises
    ------
    UsageError : see `validate`
    """
    curve = validate(distances).mean(0)
    least = int(np.argmin(curve))
    smallest = float(curve[least])
    return Published(len(curve) // 2 - least, smallest, float(np.median(curve)) - smallest)


def mean_curve(distances: ArrayLike, counted: ArrayLike | None = None, min_coverage: float = MIN_COVERAGE) -> F64:
    """Mean over the windows that count, (K,); NaN at lags where too few of them have sound.

    Parameters
    ----------
    distances : (T, K), NaN where there is no sound
    counted : (T,) bool, windows that count, those with speech near them; all where None
    min_coverage : part of these windows, 0 to 1, that must have sound at a lag

    Raises
    ------
    UsageError : not (T, K), or ``counted`` not (T,)
    """
    array = np.asarray(distances, np.float64)
    which = np.ones(len(array), np.bool_) if counted is None else np.asarray(counted, np.bool_)
    if array.ndim != 2 or which.shape != array.shape[:1]:
        raise UsageError(f"distances must be (T, K), and what counts (T,), not {array.shape} and {which.shape}")
    real = np.isfinite(array) & which[:, None]
    number = real.sum(0)
    known = (number > 0) & (number >= min_coverage * which.sum())
    return np.where(known, np.where(real, array, 0.0).sum(0) / np.maximum(number, 1), np.nan)


def of_curve(curve: ArrayLike) -> Lse:
    """LSE-D and LSE-C of a mean curve (K,), NaN where it is not known.

    The minimum is that of the parabola through the lowest point and its neighbours; at either end or beside a gap the
    point itself. The median is over the points that are known.

    Raises
    ------
    UsageError : not (K,)
    """
    array = np.asarray(curve, np.float64)
    if array.ndim != 1:
        raise UsageError(f"a mean curve must be (K,), not {array.shape}")
    real = array[np.isfinite(array)]
    if not len(real):
        return Lse(float("nan"), float("nan"))
    least = int(np.nanargmin(array))
    smallest = float(array[least])
    if 0 < least < len(array) - 1:
        left, right = float(array[least - 1]), float(array[least + 1])
        bend = left - 2 * smallest + right
        if np.isfinite(bend) and bend > 0:
            smallest -= (left - right) ** 2 / (8 * bend)
    return Lse(smallest, float(np.median(real)) - smallest)


def masked(distances: ArrayLike, counted: ArrayLike | None = None) -> Lse:
    """LSE-D and LSE-C of distances (T, K) with NaN where there is no sound; see `mean_curve` and `of_curve`."""
    return of_curve(mean_curve(distances, counted))


class Mean(NamedTuple):
    """The mean over files, and where the mean of other such files would lie in 95 of 100 cases; NaN where unknown."""

    mean: float
    low: float
    high: float


def mean_of(values: ArrayLike, names: Sequence[str], number: int = 1000, seed: int = 0) -> Mean:
    """Mean and interval over files; those that are NaN have no value and do not count.

    Parameters
    ----------
    values : (N,) of the files
    names : (N,) of the files: what bears one name is drawn together, and their order changes nothing
    number : of bootstrap resamples; the interval is that of `clapboard.metrics.bootstrap`

    Raises
    ------
    UsageError : another number of names, or no resample is asked for
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(names) != len(array):
        raise UsageError(f"values must be (N,) with as many names, not {array.shape} with {len(names)}")
    order = sorted(range(len(names)), key=lambda i: (names[i], array[i]))
    real = [i for i in order if np.isfinite(array[i])]
    array, people = array[real], [names[i] for i in real]
    if len(set(people)) < 2:  # one file says nothing of others
        return Mean(float(array.mean()) if len(array) else float("nan"), float("nan"), float("nan"))
    return Mean(float(array.mean()), *bootstrap.of_mean(array, bootstrap.resamples(people, number, seed)))
