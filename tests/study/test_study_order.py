"""Who is asked what: no repeats, all in balance, sides by chance."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.study.order import draw
from clapboard.study.store import PAIR, QUESTIONS, REAL

SIZES = {"clips": st.integers(1, 12), "variants": st.integers(1, 4), "seed": st.integers(0, 2**40)}


@given(**SIZES, participant=st.integers(0, 50), most=st.one_of(st.none(), st.integers(1, 40)))
def test_nothing_repeats(clips: int, variants: int, seed: int, participant: int, most: int | None) -> None:
    """Protects the answers: an original that comes twice is known again, a pair that comes twice counts twice."""
    rounds = draw(clips, variants, participant, seed, most)
    assert [one.game for one in rounds] == sorted(one.game for one in rounds), "real or fake comes first"
    real = [one for one in rounds if one.game == REAL]
    met = [(one.clip, *sorted((one.left, one.right))) for one in rounds if one.game == PAIR]
    pairs = list(combinations(range(1, variants + 1), 2))
    assert len({one.clip for one in real}) == len(real) == min(clips, most or clips)
    assert len(set(met)) == len(met) == min(clips * len(pairs), most or clips * len(pairs))
    assert all(0 in (one.left, one.right) and one.left != one.right for one in real)
    assert {(left, right) for _, left, right in met} <= set(pairs)
    assert all(sorted(one.questions) == sorted(QUESTIONS) for one in rounds if one.game == PAIR)
    counts = Counter((left, right) for _, left, right in met)
    assert not counts or max(counts.values()) - min(counts.get(pair, 0) for pair in pairs) <= 1, "as many of each pair"


@given(**SIZES, first=st.integers(0, 50))
def test_variants_go_round(clips: int, variants: int, seed: int, first: int) -> None:
    """Protects the comparison: as many participants as variants hear every clip with every variant, each once."""
    met = Counter(
        (one.clip, max(one.left, one.right))
        for participant in range(first, first + variants)
        for one in draw(clips, variants, participant, seed)
        if one.game == REAL
    )
    assert met == {(clip, variant): 1 for clip in range(clips) for variant in range(1, variants + 1)}


def test_each_participant_hears_all_variants_about_as_often() -> None:
    """Protects single participants: the square is balanced within a person too."""
    for participant in range(5):
        fakes = Counter(max(one.left, one.right) for one in draw(13, 3, participant, 7) if one.game == REAL)
        assert max(fakes.values()) - min(fakes.values()) <= 1


def test_sides_and_orders_are_by_chance_and_kept_by_the_seed() -> None:
    """Protects against sides that could be learned, and makes a study repeatable."""
    many = [one for participant in range(40) for one in draw(25, 2, participant, 3)]
    for game in (REAL, PAIR):
        left = [one.left < one.right for one in many if one.game == game]
        assert abs(sum(left) - len(left) / 2) < 4 * (len(left) / 4) ** 0.5
    orders = {tuple(one.clip for one in draw(25, 2, participant, 3)[:25]) for participant in range(40)}
    assert len(orders) == 40
    assert len({one.questions for one in many if one.game == PAIR}) == 6
    assert draw(25, 2, 5, 3) == draw(25, 2, 5, 3) != draw(25, 2, 5, 4)


@pytest.mark.parametrize("wrong", [(0, 1, 0, 0, None), (1, 0, 0, 0, None), (1, 1, -1, 0, None), (1, 1, 0, 0, 0)])
def test_nonsense_is_refused(wrong: tuple[int, int, int, int, int | None]) -> None:
    """Protects against studies that ask nothing."""
    with pytest.raises(UsageError, match="a study needs"):
        draw(*wrong)
