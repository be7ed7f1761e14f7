"""From distances to evidence, from decisions to turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clapboard.errors import UsageError
from clapboard.speakers.evidence import bridged, contrast, first_grid, to_frames
from clapboard.speakers.turns import LEAST_S, runs, turns_of
from clapboard.speakers.windows import largest, median_filter, window_means
from clapboard.values import Distances


def far(values: np.ndarray) -> Distances:
    """Distances of windows 40 ms apart, lags 10 ms apart about 0."""
    frames, lags = values.shape
    return Distances(values.astype(np.float32), (np.arange(lags) - lags // 2) / 100, np.arange(frames) / 25)


def test_contrast_is_how_far_the_best_within_a_frame_lies_under_the_median() -> None:
    """Protects the definition: window by window, never the mean of the file; a frame is four rows."""
    values = np.full((4, 31), 1.2)
    values[0, 15], values[1, 11], values[2, 10], values[3] = 0.5, 0.7, 0.2, 0.9
    distance, found = contrast(far(values))
    np.testing.assert_allclose(distance, [0.5, 0.7, 1.2, 0.9], rtol=1e-6)
    np.testing.assert_allclose(found, [0.7, 0.5, 0.0, 0.0], atol=1e-6)


def test_a_window_with_little_sound_around_it_says_nothing() -> None:
    """Protects the ends of the file: a median over a few lags is no usual distance."""
    values = np.full((3, 31), 1.0)
    values[0, :20] = np.nan
    values[1, :14] = np.nan
    values[2] = np.nan
    distance, found = contrast(far(values))
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == pytest.approx(0)
    assert np.isnan(distance[[0, 2]]).all()


def test_windows_lie_in_the_middle_of_their_frames() -> None:
    """Protects the time of a score: five frames a window, two are missing at each end."""
    np.testing.assert_array_equal(to_frames(np.array([1, 2, 3], np.float32), 7), [1, 1, 1, 2, 3, 3, 3])
    assert np.isnan(to_frames(np.zeros(0, np.float32), 3)).all()


@given(st.integers(-500, 90_000), st.integers(10, 200), st.integers(0, 2**32 - 1))
def test_the_grid_is_found_whatever_the_jitter(first: int, frames: int, seed: int) -> None:
    """True times lie up to half a period from the grid, as those of 23.976 fps do."""
    jitter = np.random.default_rng(seed).uniform(-0.49, 0.49, frames)
    jitter -= np.median(jitter)
    assert first_grid((first + np.arange(frames) + np.clip(jitter, -0.49, 0.49)) / 25) == first


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    """Protects pauses inside speech; ends are not extended."""
    active = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1, 0], bool)
    np.testing.assert_array_equal(bridged(active, 2 / 25), np.array([0, 1, 1, 1, 1, 0, 0, 0, 1, 0], bool))


@given(
    arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 30)), elements=st.floats(-5, 5)),
    st.integers(1, 40),
)
def test_window_means_are_those_of_a_plain_loop(values: np.ndarray, frames: int) -> None:
    """Protects the sums: every frame of every face against the obvious way."""
    counts_in = np.arange(values.shape[1]) % 3 != 0
    found, before = window_means(values, counts_in, frames), (frames - 1) // 2
    for t in range(values.shape[1]):
        here = slice(max(0, t - before), max(0, t - before + frames) if t >= before else t - before + frames)
        some = values[:, here][:, counts_in[here]]
        expected = some.mean(axis=1) if some.shape[1] else np.full(len(values), np.nan)
        np.testing.assert_allclose(found[:, t], expected, atol=1e-9)


def test_a_window_without_frames_is_refused() -> None:
    """Protects against a division by nothing."""
    with pytest.raises(UsageError, match="at least one frame, not 0"):
        window_means(np.zeros((1, 3)), np.ones(3, bool), 0)


def test_the_median_filter_ignores_one_spike_and_is_not_pulled_down_at_the_ends() -> None:
    """The published code pads with zeros; here a constant stays one."""
    values = np.full((1, 20), 2.0)
    values[0, 7] = 99.0
    np.testing.assert_array_equal(median_filter(values), np.full((1, 20), 2.0))
    assert np.isnan(median_filter(np.full((1, 3), np.nan))).all()


def test_only_the_largest_positive_evidence_decides() -> None:
    """One voice has one mouth; where all speak against it, nobody has it."""
    evidence = np.array([[0.2, -0.1, np.nan, 0.3], [0.1, -0.2, 0.4, 0.3]])
    np.testing.assert_array_equal(largest(evidence), [[True, False, False, True], [False, False, True, False]])


@given(arrays(np.bool_, st.integers(0, 60)))
def test_runs_give_back_what_they_came_from(where: np.ndarray) -> None:
    """Every True is in exactly one run."""
    again = np.zeros(len(where), int)
    for start, stop in runs(where):
        assert stop > start
        again[start:stop] += 1
    np.testing.assert_array_equal(again, where.astype(int))


def test_a_turn_ends_a_frame_after_its_last_one_and_flickers_are_none() -> None:
    """Protects the times of turns, half-open."""
    where = np.zeros(30, bool)
    where[5:15] = where[20:22] = True
    turns = turns_of(3, where, np.linspace(0, 1, 30), 10 + np.arange(30) / 25)
    assert LEAST_S > 2 / 25
    assert len(turns) == 1
    assert (turns[0].start_s, turns[0].end_s, turns[0].face) == (pytest.approx(10.2), pytest.approx(10.6), 3)
    assert turns[0].score == pytest.approx(np.linspace(0, 1, 30)[5:15].mean())


@pytest.mark.parametrize("rate", [5, 10, 12.5, 15, 24000 / 1001, 30000 / 1001, 60])
def test_turns_that_follow_each_other_meet(rate: float) -> None:
    """Whatever the frame rate: where one face stops and another begins there is neither a gap nor an overlap."""
    grid_s = np.arange(100) / 25
    frames_s = np.arange(400) / rate
    time_s = frames_s[np.abs(grid_s[:, None] - frames_s).argmin(axis=1)]
    for change in range(40, 60):
        first = np.arange(100) < change
        (before,), (after,) = (turns_of(0, where, np.ones(100), time_s) for where in (first, ~first))
        assert before.end_s == after.start_s


def test_a_turn_within_one_long_still_has_a_length() -> None:
    """One frame a second: all of a turn may have the time of one frame."""
    where = np.zeros(25, bool)
    where[10:18] = True
    (turn,) = turns_of(0, where, np.ones(25), np.full(25, 3.0))
    assert (turn.start_s, turn.end_s) == (3.0, pytest.approx(3.04))
