"""What each frame says for or against a face: how much closer its lips are to their sound than to the sound around.

T frames or windows, K lags, F faces.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clapboard.timebase import FEATURE_HZ, FRAME_MS, PICTURE_HZ
from clapboard.values import F32, F64, Distances

REACH_S = 0.6
"""Sound this much earlier and later is what the sound in question is compared with (s)."""
NEAR_MS = FRAME_MS
"""Lips match the sound where they do so within one frame (ms): the file's offset is known no better, and on people held
out a frame more to either side costs nothing where it is right and keeps who speaks when it is 60 ms off."""
LEAST_COVERAGE = 0.5
"""A frame says something where at least this part of that sound is there."""


def contrast(of: Distances) -> tuple[F32, F32]:
    """Distance to the sound that belongs there, and how far that lies under a usual one: the confidence of a frame.

    Parameters
    ----------
    of : (T, K) distances, their lags even on both sides of 0, counted from the file's offset

    Returns
    -------
    distance : (T,) float32, the least within `NEAR_MS` of lag 0; NaN where there is no sound
    contrast : (T,) float32, median over the lags minus that distance, positive where the lips match the sound better
        than the sound around it; NaN where less than `LEAST_COVERAGE` of it is there

    Notes
    -----
    The confidence of [1]_ is the median of the *mean* curve minus its minimum, and ``run_syncnet.py`` published with it
    takes the same median for every frame. Here every frame is held against its own lags: some mouths are far from every
    sound, and a frame's median knows that.

    References
    ----------
    .. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 4.
    """
    middle, near = of.values.shape[1] // 2, round(NEAR_MS / 1000 * FEATURE_HZ)
    # fmin goes by the numbers where some are NaN
    distance = np.fmin.reduce(of.values[:, middle - near : middle + near + 1], axis=1).astype(np.float32)
    enough = np.isfinite(of.values).mean(axis=1) >= LEAST_COVERAGE
    found = np.full(len(distance), np.nan, np.float32)
    if enough.any():
        found[enough] = np.nanmedian(of.values[enough], axis=1) - distance[enough]
    return distance, found


def to_frames(windows: F32, frames: int) -> F32:
    """Values of windows as values of frames: each at the middle of its window, the first and last repeated outwards.

    Parameters
    ----------
    windows : (T - w + 1,)
    frames : T

    Returns
    -------
    (T,) float32; NaN where there is no window at all
    """
    if not len(windows):
        return np.full(frames, np.nan, np.float32)
    before = (frames - len(windows)) // 2
    return np.pad(np.asarray(windows, np.float32), (before, frames - len(windows) - before), mode="edge")


def first_grid(time_s: F64) -> int:
    """Point of the picture grid that the first of consecutive frames fills; the grid's point 0 is at 0 s.

    All frames together decide: the time of one may lie half a period off.
    """
    return round(float(np.median(np.asarray(time_s, np.float64) * PICTURE_HZ - np.arange(len(time_s)))))


def bridged(active: NDArray[np.bool_], longest_s: float) -> NDArray[np.bool_]:
    """Frames that sound, gaps up to ``longest_s`` between them filled, (T,) bool at 25 Hz."""
    places = np.flatnonzero(active)
    filled = active.copy()
    for before, after in pairwise(places.tolist()):
        if after - before - 1 <= longest_s * PICTURE_HZ:
            filled[before:after] = True
    return filled
