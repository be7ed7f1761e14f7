"""LSE-D and LSE-C by the published rule, against values worked out by hand."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.metrics import lse


def test_worked_values() -> None:
    """Protects the order: first the mean over windows, then minimum and median; and the sign of the offset."""
    rows = [[9.0, 8.0, 3.0, 7.0, 9.0], [9.0, 6.0, 7.0, 7.0, 1.0]]  # the mean curve is 9, 7, 5, 7, 5
    assert lse.published(rows) == (0, 5.0, 2.0)


def test_sound_found_earlier_is_early() -> None:
    """Protects the sign: least in the first of 31 columns, 15 frames before the picture, is +15."""
    rows = np.full((4, 31), 10.0, np.float32)
    rows[:, 0] = 6.0
    found = lse.published(rows)
    assert found.offset_frames == 15
    assert found.min_distance == pytest.approx(6)
    assert found.confidence == pytest.approx(4)


@pytest.mark.parametrize("bad", [np.zeros((0, 31)), np.zeros(31), np.zeros((3, 30)), np.full((3, 31), np.nan)])
def test_what_is_no_table_of_distances_is_refused(bad: np.ndarray) -> None:
    """An empty track must not score NaN silently."""
    with pytest.raises(UsageError, match="distances must be"):
        lse.published(bad)


def plainly(rows: list[list[float]], counted: list[bool]) -> tuple[float, float]:
    """LSE-D and LSE-C of masked distances, with loops and by the textbook's vertex of a parabola."""
    kept = [row for row, yes in zip(rows, counted, strict=True) if yes]
    curve = []
    for column in range(len(rows[0])):
        values = [row[column] for row in kept if not math.isnan(row[column])]
        curve.append(sum(values) / len(values) if values and len(values) >= 0.4 * len(kept) else math.nan)
    known = sorted(value for value in curve if not math.isnan(value))
    if not known:
        return math.nan, math.nan
    place = curve.index(known[0])
    least = known[0]
    if 0 < place < len(curve) - 1 and not math.isnan(curve[place - 1] + curve[place + 1]):
        a = (curve[place - 1] + curve[place + 1]) / 2 - curve[place]
        b = (curve[place + 1] - curve[place - 1]) / 2
        least = curve[place] - b * b / (4 * a) if a > 0 else least
    half = len(known) // 2
    middle = known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2
    return least, middle - least


def test_masked_worked_values() -> None:
    """By hand: the curve is 4, 2, 1, 1.5, 4; its parabola at 1 is 0.75 x^2 - 0.25 x + 1, least 1 - 1/48; median 2."""
    rows = [[4.0, 2.0, 1.0, 1.5, np.nan], [4.0, 2.0, 1.0, 1.5, 4.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    found = lse.masked(rows, [True, True, False])
    assert found.lse_d == pytest.approx(1 - 1 / 48)
    assert found.lse_c == pytest.approx(1 + 1 / 48)


def test_a_lag_with_little_sound_does_not_win() -> None:
    """Protects short clips: one low value at the edge of the sound is chance, not a match."""
    rows = np.full((10, 7), 5.0)
    rows[:, 3] = 4.0
    rows[:7, 0] = np.nan
    rows[7:, 0] = 0.1
    assert lse.masked(rows).lse_d == pytest.approx(4.0)


def test_nothing_to_compare_is_nan() -> None:
    """Neither an error nor 0, which would be the best score there is."""
    for rows, counted in ((np.full((3, 5), np.nan), None), (np.ones((3, 5)), [False] * 3), (np.ones((0, 5)), None)):
        assert all(math.isnan(value) for value in lse.masked(rows, counted))


@pytest.mark.parametrize(("rows", "counted"), [(np.ones(5), None), (np.ones((3, 5)), [True] * 2)])
def test_odd_shapes_are_refused(rows: np.ndarray, counted: list[bool] | None) -> None:
    """Protects callers from a mean over the wrong axis."""
    with pytest.raises(UsageError, match="distances must be"):
        lse.masked(rows, counted)
    with pytest.raises(UsageError, match="a mean curve must be"):
        lse.of_curve(np.ones((2, 2)))


values = st.floats(0, 20, allow_nan=False, width=32).map(lambda value: round(value, 3))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_masked_as_plainly_written(data: st.DataObject) -> None:
    """The same as loops that do nothing clever, gaps and windows that do not count included."""
    windows, lags = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    cell = st.one_of(values, st.just(math.nan))
    rows = data.draw(st.lists(st.lists(cell, min_size=lags, max_size=lags), min_size=windows, max_size=windows))
    counted = data.draw(st.lists(st.booleans(), min_size=windows, max_size=windows))
    assert lse.masked(rows, counted) == pytest.approx(plainly(rows, counted), nan_ok=True, abs=1e-9)


@given(st.lists(st.one_of(values, st.just(math.nan)), max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_files_changes_nothing(scores: list[float], random: Random) -> None:
    """Mean and interval are those of the set, however it was listed."""
    names = [f"{number}.mp4" for number in range(len(scores))]
    order = list(range(len(scores)))
    random.shuffle(order)
    shuffled = lse.mean_of([scores[i] for i in order], [names[i] for i in order], 50)
    assert shuffled == pytest.approx(lse.mean_of(scores, names, 50), nan_ok=True)


def test_mean_over_files() -> None:
    """Files without a number do not count; the interval lies about the mean, inside the values; one file has none."""
    found = lse.mean_of([1.0, np.nan, 2.0, 6.0], ["a", "b", "c", "d"])
    assert found.mean == pytest.approx(3.0)
    assert 1.0 <= found.low < 3.0 < found.high <= 6.0
    assert np.isnan(lse.mean_of([1.0], ["a"])[1:]).all()
    assert np.isnan(lse.mean_of([], [])).all()
    with pytest.raises(UsageError, match="as many names"):
        lse.mean_of([1.0, 2.0], ["a"])
