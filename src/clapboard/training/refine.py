"""The second round: score every clip by networks that did not learn from it, drop what does not match, move the rest.

The paper trains on noisy data, drops the pairs whose distance is above a threshold, and trains again [1]_ (section
3.1). Here a clip that is out of sync by a constant is not lost: its offset is measured and taken out. Who is dropped is
decided by what the same networks make of clips with somebody else's sound.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.align import Aligned
from clapboard.errors import UsageError
from clapboard.evaluation.calibrate import logistic
from clapboard.evaluation.embedder import Embedder, embed_all
from clapboard.sync.distance import curves, distances
from clapboard.sync.search import offset_of
from clapboard.sync.trust import TERMS, terms
from clapboard.values import F64, Embeddings, Hook, Offset

REACH_S = 0.4
"""Search range: clips of one word hold no more."""
FARTHEST_MS = 300.0
"""A clip that seems to be farther off is dropped: near the end of the search a dip may lie beyond it."""
DROP_ABOVE = 0.5
"""A clip is dropped when it is likelier than this that its sound is somebody else's."""
LOW_SCORES = 0.3
"""Clips that match would rarely score in this lowest part of wrong sounds: how many do says how many are wrong."""
MOVE_MS = 10.0
"""Clips that are nearer than this to their place stay where they are: that is what two networks differ by."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Clips as networks see them, N of them.

    ``error_ms`` (N,) how early the sound is after the present label was taken out; ``terms`` (N, F) of the curve, see
    `clapboard.sync.trust.terms`; ``at_label`` (N,) distance where the label says that sound and picture match;
    ``foreign_terms`` (M, F) and ``foreign_at_label`` (M,) the same clips with the sound of others.
    """

    error_ms: F64
    terms: F64
    at_label: F64
    foreign_terms: F64
    foreign_at_label: F64

    @classmethod
    def joined(cls, parts: Sequence["Measured"], order: NDArray[np.int64]) -> "Measured":
        """Those of several folds, the clips in the order in which ``order`` (N,) says they stand."""
        names = [f.name for f in dataclasses.fields(cls)]
        all_of = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
        back = np.argsort(order)
        return cls(**{name: a if name.startswith("foreign") else a[back] for name, a in all_of.items()})


def measure(
    embedder: Embedder,
    clips: Sequence[Aligned],
    reach_s: float = REACH_S,
    seed: int = 0,
    hook: Hook | None = None,
) -> Measured:
    """Measure clips that the network did not learn from, each with its own sound and once with another speaker's.

    ``hook(step, done, total)`` is told how many clips are embedded.
    """
    embedded = embed_all(embedder, clips, "measuring", hook)
    rng = np.random.default_rng(seed)
    own = [_offset(picture, sound, reach_s) for picture, sound in embedded]
    foreign = []
    for index, clip in enumerate(clips):
        others = [j for j, c in enumerate(clips) if c.corpus == clip.corpus and c.speaker != clip.speaker]
        others = others or [j for j, c in enumerate(clips) if c.corpus == clip.corpus and j != index]
        if others:
            foreign.append(_offset(embedded[index][0], embedded[int(rng.choice(others))][1], reach_s))
    return Measured(
        np.array([offset.offset_ms for offset, _ in own], np.float64),
        _terms(own),
        np.array([at for _, at in own], np.float64),
        _terms(foreign),
        np.array([at for _, at in foreign], np.float64),
    )


def _offset(picture: Embeddings, sound: Embeddings, reach_s: float) -> tuple[Offset, float]:
    """Offset of a whole clip, and the mean distance at lag 0."""
    found = offset_of(curves(distances(picture, sound, reach_s)))
    return found, float(found.curve[len(found.curve) // 2])


def _terms(of: Sequence[tuple[Offset, float]]) -> F64:
    """Terms of offsets, (N, F)."""
    return np.array([[*terms(offset).values()] for offset, _ in of], np.float64).reshape(len(of), len(TERMS))


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """What becomes of N clips.

    ``score`` (N,) log-odds against somebody else's sound; ``foreign_score`` (M,) those of somebody else's sound;
    ``wrong`` the part of clips that seem to have a wrong sound; ``threshold`` what is dropped lies below; ``moved_ms``
    (N,) what the offset of a clip grows by; ``kept`` (N,) bool;
    ``reasons`` (N,) why a clip is dropped, "" where it is not.
    """

    score: F64
    foreign_score: F64
    wrong: float
    threshold: float
    moved_ms: F64
    reasons: tuple[str, ...]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """(N,) which clips stay."""
        return np.array([not reason for reason in self.reasons], np.bool_)


def decide(
    found: Measured,
    clips: Sequence[Aligned],
    *,
    rule: Literal["offset", "paper"] = "offset",
    zero: Literal["corpus", "model"] = "corpus",
    drop_above: float = DROP_ABOVE,
    farthest_ms: float = FARTHEST_MS,
) -> Decisions:
    """Decide about every clip.

    Clips are a mixture of right and wrong ones, and the same networks show how wrong ones score: so the probability
    that a clip is wrong follows from its score, the local false discovery rate [2]_. A fixed distance would drop half
    of a good set where the networks are weak, and too little where they are strong.

    Parameters
    ----------
    rule : ``paper`` drops what is too distant at its label and moves nothing; ``offset`` drops what matches nowhere and
        moves the rest onto its own offset
    zero : ``corpus`` leaves the median of every corpus where it is, since networks that learned from a corpus know its
        constant from its look; ``model`` takes the networks' word, for models that never saw the corpus
    drop_above : probability of a wrong sound above which a clip is dropped

    Raises
    ------
    UsageError : there are no two clips of one corpus, so that nothing says what a wrong sound looks like

    References
    ----------
    .. [2] B. Efron, R. Tibshirani, J. D. Storey, V. Tusher, "Empirical Bayes analysis of a microarray experiment",
       Journal of the American Statistical Association 96, 2001.
    """
    if not len(found.foreign_at_label):
        raise UsageError("refining needs at least two clips of one corpus, to see what a wrong sound looks like")
    if rule == "paper":
        score, foreign = _log_odds(found.at_label[:, None], found.foreign_at_label[:, None])
    else:
        score, foreign = _log_odds(found.terms, found.foreign_terms)
    foreign = foreign[np.isfinite(foreign)]
    if not len(foreign):
        raise UsageError("no clip could be measured with another one's sound, to see what a wrong sound looks like")
    # Own sounds against foreign ones: exp(score) = density of the clips / density of wrong ones.
    low = float(np.quantile(foreign, LOW_SCORES))
    known = score[np.isfinite(score)]
    share = (float(np.sum(known <= low)) + 0.5) / (len(known) + 0.5)  # of few clips none is no proof of none
    wrong = min(share / LOW_SCORES, 1.0)
    threshold = float(np.log(max(wrong, 1e-6) / drop_above))
    matches = np.isfinite(score) & np.isfinite(found.error_ms) & (score > threshold)
    if rule == "paper":
        reasons = tuple("" if good else "distant at its label" for good in matches)
        return Decisions(score, foreign, wrong, threshold, np.zeros(len(score)), reasons)
    moved = found.error_ms.copy()
    if zero == "corpus":
        corpora = np.array([c.corpus for c in clips])
        for corpus in np.unique(corpora):
            sure = (corpora == corpus) & matches
            moved[corpora == corpus] -= np.median(found.error_ms[sure]) if sure.any() else 0.0
    far = ~(np.abs(moved) <= farthest_ms)
    reasons = tuple("no match" if not m else "too far off" if f else "" for m, f in zip(matches, far, strict=True))
    kept = np.array([not reason for reason in reasons])
    moved = np.where(kept & (np.abs(moved) > MOVE_MS), moved, 0.0)
    return Decisions(score, foreign, wrong, threshold, moved, reasons)


def _log_odds(own: F64, foreign: F64) -> tuple[F64, F64]:
    """Log-odds that clips (N, F) are not like those with foreign sound (M, F), fitted to both, each counting half.

    NaN where nothing could be measured: terms that are all 0 would pass for a perfect match.
    """
    x = np.concatenate([own, foreign])
    y = np.concatenate([np.ones(len(own)), np.zeros(len(foreign))])
    known, odds = x.any(1) & np.isfinite(x).all(1), np.full(len(x), np.nan)
    if known.any():
        x, y = x[known], y[known]
        x = np.hstack([(x - x.mean(0)) / (x.std(0) + 1e-9), np.ones((len(x), 1))])
        weight = np.where(y > 0, 1 / max(y.sum(), 1), 1 / max((1 - y).sum(), 1)) * len(y) / 2
        odds[known] = x @ logistic(x, y, weight)
    return odds[: len(own)], odds[len(own) :]


def histogram(values: F64, edges: Sequence[float], unit: str, width: int = 40) -> str:
    """Counts between edges as lines of text; what lies outside is counted in the first and the last."""
    inside = np.clip(values[np.isfinite(values)], edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(inside, edges)
    top = max(int(counts.max()), 1)
    lines = []
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        lines.append(f"{low:+7.5g} to {high:+7.5g} {unit} {count:6d} {'#' * round(width * count / top)}".rstrip())
    return "\n".join(lines)


def describe(clips: Sequence[Aligned], made: Decisions) -> str:
    """What was dropped and moved, by corpus, and the histograms of scores and moves, as text."""
    kept, lines = made.kept, []
    for corpus in sorted({c.corpus for c in clips}):
        mine = np.array([c.corpus == corpus for c in clips])
        moves = made.moved_ms[mine & kept]
        why = Counter(reason for reason, m in zip(made.reasons, mine, strict=True) if m and reason)
        dropped = ", ".join(f"{count} {reason}" for reason, count in why.most_common()) or "none"
        spread = f"sd {moves.std():.0f} ms, farthest {np.abs(moves).max():.0f} ms" if len(moves) else "-"
        lines.append(f"{corpus}: {mine.sum()} clips; dropped: {dropped}; moved {(moves != 0).sum()}: {spread}")
    finite = made.score[np.isfinite(made.score)]
    low, high = np.quantile(np.concatenate([finite, made.foreign_score]), [0.005, 0.995])
    edges = np.linspace(float(low), float(high), 17)
    lines += [
        f"\n{made.wrong:.0%} of the clips seem to have a wrong sound; scores (log-odds), dropped below "
        f"{made.threshold:.2f}, which {np.mean(made.foreign_score > made.threshold):.0%} of wrong sounds pass",
        histogram(made.score, edges.tolist(), ""),
        "\nthe same clips with somebody else's sound",
        histogram(made.foreign_score, edges.tolist(), ""),
    ]
    if made.moved_ms.any():
        lines += ["\nhow far clips were moved", histogram(made.moved_ms[kept], list(range(-200, 201, 25)), "ms")]
    return "\n".join(lines)
