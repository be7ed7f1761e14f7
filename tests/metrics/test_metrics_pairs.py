"""Pairs of scores, against published values and against counting by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import pairs

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Heights of crossed minus self-fertilised maize in eighths of an inch (Fisher 1935, section 17)."""


def test_a_tie_counts_half() -> None:
    """Protects the accuracy: won, lost, tied and won are 2.5 of 4, and order decides, not size."""
    true, shifted = [0.9, -5.0, 0.3, 0.2], [0.1, -4.0, 0.3, 0.19]
    np.testing.assert_array_equal(pairs.outcomes(true, shifted), [1, 0, 0.5, 1])
    assert pairs.accuracy(true, shifted) == 2.5 / 4
    assert np.isnan(pairs.accuracy([], []))


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (8, 2, 112 / 1024),  # 2 (45 + 10 + 1) / 2^10
        (60, 40, 0.05689),  # R: binom.test(60, 100)
        (82, 0, 2 / 2**82),  # Arbuthnott 1710: more boys than girls were christened in 82 years of 82
        (5, 5, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_binomial_test_gives_known_values(wins: int, losses: int, p: float) -> None:
    """Protects the test over pairs: values from tables, from R, and by hand; both sides are alike."""
    assert pairs.binomial_p(wins, losses) == pytest.approx(p, rel=1e-4)
    assert pairs.binomial_p(losses, wins) == pairs.binomial_p(wins, losses)


def test_the_binomial_test_takes_many_pairs() -> None:
    """Protects large sets from overflow: 10,000 pairs, 2 standard deviations up, are near the normal value 0.0466."""
    assert pairs.binomial_p(5100, 4900) == pytest.approx(0.0466, abs=5e-4)
    assert pairs.binomial_p(10_000, 0) == 0.0


@pytest.mark.parametrize(
    ("wins", "number", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(wins: int, number: int, low: float, high: float) -> None:
    """Protects the interval: R. G. Newcombe, Statistics in Medicine 1998, table I, method 3."""
    assert pairs.wilson(wins, number) == pytest.approx((low, high), abs=5e-5)
    assert pairs.wilson(number - wins, number) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_the_test_of_signs_gives_fishers_value() -> None:
    """Protects the test over clips: Fisher counts 863 of 32,768 signs on one side of Darwin's maize."""
    assert pairs.signs_p(DARWIN) == pytest.approx(2 * 863 / 32768)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=8))
def test_the_test_of_signs_counts_all_signs(excess: list[int]) -> None:
    """Protects the counting by distributions: the same as going through all signs."""
    sums = [
        abs(sum(s * e for s, e in zip(signs, excess, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(excess))
    ]
    assert pairs.signs_p(excess) == pytest.approx(np.mean(np.array(sums) >= abs(sum(excess))))


def guesses(clips: int, shifts: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores of a scorer that knows nothing: one true score a clip, held against as many shifted ones."""
    rng = np.random.default_rng(seed)
    true, shifted = rng.random((clips, 1)), rng.random((clips, shifts))
    return (
        np.repeat(true, shifts, axis=1).ravel(),
        shifted.ravel(),
        [f"clip {n}" for n in range(clips) for _ in range(shifts)],
    )


def test_a_scorer_that_knows_nothing_is_not_believed() -> None:
    """Protects the words: pairs of a clip share its true score, which fools the binomial test and not the rule."""
    found = [pairs.evaluate(*guesses(8, 10, seed), number=200) for seed in range(200)]
    assert np.mean([result.binomial_p < 0.05 for result in found]) > 0.2
    assert np.mean([pairs.shown(result) for result in found]) < 0.05


def test_a_scorer_that_knows_is_believed() -> None:
    """Protects the other side: 12 clips that win 8 of 10 pairs are evidence, and all three tests say so."""
    true, shifted, clips = guesses(12, 10, 0)
    shifted = np.tile(np.repeat([0.0, 2.0], [8, 2]), 12)
    found = pairs.evaluate(true, shifted, clips)
    assert (found.clips, found.pairs, found.accuracy) == (12, 120, pytest.approx(0.8))
    assert found.binomial_p < 1e-9
    assert found.signs_p == pytest.approx(2 / 2**12)
    assert found.interval == pytest.approx((0.8, 0.8))
    assert pairs.evidence(found) == "evidence on real clips"


def test_few_clips_and_wrong_scorers_are_no_evidence() -> None:
    """Protects the words at their edges: five perfect clips, or any number that always chooses the shifted sound."""
    five = pairs.evaluate(np.ones(50), np.zeros(50), [str(n // 10) for n in range(50)])
    six = pairs.evaluate(np.ones(60), np.zeros(60), [str(n // 10) for n in range(60)])
    wrong = pairs.evaluate(np.zeros(60), np.ones(60), [str(n // 10) for n in range(60)])
    assert [pairs.evidence(found) for found in (five, six, wrong, pairs.evaluate([], []))] == [
        "no evidence on real clips",
        "evidence on real clips",
        "no evidence on real clips",
        "no evidence on real clips",
    ]


def test_who_looks_often_finds_something() -> None:
    """Protects tables of many scorers: 6 perfect clips are evidence for the one that was tried, not for one of two."""
    six = pairs.evaluate(np.ones(60), np.zeros(60), [str(n // 10) for n in range(60)])
    assert six.signs_p == 2 / 64
    assert pairs.shown(six, tests=1)
    assert not pairs.shown(six, tests=2)


def test_one_clip_with_many_pairs_weighs_as_one() -> None:
    """Protects the unit: 100 pairs won by one clip of eight do not make evidence of guesses in the others."""
    clips = ["long"] * 100 + [str(n) for n in range(7) for _ in range(2)]
    true, shifted = np.ones(114), np.concatenate([np.zeros(100), np.tile([0.0, 2.0], 7)])
    found = pairs.evaluate(true, shifted, clips)
    assert found.accuracy == pytest.approx(107 / 114)
    assert found.binomial_p < 1e-9
    assert found.signs_p == 1.0
    assert pairs.evidence(found) == "no evidence on real clips"


def test_a_difference_is_told_by_its_standard_error() -> None:
    """Protects "A > B by two standard errors": by hand over clips, larger when runs differ as well."""
    a, b = np.array([0.9, 0.8, 1.0, 0.7]), np.array([0.8, 0.8, 0.8, 0.6])
    found = pairs.difference(a, b)
    assert found.mean == pytest.approx(0.1)
    assert found.standard_error == pytest.approx(np.std([0.1, 0.0, 0.2, 0.1], ddof=1) / 2)
    assert found.better
    runs = pairs.difference(np.stack([a + 0.3, a, a - 0.3]), np.stack([b, b, b]))
    assert runs.mean == pytest.approx(0.1)
    assert runs.standard_error == pytest.approx(np.hypot(found.standard_error, 0.3 / np.sqrt(3)))
    assert not runs.better
    assert not pairs.difference([1.0], [0.0]).better, "one clip says nothing of the next"


def test_bad_values_are_refused() -> None:
    """Protects against results from what was not measured."""
    with pytest.raises(UsageError, match=r"\(P,\) each"):
        pairs.evaluate([1.0], [1.0, 2.0])
    with pytest.raises(UsageError, match="must be finite"):
        pairs.evaluate([float("nan")], [1.0])
    with pytest.raises(UsageError, match="as many clips"):
        pairs.evaluate([1.0], [0.0], ["a", "b"])
    with pytest.raises(UsageError, match="cannot be negative"):
        pairs.binomial_p(-1, 2)
    with pytest.raises(UsageError, match="cannot have"):
        pairs.wilson(3, 2)
    with pytest.raises(UsageError, match="whole number"):
        pairs.signs_p([0.5])
    with pytest.raises(UsageError, match="at least 1 test"):
        pairs.shown(pairs.evaluate([], []), tests=0)
    with pytest.raises(UsageError, match="same clips"):
        pairs.difference([1.0], [1.0, 2.0])
    with pytest.raises(UsageError, match="must be finite"):
        pairs.difference([float("nan")], [1.0])
