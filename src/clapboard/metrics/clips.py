"""Errors in milliseconds: how many are near enough, how large they are, and how much of them is one constant.

N measurements. An error is what was measured minus the truth, positive when the sound was measured too early; NaN where
nothing was measured, which counts as wrong and as infinitely far. The labels of a test set carry the latency of its
cameras, and a model that of its training set, so the constant part (bias) is told apart from the rest (spread).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from clapboard.errors import UsageError
from clapboard.values import F64

WITHIN_MS = (20.0, 40.0, 80.0)
"""Half a frame, one and two at 25 Hz: 40 ms is the field's "within one frame"."""
NORMAL_SHARES = (100 * 0.158655, 100 * 0.841345)
"""Between these percentiles of a normal distribution lie one standard deviation on either side of its middle."""


def validate(errors_ms: ArrayLike, groups: Sequence[object] | None = None) -> F64:
    """Errors as an array.

    Raises
    ------
    UsageError : not (N,), or another number of groups
    """
    array = np.asarray(errors_ms, np.float64)
    if array.ndim != 1:
        raise UsageError(f"errors must be (N,), not {array.shape}")
    if groups is not None and len(groups) != len(array):
        raise UsageError(f"{len(array)} errors need as many groups, not {len(groups)}")
    return array


def bias_ms(errors_ms: ArrayLike) -> float:
    """The constant part of errors, ms: their median, which a few gross failures do not move; NaN without any."""
    real = validate(errors_ms)
    real = real[np.isfinite(real)]
    return float(np.median(real)) if len(real) else float("nan")


def spread_ms(errors_ms: ArrayLike) -> float:
    """Half the distance of the 16th and 84th percentile, ms: the standard deviation, were the errors normal."""
    real = validate(errors_ms)
    real = real[np.isfinite(real)]
    if not len(real):
        return float("nan")
    low, high = np.percentile(real, NORMAL_SHARES)
    return float(high - low) / 2


def within(errors_ms: ArrayLike, limit_ms: float, constant_ms: float = 0.0) -> float:
    """Part of the errors no larger than a limit once a constant is taken out, 0 to 1; NaN without any."""
    array = validate(errors_ms)
    return float(np.mean(np.abs(array - constant_ms) <= limit_ms)) if len(array) else float("nan")


def evaluate(errors_ms: ArrayLike, constant_ms: float = 0.0) -> dict[str, float]:
    """All numbers of some measurements.

    Parameters
    ----------
    errors_ms : (N,), NaN where nothing was measured
    constant_ms : taken out first; the bias of the model on the whole test set, so that groups stay comparable

    Returns
    -------
    ``number``; ``within_20_ms``, ``within_40_ms``, ``within_80_ms`` 0 to 1; ``median_ms`` and ``p90_ms`` of the
    absolute errors, infinite where so many are NaN; ``bias_ms`` and ``spread_ms`` of what the constant leaves
    """
    left = validate(errors_ms) - constant_ms
    sizes = np.sort(np.where(np.isfinite(left), np.abs(left), np.inf))
    known = len(left) > 0
    return {
        "number": float(len(left)),
        **{f"within_{limit_ms:g}_ms": within(left, limit_ms) for limit_ms in WITHIN_MS},
        "median_ms": float(np.median(sizes)) if known else float("nan"),
        "p90_ms": float(sizes[int(np.ceil(0.9 * (len(sizes) - 1)))]) if known else float("nan"),
        "bias_ms": bias_ms(left),
        "spread_ms": spread_ms(left),
    }


def by_group(
    errors_ms: ArrayLike, groups: Sequence[str] | Sequence[float], constant_ms: float = 0.0
) -> Mapping[str | float, dict[str, float]]:
    """`evaluate` for every group (a length, a corpus, a speaker), in the order of their names."""
    array = validate(errors_ms, groups)
    names = np.asarray(groups)
    return {name.item(): evaluate(array[names == name], constant_ms) for name in np.unique(names)}
