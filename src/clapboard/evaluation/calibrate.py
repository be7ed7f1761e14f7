"""Fit the probability of being right within one frame on people that a model did not learn from.

Pieces of their tracks, from 0.6 to 8 s, are measured with their own voice and with the voice of somebody else, who is
always wrong. The logistic regression over `clapboard.sync.trust.terms` is fitted to all of them, a foreign voice for
every three own ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.evaluation.pieces import Piece
from clapboard.models.spec import Calibration
from clapboard.sync.trust import MIN_PROBABILITY, MIN_WINDOWS, TERMS, terms
from clapboard.timebase import FRAME_MS
from clapboard.values import F64

LENGTHS_S = (0.6, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
CONSTANT_S = 4.0
"""A model's own constant is the median over pieces of this length (or the longest below it), s."""
FOREIGN_VOICES = 6
"""Each held-out track is measured with the voices of up to this many others."""
FOREIGN_PRIOR = 1 / 3
"""How many tracks with a foreign voice are expected for each with its own: people check what they have doubts about."""
RIDGE = 1e-4
"""Pull of the weights towards 0, per piece: the terms say nearly the same things. Of 1e-3 to 1e-5 this did best on
people of the training part left out one by one; ten times more made the probability too modest at both ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a calibration is fitted to: N pieces.

    ``terms`` (N, F) in the order of `clapboard.sync.trust.TERMS`, ``right`` (N,) bool, ``own`` (N,) bool False for a
    foreign voice, ``seconds`` (N,) their lengths.
    """

    terms: F64
    right: NDArray[np.bool_]
    own: NDArray[np.bool_]
    seconds: F64

    @classmethod
    def of(cls, own: Sequence[Piece], foreign: Sequence[Piece]) -> "Answers":
        """Judge the pieces of one model, its constant taken out; those too short to be judged are left out."""
        constant = constant_ms(own)
        kept = [(p, abs(p.offset.offset_ms - constant) <= FRAME_MS, True) for p in own]
        kept += [(p, False, False) for p in foreign]
        kept = [k for k in kept if k[0].offset.windows >= MIN_WINDOWS and np.isfinite(k[0].offset.offset_ms)]
        return cls(
            np.array([[terms(p.offset)[name] for name in TERMS] for p, _, _ in kept], np.float64),
            np.array([right for _, right, _ in kept], np.bool_),
            np.array([own for _, _, own in kept], np.bool_),
            np.array([p.seconds for p, _, _ in kept], np.float64),
        )

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """Those of several models of one kind, each judged with its own constant: halves of a set, for instance."""
        some = [part for part in parts if len(part.right)]
        if not some:
            raise UsageError("a probability cannot be calibrated without pieces that can be judged; give longer tracks")
        arrays = ("terms", "right", "own", "seconds")
        return cls(*(np.concatenate([getattr(part, name) for part in some]) for name in arrays))


def constant_ms(own: Sequence[Piece]) -> float:
    """A model's own constant: the median offset of its pieces of `CONSTANT_S`, or of the longest below it, ms."""
    longest = max((p.seconds for p in own if p.seconds <= CONSTANT_S), default=0.0)
    found = [p.offset.offset_ms for p in own if p.seconds == longest and np.isfinite(p.offset.offset_ms)]
    return float(np.median(found)) if found else 0.0


def calibrate(own: Sequence[Piece], foreign: Sequence[Piece]) -> Calibration:
    """The calibration of one model.

    Parameters
    ----------
    own : pieces of held-out tracks, true offset 0, best of all `LENGTHS_S`
    foreign : the same tracks with somebody else's voice

    Raises
    ------
    UsageError : no piece can be judged, or all of them are right, or all wrong
    """
    return fit(Answers.joined([Answers.of(own, foreign)]))


def fit(answers: Answers) -> Calibration:
    """Fit with every length weighing the same, and within each a foreign voice for every three own ones.

    Raises
    ------
    UsageError : all pieces are right, or all wrong
    """
    if not answers.right.any() or answers.right.all():
        raise UsageError("a probability cannot be calibrated where all answers are right, or all wrong")
    beta = logistic(
        np.hstack([answers.terms, np.ones((len(answers.right), 1))]),
        answers.right.astype(np.float64),
        weights(answers.own, answers.seconds),
    )
    return Calibration(float(beta[-1]), dict(zip(TERMS, map(float, beta[:-1]), strict=True)))


def weights(own: NDArray[np.bool_], seconds: F64) -> F64:
    """How much each piece counts: every length the same, in each `FOREIGN_PRIOR` foreign voices for an own one.

    Returns
    -------
    (N,), mean 1
    """
    weight = np.zeros(len(own))
    for length in np.unique(seconds):
        for kind in (True, False):
            here = (seconds == length) & (own == kind)
            if here.any():
                weight[here] = (1.0 if kind else FOREIGN_PRIOR) * len(own) / here.sum()
    return weight / weight.mean() if len(weight) else weight


def logistic(x: F64, y: F64, weight: F64, steps: int = 50) -> F64:
    """Logistic regression by Newton's method: (N, F) with a column of ones last, (N,) 0 or 1, (N,) -> (F,)."""
    beta = np.zeros(x.shape[1])
    ridge = np.full(len(beta), RIDGE * weight.sum())
    ridge[-1] = 0.0
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (p - y)) + ridge * beta
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-9)
        beta -= np.linalg.solve(curvature, gradient)
    return beta


def probabilities(calibration: Calibration, answers: Answers) -> F64:
    """What a calibration gives for some answers, (N,) 0 to 1."""
    weight = np.array([calibration.weights.get(name, 0.0) for name in TERMS])
    return np.asarray(1 / (1 + np.exp(-np.clip(answers.terms @ weight + calibration.bias, -30, 30))), np.float64)


def describe(calibration: Calibration, answers: Answers) -> str:
    """Reliability and risk against coverage, as text."""
    p, right, own = probabilities(calibration, answers), answers.right, answers.own
    lines = ["predicted   pieces   right"]
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        here = (p >= low) & (p < high)
        if here.any():
            lines.append(f"{low:.1f} to {min(high, 1):.1f}  {here.sum():6d}   {right[here].mean():.1%}")
    answered = p >= MIN_PROBABILITY
    for length in np.unique(answers.seconds):
        mine, others = own & (answers.seconds == length), ~own & (answers.seconds == length)
        lines.append(
            f"{length:g} s: answered {share(answered, mine)}, right of these {share(right, mine & answered)}, "
            f"right and answered {share(answered & right, mine)} of {share(right, mine)}, "
            f"wrong voice answered {share(answered, others)}"
        )
    return "\n".join(lines)


def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> str:
    """Part of some pieces, as text; a dash where there are none."""
    return f"{of[among].mean():.0%}" if among.any() else "-"
