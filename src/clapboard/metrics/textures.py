"""Drawn textures against true ones: do they go as the picture goes, and are they as lively as sound, not its mean.

R rows 10 ms apart, B bands, K draws. Log-mel is the natural log of power.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F64

SLOW_ROWS = 25
"""What changes over a quarter of a second or more is the course of a texture; what is faster is its fine structure."""


def validate(*mels: NDArray[np.floating]) -> list[F64]:
    """Log-mels of one shape, (R, B) each.

    Raises
    ------
    UsageError : they are not, or not finite
    """
    found = [np.asarray(mel, np.float64) for mel in mels]
    if any(mel.ndim != 2 or mel.shape != found[0].shape or not np.isfinite(mel).all() for mel in found):
        raise UsageError(f"log-mels are finite and (R, B), all alike, not {[mel.shape for mel in found][:4]}")
    return found


def loudness(mel: NDArray[np.floating]) -> F64:
    """Natural log of the power of each row, (R,)."""
    (rows,) = validate(mel)
    top = rows.max(1)
    return np.asarray(top + np.log(np.exp(rows - top[:, None]).sum(1)))


def follows(drawn: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Pearson's coefficient of the loudness of two log-mels over time; 0 where either never changes."""
    one, other = (loudness(mel) for mel in validate(drawn, true))
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum() / size) if size > 1e-9 else 0.0


def fine(mel: NDArray[np.floating]) -> F64:
    """Fine structure, (R, B): each band without its mean over `SLOW_ROWS` around; at the ends over those there are."""
    (rows,) = validate(mel)
    half = SLOW_ROWS // 2
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    first = np.clip(np.arange(len(rows)) - half, 0, None)
    end = np.clip(np.arange(len(rows)) + half + 1, None, len(rows))
    return np.asarray(rows - (sums[end] - sums[first]) / (end - first)[:, None])


def spread(mel: NDArray[np.floating], rows: NDArray[np.bool_]) -> float:
    """Mean square of the fine structure over some rows (R,), in squares of natural-log power; 0 without any."""
    return float(np.mean(fine(mel)[rows] ** 2)) if rows.any() else 0.0


def energy_score(draws: Sequence[NDArray[np.floating]], true: NDArray[np.floating], rows: NDArray[np.bool_]) -> float:
    """Energy score [1]_ of K draws, mean over some rows: the smaller the better, and least for draws of the true law.

    The mean distance of draws from the truth less half of that between draws: draws that are all the mean are too near
    each other, wild ones too far from the truth.

    Parameters
    ----------
    draws : K at least 2 of (R, B)
    true : (R, B)
    rows : (R,) which rows count; one at least

    Raises
    ------
    UsageError : one draw alone, shapes that differ, or no row

    References
    ----------
    .. [1] T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102, 2007,
       section 4.3.
    """
    *made, goal = validate(*draws, true)
    if len(made) < 2 or not rows.any():
        raise UsageError("an energy score takes two draws and one row at least")
    away = np.mean([np.linalg.norm((mel - goal)[rows], axis=1) for mel in made])
    pairs = [(i, j) for i in range(len(made)) for j in range(i)]
    apart = np.mean([np.linalg.norm((made[i] - made[j])[rows], axis=1) for i, j in pairs])
    return float(away - apart / 2)
