"""Onsets against true ones: against all matchings that there are, against counting by hand, and against chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import onset_match

TIMES = st.lists(st.integers(0, 60), max_size=9).map(lambda ticks: sorted(tick / 10 for tick in ticks))


def most_pairs(true: list[float], found: list[float], tolerance_s: float) -> int:
    """The greatest matching, by augmenting paths: knows nothing of order on a line."""
    near = [[j for j, f in enumerate(found) if abs(t - f) <= tolerance_s] for t in true]
    taken: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j in near[i]:
            if j not in seen:
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    return sum(place(i, set()) for i in range(len(true)))


@settings(deadline=None)
@given(TIMES, TIMES, st.sampled_from([0.05, 0.1, 0.25, 0.7]))
def test_no_matching_has_more_pairs(true: list[float], found: list[float], tolerance_s: float) -> None:
    """Protects the matches: going along the line once finds as many as trying everything, crowded or not."""
    tolerance_s += 1e-9  # tenths are no exact numbers
    pairs = onset_match.match(true, found, tolerance_s)
    assert len(pairs) == most_pairs(true, found, tolerance_s)
    for column in pairs.T:
        assert len(set(column.tolist())) == len(column), "each is in one pair"
    assert all(abs(true[i] - found[j]) <= tolerance_s for i, j in pairs)


def test_one_onset_stands_for_one() -> None:
    """Protects from rewarding rattling: five onsets about one true one are one match and four too many."""
    result = onset_match.evaluate([[2.0]], [[1.92, 1.96, 2.0, 2.04, 2.08]], [8.0], tolerance_s=0.1)
    assert (result.precision, result.recall) == (0.2, 1.0)
    assert result.f1 == pytest.approx(2 / 6)


def test_misses_after_the_last_found_onset_count() -> None:
    """Protects from the known fault of public code, which stops counting where the found onsets run out."""
    result = onset_match.evaluate([[1.0, 2.0, 5.0, 6.0]], [[1.01]], [8.0], tolerance_s=0.05)
    assert (result.true, result.found) == (4, 1)
    assert (result.precision, result.recall, result.f1) == (1.0, 0.25, pytest.approx(0.4))
    nothing = onset_match.evaluate([[1.0]], [[]], [8.0], tolerance_s=0.05)
    assert (nothing.f1, nothing.recall, nothing.control) == (0.0, 0.0, 0.0)
    assert np.isnan(nothing.precision)
    assert np.isnan(onset_match.evaluate([[]], [[]], [8.0], tolerance_s=0.05).f1)


def test_clips_are_counted_together_and_drawn_as_wholes() -> None:
    """Protects the micro average and its interval: clips weigh by their onsets, a missed one widens the interval."""
    true = [np.arange(0.5, 8, 0.5), np.array([4.0])]
    result = onset_match.evaluate(true, [true[0], np.array([1.0])], [8.0, 8.0], tolerance_s=0.05)
    assert result.f1 == pytest.approx(2 * 15 / 32)
    assert result.interval[0] == 0.0
    assert result.interval[1] == 1.0
    same = onset_match.evaluate(true, true, [8.0, 8.0], tolerance_s=0.05, clips=["a", "a"])
    assert same.interval == (1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.25, 1.0), min_size=6, max_size=12),
    st.lists(st.floats(0.25, 1.0), min_size=6, max_size=12),
    st.sampled_from([0.05, 0.1]),
)
def test_chance_is_the_mean_over_all_moves(one: list[float], other: list[float], tolerance_s: float) -> None:
    """Protects the formula: where onsets are sparse it is the mean over moves all round the clip."""
    length_s = 12.0
    true, found = (np.cumsum(gaps)[np.cumsum(gaps) < length_s - 0.25] for gaps in (one, other))
    shifts = np.linspace(0, length_s, 2400, endpoint=False)
    # Round the end a pair is near across it as well; where onsets are laid twice, the line has no end.
    around = np.concatenate([true - length_s, true, true + length_s])
    matches = [len(onset_match.match(around, onset_match.moved(found, s, length_s), tolerance_s)) for s in shifts]
    expected = onset_match.chance_matches(len(true), len(found), length_s, tolerance_s)
    assert np.mean(matches) == pytest.approx(expected, rel=0.05)


def test_a_perfect_sound_of_dense_events_has_a_high_control() -> None:
    """Protects the reading of the table: onsets every 0.4 to 0.9 s, found exactly, have about the control of chance."""
    rng = np.random.default_rng(0)
    true = [(gaps := np.cumsum(rng.uniform(0.4, 0.87, 30)))[gaps < 8] for _ in range(100)]
    result = onset_match.evaluate(true, true, [8.0] * 100, tolerance_s=0.1)
    assert result.f1 == 1.0
    assert result.chance == pytest.approx(0.31, abs=0.01)
    assert result.control == pytest.approx(result.chance, abs=0.03)
    assert result.above == pytest.approx(1 - result.control)
    low, high = result.above_interval
    assert low < result.above < high


def test_the_control_of_chance_is_chance() -> None:
    """Protects the words "no evidence": onsets that know nothing are above their control 1 time in 40, not often."""
    rng = np.random.default_rng(1)
    above, shown = [], 0
    for _ in range(60):
        true, found = ([np.sort(rng.uniform(0, 8, 12)) for _ in range(25)] for _ in range(2))
        result = onset_match.evaluate(true, found, [8.0] * 25, tolerance_s=0.1, number=300)
        above.append(result.above)
        shown += result.above_interval[0] > 0
    assert abs(np.mean(above)) < 3 * np.std(above) / 60**0.5
    assert shown <= 6


@pytest.mark.parametrize("period_s", [0.38, 0.5, 0.61, 0.88])
@pytest.mark.parametrize("length_s", [3.0, 8.0, 10.1])
def test_no_move_is_a_whole_number_of_periods(period_s: float, length_s: float) -> None:
    """Protects the control of regular clips: a beat moved by one period would match itself."""
    shifts = onset_match.control_shifts(length_s, period_s)
    assert len(shifts) == onset_match.SHIFTS
    assert shifts.min() >= onset_match.LEAST_SHIFT_S
    assert shifts.max() <= length_s - onset_match.LEAST_SHIFT_S + 1e-9
    nearer = np.minimum(shifts, length_s - shifts) / period_s
    assert np.abs(nearer - np.round(nearer)).min() >= 0.25 - 1e-6
    beat = np.arange(0.1, length_s, period_s)
    regular = onset_match.evaluate([beat], [beat], [length_s], tolerance_s=0.05, period_s=[period_s])
    assert regular.control < 0.3
    unaware = onset_match.control_shifts(8.0)
    np.testing.assert_allclose(np.diff(unaware), 1.0)


def test_moving_goes_round_the_end() -> None:
    """Protects the control: nothing is lost, nothing leaves the clip, order is kept."""
    np.testing.assert_allclose(onset_match.moved([0.2, 3.0, 7.9], 0.3, 8.0), [0.2, 0.5, 3.3])
    assert onset_match.moved([0.0], -1e-18, 8.0).tolist() == [0.0]


@pytest.mark.parametrize(
    ("true", "length_s", "tolerance_s", "said"),
    [
        ([9.0], 8.0, 0.1, "within their clip"),
        ([-0.1], 8.0, 0.1, "within their clip"),
        ([np.nan], 8.0, 0.1, "finite"),
        ([[1.0]], 8.0, 0.1, "finite times"),
        ([0.5], 0.8, 0.1, "no room"),
        ([0.5], 0.0, 0.1, "longer than 0 s"),
        ([0.5], 8.0, 0.0, "tolerance"),
    ],
)
def test_what_makes_no_sense_is_told(true: list[float], length_s: float, tolerance_s: float, said: str) -> None:
    """Protects from silent nonsense: one line that says what was wrong."""
    with pytest.raises(UsageError, match=said):
        onset_match.evaluate([true], [[]], [length_s], tolerance_s=tolerance_s)


def test_as_many_of_everything() -> None:
    """Protects from truth of one clip held against sound of another."""
    with pytest.raises(UsageError, match="2, 1, 2, 2"):
        onset_match.count([[], []], [[]], [8.0, 8.0], tolerance_s=0.1)
