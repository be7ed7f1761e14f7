"""How far the sound of a negative is moved, which moves are no negatives, and in which order they are learned.

A clip is shown with its own sound and with the same sound moved in time, and asked which is which [1]_. Easy negatives
come first, other clips and far shifts, then near ones [2]_. A sound that repeats itself exactly is in sync again after
a whole period, so such a shift is no negative.

References
----------
.. [1] A. Owens and A. A. Efros, "Audio-Visual Scene Analysis with Self-Supervised Multisensory Features", ECCV 2018,
   section 3; the released ``shift_dset.py``.
.. [2] B. Korbar, D. Tran and L. Torresani, "Cooperative Learning of Audio and Video Models from Self-Supervised
   Synchronization", NeurIPS 2018, section 3.3 (AVTS).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.sound.features import log_mel
from clapboard.sync.motion import onset_strength
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ
from clapboard.values import F32, F64

SHIFTS = {"owens": (2.0, 5.8), "far": (1.0, 4.0), "near": (0.3, 1.0), "close": (0.12, 0.3)}
"""Ranges of shifts, s, by name. ``owens`` is that of the article [1]_; its code takes windows of 125 frames from 302 at
29.97 Hz that have at most 60 frames in common, which is 2.17 to 5.87 s. The others are ours, from easy to hard."""
TOLERANCE_S = 0.08
"""A shift this near to a whole number of periods is no negative: two frames, about what people notice."""
STEP_S = 1 / PICTURE_HZ
"""Shifts are whole frames, so that both sounds begin on the grid of the pictures and its phase tells nothing."""


def range_s(name: str) -> tuple[float, float]:
    """Least and greatest shift of a named range, s.

    Raises
    ------
    UsageError : there is none of that name
    """
    if name not in SHIFTS:
        raise UsageError(f"no range of shifts is called {name}; there are {', '.join(SHIFTS)}")
    return SHIFTS[name]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stretch of training: up to ``until``, a share of its steps, negatives are of these ranges.

    ``ranges`` (name, weight), and ``other``, the share of negatives that are the sound of another clip.
    """

    until: float
    ranges: tuple[tuple[str, float], ...]
    other: float = 0.0


@dataclass(frozen=True, slots=True)
class Curriculum:
    """Which negatives are drawn at which step: stages in the order of their ends, the last one ends at 1.

    Raises
    ------
    UsageError : the ends do not ascend to 1, a range has no such name, or weights and shares make no sense
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        """Check the stages."""
        ends = [0.0, *(stage.until for stage in self.stages)]
        if ends[-1] != 1 or any(later <= sooner for sooner, later in pairwise(ends)):
            raise UsageError(f"stages of a curriculum end at shares that ascend to 1, not at {ends[1:]}")
        for stage in self.stages:
            for name, _ in stage.ranges:
                range_s(name)
            weights = [weight for _, weight in stage.ranges]
            if min(weights, default=0) < 0 or not sum(weights) > 0 or not 0 <= stage.other <= 1:
                raise UsageError(f"a stage has ranges of positive weight and a share of others, 0 to 1, not {stage}")

    @classmethod
    def of(cls, stages: Sequence[tuple[float, str]], other: float = 0.0) -> "Curriculum":
        """Stages from pairs of their end and the name of a range, several of equal weight joined by ``+``.

        ``other`` is the share of other clips' sound in the first stage.
        """
        made = [Stage(until, tuple((name, 1.0) for name in joined.split("+"))) for until, joined in stages]
        return cls(tuple(replace(stage, other=0.0 if n else other) for n, stage in enumerate(made)))

    def stage(self, share: float) -> Stage:
        """The stage when so much of the run is done, 0 to 1."""
        return next((stage for stage in self.stages if share < stage.until), self.stages[-1])

    def draw(self, rng: np.random.Generator, share: float) -> tuple[str, float]:
        """The name of a range for a batch, and the share of its negatives from other clips."""
        stage = self.stage(share)
        weights = np.array([weight for _, weight in stage.ranges])
        return stage.ranges[int(rng.choice(len(weights), p=weights / weights.sum()))][0], stage.other


def is_negative(shift_s: float, period_s: float | None, tolerance_s: float = TOLERANCE_S) -> bool:
    """Whether sound moved by ``shift_s`` is out of sync: not within the tolerance of a whole number of periods.

    None is the number 0 too: hardly moved is not out of sync, whether the sound is periodic or not.
    """
    return bool(_negative(np.array([shift_s]), period_s, tolerance_s)[0])


def _negative(shift_s: F64, period_s: float | None, tolerance_s: float) -> NDArray[np.bool_]:
    """`is_negative` of many shifts, (n,) bool."""
    whole = np.round(shift_s / period_s) * period_s if period_s else np.zeros(len(shift_s))
    return np.asarray(np.abs(shift_s - whole) > tolerance_s)


def draw_shift(
    rng: np.random.Generator,
    between_s: tuple[float, float],
    room_s: float,
    period_s: float | None = None,
    *,
    tolerance_s: float = TOLERANCE_S,
    step_s: float = STEP_S,
) -> float | None:
    """A shift for a negative, s; forwards and backwards have equal chances.

    Parameters
    ----------
    between_s : least and greatest size of the shift, s
    room_s : how far a window can move inside the sound, s: the length of the sound less that of the window. No shift
        is longer, so that both windows fit; see `place` for where
    period_s : of a sound that repeats itself exactly
    step_s : shifts are whole numbers of it

    Returns
    -------
    float or None : positive where the negative takes the sound from later; None where no shift fits
    """
    low_s, high_s = between_s[0], min(between_s[1], room_s)
    slack = 1e-9  # 0.12 s is three frames, whatever the last bit says
    sizes_s = np.arange(np.ceil(low_s / step_s - slack), np.floor(high_s / step_s + slack) + 1) * step_s
    sizes_s = sizes_s[_negative(sizes_s, period_s, tolerance_s)]
    if not len(sizes_s):
        return None
    size_s = float(sizes_s[rng.integers(len(sizes_s))])
    return size_s if rng.random() < 0.5 else -size_s


def place(rng: np.random.Generator, shift: int, room: int) -> int:
    """Where the true window begins so that the shifted one is inside too, both counted in frames of the sound.

    With `draw_shift` the two windows can be exchanged: to find the sound at the beginning or at the end of a file is
    equally likely for both, so that where a sound is cut from does not betray whether it is the true one.
    """
    return int(rng.integers(max(0, -shift), room - max(0, shift) + 1))


LONGEST_PERIOD_S, SHORTEST_PERIOD_S = 3.0, 0.15
"""Periods that are looked for, s: a step up to a slow bar of music."""
LEAST_PERIODS = 4
"""A sound is called periodic when so many periods are there; two equal gaps happen by chance."""
LEAST_LIKENESS = 0.75
"""Correlation of the onsets with themselves one and two periods later, from which a sound is strictly periodic."""
SMOOTH_ROWS = 9
"""Onsets are smeared over 90 ms: rows are 10 ms apart, periods no whole number of them, and beats that are 10 ms off
leave a shift by a period as good as in sync."""


def period_of(sound: NDArray[np.floating[Any]]) -> float | None:
    """The period of a sound that repeats itself exactly, s; None where it does not, or is too short to tell.

    The strength of onsets is correlated with itself at lags from 0.15 s to 3 s. A metronome gives peaks near 1 at every
    multiple of its period; hits by hand, whose gaps differ by a tenth or more, give low ones.

    Parameters
    ----------
    sound : (N,) samples at 16 kHz in [-1, 1], or (R, S) natural log power of bands, 10 ms apart
    """
    rows: NDArray[np.floating[Any]] | F32 = log_mel(np.asarray(sound, np.float32)) if sound.ndim == 1 else sound
    strength = np.concatenate([[0.0], onset_strength(rows)])
    window = np.hanning(SMOOTH_ROWS + 2)[1:-1]
    strength = np.convolve(strength, window / window.sum(), "same") if len(strength) >= SMOOTH_ROWS else strength[:0]
    longest = min(round(LONGEST_PERIOD_S * FEATURE_HZ), len(strength) // LEAST_PERIODS)
    shortest = round(SHORTEST_PERIOD_S * FEATURE_HZ)
    if longest <= shortest + 1 or not strength.std() > 0:
        return None
    likeness = _likeness(strength, 2 * longest + 2)
    lags = np.arange(shortest, longest + 1)
    peak = (likeness[lags] >= likeness[lags - 1]) & (likeness[lags] >= likeness[lags + 1])
    twice = np.maximum.reduce([likeness[2 * lags + by] for by in (-1, 0, 1)])
    good = lags[peak & (np.minimum(likeness[lags], twice) >= LEAST_LIKENESS)]
    if not len(good):
        return None
    lag = int(good[likeness[good] >= 0.9 * likeness[good].max()][0])
    many = max(LEAST_PERIODS // 2, longest // lag)  # a far multiple gives the period to a fraction of a row
    period = float(lag)
    for times in range(1, many + 1):
        about = round(times * period)
        if about + 3 >= len(likeness):
            break
        near = np.arange(about - 2, about + 3)
        best = int(near[likeness[near].argmax()])
        period = (best + _vertex(likeness[best - 1 : best + 2])) / times
    return period / FEATURE_HZ


def _likeness(strength: F64, count: int) -> F64:
    """Correlation coefficient of a curve with itself, at lags 0 to count - 1, each over what the two have in common."""
    size = len(strength)
    found = np.empty(count)
    for lag in range(count):
        a, b = strength[: size - lag], strength[lag:]
        a, b = a - a.mean(), b - b.mean()
        found[lag] = (a @ b) / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12)
    return found


def _vertex(three: F64) -> float:
    """Where the parabola through three points has its top, between -0.5 and 0.5 of the middle one."""
    bend = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -0.5, 0.5)) if bend < 0 else 0.0
