r"""Onsets of a sound against the moments of what is seen, and against themselves moved in time.

C clips of ``length_s``, E true onsets, F found ones, all in seconds from the beginning of the clip. A found onset may
stand for one true onset at most ``tolerance_s`` away, and each for one only; as many are matched as can be, as the
judges of beats and of onsets do [1]_. A miss at the end of a clip counts as one at its beginning does.

Where events are dense this number alone means little: any onsets, laid anywhere, meet some. So it always stands beside
its control, the same onsets moved in time within their clip (round its end), and beside what chance gives: of E and F
onsets in a clip of ``length_s``, moved by a time that is drawn evenly from all,

    E F 2 tolerance / length

pairs are within the tolerance in the mean. With one onset every 0.64 s and as many found, that is F1 = 0.31 at 100 ms,
however good the sound is: no sound of such a clip can have a much lower control.

References
----------
.. [1] C. Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014; here the greatest
   matching is found by going along the line once, see `match`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.metrics import bootstrap
from clapboard.values import F64

TOLERANCES_S = (0.05, 0.1)
"""How far an onset may be away: 50 ms is usual for music, 100 ms for sound made for pictures (CondFoleyGen, 2023)."""
SHIFTS = 8
"""So many moves of the control."""
LEAST_SHIFT_S = 0.5
"""Onsets of the control lie at least so far from where they were, s: several tolerances."""
STEP_S = 0.01
"""Moves are whole steps of this, the rows that onsets are picked from."""


def validate(times_s: ArrayLike, length_s: float) -> F64:
    """Onsets of one clip in ascending order.

    Raises
    ------
    UsageError : not (E,), not finite, outside the clip, or the clip has no length
    """
    times = np.asarray(times_s, np.float64)
    if not (np.isfinite(length_s) and length_s > 0):
        raise UsageError(f"a clip is longer than 0 s, not {length_s}")
    if times.ndim != 1 or not np.isfinite(times).all():
        raise UsageError(f"onsets are finite times, (E,), not {times.shape}")
    if len(times) and not (times.min() >= 0 and times.max() < length_s):
        raise UsageError(
            f"onsets lie within their clip, from 0 to {length_s:g} s, not {times.min():g} to {times.max():g}"
        )
    return np.sort(times)


def match(true_s: ArrayLike, found_s: ArrayLike, tolerance_s: float) -> NDArray[np.int64]:
    """Pairs of a true and a found onset, as many as can be, each onset in one pair at most.

    Both are gone through in order. Of the earliest true and the earliest found onset that are left, either they are
    near, and pairing them takes nothing from later ones that these could not take from them; or the earlier of the two
    is too early for all that is left of the others, and is passed over. So no other matching has more pairs.

    Parameters
    ----------
    true_s, found_s : (E,) and (F,), ascending
    tolerance_s : farthest that two onsets of a pair are apart, this included

    Returns
    -------
    (M, 2) indices of true and of found onsets, ascending in both
    """
    true, found = np.asarray(true_s, np.float64).tolist(), np.asarray(found_s, np.float64).tolist()
    pairs, i, j = list[tuple[int, int]](), 0, 0
    while i < len(true) and j < len(found):
        if abs(true[i] - found[j]) <= tolerance_s:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif true[i] < found[j]:
            i += 1
        else:
            j += 1
    return np.array(pairs, np.int64).reshape(-1, 2)


def f1(matched: float, true: float, found: float) -> float:
    """Harmonic mean of precision and recall, 0 to 1: twice the matches by the onsets of both; NaN without any."""
    return 2 * matched / (true + found) if true + found else float("nan")


def chance_matches(true: int, found: int, length_s: float, tolerance_s: float) -> float:
    """Matches in the mean over all moves round a clip: exact where neither has two onsets within twice the tolerance.

    Where onsets are denser than that it is too high, since one onset is then near two others and can only take one; it
    is never more than the onsets there are.
    """
    return min(true * found * min(2 * tolerance_s / length_s, 1.0), float(min(true, found)))


def moved(times_s: ArrayLike, shift_s: float, length_s: float) -> F64:
    """Onsets later by a shift, those beyond the end of the clip at its beginning; ascending."""
    around = (np.asarray(times_s, np.float64) + shift_s) % length_s
    return np.sort(np.where(around < length_s, around, 0.0))  # a tiny negative number modulo is the length itself


def control_shifts(length_s: float, period_s: float | None = None, number: int = SHIFTS) -> F64:
    """Moves of the control, spread evenly over those that are allowed, s; fewer where a clip has no room for so many.

    Allowed is from `LEAST_SHIFT_S` up to as much before the whole length. Where the clip repeats itself, most of the
    onsets must not fall onto others: what they move by, forward or round the end backward, is at least a quarter of a
    period from every whole number of periods.

    Parameters
    ----------
    length_s : of the clip
    period_s : of events that are exactly regular, else None

    Raises
    ------
    UsageError : the clip is too short to move anything
    """
    steps = np.arange(round(LEAST_SHIFT_S / STEP_S), round((length_s - LEAST_SHIFT_S) / STEP_S) + 1)
    shifts = steps * STEP_S
    if period_s is not None and len(shifts):
        nearer = np.minimum(shifts, length_s - shifts)
        off = np.abs(nearer / period_s - np.round(nearer / period_s))
        shifts = shifts[off >= 0.25 - 1e-9]
    if not len(shifts) or number < 1:
        raise UsageError(f"the control moves onsets by {LEAST_SHIFT_S} s or more; {length_s:g} s have no room for it")
    return np.asarray(shifts[np.unique(np.round(np.linspace(0, len(shifts) - 1, number)).astype(int))], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What is counted in each of C clips, (C,) float64 each.

    ``true`` and ``found`` onsets, ``matched`` ones, ``control``, the matches of the control in the mean of its moves,
    and ``chance``, see `chance_matches`.
    """

    true: F64
    found: F64
    matched: F64
    control: F64
    chance: F64


def count(
    true_s: Sequence[ArrayLike],
    found_s: Sequence[ArrayLike],
    length_s: Sequence[float],
    *,
    tolerance_s: float,
    period_s: Sequence[float | None] | None = None,
) -> Counts:
    """Count the onsets of C clips; the arguments as for `evaluate`.

    Raises
    ------
    UsageError : see `validate`, `control_shifts`; or the numbers of clips differ, or the tolerance is not above 0
    """
    periods = [None] * len(length_s) if period_s is None else list(period_s)
    if not len(true_s) == len(found_s) == len(length_s) == len(periods):
        raise UsageError(
            f"clips with truth, found, length, period: {len(true_s)}, {len(found_s)}, {len(length_s)}, {len(periods)}"
        )
    if not tolerance_s > 0:
        raise UsageError(f"the tolerance is more than 0 s, not {tolerance_s}")
    rows = []
    for truth, onsets, length, period in zip(true_s, found_s, length_s, periods, strict=True):
        true, found = validate(truth, length), validate(onsets, length)
        shifts = control_shifts(length, period)
        strange = [len(match(true, moved(found, shift, length), tolerance_s)) for shift in shifts.tolist()]
        chance = chance_matches(len(true), len(found), length, tolerance_s)
        rows.append((len(true), len(found), len(match(true, found, tolerance_s)), float(np.mean(strange)), chance))
    return Counts(*np.array(rows, np.float64).reshape(-1, 5).T)


@dataclass(frozen=True, slots=True)
class OnsetMatch:
    """What the onsets of some clips say.

    Attributes
    ----------
    clips, true, found : how many
    tolerance_s : how far an onset of a pair may be away
    precision, recall, f1 : 0 to 1, all onsets of all clips together (micro average); NaN where there are none
    control, chance : F1 of the onsets moved in time, and what is expected of any onsets as many
    above : F1 less its control
    interval, control_interval, above_interval : of 95 % by drawing clips, see `clapboard.metrics.bootstrap`; the last
        one of the difference in the same clips
    """

    clips: int
    true: int
    found: int
    tolerance_s: float
    precision: float
    recall: float
    f1: float
    control: float
    chance: float
    above: float
    interval: tuple[float, float]
    control_interval: tuple[float, float]
    above_interval: tuple[float, float]


def evaluate(
    true_s: Sequence[ArrayLike],
    found_s: Sequence[ArrayLike],
    length_s: Sequence[float],
    *,
    tolerance_s: float,
    period_s: Sequence[float | None] | None = None,
    clips: Sequence[str] | None = None,
    number: int = 2000,
    seed: int = 0,
) -> OnsetMatch:
    """All numbers of the onsets of C clips.

    Parameters
    ----------
    true_s : C of (E,), when something seen should sound, s from the beginning of the clip
    found_s : C of (F,), when something begins to sound
    length_s : (C,) of each clip
    tolerance_s : see `TOLERANCES_S`
    period_s : (C,) of clips that repeat themselves exactly, None for others
    clips : (C,) which recording it is of, where one gives several; each its own where None
    number, seed : of the resamples of the intervals

    Raises
    ------
    UsageError : see `count`
    """
    found = count(true_s, found_s, length_s, tolerance_s=tolerance_s, period_s=period_s)
    drawn = bootstrap.resamples([str(n) for n in range(len(length_s))] if clips is None else clips, number, seed)
    both = found.true + found.found
    trues, founds, matches = (float(values.sum()) for values in (found.true, found.found, found.matched))
    controls = float(found.control.sum())
    return OnsetMatch(
        clips=len(length_s),
        true=round(trues),
        found=round(founds),
        tolerance_s=tolerance_s,
        precision=matches / founds if founds else float("nan"),
        recall=matches / trues if trues else float("nan"),
        f1=f1(matches, trues, founds),
        control=f1(controls, trues, founds),
        chance=f1(float(found.chance.sum()), trues, founds),
        above=f1(matches - controls, trues, founds),
        interval=bootstrap.of_ratio(2 * found.matched, both, drawn),
        control_interval=bootstrap.of_ratio(2 * found.control, both, drawn),
        above_interval=bootstrap.of_ratio(2 * (found.matched - found.control), both, drawn),
    )
