"""Reasons not to believe an offset, and the probability that it is right within one frame.

A short piece of speech has deep minima by chance, so depth alone says little: the probability weighs how much deeper
the lowest point is than the next best place, and over how much speech. Its weights are fitted with the model, on people
that the model did not learn from, with as many pieces that have somebody else's voice.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clapboard.sync.distance import Curves
from clapboard.sync.search import offset_of
from clapboard.timebase import FEATURE_HZ, FRAME_MS, PICTURE_HZ
from clapboard.values import F32, Offset

TERMS = ("gap", "rise", "least", "log_speech", "gap_root", "rise_root")
"""Names of what a model's calibration weighs, see `terms`."""
MIN_WINDOWS = 15
"""Least speech that can be judged: 0.6 s."""
MIN_PROBABILITY = 0.6
"""Below this no answer is given. On held-out people of the training clips 95 % of what is left at 1 s is right, and
11 % of pieces of 1 s with a foreign voice are answered (4 % at 2 s, 1 % at 4 s)."""
ELSEWHERE_MS = 100.0
"""Another minimum counts as a rival when it is at least this far away."""
MIN_RIVALS_MS = 200.0
"""Rivals must cover this much of the search together, or the best of a narrow search would look better than it is."""
RISE_MS = 80.0
"""A dip of speech in sync is about twice as wide as this."""
MOST_SPEECH_S = 20.0
"""More speech than this makes no answer surer: what is wrong then is not chance."""
EDGE_MS = 15.0
"""A minimum this close to the end of what is known is where the search stopped, not where the sound is."""
PART_S = 4.0
"""Speech that suffices to measure parts of a file by themselves, s."""
DISAGREE_MS = 2 * FRAME_MS
"""Parts that differ by more than this do not share one offset."""
NOT_CALIBRATED = "the model is not calibrated: how often what it measures is right is not known"


def _rivals(of: Offset) -> F32:
    """Points of the curve at least `ELSEWHERE_MS` from the answer: what its minimum has to beat."""
    return of.curve[(np.abs(of.offsets_ms - of.offset_ms) >= ELSEWHERE_MS) & np.isfinite(of.curve)]


def _rivals_ms(of: Offset) -> float:
    """How much of the search the rivals cover, ms."""
    return len(_rivals(of)) * 1000 / FEATURE_HZ


def _at_the_end(of: Offset) -> str:
    """In words, that the minimum lies where the search or the sound ends, and may be lower beyond; else empty."""
    known_ms = of.offsets_ms[np.isfinite(of.curve)]
    if known_ms.min() + EDGE_MS <= of.offset_ms <= known_ms.max() - EDGE_MS:
        return ""
    if np.abs(of.offset_ms) > np.abs(of.offsets_ms).max() - EDGE_MS:
        reach_ms = (len(of.offsets_ms) - 1) / 2 * 1000 / FEATURE_HZ
        return f"the best match lies at the edge of the search of {reach_ms:.0f} ms both ways"
    return "the best match lies where picture and sound hardly overlap in time"


def terms(of: Offset) -> dict[str, float]:
    """What the probability is made from: numbers that do not depend on the lag itself.

    ``gap`` : how far the lowest point lies under the lowest one that is `ELSEWHERE_MS` away, a rival
    ``rise`` : how far the curve rises within `RISE_MS` on both sides of it: speech in sync gives a dip of that width
    ``least`` : the lowest point itself, the distance of lips and sound where they match best
    ``log_speech`` : natural logarithm of the speech in seconds
    ``gap_root``, ``rise_root`` : times the square root of the speech, since chance minima shrink with it
    """
    curve = of.curve
    rivals = _rivals(of)
    if not len(rivals) or not np.isfinite(of.offset_ms):
        return dict.fromkeys(TERMS, 0.0)
    place, reach = int(np.nanargmin(curve)), round(RISE_MS / 1000 * FEATURE_HZ)
    sides = curve[[max(place - reach, 0), min(place + reach, len(curve) - 1)]]
    gap = float(rivals.min() - curve[place])
    rise = float(np.mean(sides[np.isfinite(sides)]) - curve[place]) if np.isfinite(sides).any() else 0.0
    seconds = max(of.windows, 1) / PICTURE_HZ
    root = float(np.sqrt(min(seconds, MOST_SPEECH_S)))
    return {
        "gap": gap,
        "rise": rise,
        "least": of.min_distance,
        "log_speech": float(np.log(min(seconds, MOST_SPEECH_S))),
        "gap_root": gap * root,
        "rise_root": rise * root,
    }


def p_within_frame(of: Offset, bias: float, weights: Mapping[str, float] | None) -> float:
    """Probability, 0 to 1, that the offset is within 40 ms of the truth; 0 where nothing can be told.

    NaN, not known, without weights: nobody has looked how often the model is right.
    """
    if weights is None:
        return float("nan")
    if not np.isfinite(of.offset_ms) or of.windows < MIN_WINDOWS or _rivals_ms(of) < MIN_RIVALS_MS:
        return 0.0
    found = terms(of)
    return float(1 / (1 + np.exp(-np.clip(bias + sum(weights[name] * found[name] for name in weights), -30, 30))))


def clearness(of: Offset) -> tuple[float, float]:
    """What answers are ranked by: the probability, or the confidence where the model has none, then the windows."""
    value = of.confidence if np.isnan(of.p_within_frame) else of.p_within_frame
    return (-np.inf if np.isnan(value) else float(value)), of.windows


def parts_of(of: Curves, seconds: float = PART_S) -> list[Curves]:
    """Blocks in groups with at least ``seconds`` of speech each, in the order of time; a short rest joins the last."""
    target, groups, group, speech = seconds * PICTURE_HZ, list[list[int]](), list[int](), 0.0
    for index, windows in enumerate(of.windows):
        group.append(index)
        speech += float(windows)
        if speech >= target:
            groups.append(group)
            group, speech = [], 0.0
    if group and groups:
        groups[-1] += group
    return [of.part(np.array(g)) for g in (groups or ([group] if group else []))]


def disagreement(of: Curves, whole: Offset, bias: float, weights: Mapping[str, float] | None) -> str:
    """In words, that confident parts of the file have other offsets than the whole; empty where they agree."""
    parts = [offset_of(part) for part in parts_of(of)]
    sure = [p for p in parts if p_within_frame(p, bias, weights) >= 0.9]
    odd = [p for p in sure if abs(p.offset_ms - whole.offset_ms) > DISAGREE_MS]
    if len(sure) < 2 or len(odd) * 5 < len(sure):
        return ""
    seen = sorted({round(p.offset_ms) for p in odd})
    span = f"{seen[0]:+d} ms" if len(seen) == 1 else f"{seen[0]:+d} to {seen[-1]:+d} ms"
    return (
        f"parts disagree: {len(odd)} of {len(sure)} clear parts are at {span}, the whole at {whole.offset_ms:+.0f} ms"
    )


def judge(of: Curves, whole: Offset, bias: float, weights: Mapping[str, float] | None, *, moves: bool = True) -> Offset:
    """The offset with its probability and the reasons not to trust it.

    Parameters
    ----------
    of : the blocks that ``whole`` was found in
    bias, weights : calibration of the model; weights None where it has none: then nothing is trusted
    moves : whether the picture changes at all
    """
    reasons = []
    probability = p_within_frame(whole, bias, weights)
    if whole.windows < MIN_WINDOWS:
        seconds = whole.windows / PICTURE_HZ
        reasons.append(
            f"only {seconds:.1f} s of speech with a face in view, {MIN_WINDOWS / PICTURE_HZ:.1f} s are needed"
        )
    elif not np.isfinite(whole.offset_ms):
        reasons.append("picture and sound hardly overlap in time")
    else:
        if not moves:
            reasons.append("the face does not move: a still picture has no offset")
        if at_the_end := _at_the_end(whole):
            reasons.append(at_the_end)
        if _rivals_ms(whole) < MIN_RIVALS_MS:
            reasons.append(
                f"too few other offsets to compare the best match with: {_rivals_ms(whole):.0f} ms of the search, "
                f"{MIN_RIVALS_MS:.0f} ms are needed"
            )
        elif probability < MIN_PROBABILITY:
            seconds = whole.windows / PICTURE_HZ
            reasons.append(
                f"lips and sound do not match clearly: probability {probability:.0%} from {seconds:.1f} s of speech, "
                f"{MIN_PROBABILITY:.0%} is needed"
            )
        elif odd := disagreement(of, whole, bias, weights):
            reasons.append(odd)
    if weights is None:
        reasons.append(NOT_CALIBRATED)
    return replace(whole, p_within_frame=probability, reasons=tuple(reasons))
