"""Textures beside blows: where they sound, and that no blow sounds a second time in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.synthesis.ducking import ducked, ramped, stretches


def test_textures_sound_where_they_are_likely_for_long() -> None:
    """Protects against flickering: short doubts are filled, short suspicions left out, the ends are kept."""
    share = np.zeros(1200, np.float32)
    share[:300] = 0.9
    share[320:600] = 0.8  # a gap of 0.2 s
    share[800:830] = 1.0  # 0.3 s of it
    share[1000:] = 0.7
    found = stretches(share)
    assert len(found) == 2
    (begin, end), (later, last) = found
    assert (begin, last) == (0, 1200)
    assert end == pytest.approx(600, abs=15)
    assert later == pytest.approx(1000, abs=15)
    assert stretches(np.zeros(500, np.float32)) == []
    assert stretches(np.zeros(0, np.float32)) == []


@given(st.lists(st.floats(0.0, 1.0, width=32), max_size=300))
def test_stretches_are_in_order_and_apart(values: list[float]) -> None:
    """Protects callers from overlapping waves, whatever a network tells."""
    found = stretches(np.array(values, np.float32))
    ends = [0]
    for begin, end in found:
        assert ends[-1] <= begin < end <= len(values)
        ends.append(end)


def test_a_blow_is_taken_out_of_a_texture() -> None:
    """Protects against blows heard twice: what stands out beside one goes, the texture around and below it stays."""
    mel = np.tile(np.linspace(-6.0, -3.0, 200, dtype=np.float32)[:, None], (1, 80))
    loud = mel.copy()
    loud[100:112, 20:60] += 5.0
    found = ducked(loud, np.array([100.4]))
    np.testing.assert_allclose(found, mel, atol=0.1)
    np.testing.assert_array_equal(ducked(mel, np.zeros(0)), mel)
    quiet = mel.copy()
    quiet[100:112] -= 2.0
    np.testing.assert_allclose(ducked(quiet, np.array([100.4]))[100:112], quiet[100:112], atol=1e-6)
    assert loud[100, 30] > -1  # the input is left as it was


def test_blows_at_the_edges_and_everywhere() -> None:
    """Protects windows that begin or end in a blow, and those that are nothing but blows."""
    mel = np.full((60, 80), -4.0, np.float32)
    mel[0:8] = mel[50:60] = 1.0
    np.testing.assert_allclose(ducked(mel, np.array([-3.0, 0.0, 52.0, 75.0])), -4.0, atol=1e-6)
    busy = np.tile(np.array([[0.0], [-5.0]], np.float32), (10, 80))
    np.testing.assert_allclose(ducked(busy, np.array([0.0, 10.0])), -5.0, atol=1e-6)


def test_ramps_are_at_the_ends_that_ask_for_them() -> None:
    """Protects against clicks where a texture begins within a shot, and against fades at cuts."""
    wave = np.ones(8000, np.float32)
    found = ramped(wave, begins=True, ends=False)
    assert found[0] < 0.01
    assert found[-1] == 1
    assert np.all(np.diff(found) >= 0)
    assert ramped(wave, begins=False, ends=True)[-1] < 0.01
    np.testing.assert_array_equal(ramped(wave, begins=False, ends=False), wave)
    assert len(ramped(wave[:1], begins=True, ends=True)) == 1
