"""Intervals by speaker: what another set of people, and other clips of them, might have given.

C clips by S speakers, R resamples. Clips of one person err alike, so drawing clips alone makes intervals that are too
narrow. Speakers are drawn with replacement, then as many clips as each has, with replacement [1]_. A resample is kept
as how often it holds each clip, so one set of resamples serves every statistic of the same clips.

References
----------
.. [1] A. C. Davison and D. V. Hinkley, "Bootstrap methods and their application", 1997, section 3.8, hierarchical data.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.values import F64

LEVEL = 0.95
"""Part of the resamples inside an interval."""


def validate(values: ArrayLike, drawn: NDArray[np.int64]) -> F64:
    """Values of the clips as an array.

    Raises
    ------
    UsageError : not one value for each of the clips that were drawn
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or drawn.ndim != 2 or drawn.shape[1] != len(array):
        raise UsageError(f"values must be (C,) for resamples (R, C), not {array.shape} for {drawn.shape}")
    return array


def resamples(speakers: Sequence[str], number: int = 1000, seed: int = 0) -> NDArray[np.int64]:
    """How often each clip is in each resample.

    Parameters
    ----------
    speakers : (C,) whose clip it is
    number : of resamples
    seed : the same gives the same

    Returns
    -------
    (number, C) counts

    Raises
    ------
    UsageError : no resample is asked for, or the seed is negative
    """
    if number < 1 or seed < 0:
        raise UsageError(f"intervals need at least 1 resample and a seed from 0 on, not {number} and {seed}")
    rng = np.random.default_rng(seed)
    drawn = np.zeros((number, len(speakers)), np.int64)
    if not len(speakers):
        return drawn
    names, owner = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    taken = rng.multinomial(number_of := len(names), np.full(number_of, 1 / number_of), size=number)
    for person in range(number_of):
        clips = np.flatnonzero(owner == person)
        # A person who is drawn twice is two people: their clips are drawn anew each time.
        drawn[:, clips] = rng.multinomial(taken[:, person] * len(clips), np.full(len(clips), 1 / len(clips)))
    return drawn


def _interval(found: F64) -> tuple[float, float]:
    """Where the middle `LEVEL` of the resamples lie; those without a value do not count."""
    found = found[np.isfinite(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.percentile(found, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def of_mean(values: ArrayLike, drawn: NDArray[np.int64]) -> tuple[float, float]:
    """Interval of the mean over clips; clips that are NaN have no value and do not count."""
    array = validate(values, drawn)
    real = np.isfinite(array)
    return of_ratio(np.where(real, array, 0.0), real.astype(np.float64), drawn)


def of_ratio(sums: ArrayLike, counts: ArrayLike, drawn: NDArray[np.int64]) -> tuple[float, float]:
    """Interval of the mean over pieces, from each clip's sum and number of them."""
    above, below = drawn @ validate(sums, drawn), drawn @ validate(counts, drawn)
    return _interval(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0))


def of_statistic(statistic: Callable[[NDArray[np.int64]], float], drawn: NDArray[np.int64]) -> tuple[float, float]:
    """Interval of anything: ``statistic`` gets how often each clip counts, (C,), and gives one number."""
    return _interval(np.array([statistic(row) for row in drawn], np.float64))
