"""Smoothing over time: at each moment one of the faces in view has the voice, or none of them.

A hidden Markov model. For a single face it has two states, speaking and not; several faces in view share one voice, so
the states are nobody and each of the faces. States last: ``stay`` is the probability that the next frame has the same.
What a frame says for a face is a log likelihood ratio, a straight line through its contrast.

F faces, T frames of the picture grid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F64


@dataclass(frozen=True, slots=True)
class SpeakingModel:
    """What was fitted for one sync model, see `clapboard.evaluation.speaking`.

    Attributes
    ----------
    slope, bias : log likelihood ratio of speaking against not, a frame: ``slope * contrast + bias``; small, since
        neighbouring frames say nearly the same
    stay : probability that who speaks is the same one frame later
    """

    slope: float
    bias: float
    stay: float

    def evidence(self, contrast: NDArray[np.floating]) -> F64:
        """Log likelihood ratios of any shape; NaN where the contrast is."""
        return self.slope * np.asarray(contrast, np.float64) + self.bias


def posteriors(evidence: F64, visible: NDArray[np.bool_], stay: float) -> F64:
    """Probability that each face has the voice, by the forward-backward algorithm.

    Parameters
    ----------
    evidence : (F, T) log likelihood ratios; 0 or NaN where a frame says nothing
    visible : (F, T) bool; who is not in view has the voice of nobody
    stay : probability, between 0 and 1

    Returns
    -------
    (F, T) float64; the rest to 1 is nobody in view. Whoever has it has it through silence too: where nothing sounds
    nothing is said against it.

    References
    ----------
    L. R. Rabiner, "A tutorial on hidden Markov models", Proceedings of the IEEE 77 (2), 1989, section III.
    """
    if not evidence.shape[1]:
        return np.zeros(evidence.shape)
    likely, away = _chain(evidence, visible, stay)
    forward, backward = _forward(likely, away, stay)[0], np.ones_like(likely)
    for t in range(len(likely) - 2, -1, -1):
        after = backward[t + 1] * likely[t + 1]
        now = stay * after + away[t + 1] * (after.sum() - after)
        backward[t] = now / now.max()
    both = forward * backward
    return np.asarray((both / both.sum(axis=1, keepdims=True)).T[1:])


def log_evidence(evidence: F64, visible: NDArray[np.bool_], stay: float) -> float:
    """How much likelier what was seen is than if no frame said anything, natural log.

    Arguments as those of `posteriors`.
    """
    if not evidence.shape[1]:
        return 0.0
    found, nothing = (_forward(*_chain(each, visible, stay), stay)[1] for each in (evidence, np.zeros_like(evidence)))
    highest = np.where(visible, np.nan_to_num(evidence, nan=0.0), 0.0).max(axis=0, initial=0.0)
    return found + float(highest.sum()) - nothing


def _chain(evidence: F64, visible: NDArray[np.bool_], stay: float) -> tuple[F64, F64]:
    """Likelihoods (T, 1 + F), nobody first, of which the largest is 1, and (T,) the way to each other state."""
    possible = np.vstack([np.ones((1, evidence.shape[1]), np.bool_), visible])
    logs = np.vstack([np.zeros((1, evidence.shape[1])), np.nan_to_num(evidence, nan=0.0)])
    logs[~possible] = -np.inf
    others = possible.sum(axis=0) - 1
    return np.exp(logs - logs.max(axis=0)).T, np.where(others, 1 - stay, 0.0) / np.maximum(others, 1)


def _forward(likely: F64, away: F64, stay: float) -> tuple[F64, float]:
    """Probabilities of the states by what came before, (T, 1 + F), and the log likelihood of it all."""
    forward = np.empty_like(likely)
    total = 0.0
    for t in range(len(likely)):
        before = forward[t - 1] if t else np.full(likely.shape[1], 1 / likely.shape[1])
        now = (stay * before + away[t] * (1 - before)) * likely[t]
        sum_ = float(now.sum())
        forward[t] = now / sum_
        total += float(np.log(sum_))
    return forward, total
