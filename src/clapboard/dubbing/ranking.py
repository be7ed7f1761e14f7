"""Which candidate goes with the picture best, by the model that measures sync of any sound.

As V. Iashin's and others' re-ranking by a sync model (CondFoleyGen, CVPR 2023): the sound that is in sync where it was
made to be is the better one. Where the model cannot tell for a picture, it says nothing of its sounds either.
"""

from dataclasses import dataclass

import numpy as np

from clapboard.anysound import Sight, matched
from clapboard.dubbing.track import Take
from clapboard.models.any_session import AnySoundModel
from clapboard.pipeline import on_zero
from clapboard.sync.attention import Blocks
from clapboard.values import Clip, Hook


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the model says of the candidates.

    Attributes
    ----------
    scores : of each candidate, correlation with the picture where it lies, less the median over lags within 2 s; 0
        where there was nothing to compare
    chosen : the first one, or where the model can tell the one of the highest score
    judged : whether the model can tell
    offset_ms : by how much the chosen one is early by the model; None where it cannot tell
    """

    scores: tuple[float, ...]
    chosen: int
    judged: bool
    offset_ms: float | None


def rank(
    clip: Clip,
    sight: Sight,
    takes: list[Take],
    *,
    count: int,
    start_s: float,
    model: AnySoundModel,
    hook: Hook | None = None,
) -> Ranking:
    """Compare every candidate with the picture.

    Parameters
    ----------
    clip, sight : the file, and what the model saw in its picture
    takes : candidates
    count, start_s : samples of their tracks, and the time of the first
    model : judges
    hook : called as ``hook("rank", done, total)``
    """
    scores, offsets = list[float](), list[float | None]()
    for number, take in enumerate(takes):
        blocks, answer = matched(clip, sight, take.played(count, start_s), model)
        found = on_zero(answer.offset, model.spec.zero_ms)
        scores.append(score(blocks))
        offsets.append(found.offset_ms if answer.synchronisable and np.isfinite(found.offset_ms) else None)
        if hook:
            hook("rank", number + 1, len(takes))
    judged = any(offset is not None for offset in offsets)
    chosen = int(np.argmax(scores)) if judged else 0
    return Ranking(tuple(scores), chosen, judged, offsets[chosen])


def score(blocks: Blocks | None) -> float:
    """Correlation at lag 0 less the median over all lags; 0 where there is nothing to compare."""
    if blocks is None:
        return 0.0
    curve = blocks.curve()
    middle = float(curve[len(curve) // 2])
    return middle - float(np.nanmedian(curve)) if np.isfinite(middle) else 0.0
