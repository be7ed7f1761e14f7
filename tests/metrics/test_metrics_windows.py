"""Accuracy by frames seen, on scores small enough to be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import windows

NAN = float("nan")


def test_worked_value() -> None:
    """Protects the measure: five lags, the truth in the middle, one row right, one a frame off, one two frames off.

    Their best lags are 0, +1 and -2, so single rows are right in 2 of 3. Means of two rows are 0 4.5 .5 and 2.5 .5 4:
    the first is best at +1 (right), the second at -2 (wrong). The mean of all three is best at +1.
    """
    scores = [[0.0, 0.0, 5.0, 4.0, 0.0], [0.0, 0.0, 0.0, 9.0, 1.0], [7.0, 0.0, 0.0, 1.0, 8.0 - 1.5]]
    assert windows.accuracy(scores, 1) == pytest.approx(2 / 3)
    np.testing.assert_allclose(windows.running_mean(scores, 2)[0], [0, 0, 2.5, 6.5, 0.5])
    assert windows.accuracy(scores, 2) == 1.0
    assert windows.accuracy(scores, 3) == 1.0
    assert windows.accuracy(scores, 3, tolerance_frames=0) == 0.0
    assert np.isnan(windows.accuracy(scores, 4))


def test_only_positions_with_sound_at_every_lag_count() -> None:
    """Protects the inner positions: a row with a gap is in no mean, and rows on both sides of it are not joined."""
    right, wrong = [0.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]
    scores = [right, right, [NAN, 0, 0, 0, 0], wrong, right]
    assert windows.accuracy(scores, 1) == pytest.approx(3 / 4)
    assert len(windows.running_mean(scores, 2)) == 2
    assert np.isnan(windows.accuracy(scores, 3))


def test_every_clip_counts_the_same() -> None:
    """Protects the mean over clips: a long clip does not outvote a short one, one too short has no say."""
    good, bad = np.tile([0.0, 1.0, 0.0, 0.0, 0.0], (30, 1)), np.tile([1.0, 0.0, 0.0, 0.0, 0.0], (3, 1))
    table = windows.evaluate([good, bad, bad[:1]], [1, 3])
    np.testing.assert_array_equal(table, [[1, 1], [0, 0], [0, NAN]])
    np.testing.assert_allclose(np.nanmean(table, axis=0), [1 / 3, 1 / 2])


def test_chance_of_both_tables() -> None:
    """Protects the numbers printed beside: 3 of 31 lags and 3 of 51."""
    assert windows.chance(windows.FRAMES_REACH) == pytest.approx(3 / 31)
    assert windows.chance(windows.WINDOWS_REACH) == pytest.approx(3 / 51)


def test_noise_scores_at_chance() -> None:
    """Protects the tables against a leak: scores that know nothing are right as often as a guess."""
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal((400, 31)) for _ in range(20)]
    found = windows.evaluate(clips, [1, 5])
    assert found[:, 0].mean() == pytest.approx(3 / 31, abs=0.01)
    assert found[:, 1].mean() == pytest.approx(3 / 31, abs=0.02)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_shift_of_all_scores_of_a_row_changes_nothing(seed: int, rows: int) -> None:
    """Protects against level: what is added to every lag of a window says nothing about the lag."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((20, 9))
    level = np.round(10 * rng.standard_normal((20, 1)))
    assert windows.accuracy(scores + level, rows) == windows.accuracy(scores, rows)


@given(st.integers(0, 1000))
def test_the_mean_is_that_of_the_rows(seed: int) -> None:
    """Protects the running sums against the plain way of doing it."""
    scores = np.random.default_rng(seed).standard_normal((12, 5))
    plain = [scores[start : start + 4].mean(0) for start in range(9)]
    np.testing.assert_allclose(windows.running_mean(scores, 4), plain, atol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 30), (4, 1), (2, 3, 5)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    """Protects against a table without a middle."""
    with pytest.raises(UsageError, match="odd number of lags"):
        windows.accuracy(np.zeros(shape), 1)


def test_no_rows_are_refused() -> None:
    """Protects networks that see more frames than were asked for: the caller has to leave these out."""
    with pytest.raises(UsageError, match="at least 1 row"):
        windows.running_mean(np.zeros((4, 5)), 0)
