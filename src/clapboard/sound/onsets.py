"""Where something begins to sound: the strength of onsets, and the times of the clear ones, to be looked at.

The strength is the half-wave rectified difference of compressed log-mel power between rows 20 ms apart, as detectors of
musical onsets have it [1]_. The compression is by the level of the file, so that noise far below it does not count.

References
----------
.. [1] S. Boeck and G. Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013, sections 2 and 3.
"""

import numpy as np
from numpy.typing import NDArray

from clapboard.timebase import FEATURE_HZ
from clapboard.values import F64, Features

LOUD_PERCENTILE = 99.0
"""Rows this loud give the level of a file: events are short, so that fewer rows than in speech have it."""
KNEE_DB = 30.0
"""Power this far below the level of the file is where changes begin to count."""
LAG_ROWS = 2
"""Rows are compared with those 20 ms before: a window of 25 ms has passed an edge by then."""
NEAR_ROWS = 5
"""An event is the strongest row within 50 ms ..."""
CLEAR = 0.25
"""... and at least this part of the strongest of the file ..."""
ABOVE_MEAN = 3.0
"""... and so many times the mean strength of the second about it: in steady noise the greatest is 2.4 times ..."""
LEAST = 0.1
"""... and this much in itself (natural-log units, mean of the bands): a steady tone has 0.001, an event 1 to 5."""


def strength(features: Features) -> F64:
    """How much begins to sound at each row, (R,) float64, 0 where there is nothing new or no sound.

    Parameters
    ----------
    features : rows of the kind log-mel-40
    """
    power = np.exp(features.values.astype(np.float64))
    heard = power[features.valid]
    if len(heard) <= LAG_ROWS:
        return np.zeros(len(power))
    level = max(float(np.percentile(heard.mean(1), LOUD_PERCENTILE)), 1e-12)
    loud = np.log1p(power / level * 10 ** (KNEE_DB / 10))
    rise = np.zeros(len(power))
    rise[LAG_ROWS:] = np.maximum(loud[LAG_ROWS:] - loud[:-LAG_ROWS], 0).mean(1)
    rise[LAG_ROWS:][~(features.valid[LAG_ROWS:] & features.valid[:-LAG_ROWS])] = 0
    return rise


def row_times_s(features: Features) -> F64:
    """The time of each row, (R,) s: an edge rises most in the row whose middle it has reached."""
    return features.first_s + np.arange(len(features.values)) / FEATURE_HZ


def events_s(features: Features, strengths: NDArray[np.float64] | None = None) -> F64:
    """Times of clear onsets, (E,) s, ascending; none in silence or in steady noise.

    Parameters
    ----------
    features : rows of the kind log-mel-40
    strengths : what `strength` gives for them, where it is known already
    """
    curve = strength(features) if strengths is None else strengths
    if not len(curve) or curve.max() < LEAST:
        return np.zeros(0)
    padded = np.pad(curve, NEAR_ROWS)
    greatest = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR_ROWS + 1).max(1)
    half = FEATURE_HZ // 2
    sums = np.cumsum(np.concatenate([np.zeros((1, 2)), np.stack([curve, features.valid], axis=1)]), axis=0)
    ends = np.clip([np.arange(len(curve)) - half, np.arange(len(curve)) + half + 1], 0, len(curve))
    sound, rows = (sums[ends[1]] - sums[ends[0]]).T
    mean = sound / np.maximum(rows, 1)
    clear = (curve >= greatest) & (curve >= max(CLEAR * float(curve.max()), LEAST)) & (curve >= ABOVE_MEAN * mean)
    at = np.flatnonzero(clear)
    first = np.concatenate([[True], np.diff(at) > 1]) if len(at) else np.zeros(0, np.bool_)  # of a flat top one row
    return np.asarray(row_times_s(features)[at[first]])
