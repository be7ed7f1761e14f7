"""Offset, minimal distance and confidence of one face track by the rule of the published SyncNet code [1]_.

T windows, K lags. Minimal distance and confidence are what generators of lip movements are scored by: LSE-D, the less
the better, and LSE-C, the more the better [2]_. Numbers of different networks cannot be compared.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016; ``evaluate`` of the released
   ``SyncNetInstance.py``.
.. [2] K. R. Prajwal, R. Mukhopadhyay, V. Namboodiri, C. V. Jawahar, "A lip sync expert is all you need for speech to
   lip generation in the wild", 2020.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from clapboard.errors import UsageError
from clapboard.values import F64


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
