"""The probability: a fit that finds a known one, the weights of foreign voices, and what cannot be fitted."""

import numpy as np
import pytest
from talk import Reader, aligned

from clapboard.errors import UsageError
from clapboard.evaluation.calibrate import (
    Answers,
    calibrate,
    constant_ms,
    describe,
    fit,
    logistic,
    probabilities,
    weights,
)
from clapboard.evaluation.pieces import Piece, own_and_foreign
from clapboard.models.spec import Calibration
from clapboard.sync.trust import TERMS, p_within_frame
from clapboard.values import Offset


def piece(offset_ms: float, seconds: float = 4.0, depth: float = 0.4, windows: int = 100) -> Piece:
    """A piece whose curve has a dip of some depth at an offset."""
    offsets_ms = np.arange(1000.0, -1001.0, -10.0)
    curve = (1.3 - depth * np.exp(-0.5 * ((offsets_ms - offset_ms) / 40) ** 2)).astype(np.float32)
    return Piece(seconds, Offset(offset_ms, 0.3, float(curve.min()), curve, offsets_ms, windows), aligned(0, seconds=1))


def test_a_known_probability_comes_back() -> None:
    """Protects Newton's method: answers drawn from a logistic curve give its slope and bias."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(20_000), np.ones(20_000)])
    y = (rng.random(20_000) < 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.5)))).astype(float)
    np.testing.assert_allclose(logistic(x, y, np.ones(20_000)), [1.5, -0.5], atol=0.06)


def test_lengths_weigh_the_same_and_foreign_voices_a_third() -> None:
    """Protects the prior: however many pieces there are of each."""
    own = np.array([True] * 6 + [False] * 3 + [True] + [False] * 9)
    seconds = np.array([1.0] * 9 + [4.0] * 10)
    weight = weights(own, seconds)
    assert weight.mean() == pytest.approx(1)
    for length in (1.0, 4.0):
        here = seconds == length
        assert weight[here].sum() == pytest.approx(weight.sum() / 2)
        assert weight[here & ~own].sum() == pytest.approx(weight[here & own].sum() / 3)


def test_the_constant_is_that_of_the_long_pieces() -> None:
    """Protects against short pieces, which are often wrong: 4 s, or the longest below."""
    found = [piece(20), piece(30), piece(28), piece(-900, 1.0), piece(500, 8.0)]
    assert constant_ms(found) == 28
    assert constant_ms(found[3:4]) == -900
    assert constant_ms([]) == 0


def test_what_counts_as_right() -> None:
    """Protects the labels: within a frame of the constant; foreign voices never; too short to be judged left out."""
    own = [piece(50), piece(50), piece(91), piece(89), piece(50, windows=10), piece(float("nan"))]
    answers = Answers.of(own, [piece(50)])
    assert answers.right.tolist() == [True, True, False, True, False]
    assert answers.own.tolist() == [True] * 4 + [False]
    assert answers.terms.shape == (5, len(TERMS))


def test_deep_dips_become_sure_and_shallow_ones_doubtful() -> None:
    """Protects the whole: fitted on tracks with their own and with foreign voices, p tells them apart as check does."""
    own, foreign = own_and_foreign(Reader(), [aligned(seed) for seed in range(8)], (0.6, 1.0, 2.0), 3)
    calibration = calibrate(own, foreign)
    assert set(calibration.weights) == set(TERMS)
    p = [[p_within_frame(one.offset, calibration.bias, calibration.weights) for one in some] for some in (own, foreign)]
    assert np.mean(p[0]) > 0.75
    assert np.mean(p[1]) < 0.3
    answers = Answers.of(own, foreign)
    kept = [one.offset for one in own + foreign if one.offset.windows >= 15 and np.isfinite(one.offset.offset_ms)]
    by_check = [p_within_frame(offset, calibration.bias, calibration.weights) for offset in kept]
    np.testing.assert_allclose(probabilities(calibration, answers), by_check, atol=1e-9)


def test_halves_are_joined_each_with_its_own_constant() -> None:
    """Protects calibration on two models: a constant of one does not make the answers of the other wrong."""
    parts = [Answers.of([piece(c), piece(c + 5), piece(c + 300)], [piece(700)]) for c in (0.0, 100.0)]
    joined = Answers.joined(parts)
    assert joined.right.tolist() == [True, True, False, False] * 2
    with pytest.raises(UsageError, match="without pieces"):
        Answers.joined([])


def test_one_sided_answers_are_refused() -> None:
    """Protects against a probability of one for everything."""
    with pytest.raises(UsageError, match="all answers are right, or all wrong"):
        calibrate([piece(0), piece(5)], [])


def test_the_description_tells_what_is_answered() -> None:
    """Protects the text: reliability by probability, then a line a length."""
    answers = Answers.of([piece(0), piece(2), piece(400, depth=0.01)], [piece(100, depth=0.01)])
    lines = describe(fit(answers), answers).splitlines()
    assert lines[0].split() == ["predicted", "pieces", "right"]
    assert sum(int(line.split()[3]) for line in lines[1:-1]) == 4
    assert lines[-1].startswith("4 s: answered ")
    sure = describe(Calibration(9.0, {}), answers).splitlines()
    assert (
        sure[-1] == "4 s: answered 100%, right of these 67%, right and answered 67% of 67%, wrong voice answered 100%"
    )
