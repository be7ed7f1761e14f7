"""Wilson's interval."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import wilson

# R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3: score without continuity correction.
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("hits", "answers", "low", "high"), NEWCOMBE)
def test_published_values(hits: int, answers: int, low: float, high: float) -> None:
    """Protects the formula: the four examples of the article that compares seven of them."""
    assert wilson.interval(hits, answers) == pytest.approx((low, high), abs=5e-5)


@given(answers=st.integers(1, 500), share=st.floats(0, 1), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_ends_solve_what_defines_them(answers: int, share: float, level: float) -> None:
    """Protects against a wrong quantile: at either end the observed share is z standard errors of that end away."""
    hits = round(share * answers)
    low, high = wilson.interval(hits, answers, level)
    assert 0 <= low <= hits / answers <= high <= 1
    z = {0.5: 0.674490, 0.9: 1.644854, 0.95: 1.959964, 0.99: 2.575829}[level]
    for end in (low, high):
        if 0 < end < 1:
            away = abs(hits / answers - end)
            assert away == pytest.approx(z * math.sqrt(end * (1 - end) / answers), rel=1e-5, abs=1e-9)


def test_no_answers_and_nonsense() -> None:
    """Protects empty studies, and callers that swap the counts."""
    assert all(map(math.isnan, wilson.interval(0, 0)))
    for wrong in ((3, 2), (-1, 2)):
        with pytest.raises(UsageError, match="0 <= hits <= answers"):
            wilson.interval(*wrong)
    with pytest.raises(UsageError, match="level"):
        wilson.interval(1, 2, 1.0)
