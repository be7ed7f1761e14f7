"""Distances between picture and sound at every lag, and their sums over time.

T windows, K lags, D features, B blocks. A lag is how much *later* on the file's clock the sound is looked for.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.timebase import FEATURE_HZ, row_positions
from clapboard.values import F32, F64, Distances, Embeddings

Edges = Literal["mask", "zeros"]


def lag_rows(max_offset_s: float) -> NDArray[np.int64]:
    """Lags to try, in feature rows: (K,) int64 from -max to +max, every 10 ms.

    Raises
    ------
    UsageError : the range is not between 40 ms and 60 s
    """
    if not 0.04 <= max_offset_s <= 60:
        raise UsageError(f"the largest offset must be between 40 and 60000 ms, not {max_offset_s * 1000:g}")
    reach = round(max_offset_s * FEATURE_HZ)
    return np.arange(-reach, reach + 1)


def distances(picture: Embeddings, sound: Embeddings, max_offset_s: float = 1.0, *, edges: Edges = "mask") -> Distances:
    """Euclidean distance of every picture window to the sound at every lag.

    Parameters
    ----------
    picture : (T, D), any times, ascending
    sound : (R, D), every 10 ms; NaN rows where the file has no sound
    max_offset_s : lags from minus to plus this, s
    edges : ``"mask"`` gives NaN where there is no sound. ``"zeros"`` measures against a vector of zeros there, as the
        code published with SyncNet does [1]_; it makes the extremes win on streams that do not belong together and
        serves only to reproduce published numbers.

    Returns
    -------
    Distances, (T, K). The times of the picture seldom fall on the 10 ms of the sound; the mean of what the rounding
    leaves over is in ``lags_s``, so a constant fraction of 10 ms is not lost.

    References
    ----------
    .. [1] J. S. Chung and A. Zisserman, "Out of time", 2016; ``calc_pdist`` of the released ``SyncNetInstance.py``.
    """
    lags = lag_rows(max_offset_s)
    if not len(picture.values) or not len(sound.values):  # less sound than one embedding: every window is without
        nothing = np.full((len(picture.values), len(lags)), np.nan, np.float32)
        return Distances(nothing, lags / FEATURE_HZ, np.asarray(picture.time_s, np.float64))
    rows, residual_s = row_positions(picture.time_s, float(sound.time_s[0]))
    first, last = int(rows[0] + lags[0]), int(rows.max() + lags[-1])
    strip = strip_of(sound, first, last)
    if edges == "zeros":
        strip = np.nan_to_num(strip, nan=0.0)
    squares = np.einsum("rd,rd->r", strip, strip)
    result = np.empty((len(rows), len(lags)), np.float32)
    for start in range(0, len(rows), 256):  # one matrix product per block of windows, then the band is picked out
        some = rows[start : start + 256]
        base, end = int(some.min() + lags[0]) - first, int(some.max() + lags[-1]) - first + 1
        vectors = picture.values[start : start + 256]
        products = vectors @ strip[base:end].T
        columns = (some[:, None] + lags[None]) - first - base
        dots = np.take_along_axis(products, columns, axis=1)
        lengths = np.einsum("td,td->t", vectors, vectors)[:, None] + squares[base:end][columns]
        result[start : start + 256] = np.sqrt(np.maximum(lengths - 2 * dots, 0))
    return Distances(result, lags / FEATURE_HZ + float(residual_s.mean()), np.asarray(picture.time_s, np.float64))


def strip_of(sound: Embeddings, first: int, last: int) -> F32:
    """Copy rows ``first`` to ``last``, both included, (last - first + 1, D); NaN where the file has none."""
    strip = np.full((last - first + 1, sound.values.shape[1]), np.nan, np.float32)
    low, high = max(first, 0), min(last + 1, len(sound.values))
    if high > low:
        strip[low - first : high - first] = sound.values[low:high]
    return strip


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Distances summed over blocks of time: what is kept of a long file.

    ``sums`` and ``counts`` (B, K) over the windows of each block that count, ``windows`` (B,) how many these are,
    ``seen`` (B,) how many there were, ``time_s`` (B,) start of each block, ``residual_s`` (B,) what the rounding of
    times left over, ``lags_s`` (K,) without it.
    """

    sums: F32
    counts: F32
    windows: F64
    seen: F64
    time_s: F64
    residual_s: F64
    lags_s: F64

    def mean(self) -> F32:
        """Mean curve over all blocks, (K,), NaN where nothing was compared."""
        counts = self.counts.sum(0)
        return np.where(counts > 0, self.sums.sum(0) / np.maximum(counts, 1), np.nan).astype(np.float32)

    def exact_lags_s(self) -> F64:
        """Lags of the mean curve, (K,) s: the residual of the blocks, weighted by their windows, added."""
        weight = float(self.windows.sum())
        return np.asarray(self.lags_s + (float(self.windows @ self.residual_s) / weight if weight else 0.0))

    def coverage(self) -> F64:
        """Part of the windows that had sound at each lag, (K,), 0 to 1."""
        return np.asarray(self.counts.sum(0) / max(float(self.windows.sum()), 1.0), np.float64)

    def part(self, which: NDArray[Any]) -> "Curves":
        """Only the blocks that ``which`` picks, by (B,) bool or by index."""
        return replace(self, **{name: getattr(self, name)[which] for name in _ALONG_TIME})


_ALONG_TIME = ("sums", "counts", "windows", "seen", "time_s", "residual_s")
"""The arrays of `Curves` whose first axis is the blocks."""


def curves(of: Distances, counts_in: NDArray[np.bool_] | None = None, block_s: float = 1.0) -> Curves:
    """Sum distances over blocks of ``block_s`` seconds of the file's clock.

    Parameters
    ----------
    of : (T, K), its lags even on both sides of 0, as `distances` makes them
    counts_in : (T,) bool, windows that count (those with speech near them); all where None
    """
    if counts_in is None:
        counts_in = np.ones(len(of.time_s), np.bool_)
    names, block = np.unique(np.floor(of.time_s / block_s).astype(np.int64), return_inverse=True)
    real = np.isfinite(of.values) & counts_in[:, None]
    sums = np.zeros((len(names), len(of.lags_s)), np.float32)
    counts = np.zeros_like(sums)
    np.add.at(sums, block, np.where(real, of.values, 0))
    np.add.at(counts, block, real.astype(np.float32))
    # Counted from the middle, never rounded: a residual of half a row would fall to either side.
    reach = len(of.lags_s) // 2
    nominal_s = np.arange(-reach, reach + 1) / FEATURE_HZ
    return Curves(
        sums,
        counts,
        np.bincount(block, counts_in.astype(np.float64), len(names)).astype(np.float64),
        np.bincount(block, minlength=len(names)).astype(np.float64),
        (names * block_s).astype(np.float64),
        np.full(len(names), float(of.lags_s[reach]), np.float64),
        nominal_s,
    )


def join(parts: list[Curves]) -> Curves:
    """Blocks of several pieces with the same lags, one after the other.

    Raises
    ------
    UsageError : there are none, or their lags differ
    """
    if not parts or any(not np.array_equal(p.lags_s, parts[0].lags_s) for p in parts):
        raise UsageError("curves can be joined where there are some and all have the same lags")
    return replace(parts[0], **{name: np.concatenate([getattr(p, name) for p in parts]) for name in _ALONG_TIME})
