"""Folds for measuring clips by networks that did not learn from them, nor from whoever speaks in them.

Where a corpus does not say who speaks, clips that look and sound alike are kept together: the same presenter before
the same background, through the same microphone.
"""

from collections.abc import Sequence

import numpy as np

from clapboard.dataset.align import Aligned
from clapboard.values import F64

CLIPS_A_LOOK = 30
"""About how many clips one look gets: presenters of a news corpus have about so many."""
LOOK_PX = 16
"""The mean picture is compared at so many pixels a side."""
ROUNDS = 50
"""Of k-means: it has settled long before."""


def unlabelled(clips: Sequence[Aligned]) -> bool:
    """Whether the clips of a corpus do not say who speaks: every clip is its own speaker, and there are many."""
    return len(clips) > CLIPS_A_LOOK and len({c.speaker for c in clips}) == len(clips)


def look(clip: Aligned) -> F64:
    """What a clip looks and sounds like on average, without its level: (16 * 16 + bands,)."""
    side = clip.images.shape[1]
    mean = np.asarray(clip.images, np.float32).mean(0)
    mean = mean.mean(-1) if mean.ndim == 3 else mean
    step = np.linspace(0, side, LOOK_PX + 1).astype(int)[:-1]
    small = np.add.reduceat(np.add.reduceat(mean, step, 0), step, 1)
    small = (small - small.mean()) / (small.std() + 1e-6)
    tone = np.asarray(clip.bands[clip.valid], np.float64)
    tone = tone.mean(0) - tone.mean() if len(tone) else np.zeros(clip.bands.shape[1])
    return np.concatenate([small.ravel() / LOOK_PX, tone / np.sqrt(len(tone))]).astype(np.float64)


def looks(clips: Sequence[Aligned], seed: int = 0) -> np.ndarray:
    """Which look each clip has, (N,) int: k-means over `look`, begun as k-means++ (Arthur and Vassilvitskii 2007)."""
    points = np.array([look(c) for c in clips])
    rng = np.random.default_rng(seed)
    chosen = [int(rng.integers(len(points)))]
    near = ((points - points[chosen[0]]) ** 2).sum(1)
    for _ in range(len(points) // CLIPS_A_LOOK - 1):  # the next centre is likelier the farther it is from the others
        chosen.append(int(rng.choice(len(points), p=near / near.sum())))
        near = np.minimum(near, ((points - points[chosen[-1]]) ** 2).sum(1))
    centres = points[chosen]
    which = np.zeros(len(points), int)
    squares = (points**2).sum(1)[:, None]
    for _ in range(ROUNDS):
        which = (squares - 2 * points @ centres.T + (centres**2).sum(1)[None]).argmin(1)
        centres = np.array([points[which == k].mean(0) if (which == k).any() else c for k, c in enumerate(centres)])
    return which


def folds(clips: Sequence[Aligned], count: int, seed: int = 0) -> np.ndarray:
    """Which fold each clip belongs to, (N,) int from 0 to count - 1.

    Speakers stay whole, each corpus is spread evenly over the folds. A speaker with more than a fold's share of the
    corpus is split by clips: what is measured is the error of single clips, and these nobody can learn in advance.
    """
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(clips), int)
    for corpus in sorted({c.corpus for c in clips}):
        mine = [i for i, c in enumerate(clips) if c.corpus == corpus]
        these = [clips[i] for i in mine]
        names = looks(these, seed).tolist() if unlabelled(these) else [c.speaker for c in these]
        share = sum(len(c.images) for c in these) / count
        groups: dict[object, list[int]] = {}
        frames: dict[object, int] = {}
        for i, name in zip(mine, names, strict=True):
            groups.setdefault(name, []).append(i)
            frames[name] = frames.get(name, 0) + len(clips[i].images)
        units = [[i] for name, g in groups.items() if frames[name] > 1.2 * share for i in g]
        units += [g for name, g in groups.items() if frames[name] <= 1.2 * share]
        load = np.zeros(count)
        order = sorted(rng.permutation(len(units)).tolist(), key=lambda u: -sum(len(clips[i].images) for i in units[u]))
        for unit in order:
            lightest = int(load.argmin())
            fold[units[unit]] = lightest
            load[lightest] += sum(len(clips[i].images) for i in units[unit])
    return fold
