"""The log-mel that sound is made from: rows at their places, the edges, and the way back to a spectrum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.synthesis.mel import FLOOR, MEL_BINS, filters, log_mel, power_of_mel
from clapboard.synthesis.stft import framed, overlapped, window
from clapboard.testing import render_events


def noise(rows: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(160 * rows)).astype(np.float32)


@settings(deadline=None)
@given(row=st.integers(0, 19))
def test_a_click_in_the_middle_of_a_row_is_loudest_there(row: int) -> None:
    """Protects the grid: row r is centred on sample 160 r + 80, at the ends of the wave too."""
    samples = np.zeros(3200, np.float32)
    samples[160 * row + 80] = 1.0
    energy = np.exp(log_mel(samples)).sum(1)
    assert int(energy.argmax()) == row
    near = energy[max(row - 1, 0) : row + 2] / energy[row]
    assert near == pytest.approx([0.25 if k != row else 1 for k in range(max(row - 1, 0), min(row + 2, 20))], rel=1e-3)


def test_a_band_hears_its_own_frequency() -> None:
    """Protects the scale: a tone at 1000 Hz is loudest in the band whose middle is nearest, by HTK's formula."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    rows = log_mel(tone)
    mel = 2595 * np.log10(1 + np.array([30, 7900, 1000]) / 700)
    assert (rows[5:-5].argmax(1) == round((mel[2] - mel[0]) / (mel[1] - mel[0]) * 81) - 1).all()
    assert (filters().sum(0)[(np.arange(513) * 15.625 < 30) | (np.arange(513) * 15.625 > 7900)] == 0).all()


def test_rows_do_not_depend_on_what_is_far_away() -> None:
    """Protects long files made in pieces: rows of a piece equal those of the whole, but at its ends."""
    samples = noise(100)
    np.testing.assert_array_equal(log_mel(samples)[42:58], log_mel(samples[40 * 160 : 60 * 160])[2:18])


def test_silence_is_the_floor_and_nothing_has_no_rows() -> None:
    """Protects the ends of the range."""
    assert log_mel(np.zeros(480, np.float32)) == pytest.approx(np.full((3, 80), np.log(FLOOR)))
    assert log_mel(np.zeros(0, np.float32)).shape == (0, 80)


@pytest.mark.parametrize("shape", [(161,), (2, 160)])
def test_samples_that_fill_no_rows_are_refused(shape: tuple[int, ...]) -> None:
    """A wave cut in the middle of a row has no row for its last samples."""
    with pytest.raises(UsageError, match="cut or pad"):
        log_mel(np.zeros(shape, np.float32))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 40))
def test_windows_add_up_to_the_wave(rows: int) -> None:
    """Protects both ends: the wave comes back from its windows whatever its length, and cut windows are left out."""
    samples = noise(rows)
    frames = np.pad(framed(samples), ((0, 0), (0, 384)))
    np.testing.assert_allclose(overlapped(frames), samples, atol=1e-6)
    assert window().sum() == pytest.approx(320)


@pytest.mark.parametrize("size", [640, 1024])
@pytest.mark.parametrize(("sound", "near_db"), [("noise", 0.5), ("event", 1.0)])
def test_the_spectrum_found_again_has_the_bands_given(size: int, sound: str, near_db: float) -> None:
    """Protects the way back: the bands on average as near as said, the power of the true spectrum within 0.5 dB."""
    samples = noise(100) if sound == "noise" else render_events(150003, seconds=2, dry=True).samples
    given_rows = log_mel(samples)
    power = power_of_mel(given_rows, size)
    assert power.shape == (len(given_rows), size // 2 + 1)
    assert power.min() >= 0
    again = power_of_mel(given_rows) @ filters().T / 1024
    heard = given_rows > np.log(FLOOR) + 2
    assert np.abs(np.log(again[heard]) - given_rows[heard]).mean() < near_db * np.log(10) / 10
    true = np.abs(np.fft.rfft(framed(samples), size, axis=1)) ** 2
    assert 10 * np.log10(power.sum() / true.sum()) == pytest.approx(0, abs=0.5)


def test_silent_bands_have_no_power() -> None:
    """Protects silence: rounding of the logarithm must not be heard."""
    assert not power_of_mel(np.full((4, MEL_BINS), np.log(FLOOR), np.float32)).any()


def test_broken_log_mels_are_told_in_one_line() -> None:
    """Protects from a network that gives nonsense: no wave of NaN."""
    with pytest.raises(UsageError, match="R, 80"):
        power_of_mel(np.zeros((4, 40), np.float32))
    with pytest.raises(UsageError, match="not finite"):
        power_of_mel(np.full((4, 80), np.nan, np.float32))
