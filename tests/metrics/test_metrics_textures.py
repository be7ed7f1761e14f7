"""Measures of drawn textures, on log-mels whose answers are known."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.metrics.textures import energy_score, fine, follows, loudness, spread

ALL = np.ones(2000, bool)


def noise(seed: int, size: float = 1.0) -> np.ndarray:
    """Return (2000, 6) normal numbers."""
    return size * np.random.default_rng(seed).standard_normal((2000, 6))


def test_loudness_is_the_sum_of_powers() -> None:
    """Protects the envelope: two bands of the same power are twice as loud as one, at any level."""
    mel = np.log(np.array([[1.0, 1.0], [3.0, 1.0], [1e-8, 1e-8]]))
    np.testing.assert_allclose(np.exp(loudness(mel)), [2, 4, 2e-8])
    np.testing.assert_allclose(loudness(mel + 300), loudness(mel) + 300)


def test_follows() -> None:
    """Protects the correlation: 1 for itself however loud, -1 for the opposite, 0 where nothing changes."""
    course = np.sin(np.arange(2000) / 100)[:, None] + np.zeros((1, 6))
    assert follows(course + 5, course) == pytest.approx(1)
    assert follows(-course, course) == pytest.approx(-1)
    assert follows(np.zeros_like(course), course) == 0


def test_spread_is_of_what_changes_fast() -> None:
    """Protects liveliness: a slow course has none, noise all of its variance but for the part in the running mean."""
    slow = 5 * np.sin(np.arange(2000) / 300)[:, None] + np.zeros((1, 6))
    assert spread(slow, ALL) < 1e-3
    assert spread(slow + noise(0, 2.0), ALL) == pytest.approx(4 * 24 / 25, rel=0.05)
    half = np.arange(2000) < 1000
    assert spread(np.where(half[:, None], noise(1), 0.0), ~half & (np.arange(2000) > 1020)) == 0
    assert spread(noise(0), ~ALL) == 0
    np.testing.assert_allclose(fine(np.ones((3, 2))), 0, atol=1e-12)


def test_the_energy_score_is_least_for_the_true_law() -> None:
    """Protects the choice of models: draws of the true law are better than the mean, than tame and than wild ones."""
    true = noise(0)

    def score(size: float) -> float:
        return energy_score([noise(1, size), noise(2, size)], true, ALL)

    assert score(1.0) < min(score(0.5), score(0.0), score(1.6))
    assert score(0.0) == pytest.approx(float(np.linalg.norm(true, axis=1).mean()))


def test_what_cannot_be_measured_is_refused() -> None:
    """Protects figures: shapes that differ, one draw, no rows."""
    with pytest.raises(UsageError, match="all alike"):
        follows(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(UsageError, match="all alike"):
        loudness(np.full((3, 2), np.nan))
    with pytest.raises(UsageError, match="two draws"):
        energy_score([np.zeros((3, 2))], np.zeros((3, 2)), np.ones(3, bool))
    with pytest.raises(UsageError, match="one row"):
        energy_score([np.zeros((3, 2))] * 2, np.zeros((3, 2)), np.zeros(3, bool))
