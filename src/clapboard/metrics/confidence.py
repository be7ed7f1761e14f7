"""How much a confidence is worth: whether it ranks right above wrong, what leaving out the doubtful gains, and whether
a probability means what it says.

N answers, each with a score and whether it is right. ``weights`` (N,) say how much an answer counts, all the same where
None: with them, foreign voices count as often as they are expected.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clapboard.errors import UsageError
from clapboard.values import F64

BINS = 10
"""Bins of a reliability diagram."""
RISKS = (0.01, 0.02, 0.05, 0.1)
"""Risks whose coverage is told."""


def validate(scores: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> tuple[F64, F64, F64]:
    """Scores, right (0 or 1) and weights as arrays of one length.

    Raises
    ------
    UsageError : lengths differ, a score is not finite, right is not 0 or 1, or a weight is negative
    """
    score, good = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    weight = np.ones(len(good)) if weights is None else np.asarray(weights, np.float64)
    if score.ndim != 1 or score.shape != good.shape or score.shape != weight.shape:
        raise UsageError(f"scores {score.shape}, right {good.shape} and weights {weight.shape} must be of one length")
    if not np.isfinite(score).all() or not np.isin(good, (0, 1)).all() or not (weight >= 0).all():
        raise UsageError("scores must be finite, right must be 0 or 1, weights must not be negative")
    return score, good, weight


def auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Probability that one of the positive scores is higher than one of the negative; ties count half.

    The area under the receiver operating characteristic, by ranks (Mann and Whitney, 1947); NaN where either is empty.
    """
    a, b = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("scores must be finite")
    if not len(a) or not len(b):
        return float("nan")
    b = np.sort(b)
    below, up_to = np.searchsorted(b, a, "left"), np.searchsorted(b, a, "right")
    return float((below + up_to).sum() / (2 * len(a) * len(b)))


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """Answers taken from the surest down: ``coverage`` (P,) ascends to 1, ``risk`` (P,) is the part wrong among them.

    Each point stands for a score at which one could draw the line, ``threshold`` (P,); answers of one score come
    together.
    """

    coverage: F64
    risk: F64
    threshold: F64

    def area(self) -> float:
        """Area under the curve: the mean risk over all coverages (AURC); less is better, NaN without answers."""
        if not len(self.coverage):
            return float("nan")
        return float(np.sum(self.risk * np.diff(self.coverage, prepend=0.0)))

    def coverage_at(self, risk: float) -> float:
        """Largest coverage with no more than this risk, 0 to 1."""
        fine = self.risk <= risk + 1e-12
        return float(self.coverage[fine].max()) if fine.any() else 0.0


def risk_coverage(scores: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> RiskCoverage:
    """Risk against coverage when the least sure answers are left out.

    References
    ----------
    R. El-Yaniv and Y. Wiener, "On the foundations of noise-free selective classification", JMLR 2010; the area is that
    of Y. Geifman, G. Uziel and R. El-Yaniv, "Bias-reduced uncertainty estimation", ICLR 2019.
    """
    score, good, weight = validate(scores, right, weights)
    order = np.argsort(-score, kind="stable")
    order = order[weight[order] > 0]
    score, good, weight = score[order], good[order], weight[order]
    last = np.flatnonzero(np.diff(score, append=-np.inf) != 0)
    taken, wrong = np.cumsum(weight)[last], np.cumsum(weight * (1 - good))[last]
    return RiskCoverage(taken / weight.sum(), wrong / taken, score[last])


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability diagram of B bins that hold anything.

    ``low`` and ``high`` (B,) are their edges, ``predicted`` (B,) the mean probability and ``right`` (B,) the part right
    in each, ``share`` (B,) their part of the weight (sums to 1), ``number`` (B,) how many answers they hold.
    """

    low: F64
    high: F64
    predicted: F64
    right: F64
    share: F64
    number: F64

    def error(self) -> float:
        """Expected calibration error: mean over answers of the gap between predicted and right in their bin."""
        return float(np.sum(self.share * np.abs(self.predicted - self.right))) if len(self.share) else float("nan")


def reliability(
    p: ArrayLike,
    right: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    bins: int = BINS,
    by: Literal["width", "mass"] = "width",
) -> Reliability:
    """How often answers of a probability are right, in bins of equal width or of equal weight.

    Bins of equal width are the usual ones [1]_, each without its lower edge. Most answers of a good model lie in the
    last bin, so bins of equal mass [2]_ show more there; answers of one probability never part.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017, eq. 3.
    .. [2] K. Nguyen and B. O'Connor, "Posterior calibration and exploratory analysis for natural language processing
       models", EMNLP 2015, section 3.
    """
    score, good, weight = validate(p, right, weights)
    if bins < 1 or (len(score) and (score.min() < 0 or score.max() > 1)):
        raise UsageError("probabilities must be from 0 to 1, in at least 1 bin")
    if not len(score) or weight.sum() <= 0:
        empty = np.zeros(0)
        return Reliability(empty, empty, empty, empty, empty, empty)
    if by == "width":
        edges = np.linspace(0, 1, bins + 1)
    else:
        order = np.argsort(score, kind="stable")
        mass = np.cumsum(weight[order]) / weight.sum()
        cuts = np.searchsorted(mass, np.arange(1, bins) / bins - 1e-12, "left")
        edges = np.unique([0.0, *score[order][cuts], 1.0])
    # (low, high] as in the first reference; p = 0 goes to the first bin.
    which = np.clip(np.searchsorted(edges, score, "left") - 1, 0, len(edges) - 2)
    found = []
    for index in range(len(edges) - 1):
        here = (which == index) & (weight > 0)
        if here.any():
            mean = np.average(np.stack([score[here], good[here]]), axis=1, weights=weight[here])
            found.append((edges[index], edges[index + 1], *mean, weight[here].sum() / weight.sum(), here.sum()))
    return Reliability(*np.asarray(found, np.float64).T)


def brier(p: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared distance of the probability from 0 or 1 (G. W. Brier, 1950); NaN without answers."""
    score, good, weight = validate(p, right, weights)
    return float(np.average((score - good) ** 2, weights=weight)) if weight.sum() > 0 else float("nan")


def error_if_calibrated(
    p: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    bins: int = BINS,
    by: Literal["width", "mass"] = "width",
    number: int = 200,
    seed: int = 0,
) -> tuple[float, float]:
    """Calibration error that chance alone gives on so few answers, were every probability exactly true.

    An error of this size says nothing against a calibration. Answers are taken as independent, which pieces of one clip
    are not, so the true value is rather larger.

    Returns
    -------
    mean and 95th percentile of the error over ``number`` draws of right and wrong; NaN without answers
    """
    score, _, weight = validate(p, np.zeros(np.shape(p)), weights)
    if not len(score):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = [rng.random(len(score)) < score for _ in range(number)]
    errors = [reliability(score, good, weight, bins=bins, by=by).error() for good in drawn]
    return float(np.mean(errors)), float(np.percentile(errors, 95))


def evaluate(p: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> dict[str, float]:
    """All numbers of a probability.

    Returns
    -------
    ``number``; ``auc`` of right over wrong answers; ``aurc`` and ``coverage_at_1_percent`` and so on;
    ``calibration_error`` in 10 bins of equal width and ``calibration_error_mass`` in 10 of equal mass; ``brier``
    """
    score, good, _ = validate(p, right, weights)
    curve = risk_coverage(p, right, weights)
    return {
        "number": float(len(score)),
        "auc": auc(score[good == 1], score[good == 0]),
        "aurc": curve.area(),
        **{f"coverage_at_{100 * risk:g}_percent": curve.coverage_at(risk) for risk in RISKS},
        "calibration_error": reliability(p, right, weights).error(),
        "calibration_error_mass": reliability(p, right, weights, by="mass").error(),
        "brier": brier(p, right, weights),
    }
