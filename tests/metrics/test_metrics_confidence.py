"""Confidence: ranking, leaving out the doubtful, and what a probability is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import confidence

SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


def test_auc_worked_values() -> None:
    """Protects ranking: of 2 x 3 pairs four are in order, one is a tie, one is not."""
    assert confidence.auc([3.0, 1.0], [2.0, 0.0, 0.5]) == pytest.approx(5 / 6)
    assert confidence.auc([3.0, 1.0], [1.0, 0.0, 2.0]) == pytest.approx(4.5 / 6)
    assert confidence.auc([1.0], [0.0]) == 1
    assert np.isnan(confidence.auc([], [0.0]))


@given(SCORES, SCORES)
def test_auc_is_the_share_of_pairs_in_order(a: list[float], b: list[float]) -> None:
    """Protects the ranks against counting every pair, and the symmetry that half for ties gives."""
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]
    assert confidence.auc(a, b) == pytest.approx(np.mean(pairs))
    assert confidence.auc(a, b) + confidence.auc(b, a) == pytest.approx(1)


def test_risk_coverage_worked_values() -> None:
    """Protects the curve: right, right, wrong, right, wrong from the surest down.

    Risks 0, 0, 1/3, 1/4, 2/5 at coverages of fifths; their mean is the area.
    """
    curve = confidence.risk_coverage([0.9, 0.8, 0.7, 0.6, 0.5], [1, 1, 0, 1, 0])
    np.testing.assert_allclose(curve.coverage, [0.2, 0.4, 0.6, 0.8, 1])
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area() == pytest.approx((1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert curve.coverage_at(0.01) == pytest.approx(0.4)
    assert curve.coverage_at(0.25) == pytest.approx(0.8)
    assert curve.threshold[1] == 0.8


def test_answers_of_one_score_come_together() -> None:
    """Protects against luck in the order: nobody can draw a line between equal scores."""
    one, other = (confidence.risk_coverage([0.9, 0.5, 0.5], right) for right in ([1, 1, 0], [1, 0, 1]))
    np.testing.assert_array_equal(one.risk, other.risk)
    np.testing.assert_allclose(one.coverage, [1 / 3, 1])
    np.testing.assert_allclose(one.risk, [0, 1 / 3])


def test_a_weight_counts_as_so_many_answers() -> None:
    """Protects the prior of foreign voices: weight 2 is the answer twice, weight 0 is no answer."""
    score, right, weight = [0.9, 0.7, 0.4, 0.2], [1, 0, 1, 0], [2, 1, 1, 0]
    long = [np.repeat(v, weight) for v in (score, right)]
    weighted, plain = confidence.risk_coverage(score, right, weight), confidence.risk_coverage(*long)
    np.testing.assert_allclose(weighted.risk, plain.risk)
    np.testing.assert_allclose(weighted.coverage, plain.coverage)
    assert confidence.brier(score, right, weight) == pytest.approx(confidence.brier(*long))
    assert confidence.reliability(score, right, weight).error() == pytest.approx(confidence.reliability(*long).error())


def test_calibration_error_worked_value() -> None:
    """Protects the error: two bins, (.1, .2] with mean .15 and half right, (.8, .9] with mean .85 and all right.

    |.15 - .5| and |.85 - 1| with weights of two and four sixths.
    """
    p, right = [0.12, 0.18, 0.82, 0.84, 0.86, 0.88], [1, 0, 1, 1, 1, 1]
    found = confidence.reliability(p, right)
    np.testing.assert_allclose(found.predicted, [0.15, 0.85])
    np.testing.assert_allclose(found.right, [0.5, 1])
    np.testing.assert_allclose(found.low, [0.1, 0.8])
    assert found.number.tolist() == [2, 4]
    assert found.error() == pytest.approx((2 * 0.35 + 4 * 0.15) / 6)
    assert confidence.brier([0.5, 1.0], [1, 1]) == pytest.approx(0.125)


def test_bins_of_equal_mass() -> None:
    """Protects the other binning: as many answers in each, wherever they lie, and ties in one bin."""
    p = np.linspace(0.9, 0.999, 40)
    found = confidence.reliability(p, np.ones(40), bins=4, by="mass")
    assert found.number.tolist() == [10, 10, 10, 10]
    assert confidence.reliability(np.full(40, 0.7), np.ones(40), bins=4, by="mass").number.tolist() == [40]


def test_the_ends_of_the_scale_have_a_bin() -> None:
    """Protects certainty: p = 0 and p = 1 are counted."""
    assert confidence.reliability([0.0, 1.0], [0, 1]).number.sum() == 2
    assert confidence.reliability([0.0, 1.0], [0, 1]).error() == 0


@pytest.mark.parametrize("by", ["width", "mass"])
def test_a_true_probability_has_no_error_and_a_bold_one_has(by: str) -> None:
    """Protects the meaning: draws from the probability itself are calibrated, p pushed to the ends is not."""
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    right = (rng.random(20_000) < p).astype(float)
    assert confidence.reliability(p, right, by=by).error() < 0.012
    bold = np.clip(1.5 * p - 0.25, 0, 1)
    assert confidence.reliability(bold, right, by=by).error() > 0.07


def test_the_error_that_chance_gives_shrinks_with_the_answers() -> None:
    """Protects small test sets: the same calibration looks worse on 50 answers than on 5000."""
    p = np.linspace(0.01, 0.99, 5000)
    few, many = confidence.error_if_calibrated(p[::100]), confidence.error_if_calibrated(p)
    assert many[0] < 0.02 < few[0] < few[1]
    rng = np.random.default_rng(1)
    assert (
        confidence.reliability(p, rng.random(5000) < p).error() < confidence.error_if_calibrated(p, number=50)[1] * 1.5
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_properties_of_all_numbers(answers: list[tuple[float, bool]]) -> None:
    """Protects ranges: every number from 0 to 1, shares that sum to 1, risk at full coverage the part that is wrong."""
    p, right = [a for a, _ in answers], [b for _, b in answers]
    found = confidence.evaluate(p, right)
    assert all(-1e-9 <= v <= 1 + 1e-9 for name, v in found.items() if name != "number" and np.isfinite(v))
    assert confidence.risk_coverage(p, right).risk[-1] == pytest.approx(1 - np.mean(right))
    for by in ("width", "mass"):
        bins = confidence.reliability(p, right, by=by)
        assert bins.share.sum() == pytest.approx(1)
        assert bins.number.sum() == len(p)
        assert (bins.predicted <= bins.high + 1e-9).all()


def test_nothing_is_no_number() -> None:
    """Protects empty groups: NaN and no warning."""
    found = confidence.evaluate([], [])
    assert found["number"] == 0
    assert np.isnan(found["calibration_error"])
    assert np.isnan(found["aurc"])
    assert found["coverage_at_5_percent"] == 0


def test_bad_values_are_refused() -> None:
    """Protects against silent nonsense: NaN scores, probabilities over 1, lengths that differ."""
    with pytest.raises(UsageError, match="finite"):
        confidence.risk_coverage([float("nan")], [1])
    with pytest.raises(UsageError, match="from 0 to 1"):
        confidence.reliability([1.2], [1])
    with pytest.raises(UsageError, match="one length"):
        confidence.brier([0.5, 0.5], [1])
