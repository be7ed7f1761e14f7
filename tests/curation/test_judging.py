"""Majorities, agreement, and joining what is adjacent: functions of counts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.curation.judging import Span, agreement, majority, merged, outcome
from clapboard.curation.plan import SHORTEST_TAIL, Extent, extent, pieces

HALVES = st.sampled_from([True, False, None])


@pytest.mark.parametrize(
    ("yes", "no", "voters", "said"),
    [(2, 1, 3, True), (1, 2, 3, False), (2, 0, 3, True), (0, 2, 3, False), (1, 1, 3, None), (0, 0, 1, None)],
)
def test_majority(yes: int, no: int, voters: int, said: bool | None) -> None:
    """More than half of those who are asked, not of those who have answered; sure as soon as nobody can change it."""
    assert majority(yes, no, voters) is said


@given(st.integers(0, 7), st.integers(0, 7), st.sampled_from([1, 3, 5, 7]))
def test_a_majority_is_never_taken_back(yes: int, no: int, voters: int) -> None:
    """Protects early outcomes: whatever the others will say, it stays; with all votes there always is one."""
    left = voters - yes - no
    if left < 0:
        return
    now = majority(yes, no, voters)
    later = {majority(yes + more, no + left - more, voters) for more in range(left + 1)}
    assert later == {True, False} if now is None else later == {now}


@given(HALVES, HALVES)
def test_kept_is_what_is_seen_and_heard(seen: bool | None, heard: bool | None) -> None:
    """Both, or it is not kept; one no is enough to remove it before the other question is answered."""
    assert (outcome(seen, heard) == "kept") == (seen is True and heard is True)
    assert (outcome(seen, heard) == "removed") == (seen is False or heard is False)


def test_kappa_against_the_formula_by_hand() -> None:
    """Fleiss 1971: four items, three voters; pairs that agree 1, 1/3, 1/3, 1; yes in 7 of 12."""
    found = agreement([3, 2, 1, 0], 3)
    assert found.observed == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)
    assert found.kappa == pytest.approx((2 / 3 - 0.5) / 0.5)


def test_kappa_of_chance_and_of_one_mind() -> None:
    """Voters who guess agree by chance alone: kappa 0; who all say yes could not have disagreed: no kappa."""
    guesses = np.random.default_rng(1).binomial(3, 0.3, 20_000)
    assert agreement([int(count) for count in guesses], 3).kappa == pytest.approx(0, abs=0.02)
    assert agreement([3, 0, 3], 3).kappa == 1
    assert agreement([3, 3], 3) == agreement([3, 3], 3).__class__(2, 1.0, None)
    assert agreement([], 3).observed is None
    assert agreement([1, 0], 1).observed is None


def spans(*times: tuple[int, int]) -> list[Span]:
    """Segments numbered by their place."""
    return [Span(start, end, (number,)) for number, (start, end) in enumerate(times)]


def test_adjacent_segments_are_joined() -> None:
    """Three in a row are one clip; a hole of one millisecond parts them, and the order of rows does not matter."""
    found = merged(spans((0, 2000), (2000, 4000), (6000, 8000), (8001, 9000), (4000, 5000))[::-1])
    assert [(span.start_ms, span.end_ms, span.segments) for span in found] == [
        (0, 5000, (0, 1, 4)),
        (6000, 8000, (2,)),
        (8001, 9000, (3,)),
    ]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 5000))
def test_joining_keeps_every_millisecond(kept: list[bool], length_ms: int) -> None:
    """As long in all as what is kept, every segment once, and never two clips that touch."""
    given_ = [Span(n * length_ms, (n + 1) * length_ms, (n,)) for n, keep in enumerate(kept) if keep]
    found = merged(given_)
    assert sum(span.duration_ms for span in found) == sum(kept) * length_ms
    assert [number for span in found for number in span.segments] == [span.segments[0] for span in given_]
    assert all(one.end_ms < other.start_ms for one, other in pairwise(found))


@given(st.integers(0, 10_000), st.integers(0, 30_000), st.integers(500, 5000))
def test_segments_cover_a_range_without_holes(start_ms: int, length_ms: int, segment_ms: int) -> None:
    """From the start on, all of one length but for the last; what is left over is less than half of one."""
    found = pieces(start_ms, start_ms + length_ms, segment_ms)
    ends = [start_ms, *(end for _, end in found)]
    assert [start for start, _ in found] == ends[:-1]
    assert all(end - start == segment_ms for start, end in found[:-1])
    assert all(SHORTEST_TAIL * segment_ms <= end - start <= segment_ms for start, end in found)
    assert start_ms + length_ms - ends[-1] < SHORTEST_TAIL * segment_ms


def test_where_there_is_picture_and_sound() -> None:
    """Priming and a last packet of sound do not move the edges; a sound that comes late or ends early does."""
    assert extent((0.0, 10.0), (0.023, 9.98)) == Extent(0, 10_000)
    assert extent((0.0, 10.0), (1.5, 8.0)) == Extent(1500, 8000)
    assert extent((0.0, 3.0), (3.0, 9.0)) is None
    assert extent((1.4, 11.4), (1.4, 11.42)) == Extent(1400, 11_400)
