"""Any sound: the attention-weighted correlation of picture and sound at every lag, and the offset in it.

T picture windows, D features, K lags, B blocks of time, h x w places. Each place and moment of the picture has a vector
and gets so much attention; a vector of sound is compared with all of them at once, since the attention does not depend
on the lag and the sum over places can be taken before. What the network was unsure of weighs little, at every lag
alike.

    c[k] = sum over t of <values[t], sound[t + k]>  /  sum over t of the attention of t

over those t that have sound at t + k. The answer is where c is greatest. The weights are those of the spatio-temporal
attention of [1]_, whose softmax over all times and places is the division; what is weighted there is a decision about
the clip as it is, here the match at each lag.

References
----------
.. [1] N. Khosravan, S. Ardeshir and R. Puri, "On Attention Modules for Audio-Visual Synchronization", 2018.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.sync.distance import lag_rows, strip_of
from clapboard.sync.search import MIN_COVERAGE, confidence
from clapboard.timebase import FEATURE_HZ, FRAME_MS, PICTURE_HZ, ROWS_PER_FRAME, offset_ms_of_lag, row_positions
from clapboard.values import F32, F64, Embeddings, Offset, Seen

DEFAULT_REACH_MS = 2000.0
"""How far is searched where nobody says otherwise, both ways: events are rarer than syllables (ms)."""
BLOCK_S = 1.0
"""Correlations are summed over blocks of this length (s)."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Correlations summed over blocks of time: what is kept of a long file.

    ``sums`` (B, R) of the products at each of R lags that are 10 ms apart, ``heard`` (B, R) of the attention to windows
    that had sound there, ``attention`` (B,) of all, ``squares`` (B,) of its squares, ``windows`` (B,) how many there
    were, ``maps`` (B, h, w) of the attention by place, ``time_s`` (B,) start of each block, ``residual_s`` (B,) what
    the rounding of times left over, weighted by attention, ``fine_lags_s`` (R,) without it. Curves have K lags that are
    40 ms apart, every fourth of these.
    """

    sums: F32
    heard: F32
    attention: F64
    squares: F64
    windows: F64
    maps: F64
    time_s: F64
    residual_s: F64
    fine_lags_s: F64

    @property
    def lags_s(self) -> F64:
        """Lags of the curve, (K,) s, without what the rounding of times left over."""
        return self.fine_lags_s[::ROWS_PER_FRAME]

    def curve(self) -> F32:
        """The attention-weighted correlation over all blocks, (K,); NaN at lags with too little sound."""
        return self.fine_curve()[::ROWS_PER_FRAME]

    def fine_curve(self) -> F32:
        """The same every 10 ms, (R,)."""
        heard, total = self.heard.sum(0, dtype=np.float64), float(self.attention.sum())
        known = (heard > 0) & (heard >= MIN_COVERAGE * total)
        return np.where(known, self.sums.sum(0, dtype=np.float64) / np.where(heard > 0, heard, 1), np.nan).astype(
            np.float32
        )

    def late_s(self) -> float:
        """What the rounding of times left over, the mean weighted by attention, s: it is to be added to the lags."""
        total = float(self.attention.sum())
        return float(self.attention @ self.residual_s) / total if total > 0 else 0.0

    def weights(self) -> F32:
        """Share of all attention that each block got, (B,); they sum to 1, or are 0 where there was none."""
        total = float(self.attention.sum())
        return np.asarray(self.attention / total if total > 0 else np.zeros_like(self.attention), np.float32)

    def map_weights(self) -> F32:
        """Share of all attention by block and place, (B, h, w); each block's sums to its weight."""
        total = float(self.maps.sum())
        return np.asarray(self.maps / total if total > 0 else np.zeros_like(self.maps), np.float32)

    def seconds(self) -> float:
        """How much picture was looked at, s."""
        return float(self.windows.sum()) / PICTURE_HZ

    def effective_windows(self) -> float:
        """Over how many windows the attention is spread: (sum w)^2 / sum w^2; 0 where there was none."""
        squares = float(self.squares.sum())
        return float(self.attention.sum()) ** 2 / squares if squares > 0 else 0.0

    def part(self, which: NDArray[Any]) -> "Blocks":
        """Only the blocks that ``which`` picks, by (B,) bool or by index."""
        return replace(self, **{name: getattr(self, name)[which] for name in _ALONG_TIME})


_ALONG_TIME = ("sums", "heard", "attention", "squares", "windows", "maps", "time_s", "residual_s")
"""The arrays of `Blocks` whose first axis is the blocks."""


REFINE_ROWS = ROWS_PER_FRAME
"""The parabola is fitted to the lags within so many rows of the greatest, 40 ms."""


def lags_tried(max_offset_s: float) -> NDArray[np.int64]:
    """Lags to try, in feature rows: (K,) int64, even on both sides of 0, every 40 ms.

    Raises
    ------
    UsageError : the range is not between 40 ms and 60 s
    """
    reach = int(lag_rows(max_offset_s)[-1]) // ROWS_PER_FRAME
    return ROWS_PER_FRAME * np.arange(-reach, reach + 1)


def correlate(seen: Seen, sound: Embeddings, max_offset_s: float, block_s: float = BLOCK_S) -> Blocks:
    """Products of the picture with the sound at every lag, summed over blocks of the file's clock.

    Parameters
    ----------
    seen : (T, D) and (T, h, w), any times, ascending
    sound : (R, D) every 10 ms; NaN rows where the file has no sound
    max_offset_s : lags from minus to plus this, s
    block_s : length of a block, s

    Raises
    ------
    UsageError : the range is not between 40 ms and 60 s, or the lengths of the vectors differ
    """
    coarse = lags_tried(max_offset_s)
    lags = np.arange(coarse[0], coarse[-1] + 1)
    if len(seen.values) and len(sound.values) and seen.values.shape[1] != sound.values.shape[1]:
        raise UsageError(f"vectors of the picture {seen.values.shape} and of the sound {sound.values.shape} differ")
    attention = np.asarray(seen.places, np.float64).sum((1, 2))
    names, block = np.unique(np.floor(seen.time_s / block_s).astype(np.int64), return_inverse=True)
    sums, heard = np.zeros((len(names), len(lags)), np.float32), np.zeros((len(names), len(lags)), np.float32)
    residual_s = np.zeros(len(attention))
    if len(seen.values) and len(sound.values):
        rows, residual_s = row_positions(seen.time_s, float(sound.time_s[0]))
        first, last = int(rows[0] + lags[0]), int(rows.max() + lags[-1])
        strip = strip_of(sound, first, last)
        for start in range(0, len(rows), 256):  # one matrix product a piece, then the band is picked out
            some = slice(start, start + 256)
            base, end = int(rows[some].min() + lags[0]) - first, int(rows[some].max() + lags[-1]) - first + 1
            columns = (rows[some, None] + lags[None]) - first - base
            products = np.take_along_axis(seen.values[some] @ strip[base:end].T, columns, axis=1)
            real = np.isfinite(products)
            np.add.at(sums, block[some], np.where(real, products, 0))
            np.add.at(heard, block[some], (real * attention[some, None]).astype(np.float32))

    def total(of: NDArray[Any] | None = None) -> F64:
        return np.bincount(block, of, len(names)).astype(np.float64)

    maps = np.zeros((len(names), *seen.places.shape[1:]))
    np.add.at(maps, block, seen.places)
    weight = total(attention)
    late_s = np.asarray(total(attention * residual_s) / np.where(weight > 0, weight, 1), np.float64)
    starts_s = np.asarray(names * block_s, np.float64)
    return Blocks(sums, heard, weight, total(attention**2), total(), maps, starts_s, late_s, lags / FEATURE_HZ)


def join(parts: list[Blocks]) -> Blocks:
    """Blocks of several pieces with the same lags in the order of time; the halves of one that was cut become one.

    Raises
    ------
    UsageError : there are none, or their lags differ
    """
    if not parts or any(not np.array_equal(p.fine_lags_s, parts[0].fine_lags_s) for p in parts):
        raise UsageError("blocks can be joined where there are some and all have the same lags")
    time_s, block = np.unique(np.concatenate([p.time_s for p in parts]), return_inverse=True)
    found: dict[str, NDArray[Any]] = {"time_s": time_s}
    attention = np.concatenate([p.attention for p in parts])
    for name in _ALONG_TIME:
        if name == "time_s":
            continue
        values = np.concatenate([getattr(p, name) for p in parts])
        if name == "residual_s":
            values = values * attention
        found[name] = np.zeros((len(time_s), *values.shape[1:]), values.dtype)
        np.add.at(found[name], block, values)
    weight = found["attention"]
    found["residual_s"] = np.asarray(found["residual_s"] / np.where(weight > 0, weight, 1), np.float64)
    return replace(parts[0], **found)


def offset_of(of: Blocks) -> Offset:
    """Offset where the correlation is greatest, refined by a parabola through the lags around it, every 10 ms.

    The curve of an `Offset` is lowest at the best match, so it is the correlation with a minus: ``min_distance`` is
    minus the greatest correlation, ``confidence`` how far that lies above the median. What speaks against it is judged
    by `clapboard.sync.any_trust`.
    """
    curve, late_s = -of.curve(), of.late_s()
    lag_s, least = float("nan"), float("nan")
    if np.isfinite(curve).any():
        place = int(np.nanargmin(curve))
        lag_s, least = float(of.lags_s[place]), float(curve[place])
        if 0 < place < len(curve) - 1:
            lag_s = refined(of.fine_curve(), of.fine_lags_s, ROWS_PER_FRAME * place)
    return Offset(
        offset_ms=offset_ms_of_lag(lag_s + late_s),
        confidence=confidence(curve),
        min_distance=least,
        curve=curve,
        offsets_ms=-1000.0 * (of.lags_s + late_s),
        windows=round(float(of.windows.sum())),
    )


def refined(curve: F32, lags_s: F64, place: int) -> float:
    """Lag of the top of a curve near one of its points, s: that of the parabola that fits best around the greatest.

    A match of the networks may be as narrow as the lags are apart, so that the greatest of them lies up to half of that
    away from the top; and on a broad one three points 10 ms apart would follow the noise.

    Parameters
    ----------
    curve : (R,) every 10 ms, NaN where unknown
    lags_s : (R,) s
    place : where the greatest of every fourth point lies; the top is within two points of it
    """
    near = np.arange(max(place - ROWS_PER_FRAME // 2, 0), min(place + ROWS_PER_FRAME // 2, len(curve) - 1) + 1)
    top = int(near[np.nanargmax(curve[near])])
    around = np.arange(max(top - REFINE_ROWS, 0), min(top + REFINE_ROWS, len(curve) - 1) + 1)
    around = around[np.isfinite(curve[around])]
    if len(around) < 5:
        return float(lags_s[top])
    bend, slope, _ = np.polyfit(around - top, curve[around].astype(np.float64), 2)
    step = -slope / (2 * bend) if bend < 0 else 0.0
    return float(lags_s[top]) + float(np.clip(step, -REFINE_ROWS / 2, REFINE_ROWS / 2)) / FEATURE_HZ


def find_offset(seen: Seen, sound: Embeddings, max_offset_ms: float = DEFAULT_REACH_MS) -> Offset:
    """Offset between what is seen and what is heard, positive = sound early; without probability or reasons.

    Parameters
    ----------
    seen : (T, D) and (T, h, w), any times, ascending
    sound : (R, D) every 10 ms; NaN rows where the file has no sound
    max_offset_ms : search range, both ways; rounded down to whole steps of `FRAME_MS`
    """
    return offset_of(correlate(seen, sound, max(max_offset_ms, FRAME_MS) / 1000))
