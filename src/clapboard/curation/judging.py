"""What votes come to: pure functions of counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Question = Literal["seen", "heard"]
QUESTIONS: tuple[Question, ...] = ("seen", "heard")
"""Is it in the picture, with the sound off; is it in the sound, with the picture off."""
Outcome = Literal["kept", "removed", "undecided"]


def majority(yes: int, no: int, voters: int) -> bool | None:
    """What more than half of the voters say, whether or not all of them have spoken; None while either may win.

    Parameters
    ----------
    yes, no : votes so far
    voters : how many are asked, an odd number
    """
    if 2 * yes > voters:
        return True
    return False if 2 * no > voters else None


def outcome(seen: bool | None, heard: bool | None) -> Outcome:
    """Kept is what is both seen and heard; one no removes, whatever the other will be."""
    if seen is False or heard is False:
        return "removed"
    return "kept" if seen and heard else "undecided"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far voters agree: ``items`` with all their votes, the share of pairs that agree, and Fleiss' kappa.

    ``observed`` is None where there is no item or only one voter, ``kappa`` also where all votes are the same: there
    is no chance to agree by then.
    """

    items: int
    observed: float | None
    kappa: float | None


def agreement(yes: Iterable[int], voters: int) -> Agreement:
    """Fleiss' kappa for two answers [1]_.

    Parameters
    ----------
    yes : how many of the voters said yes, for each item that all of them have answered
    voters : how many answered each

    References
    ----------
    .. [1] J. L. Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76, 1971.
    """
    counts = list(yes)
    if not counts or voters < 2:
        return Agreement(len(counts), None, None)
    pairs = voters * (voters - 1)
    observed = sum(one * (one - 1) + (voters - one) * (voters - one - 1) for one in counts) / (pairs * len(counts))
    share = sum(counts) / (voters * len(counts))
    by_chance = share**2 + (1 - share) ** 2
    kappa = None if share in (0.0, 1.0) else (observed - by_chance) / (1 - by_chance)
    return Agreement(len(counts), observed, kappa)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open piece of one video: from when to when, ms of the file's clock, and the segments it is made of."""

    start_ms: int
    end_ms: int
    segments: tuple[int, ...]

    @property
    def duration_ms(self) -> int:
        """How long it is, ms."""
        return self.end_ms - self.start_ms


def merged(kept: Sequence[Span]) -> list[Span]:
    """Join what is adjacent: one ends in the millisecond in which the next begins.

    Parameters
    ----------
    kept : pieces of one video of one class that do not overlap, in any order
    """
    joined: list[Span] = []
    for span in sorted(kept, key=lambda span: span.start_ms):
        last = joined[-1] if joined else None
        if last is not None and last.end_ms == span.start_ms:
            joined[-1] = Span(last.start_ms, span.end_ms, last.segments + span.segments)
        else:
            joined.append(span)
    return joined
