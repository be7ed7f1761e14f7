"""Who is asked what, and in which order: drawn once for each participant, from a seed that is kept.

In the first game a participant meets each clip once, against one variant: an original that came twice would be known
again. Which variant goes round by participant (a Latin square [1]_), so that after every ``variants`` participants each
clip was asked with each. In the second game the variants are compared with each other on the same clips; it comes after
the first, since whoever knows a variant finds it again.

References
----------
.. [1] D. C. Montgomery, "Design and analysis of experiments", 2012, section 4.2.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from clapboard.errors import UsageError
from clapboard.study.store import IS_ORIGINAL, PAIR, QUESTIONS, REAL


@dataclass(frozen=True, slots=True)
class Round:
    """One clip with two sounds; sources are counted from 0, the original; ``questions`` in the order of asking."""

    game: int
    clip: int
    left: int
    right: int
    questions: tuple[str, ...]


def draw(clips: int, variants: int, participant: int, seed: int, most: int | None = None) -> tuple[Round, ...]:
    """Draw all rounds of a participant.

    Parameters
    ----------
    clips, variants : how many there are; clips are counted from 0, variants from 1
    participant : counted from 0
    seed : of the study
    most : rounds of each game at most; None for all. Of the pairs as many of each as possible

    Returns
    -------
    rounds of the first game, then those of the second: no clip twice in the first, none twice for a pair in the second

    Raises
    ------
    UsageError : there is nothing to ask
    """
    if clips < 1 or variants < 1 or participant < 0 or seed < 0 or (most is not None and most < 1):
        raise UsageError("a study needs clips, variants, and at least one round of each game")
    rng = np.random.default_rng([seed, participant])
    # The same for all participants, so that the square holds, and by chance, so that names tell nothing.
    rank = np.random.default_rng([seed]).permutation(clips)
    real = []
    for clip in rng.permutation(clips)[:most].tolist():
        fake = 1 + (int(rank[clip]) + participant) % variants
        real.append(_round(rng, REAL, clip, (0, fake), (IS_ORIGINAL,)))
    pairs = list(combinations(range(1, variants + 1), 2))
    queues = [rng.permutation(clips).tolist() for _ in pairs]
    turns = [(place, pair) for place in range(clips) for pair in rng.permutation(len(pairs)).tolist()][:most]
    met = [
        _round(rng, PAIR, queues[pair][place], pairs[pair], tuple(rng.permutation(list(QUESTIONS)).tolist()))
        for place, pair in turns
    ]
    return (*real, *(met[at] for at in rng.permutation(len(met)).tolist()))


def _round(rng: np.random.Generator, game: int, clip: int, pair: tuple[int, int], questions: tuple[str, ...]) -> Round:
    """A round whose sides are drawn by chance, each for itself: of balanced ones the last could be guessed."""
    left, right = pair if rng.random() < 0.5 else pair[::-1]
    return Round(game, clip, left, right, questions)
