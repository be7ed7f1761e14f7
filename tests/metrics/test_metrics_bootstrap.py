"""Intervals by speaker."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.metrics import bootstrap


def test_the_seed_decides() -> None:
    """Protects printed intervals: the same command gives the same ones."""
    speakers = ["a", "a", "b", "c"]
    one, same, other = (bootstrap.resamples(speakers, 20, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_every_resample_has_as_many_people_and_their_clips() -> None:
    """Protects both levels: a person brings as many draws as they have clips, for each time they are drawn."""
    drawn = bootstrap.resamples(["a", "a", "a", "b"], 500)
    a, b = drawn[:, :3].sum(1), drawn[:, 3]
    np.testing.assert_array_equal(a // 3 + b, np.full(500, 2))
    assert set(a) == {0, 3, 6}
    assert (drawn[:, 0] != drawn[:, 1]).any(), "clips of a person are drawn as well"


def test_people_widen_the_interval() -> None:
    """Protects the reason for it: ten clips each of four people who differ are worth four, not forty."""
    people = np.repeat(["a", "b", "c", "d"], 10)
    values = np.repeat([0.0, 0.2, 0.8, 1.0], 10)
    by_person = bootstrap.of_mean(values, bootstrap.resamples(list(people), 2000))
    by_clip = bootstrap.of_mean(values, bootstrap.resamples([str(n) for n in range(40)], 2000))
    assert by_person[1] - by_person[0] > 2 * (by_clip[1] - by_clip[0])
    assert by_person[0] < 0.5 < by_person[1]


def test_the_interval_of_single_clips_is_the_usual_one() -> None:
    """Protects the width: for a clip a person it is the mean and 1.96 standard errors either way."""
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = bootstrap.of_mean(values, bootstrap.resamples([str(n) for n in range(400)], 4000))
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_ratio_and_statistic_agree_and_gaps_do_not_count() -> None:
    """Protects the three ways to an interval: the same numbers give the same one."""
    drawn = bootstrap.resamples(["a", "b", "b", "c", "d"], 300)
    values = np.array([0.1, 0.4, np.nan, 0.9, 0.5])
    real = np.isfinite(values)

    def mean(times: np.ndarray) -> float:
        return float(values[real] @ times[real] / times[real].sum()) if times[real].any() else float("nan")

    by_hand = bootstrap.of_statistic(mean, drawn)
    assert bootstrap.of_mean(values, drawn) == pytest.approx(by_hand)
    assert bootstrap.of_ratio(np.where(real, values, 0), real, drawn) == pytest.approx(by_hand)


def test_one_person_is_all_there_is() -> None:
    """Protects tiny sets: no crash, and no clips at all give no interval."""
    assert bootstrap.of_mean([0.7], bootstrap.resamples(["a"], 10)) == (0.7, 0.7)
    assert np.isnan(bootstrap.of_mean([], bootstrap.resamples([], 10))).all()


def test_bad_values_are_refused() -> None:
    """Protects against resamples of other clips."""
    with pytest.raises(UsageError, match="at least 1 resample"):
        bootstrap.resamples(["a"], 0)
    with pytest.raises(UsageError, match=r"\(C,\)"):
        bootstrap.of_mean([1.0, 2.0], bootstrap.resamples(["a"], 5))
