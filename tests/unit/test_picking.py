"""When blows begin: peaks of a curve of probabilities, found between its rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.synthesis.picking import APART_ROWS, onsets, peaks

ROWS = 400


def _bumps(places: list[float], heights: list[float] | None = None, width: float = 1.4, rows: int = ROWS) -> np.ndarray:
    """A curve with a bell at each place."""
    heights = heights or [0.95] * len(places)
    bells = [h * np.exp(-0.5 * ((np.arange(rows) - p) / width) ** 2) for p, h in zip(places, heights, strict=True)]
    return np.max([np.zeros(rows), *bells], axis=0).astype(np.float32)


@st.composite
def _places(draw: st.DrawFn) -> list[float]:
    """Blows at least 150 ms apart, away from the ends."""
    gaps = draw(st.lists(st.floats(15.0, 60.0), min_size=1, max_size=8))
    start = draw(st.floats(10.0, 30.0))
    places = start + np.concatenate([[0.0], np.cumsum(gaps)])
    return [float(p) for p in places if p < ROWS - 60]


@given(_places())
def test_blows_are_found_between_rows(places: list[float]) -> None:
    """Protects the time of a blow: a bell anywhere is found within a tenth of a row, none is added or lost."""
    np.testing.assert_allclose(onsets(_bumps(places)), places, atol=0.1)


@given(_places(), st.integers(1, 40))
def test_a_later_curve_has_later_peaks(places: list[float], rows: int) -> None:
    """Protects against grids that pull: the same curve ``rows`` later gives the same peaks, exactly ``rows`` later."""
    curve = _bumps(places)
    moved = np.concatenate([np.zeros(rows, np.float32), curve])[:ROWS]
    np.testing.assert_allclose(onsets(moved) - rows, onsets(curve), atol=1e-9)


@given(_places(), st.floats(0.0, 1.0))
def test_a_curve_moved_by_part_of_a_row_moves_its_peaks_by_as_much(places: list[float], part: float) -> None:
    """Protects the parabola: what lies between rows is not rounded to one."""
    found, moved = onsets(_bumps(places)), onsets(_bumps([p + part for p in places]))
    np.testing.assert_allclose(moved - found, part, atol=0.15)


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=0, max_size=120), st.floats(0.01, 1.0))
def test_any_curve_has_peaks_in_order_and_apart(values: list[float], threshold: float) -> None:
    """Protects every caller: positions ascend, lie on the rows, are 50 ms apart but for half a row, and are high."""
    curve = np.array(values, np.float32)
    found = onsets(curve, threshold)
    assert np.all((found >= 0) & (found <= max(len(curve) - 1, 0)))
    assert np.all(np.diff(found) >= APART_ROWS - 1)
    rows, heights = peaks(curve)
    assert len(rows) == len(heights)
    assert set(found.tolist()) == set(rows[heights >= np.float32(threshold)].tolist())
    if len(curve) and curve.max() >= np.float32(threshold) and curve.max() > curve.min():
        best = heights.max(initial=0.0)
        assert best == curve.max()


def test_of_two_near_peaks_the_higher_stays() -> None:
    """Protects against one blow heard twice, and against two that merge: 40 ms apart is one, 80 ms apart two."""
    near = _bumps([100.0, 104.0], [0.7, 0.9], width=0.7)
    np.testing.assert_allclose(onsets(near), [104.0], atol=0.1)
    np.testing.assert_allclose(onsets(_bumps([100.0, 108.0], [0.7, 0.9], width=0.7)), [100.0, 108.0], atol=0.1)


def test_the_threshold_decides() -> None:
    """Protects the threshold of a model: a peak of exactly that height counts, a lower one does not."""
    curve = _bumps([50.0, 120.0, 200.0], [0.3, 0.5, 0.8])
    np.testing.assert_allclose(onsets(curve), [120.0, 200.0])
    np.testing.assert_allclose(onsets(curve, 0.81), [])
    np.testing.assert_allclose(onsets(curve, 0.2), [50.0, 120.0, 200.0])


def test_flat_tops_and_ends() -> None:
    """Protects saturated curves: the middle of a top, nothing where nothing rises, and blows at both ends."""
    curve = np.zeros(60, np.float32)
    curve[20:23] = 1.0
    curve[0] = curve[59] = 0.9
    np.testing.assert_allclose(onsets(curve), [0.0, 21.0, 59.0])
    assert len(onsets(np.ones(50, np.float32))) == 0
    assert len(onsets(np.zeros(0, np.float32))) == 0
    curve[20:23] = [1.0, 0.99, 1.0]
    np.testing.assert_allclose(onsets(curve)[1:-1], [20.0], atol=0.5)


def test_what_is_no_curve_is_refused() -> None:
    """Protects users of the function: one line for tables, for numbers that are none, and for thresholds."""
    with pytest.raises(UsageError, match="finite"):
        onsets(np.zeros((3, 2), np.float32))
    with pytest.raises(UsageError, match="finite"):
        onsets(np.array([0.0, np.nan], np.float32))
    for threshold in (0.0, 1.2, float("nan")):
        with pytest.raises(UsageError, match="threshold"):
            onsets(np.zeros(5, np.float32), threshold)
