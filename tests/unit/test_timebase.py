"""Clocks and the sign."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard import timebase

TIMES = st.floats(-1e5, 1e5, allow_nan=False)


@given(time_s=TIMES, first_s=st.floats(-10, 10))
def test_row_of_a_time_is_the_nearest_one_and_says_what_is_left(time_s: float, first_s: float) -> None:
    """Protects the clock of the sound: row, residual and time always add up, and no other row is nearer."""
    rows, residual_s = timebase.row_positions(np.array([time_s]), first_s)
    assert abs(residual_s[0]) <= 0.005 + 1e-9
    assert first_s + rows[0] / timebase.FEATURE_HZ == pytest.approx(time_s + residual_s[0], abs=1e-6)


@given(index=st.integers(-(10**7), 10**7))
def test_grid_index_inverts_the_grid(index: int) -> None:
    """Protects the picture grid: point g lies at g / 25 s and nowhere else."""
    assert timebase.grid_index(index / timebase.PICTURE_HZ) == index


def test_halves_always_go_up() -> None:
    """Protects against banker's rounding, which would drop and double points of a clock at half periods."""
    assert [timebase.grid_index((g + 0.5) / 25) for g in range(6)] == [1, 2, 3, 4, 5, 6]


@given(lag_s=st.floats(-60, 60))
def test_sound_that_is_found_later_is_late(lag_s: float) -> None:
    """Protects the sign: later sound means a negative offset, and delaying by the offset brings the lag to 0."""
    offset_ms = timebase.offset_ms_of_lag(lag_s)
    assert lag_s + offset_ms / 1000 == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("offset_ms", "words"),
    [
        (300, "audio is 300 ms early; delay it by 300 ms"),
        (-120.4, "audio is 120 ms late; advance it by 120 ms"),
        (0.4, "audio and picture are together (0 ms)"),
    ],
)
def test_words_say_the_direction(offset_ms: float, words: str) -> None:
    """Protects the sentence that people act on."""
    assert timebase.in_words(offset_ms) == words


def test_frames_of_an_offset() -> None:
    """Protects the second unit: 40 ms at 25 fps is one frame, and NTSC rates are fractions."""
    assert timebase.frames_of(40, 25) == 1
    assert timebase.frames_of(1001, timebase.Fraction(30000, 1001)) == pytest.approx(30)


def test_clock_as_people_write_it() -> None:
    """Protects times in sentences."""
    assert [timebase.clock(t) for t in (7, 760, 3723)] == ["0:07", "12:40", "1:02:03"]
