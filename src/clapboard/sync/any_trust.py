"""Any sound: reasons not to believe an offset, how likely it is right, and whether the clip can be told at all.

A correlation has a greatest value for any two streams, so that value alone says nothing. What is weighed is how far it
stands above the best rival elsewhere, whether both halves of the clip say the same, and how much there was to compare.
The weights are fitted with the model, on recordings that it did not learn from, with foreign sounds that count a third.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from clapboard.sync.attention import Blocks, offset_of
from clapboard.sync.trust import NOT_CALIBRATED
from clapboard.timebase import FEATURE_HZ, FRAME_MS, PICTURE_HZ, ROWS_PER_FRAME
from clapboard.values import F32, Offset

TERMS = (
    "gap", "rise", "peak", "margin", "deviation", "agreement", "log_seconds", "log_effective", "gap_root",
)  # fmt: skip
"""Names of what a model's calibration weighs, see `terms`."""
LAG_MS = 1000 * ROWS_PER_FRAME / FEATURE_HZ
"""Distance between two lags: 40 ms."""
MIN_SECONDS = 2.0
"""Least picture that can be judged (s): gaps between events are 0.4 to 0.9 s, so this holds two or three of them."""
MIN_PROBABILITY = 0.6
"""Below this no answer is given, as for lips."""
ELSEWHERE_MS = 3 * LAG_MS
"""Another maximum counts as a rival when it is at least this far away: a match is about this wide on each side."""
MIN_RIVALS_MS = 200.0
"""Rivals must cover this much of the search together, or the best of a narrow search would look better than it is."""
RISE_MS = 2 * LAG_MS
"""On both sides of a match the correlation has fallen after about this much."""
LEAST_ATTENTION = 1e-6
"""Mean attention a window below which there was nothing to hold on to: networks that pay any give at least 1e-3."""
RIVAL_HEIGHT = 0.85
"""A rival counts as nearly equal from this part of the best match's height on, both above the median."""
REPEATS = 0.6
"""A curve repeats when it correlates with itself, moved by the period, by at least this much: two equal peaks give 0.5,
three 0.67."""
REPEATS_AGREEMENT = 0.95
"""Both halves of the clip must bear the match out by this much before its period is called that of the sound: whole
rendered metronomes have at least 0.97, curves of real clips that repeat by chance at most 0.92."""
MIN_MARGIN = 0.1
"""A best match must stand above its best rival by this part of its height over the median, or nothing can be told."""
MOST_SECONDS = 20.0
"""More than this makes no answer surer: what is wrong then is not chance (s)."""
MOST_DEVIATIONS = 20.0
PART_S = 8.0
"""Length that suffices to measure parts of a file by themselves (s)."""
DISAGREE_MS = 2 * FRAME_MS
"""Parts that differ by more than this do not share one offset."""
LIKELY = 0.5
"""A clip whose probability to be synchronisable is below this is called not synchronisable."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An offset with its reasons, and whether the clip could be told at all; see `judge`."""

    offset: Offset
    synchronisable: bool
    p_synchronisable: float


def _elsewhere(of: Offset) -> np.ndarray:
    """Which points of the curve are known and far enough from the answer to be rivals, (K,) bool."""
    return (np.abs(of.offsets_ms - of.offset_ms) >= ELSEWHERE_MS - 1e-6) & np.isfinite(of.curve)


def _heights(of: Offset) -> F32:
    """The curve as heights, (K,): 1 at the best match, 0 at the median; NaN where it is flat or not known."""
    span = of.confidence
    if not np.isfinite(span) or span <= 0:
        return np.full(len(of.curve), np.nan, np.float32)
    return np.asarray((np.nanmedian(of.curve) - of.curve) / span, np.float32)


def period_s(of: Offset) -> float:
    """Period at which matches as good as the best repeat, s; NaN where they do not.

    There must be a maximum at that distance from the best match, at least `RIVAL_HEIGHT` as high, and the curve as a
    whole must repeat with it. Both are looked for up to half of what is known of the curve.
    """
    heights = _heights(of)
    known = np.flatnonzero(np.isfinite(heights))
    if len(known) < 8:
        return float("nan")
    strip = heights[known[0] : known[-1] + 1]
    best = int(np.nanargmax(strip))
    for step in range(round(ELSEWHERE_MS / LAG_MS), len(strip) // 2 + 1):
        at = [place for place in (best - step, best + step) if 0 < place < len(strip) - 1]
        high = [p for p in at if strip[p] >= RIVAL_HEIGHT and strip[p] >= strip[p - 1] and strip[p] >= strip[p + 1]]
        if high and _alike(strip[:-step], strip[step:]) >= REPEATS:
            return step * LAG_MS / 1000
    return float("nan")


def _alike(a: F32, b: F32) -> float:
    """Correlation coefficient of two stretches where both are known; 0 where one is flat."""
    real = np.isfinite(a) & np.isfinite(b)
    if real.sum() < 3:
        return 0.0
    a, b = a[real] - a[real].mean(), b[real] - b[real].mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else 0.0


def agreement(blocks: Blocks, of: Offset) -> float:
    """How well both halves of a clip, its even and its odd blocks, bear out the answer: -1 to 1.

    It is the height of each half's curve at the answer of the whole, from 0 at its median to 1 at its own best match;
    halves count by their attention.
    """
    place = int(np.nanargmin(of.curve)) if np.isfinite(of.curve).any() else -1
    total, found = float(blocks.attention.sum()), 0.0
    if place < 0 or total <= 0:
        return 0.0
    for half in (0, 1):
        part = blocks.part(np.arange(len(blocks.attention)) % 2 == half)
        curve = part.curve()
        if np.isfinite(curve[place]):
            middle, top = float(np.nanmedian(curve)), float(np.nanmax(curve))
            height = (float(curve[place]) - middle) / (top - middle) if top > middle else 0.0
            found += float(part.attention.sum()) / total * max(height, -1.0)
    return found


def terms(blocks: Blocks, of: Offset) -> dict[str, float]:
    """What the probabilities are made from: numbers that do not depend on the lag itself.

    Parameters
    ----------
    blocks : what was correlated
    of : `clapboard.sync.attention.offset_of` of it

    Returns
    -------
    ``gap`` : how far the best match stands above the best rival, at least `ELSEWHERE_MS` away
    ``rise`` : how far it stands above the mean of the two points at `RISE_MS` on both sides
    ``peak`` : the greatest correlation itself
    ``margin`` : the gap as a part of the height of the best match over the median, 0 to 1
    ``deviation`` : that height in standard deviations of the rivals, at most `MOST_DEVIATIONS`
    ``agreement`` : see `agreement`
    ``log_seconds`` : natural logarithm of the seconds of picture
    ``log_effective`` : natural logarithm of the windows over which attention is spread
    ``gap_root`` : the gap times the square root of the seconds, since chance matches shrink with it
    """
    rivals = of.curve[_elsewhere(of)]
    if not len(rivals) or not np.isfinite(of.offset_ms):
        return dict.fromkeys(TERMS, 0.0)
    curve, place, reach = of.curve, int(np.nanargmin(of.curve)), round(RISE_MS / LAG_MS)
    sides = curve[[max(place - reach, 0), min(place + reach, len(curve) - 1)]]
    gap = float(rivals.min() - curve[place])
    height, spread = of.confidence, float(rivals.std())
    seconds = min(max(blocks.seconds(), 1 / PICTURE_HZ), MOST_SECONDS)
    return {
        "gap": gap,
        "rise": float(np.nanmean(sides) - curve[place]) if np.isfinite(sides).any() else 0.0,
        "peak": -float(curve[place]),
        "margin": min(max(gap / height, 0.0), 1.0) if height > 0 else 0.0,
        "deviation": min(height / spread, MOST_DEVIATIONS) if spread > 0 else 0.0,
        "agreement": agreement(blocks, of),
        "log_seconds": float(np.log(seconds)),
        "log_effective": float(np.log(max(blocks.effective_windows(), 1.0))),
        "gap_root": gap * float(np.sqrt(seconds)),
    }


def probability(blocks: Blocks, of: Offset, bias: float, weights: Mapping[str, float] | None) -> float:
    """Probability of a logistic regression over `terms`, 0 to 1; 0 where nothing can be told.

    NaN, not known, without weights: nobody has looked how often the model is right.
    """
    if weights is None:
        return float("nan")
    if not np.isfinite(of.offset_ms) or blocks.seconds() < MIN_SECONDS or _rivals_ms(of) < MIN_RIVALS_MS:
        return 0.0
    found = terms(blocks, of)
    return float(1 / (1 + np.exp(-np.clip(bias + sum(weights[name] * found[name] for name in weights), -30, 30))))


def _rivals_ms(of: Offset) -> float:
    """How much of the search the rivals cover, ms."""
    return float(_elsewhere(of).sum()) * LAG_MS


def parts_of(of: Blocks, seconds: float = PART_S) -> list[Blocks]:
    """Blocks in groups with at least ``seconds`` of picture each, in the order of time; a short rest joins the last."""
    groups, group, length = list[list[int]](), list[int](), 0.0
    for index, windows in enumerate(of.windows):
        group.append(index)
        length += float(windows) / PICTURE_HZ
        if length >= seconds - 1e-9:
            groups.append(group)
            group, length = [], 0.0
    if group and groups:
        groups[-1] += group
    return [of.part(np.array(g)) for g in (groups or ([group] if group else []))]


def disagreement(blocks: Blocks, whole: Offset, bias: float, weights: Mapping[str, float] | None) -> str:
    """In words, that confident parts of the file have other offsets than the whole; empty where they agree."""
    parts = [(part, offset_of(part)) for part in parts_of(blocks)]
    sure = [found for part, found in parts if probability(part, found, bias, weights) >= 0.9]
    odd = [found for found in sure if abs(found.offset_ms - whole.offset_ms) > DISAGREE_MS]
    if len(sure) < 2 or len(odd) * 5 < len(sure):
        return ""
    seen = sorted({round(found.offset_ms) for found in odd})
    span = f"{seen[0]:+d} ms" if len(seen) == 1 else f"{seen[0]:+d} to {seen[-1]:+d} ms"
    return (
        f"parts disagree: {len(odd)} of {len(sure)} clear parts are at {span}, the whole at {whole.offset_ms:+.0f} ms"
    )


def judge(
    blocks: Blocks,
    bias: float,
    weights: Mapping[str, float] | None,
    *,
    synchronisable: tuple[float, Mapping[str, float]] | None = None,
    moves: bool = True,
    sounds: bool = True,
) -> Answer:
    """Find the offset, with its probability, the reasons not to trust it, and whether the clip could be told at all.

    A clip is *synchronisable* when all of this holds: its sound is not silent, its picture moves, it lasts
    `MIN_SECONDS`, something got attention, its best match does not repeat (`period_s`) and stands above its best rival
    by `MIN_MARGIN` of its height, and, where the model has probabilities, that of the clip is at least `LIKELY` and
    that of the offset at least `MIN_PROBABILITY`. A clip may be synchronisable and still be undecided: where its match
    lies at the edge of the search, say.

    Whoever has the right match has the clip's own sound, so its probability is the lesser of both; 0 where the match
    repeats or has a rival. That the sound repeats is said only where both halves of the clip bear the match out
    (`REPEATS_AGREEMENT`): a curve of chance repeats as well, now and then.

    Parameters
    ----------
    blocks : what was correlated, at least one block
    bias, weights : calibration of the model, over `TERMS`, of being right within 40 ms; weights None where it has none
    synchronisable : bias and weights of the clip being one that can be told; None where the model has none
    moves, sounds : whether the picture changes at all, and the sound is not silent
    """
    whole = offset_of(blocks)
    nothing = _nothing(blocks, whole, moves=moves, sounds=sounds)
    if nothing:  # silence, a still, a flat curve: the best match is not even a guess
        whole = replace(whole, offset_ms=float("nan"))
    p_right = probability(blocks, whole, bias, weights)
    repeated = float("nan") if nothing else period_s(whole)
    clear = not nothing and not np.isfinite(repeated) and terms(blocks, whole)["margin"] >= MIN_MARGIN
    p_told = float("nan")
    if synchronisable is not None:
        p_told = float(np.fmin(probability(blocks, whole, *synchronisable), p_right)) * bool(clear)
    told = bool(clear) and not p_told < LIKELY and not p_right < MIN_PROBABILITY  # NaN, not known, is not below
    sure = np.isfinite(repeated) and agreement(blocks, whole) >= REPEATS_AGREEMENT
    reasons = [nothing] if nothing else _doubts(blocks, whole, p_right, repeated if sure else float("nan"))
    if not reasons and (odd := disagreement(blocks, whole, bias, weights)):
        reasons = [odd]
    if not reasons and weights is not None and not told:
        reasons = ["picture and sound do not show that they belong together: the clip is not synchronisable"]
    if weights is None and sounds:
        reasons.append(NOT_CALIBRATED)
    offset = replace(whole, p_within_frame=p_right, reasons=tuple(reasons))
    return Answer(offset, told, p_told)


def _nothing(blocks: Blocks, whole: Offset, *, moves: bool, sounds: bool) -> str:
    """In words, why there is nothing to compare; empty where there is."""
    seconds, attention = blocks.seconds(), float(blocks.attention.sum())
    causes = {
        "the sound is silent": not sounds,
        f"only {seconds:.1f} s of picture to compare, {MIN_SECONDS:.1f} s are needed": seconds < MIN_SECONDS,
        "the picture does not move: a still has no offset": not moves,
        "nothing to hold on to: the network finds nothing in the picture that makes a sound": (
            attention < LEAST_ATTENTION * float(blocks.windows.sum())
        ),
        "picture and sound hardly overlap in time": not np.isfinite(whole.offset_ms),
        "all offsets match alike: the sound has no events": not whole.confidence > 0,
    }
    return next((cause for cause, given in causes.items() if given), "")


def _doubts(blocks: Blocks, whole: Offset, p_right: float, repeated: float) -> list[str]:
    """In words, what speaks against the best match."""
    if np.isfinite(repeated):
        return [f"the sound repeats every {repeated:.2f} s: several offsets match equally well"]
    reasons = []
    known_ms = whole.offsets_ms[np.isfinite(whole.curve)]
    if not known_ms.min() < whole.offset_ms < known_ms.max():
        if np.abs(whole.offset_ms) > np.abs(whole.offsets_ms).max() - LAG_MS:
            reach_ms = (len(whole.offsets_ms) - 1) / 2 * LAG_MS
            reasons.append(f"the best match lies at the edge of the search of {reach_ms:.0f} ms both ways")
        else:
            reasons.append("the best match lies where picture and sound hardly overlap in time")
    if _rivals_ms(whole) < MIN_RIVALS_MS:
        reasons.append(
            f"too few other offsets to compare the best match with: {_rivals_ms(whole):.0f} ms of the search, "
            f"{MIN_RIVALS_MS:.0f} ms are needed"
        )
    elif p_right < MIN_PROBABILITY:
        reasons.append(
            f"picture and sound do not match clearly: probability {p_right:.0%} from {blocks.seconds():.1f} s, "
            f"{MIN_PROBABILITY:.0%} is needed"
        )
    return reasons
