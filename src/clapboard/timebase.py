"""Clocks and the sign: the one place that turns seconds into frames, samples and feature rows.

All times are seconds (float) on the file's own clock, as its presentation timestamps give them.

The sign of an offset
---------------------
``offset_ms > 0``: the sound comes **before** the picture it belongs to (audio early, audio leads), as in
ITU-R BT.1359-1 and in the code published with SyncNet [1]_. The same number repairs the file: delay the audio by
``offset_ms``. The articles about SyncNet write the same case with a minus.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016; the released
   ``SyncNetInstance.py`` computes ``offset = vshift - argmin``.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

PICTURE_HZ = 25
"""Picture windows per second: the grid that the networks are trained on (Hz)."""
SAMPLE_RATE_HZ = 16_000
"""Sound is resampled to this rate, one channel (Hz)."""
FEATURE_HZ = 100
"""Feature rows, and so sound embeddings, per second (Hz): lags are 10 ms apart."""
SAMPLES_PER_ROW = SAMPLE_RATE_HZ // FEATURE_HZ
"""Samples between two feature rows: 160."""
ROWS_PER_FRAME = FEATURE_HZ // PICTURE_HZ
"""Feature rows between two frames of the picture grid: 4."""
MAX_GRID_POINTS = 10_000_000
"""More points of the picture grid than any film has (111 hours): timestamps that claim them are damaged."""
FRAME_MS = 1000 / PICTURE_HZ
"""One frame of the picture grid: 40 ms, the field's unit for "within one frame"."""


def frames_of(offset_ms: float, rate_hz: Fraction | float) -> float:
    """Offset in frames of the file: 40 ms at 25 fps is 1.0."""
    return float(offset_ms * float(rate_hz) / 1000)


def grid_index(time_s: float, rate_hz: int = PICTURE_HZ) -> int:
    """Index of the grid point nearest to a time; the grid's point 0 is at 0 s.

    Halves go up, so that a clock's every period falls on one point: ``floor(x + 1/2)``, never banker's rounding.
    """
    return int(np.floor(time_s * rate_hz + 0.5))


def begin_s(time_s: NDArray[np.float64]) -> float:
    """When a track on the picture grid begins, s, if its frames were exactly 40 ms apart.

    A steady 25 Hz is fitted to the true times of its frames (T,), T at least 1: the mean of what they are late, without
    those of stills, which are out by more than a frame. The sound of a track begins here.
    """
    late_s = time_s - np.arange(len(time_s)) / PICTURE_HZ
    usual = np.abs(late_s - np.median(late_s)) <= 1 / PICTURE_HZ + 1e-6
    return float(late_s[usual].mean())


def row_positions(time_s: NDArray[Any], first_row_s: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Nearest feature row of each time, and what the rounding left over.

    Parameters
    ----------
    time_s : (T,) times, s
    first_row_s : time of feature row 0, s

    Returns
    -------
    rows : (T,) int64, the nearest row
    residual_s : (T,) float64, time of that row minus the time asked for, s, within half a row
    """
    exact = (np.asarray(time_s, np.float64) - first_row_s) * FEATURE_HZ
    rows = np.floor(exact + 0.5).astype(np.int64)
    return rows, (rows - exact) / FEATURE_HZ


def offset_ms_of_lag(lag_s: float) -> float:
    """Offset of a file whose picture matches the sound found ``lag_s`` later on the file's clock.

    Sound that is found *later* than its picture is late: it has to come earlier, so the offset is negative.
    """
    return -1000.0 * lag_s


def in_words(offset_ms: float) -> str:
    """The offset as a sentence: ``audio is 300 ms early; delay it by 300 ms``."""
    whole = round(offset_ms)
    if whole == 0:
        return "audio and picture are together (0 ms)"
    if whole > 0:
        return f"audio is {whole} ms early; delay it by {whole} ms"
    return f"audio is {-whole} ms late; advance it by {-whole} ms"


def clock(time_s: float) -> str:
    """A time as people write it: ``0:07``, ``12:40``, ``1:02:03``."""
    whole = max(0, round(time_s))
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
