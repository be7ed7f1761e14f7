"""How scores of clips in sync and of shifted ones are spread, a drawing for each way of pooling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.report.svg import Axis, Plot, round_ticks

BINS = 30
KINDS = ("aligned", "shifted")
"""Of clips: with the sound where it belongs, and moved away; in the order of their colours."""

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Scores of one head in bins: ``edges`` (n + 1,), and the share of each kind of clip in every bin, (n,) each.

    ``numbers`` are how many clips of each kind there are.
    """

    name: str
    edges: F64
    shares: tuple[F64, F64]
    numbers: tuple[int, int]


def spread(name: str, aligned: Sequence[float], shifted: Sequence[float], bins: int = BINS) -> Spread:
    """Bins of one width from the least score to the greatest of both kinds; no score is left out.

    Raises
    ------
    UsageError : one kind has no score, or one is not a finite number
    """
    kinds = [np.asarray(scores, np.float64).reshape(-1) for scores in (aligned, shifted)]
    if not all(len(scores) and np.isfinite(scores).all() for scores in kinds):
        raise UsageError(f"{name}: needs finite scores of {' and of '.join(KINDS)} clips")
    low, high = min(scores.min() for scores in kinds), max(scores.max() for scores in kinds)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    shares = [np.histogram(scores, edges)[0] / len(scores) for scores in kinds]
    return Spread(name, edges, (shares[0], shares[1]), (len(kinds[0]), len(kinds[1])))


def spreads(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Spread]:
    """Bins of every head: ``{head: {"aligned": [...], "shifted": [...]}}``, in the order of the heads there.

    Raises
    ------
    UsageError : there is no head, or one lacks a kind of clips or has no finite scores of it
    """
    if not scores:
        raise UsageError("there are no scores: an object {head: {aligned: [...], shifted: [...]}} is needed")
    for name, kinds in scores.items():
        missing = [kind for kind in KINDS if kind not in kinds]
        if missing:
            raise UsageError(f"{name}: has no scores of {' and '.join(missing)} clips")
    return [spread(name, kinds[KINDS[0]], kinds[KINDS[1]]) for name, kinds in scores.items()]


def drawing(of: Spread, highest: float, width_px: float = 320.0, height_px: float = 240.0) -> str:
    """One head: shares of aligned clips as bars of the first colour, of shifted ones as bars of the second.

    ``highest`` is the share at the top of the plot, one for all heads, so that they can be compared.
    """
    low, high = float(of.edges[0]), float(of.edges[-1])
    up = tuple((value, f"{100 * value:g}") for value, _ in round_ticks(0.0, highest, 5))
    plot = Plot(
        Axis(low, high, round_ticks(low, high, 7, signed=True), "score; blue: aligned, orange: shifted"),
        Axis(0.0, highest, up, "clips of a kind, %"),
        width_px,
        height_px,
    )
    marks = [
        plot.bars(of.edges.tolist(), shares.tolist(), f"series-{index} half", f"{kind}, {{low}} to {{high}}: {{y}}")
        for index, (kind, shares) in enumerate(zip(KINDS, of.shares, strict=True))
    ]
    return plot.drawing(marks, f"{of.name}: scores of {of.numbers[0]} aligned and {of.numbers[1]} shifted clips")


def highest_share(all_of: Sequence[Spread]) -> float:
    """The greatest share of any bin."""
    return max(float(max(shares.max() for shares in of.shares)) for of in all_of)


def overlap(of: Spread) -> float:
    """What the histograms of both kinds have in common, 0 (told apart by any score) to 1 (the same)."""
    return float(np.minimum(*of.shares).sum())
