"""Pairs of scores: whether a clip's own sound scores above the same sound shifted, and whether that may be chance.

P pairs of C clips. A pair is won when the true sound scores higher; a tie counts half. Pairs of one clip are not
independent: they show the same pictures or overlap, and a clip that is easy or periodic wins or loses them together.
So clips are the unit of the interval and of the test that counts, and the binomial test over pairs [1]_, which takes
every pair for a clip of its own, is only told beside them: where a scorer knows nothing and each of 8 clips holds its
sound against 10 shifts of it, that test finds "evidence" 29 times in 100, the bootstrap over clips 10 times, and the
test of signs over clips 3 times (2,000 simulated sets; see the tests).

References
----------
.. [1] W. J. Conover, "Practical nonparametric statistics", 1999, sections 3.1 and 3.4; ties are left out.
.. [2] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
.. [3] R. A. Fisher, "The design of experiments", 1935, section 21: all signs of the differences are equally likely.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.metrics import bootstrap
from clapboard.values import F64

LEVEL = 0.05
"""A result that chance gives less often than this, both tails together, is called evidence."""
Z_95 = 1.959964
"""Standard normal deviate of a two-sided interval of 95 %."""
FEWEST_CLIPS = 6
"""Even if every clip wins all its pairs, fewer clips cannot be told from luck: 2 / 2^5 is above `LEVEL`."""
STANDARD_ERRORS = 2.0
"""A method is called better than another where the difference is more than so many standard errors."""
NO_EVIDENCE = "no evidence on real clips"
EVIDENCE = "evidence on real clips"


def validate(true: ArrayLike, shifted: ArrayLike, clips: Sequence[str] | None = None) -> tuple[F64, F64, list[str]]:
    """Scores of the pairs as arrays, and whose they are; without ``clips`` every pair is a clip of its own.

    Raises
    ------
    UsageError : not (P,) both, another number of clips, or a score that is not finite
    """
    a, b = np.asarray(true, np.float64), np.asarray(shifted, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise UsageError(f"a pair is a true and a shifted score, (P,) each, not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("scores must be finite; leave out pairs that were not measured")
    names = [str(number) for number in range(len(a))] if clips is None else [str(clip) for clip in clips]
    if len(names) != len(a):
        raise UsageError(f"{len(a)} pairs need as many clips, not {len(names)}")
    return a, b, names


def outcomes(true: ArrayLike, shifted: ArrayLike) -> F64:
    """(P,): 1 where the true sound scores higher, 0 where lower, one half where both are equal."""
    a, b, _ = validate(true, shifted)
    return np.asarray((np.sign(a - b) + 1) / 2, np.float64)


def accuracy(true: ArrayLike, shifted: ArrayLike) -> float:
    """Part of the pairs that are won, 0 to 1, ties half; NaN without pairs."""
    found = outcomes(true, shifted)
    return float(found.mean()) if len(found) else float("nan")


def binomial_p(wins: int, losses: int) -> float:
    """Exact two-sided binomial test against one half: how often chance is at least as far from it, 0 to 1.

    Ties say nothing and are left out, as usual in a test of signs. In whole numbers, so exact for any number of pairs.

    Raises
    ------
    UsageError : a negative number
    """
    if wins < 0 or losses < 0:
        raise UsageError(f"wins and losses cannot be negative: {wins} and {losses}")
    number, more = wins + losses, max(wins, losses)
    term, tail = math.comb(number, more), 0
    for count in range(more, number + 1):
        tail += term
        term = term * (number - count) // (count + 1)
    return min(1.0, float(2 * tail / 2**number))


def wilson(wins: float, number: int) -> tuple[float, float]:
    """Interval of 95 % of a share by the score method [2]_, as if pairs were independent; NaN without pairs.

    Parameters
    ----------
    wins : of the pairs, ties half
    number : of pairs

    Raises
    ------
    UsageError : more wins than pairs, or fewer than none
    """
    if not 0 <= wins <= number:
        raise UsageError(f"{number} pairs cannot have {wins} wins")
    if not number:
        return float("nan"), float("nan")
    share, z2 = wins / number, Z_95**2
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = Z_95 * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2)) / (1 + z2 / number)
    return max(0.0, middle - half), min(1.0, middle + half)


def by_clip(found: ArrayLike, clips: Sequence[str]) -> tuple[F64, F64]:
    """Sum of the outcomes of every clip and its number of pairs, (C,) each, by name."""
    values = np.asarray(found, np.float64)
    names, owner = np.unique(np.asarray(clips, dtype=str), return_inverse=True)
    ones = np.ones(len(values))
    return _sums(owner, values, len(names)), _sums(owner, ones, len(names))


def _sums(owner: NDArray[np.int64], values: F64, number: int) -> F64:
    """Sums of values by owner, (number,)."""
    return np.asarray(np.bincount(owner, values, number), np.float64)


def signs_p(excess: ArrayLike) -> float:
    """Exact two-sided test of signs over clips [3]_: how often their sum is as far from 0 if every sign were a coin.

    A scorer that knows nothing is as likely to win a clip by some margin as to lose it by that margin, whatever its
    pairs have in common. All 2^C signs are counted, by adding clip after clip to the distribution of the sum.

    Parameters
    ----------
    excess : (C,) whole numbers; here twice the wins of a clip minus its pairs

    Raises
    ------
    UsageError : not whole numbers
    """
    values = np.asarray(excess, np.float64)
    if values.ndim != 1 or not np.array_equal(values, np.round(values)):
        raise UsageError("the test of signs takes one whole number for each clip")
    steps = [abs(int(value)) for value in values]
    reach, seen = sum(steps), abs(int(values.sum()))
    chance = np.zeros(2 * reach + 1)
    chance[reach] = 1.0
    for step in steps:
        # What wraps around is 0: no sum so far reaches further than the steps already taken.
        chance = (np.roll(chance, step) + np.roll(chance, -step)) / 2
    far = np.abs(np.arange(-reach, reach + 1)) >= seen
    return min(1.0, float(chance[far].sum()))


@dataclass(frozen=True, slots=True)
class PairAccuracy:
    """What pairs say.

    Attributes
    ----------
    clips, pairs : how many
    accuracy : part of the pairs won, 0 to 1, ties half; NaN without pairs
    wilson : its interval of 95 % as if pairs were independent, see `wilson`
    interval : its interval of 95 % by drawing clips, see `clapboard.metrics.bootstrap`
    binomial_p : of pairs, as if they were independent, see `binomial_p`
    signs_p : of clips, see `signs_p`
    """

    clips: int
    pairs: int
    accuracy: float
    wilson: tuple[float, float]
    interval: tuple[float, float]
    binomial_p: float
    signs_p: float


def evaluate(
    true: ArrayLike, shifted: ArrayLike, clips: Sequence[str] | None = None, *, number: int = 2000, seed: int = 0
) -> PairAccuracy:
    """All numbers of some pairs.

    Parameters
    ----------
    true, shifted : (P,) scores of the true and of the shifted sound; only which is higher counts
    clips : (P,) whose pair it is: the recording, where a recording has several shots
    number, seed : of the resamples of the interval

    Raises
    ------
    UsageError : see `validate`
    """
    a, b, names = validate(true, shifted, clips)
    found = outcomes(a, b)
    wins, pairs = by_clip(found, names)
    # A clip is drawn with all its pairs: they are what it is, not a sample of it.
    drawn = bootstrap.resamples([str(clip) for clip in range(len(wins))], number, seed)
    return PairAccuracy(
        clips=len(wins),
        pairs=len(found),
        accuracy=float(found.mean()) if len(found) else float("nan"),
        wilson=wilson(float(found.sum()), len(found)),
        interval=bootstrap.of_ratio(wins, pairs, drawn),
        binomial_p=binomial_p(int((found == 1).sum()), int((found == 0).sum())),
        signs_p=signs_p(2 * wins - pairs),
    )


def shown(result: PairAccuracy, tests: int = 1) -> bool:
    """Whether pairs show that a scorer tells true sound from shifted sound.

    The true sound wins more than half, the binomial test over pairs and the test of signs over clips both give less
    than `LEVEL` divided by the number of tests, and the interval over clips lies above one half. Fewer than
    `FEWEST_CLIPS` clips never do.

    Parameters
    ----------
    tests : how many results were looked at, of which this is one: of 20 that mean nothing one is below `LEVEL`. The
        division is that of Bonferroni, which holds however much the tests have in common

    Raises
    ------
    UsageError : fewer than one
    """
    if tests < 1:
        raise UsageError(f"a result is one of at least 1 test, not of {tests}")
    return (
        result.clips >= FEWEST_CLIPS
        and result.accuracy > 0.5
        and max(result.binomial_p, result.signs_p) < LEVEL / tests
        and result.interval[0] > 0.5
    )


def evidence(result: PairAccuracy, tests: int = 1) -> str:
    """The words for real clips: ``evidence on real clips`` or ``no evidence on real clips``, see `shown`."""
    return EVIDENCE if shown(result, tests) else NO_EVIDENCE


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one method is above another: mean over clips, its standard error, and how many clips."""

    mean: float
    standard_error: float
    clips: int

    @property
    def better(self) -> bool:
        """Whether it is above by more than `STANDARD_ERRORS` standard errors; never for fewer than two clips."""
        return self.mean > STANDARD_ERRORS * self.standard_error


def difference(a: ArrayLike, b: ArrayLike) -> Difference:
    """Paired difference of two methods on the same clips.

    Parameters
    ----------
    a, b : (C,) one value for each clip, or (S, C) of S training runs (seeds); clips in the same order

    Returns
    -------
    Difference; with several runs its error is the root of the sum of squares of that over clips (of the mean of the
    runs) and that over runs (of the mean over clips), which takes both as drawn by chance and errs to the large side.

    Raises
    ------
    UsageError : shapes differ, or a value is not finite
    """
    one, other = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if one.shape != other.shape or one.ndim not in (1, 2):
        raise UsageError(
            f"two methods need values of the same clips, (C,) or (S, C), not {one.shape} and {other.shape}"
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise UsageError("values must be finite; leave out clips that were not measured by both")
    table = np.atleast_2d(one - other)
    runs, clips = table.shape
    if not table.size:
        return Difference(float("nan"), float("nan"), clips)
    errors = [_error(table.mean(axis=0))]
    if runs > 1:
        errors.append(_error(table.mean(axis=1)))
    return Difference(float(table.mean()), math.hypot(*errors), clips)


def _error(values: F64) -> float:
    """Standard error of a mean; NaN for fewer than two values."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else float("nan")
