"""Sound made for a picture against the picture's own: is it found again, is it as loud, does it sit where it should.

N clips or C clips, R rows 10 ms apart, B bands. Everything here is free of the level: a sound that is right but for its
gain is right. Beside every number stands what another clip's sound gives, or chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.metrics import bootstrap
from clapboard.timebase import SAMPLES_PER_ROW
from clapboard.values import F32, F64

RANGE_DB = 60.0
"""What lies further below the loudest of a clip is as if it were no further: digital silence is infinitely far."""
NEPER_DB = 10 / np.log(10)
"""dB in one unit of natural-log power."""
TOPS = (1, 5)
"""A true sound among so many of the nearest counts as found."""
FLAT_DB = 1e-6
"""Loudness whose standard deviation is below this does not change, and correlates with nothing."""


# ---- Retrieval: the true sound among all true sounds ----------------------------------------------------------------


def validate_rows(log_mel: Sequence[NDArray[np.floating]]) -> list[F32]:
    """Log-mel power of N clips, each free of its level: limited to `RANGE_DB` below its loudest value.

    Raises
    ------
    UsageError : not (R, B) each with the same bands, none at all, or a value that is not finite
    """
    found = [np.asarray(rows, np.float32) for rows in log_mel]
    bands = {rows.shape[1] for rows in found if rows.ndim == 2}
    if not found or len(bands) != 1 or any(rows.ndim != 2 or not len(rows) for rows in found):
        raise UsageError(f"log-mel power is (R, B), the same bands in all clips, not {[r.shape for r in found][:4]}")
    if not all(np.isfinite(rows).all() for rows in found):
        raise UsageError("log-mel power must be finite")
    return [np.maximum(rows, rows.max() - np.float32(RANGE_DB / NEPER_DB)) for rows in found]


def distances(made: Sequence[NDArray[np.floating]], true: Sequence[NDArray[np.floating]]) -> F64:
    """Distance of every made sound from every true one, (N, N) dB: the standard deviation of their difference.

    Whatever one is louder than the other as a whole is taken out. Clips of different length are compared as far as the
    shorter one goes.

    Parameters
    ----------
    made, true : N of (R, B) natural-log mel power, clip by clip

    Raises
    ------
    UsageError : see `validate_rows`; or their numbers differ
    """
    ours, theirs = validate_rows(made), validate_rows(true)
    if len(ours) != len(theirs):
        raise UsageError(f"{len(ours)} sounds that were made need as many true ones, not {len(theirs)}")
    if len({rows.shape for rows in (*ours, *theirs)}) == 1:
        a, b = (np.stack([rows.ravel() for rows in those]).astype(np.float64) for those in (ours, theirs))
        a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
        square = (a**2).mean(1)[:, None] + (b**2).mean(1)[None] - 2 * a @ b.T / a.shape[1]
        return np.asarray(NEPER_DB * np.sqrt(np.maximum(square, 0)), np.float64)
    found = np.empty((len(ours), len(theirs)))
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            rows = min(len(one), len(other))
            found[i, j] = NEPER_DB * float(np.std(one[:rows].astype(np.float64) - other[:rows]))
    return found


def ranks(distance: ArrayLike) -> F64:
    """Rank of the true sound, (N,), from 1; of those that are equally near half count as nearer.

    Parameters
    ----------
    distance : (N, N) of made sound i from true sound j

    Raises
    ------
    UsageError : not (N, N), or not finite
    """
    table = np.asarray(distance, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise UsageError(f"distances are finite and (N, N), not {table.shape}")
    own = np.diag(table)[:, None]
    return np.asarray(1 + (table < own).sum(1) + ((table == own).sum(1) - 1) / 2, np.float64)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How the true sound ranks among N by nearness to the one that was made.

    ``top1`` and ``top5`` are shares of the clips, 0 to 1, with intervals of 95 % over clips; ``median_rank`` is from 1.
    Chance gives ``chance1``, ``chance5`` and ``chance_rank``.
    """

    number: int
    top1: float
    top5: float
    median_rank: float
    top1_interval: tuple[float, float]
    top5_interval: tuple[float, float]
    chance1: float
    chance5: float
    chance_rank: float


def retrieval(distance: ArrayLike, *, number: int = 2000, seed: int = 0) -> Retrieval:
    """All numbers of `ranks`; ``number`` and ``seed`` are of the resamples.

    Raises
    ------
    UsageError : see `ranks`
    """
    rank = ranks(distance)
    drawn = bootstrap.resamples([str(n) for n in range(len(rank))], number, seed)
    inside = [np.asarray(rank <= top, np.float64) for top in TOPS]
    return Retrieval(
        number=len(rank),
        top1=float(inside[0].mean()),
        top5=float(inside[1].mean()),
        median_rank=float(np.median(rank)),
        top1_interval=bootstrap.of_mean(inside[0], drawn),
        top5_interval=bootstrap.of_mean(inside[1], drawn),
        chance1=min(TOPS[0] / len(rank), 1.0),
        chance5=min(TOPS[1] / len(rank), 1.0),
        chance_rank=(len(rank) + 1) / 2,
    )


# ---- Envelope: how loud it is when ----------------------------------------------------------------------------------


def loudness_db(samples: NDArray[np.floating]) -> F64:
    """Loudness of every 10 ms, (R,) dB below the loudest, down to minus `RANGE_DB`; all 0 in silence.

    Parameters
    ----------
    samples : (160 R,) at 16 kHz; a rest of less than 10 ms is left out

    Raises
    ------
    UsageError : not (N,), or not finite
    """
    wave = np.asarray(samples, np.float64)
    if wave.ndim != 1 or not np.isfinite(wave).all():
        raise UsageError(f"samples are finite and (N,), not {wave.shape}")
    power = (wave[: len(wave) // SAMPLES_PER_ROW * SAMPLES_PER_ROW].reshape(-1, SAMPLES_PER_ROW) ** 2).mean(1)
    loudest = float(power.max(initial=0.0))
    if loudest <= 0:
        return np.zeros(len(power))
    return np.asarray(10 * np.log10(np.maximum(power / loudest, 10 ** (-RANGE_DB / 10))), np.float64)


def envelope_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's coefficient of the loudness of two sounds, as far as the shorter goes; 0 where either never changes."""
    a, b = loudness_db(one), loudness_db(other)
    rows = min(len(a), len(b))
    if not rows:
        return 0.0
    a, b = a[:rows] - a[:rows].mean(), b[:rows] - b[:rows].mean()
    size = float(np.sqrt((a**2).mean() * (b**2).mean()))
    return float((a * b).mean() / size) if size > FLAT_DB**2 else 0.0


# ---- Offset: what a model of sync says ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offsets:
    """What a model of sync says of N pieces, as the measure DeSync [1]_ has it, but by a model of ours.

    ``answered`` is the share of pieces that it gave an answer for, 0 to 1; ``answers_ms`` the mean |offset| of those,
    ``guesses_ms`` that of its best guesses for all pieces where it has one, ms; NaN without any. ``guessed`` is the
    share with a guess. ``interval_ms`` is that of ``guesses_ms``, 95 % over clips.

    References
    ----------
    .. [1] H. K. Cheng et al., "MMAudio", CVPR 2025, and its ``av-benchmark``: the mean |offset| by Synchformer over
       the first and the last 4.8 s of a clip.
    """

    number: int
    answered: float
    answers_ms: float
    guessed: float
    guesses_ms: float
    interval_ms: tuple[float, float]


def offsets(
    offset_ms: ArrayLike, answered: ArrayLike, clips: Sequence[str], *, number: int = 2000, seed: int = 0
) -> Offsets:
    """All numbers of the offsets of N pieces.

    Parameters
    ----------
    offset_ms : (N,) best guess of each, NaN where there is none
    answered : (N,) bool, whether the model stands by it
    clips : (N,) of which clip each piece is
    number, seed : of the resamples

    Raises
    ------
    UsageError : their numbers differ, or an answer is NaN
    """
    guess, told = np.asarray(offset_ms, np.float64), np.asarray(answered, np.bool_)
    if guess.ndim != 1 or told.shape != guess.shape or len(clips) != len(guess):
        raise UsageError(f"offsets, answers and clips must be (N,) each: {guess.shape}, {told.shape}, ({len(clips)},)")
    if np.isnan(guess[told]).any():
        raise UsageError("an answer must be a number")
    size, there = np.abs(guess), np.isfinite(guess)
    drawn = bootstrap.resamples(clips, number, seed)

    def mean(which: NDArray[np.bool_]) -> float:
        return float(size[which].mean()) if which.any() else float("nan")

    return Offsets(
        number=len(guess),
        answered=float(told.mean()) if len(told) else float("nan"),
        answers_ms=mean(told),
        guessed=float(there.mean()) if len(told) else float("nan"),
        guesses_ms=mean(there),
        interval_ms=bootstrap.of_mean(size, drawn),
    )


# ---- Bits: how much of the sound the picture tells ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits that a model needs for a sample of C clips: with the right picture, with another clip's, and the gap.

    Both are means over all samples; the gap is wrong less right, above 0 where the picture helps, with an interval of
    95 % over clips, and ``clips_helped`` is the share of the clips in which it is above 0.
    """

    clips: int
    right: float
    wrong: float
    gap: float
    interval: tuple[float, float]
    clips_helped: float


def bits(
    right_nats: ArrayLike, wrong_nats: ArrayLike, samples: ArrayLike, *, number: int = 2000, seed: int = 0
) -> Bits:
    """Bits a sample, from what a model thinks of the true samples of C clips.

    Parameters
    ----------
    right_nats, wrong_nats : (C,) natural-log likelihood of all samples of each clip, with its own picture and with
        another clip's
    samples : (C,) how many these are, the same for both
    number, seed : of the resamples

    Raises
    ------
    UsageError : other shapes, no clip, not finite, a likelihood of discrete levels above 1, or a clip without samples
    """
    right, wrong, count = (np.asarray(values, np.float64) for values in (right_nats, wrong_nats, samples))
    if right.ndim != 1 or not len(right) or not right.shape == wrong.shape == count.shape:
        raise UsageError(
            f"likelihoods and numbers of samples must be (C,) each: {right.shape}, {wrong.shape}, {count.shape}"
        )
    if not (np.isfinite([right, wrong, count]).all() and count.min() > 0):
        raise UsageError("likelihoods must be finite, of at least one sample in every clip")
    if max(right.max(), wrong.max()) > 0:
        raise UsageError("the natural-log likelihood of levels is never above 0; give it as it is, without a minus")
    gap = (right - wrong) / np.log(2)
    drawn = bootstrap.resamples([str(n) for n in range(len(right))], number, seed)
    total = float(count.sum())
    return Bits(
        clips=len(right),
        right=-float(right.sum()) / np.log(2) / total,
        wrong=-float(wrong.sum()) / np.log(2) / total,
        gap=float(gap.sum()) / total,
        interval=bootstrap.of_ratio(gap, count, drawn),
        clips_helped=float((gap > 0).mean()),
    )


# ---- Classes: what a classifier takes the sound for -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """What a classifier takes N sounds for.

    ``accuracy`` is the share named rightly, ``balanced`` the mean of the shares of every class, both 0 to 1; chance is
    1 / K for the latter. ``most`` is what always naming the most frequent class would give for the former.
    ``confusion`` (K, K) counts: rows are true classes, columns what they were taken for, both as ``names``.
    ``interval`` is that of the accuracy, 95 % over clips.
    """

    number: int
    names: tuple[str, ...]
    accuracy: float
    balanced: float
    chance: float
    most: float
    interval: tuple[float, float]
    confusion: NDArray[np.int64]


def classes(
    true: Sequence[str],
    taken_for: Sequence[str],
    names: Sequence[str],
    *,
    clips: Sequence[str] | None = None,
    number: int = 2000,
    seed: int = 0,
) -> Classes:
    """All numbers of what N sounds were taken for.

    Parameters
    ----------
    true, taken_for : (N,) of ``names``
    names : (K,) all classes that the classifier knows
    clips : (N,) which recording each sound is of; each its own where None
    number, seed : of the resamples

    Raises
    ------
    UsageError : numbers differ, no sound, or a class that is not among the names
    """
    place = {name: index for index, name in enumerate(names)}
    strange = sorted({*true, *taken_for} - place.keys())
    if len(true) != len(taken_for) or not true or strange:
        raise UsageError(
            f"{len(true)} sounds need as many answers, of known classes: {len(taken_for)}, {', '.join(strange)}"
        )
    table = np.zeros((len(names), len(names)), np.int64)
    np.add.at(table, ([place[name] for name in true], [place[name] for name in taken_for]), 1)
    good = np.array([a == b for a, b in zip(true, taken_for, strict=True)], np.float64)
    drawn = bootstrap.resamples([str(n) for n in range(len(good))] if clips is None else clips, number, seed)
    there = table.sum(1) > 0
    return Classes(
        number=len(good),
        names=tuple(names),
        accuracy=float(good.mean()),
        balanced=float((np.diag(table)[there] / table.sum(1)[there]).mean()),
        chance=1 / len(names),
        most=float(table.sum(1).max() / len(good)),
        interval=bootstrap.of_mean(good, drawn),
        confusion=table,
    )
