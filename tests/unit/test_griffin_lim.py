"""Waves from log-mels by Griffin-Lim: level, place of onsets, silence, and how near the spectrum comes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.sound.features import log_mel as rows_of_25_ms
from clapboard.sound.onsets import events_s
from clapboard.synthesis.griffin_lim import griffin_lim
from clapboard.synthesis.mel import FLOOR, log_mel
from clapboard.synthesis.stft import framed
from clapboard.testing import render_events
from clapboard.values import Features


def spectrum(samples: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(framed(samples), axis=1))


def onsets_s(samples: np.ndarray) -> np.ndarray:
    rows = rows_of_25_ms(samples)
    return events_s(Features(rows, np.ones(len(rows), np.bool_), 0.0))


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(0, 30), seed=st.integers(0, 99))
def test_every_row_gives_160_samples(rows: int, seed: int) -> None:
    """Protects lengths: one row as well as none; and the same seed gives the same wave."""
    mel = np.random.default_rng(seed).normal(-6, 2, (rows, 80)).astype(np.float32)
    made = griffin_lim(mel, iterations=3, seed=seed)
    assert (made.shape, made.dtype) == ((160 * rows,), np.dtype(np.float32))
    assert np.isfinite(made).all()
    np.testing.assert_array_equal(made, griffin_lim(mel, iterations=3, seed=seed))


@pytest.mark.parametrize("seed", [150001, 150003, 150006])
def test_rendered_events_come_back(seed: int) -> None:
    """Protects the algorithm: spectral convergence, level, and onsets within 10 ms, on sounds with sharp onsets."""
    samples = render_events(seed, seconds=4, dry=True).samples
    made = griffin_lim(log_mel(samples))
    true = spectrum(samples)
    assert np.linalg.norm(spectrum(made) - true) / np.linalg.norm(true) < 0.35
    assert 10 * np.log10(np.mean(made**2) / np.mean(samples**2)) == pytest.approx(0, abs=1)
    wanted, found = onsets_s(samples), onsets_s(made)
    assert len(wanted)
    nearest = np.abs(wanted[:, None] - found).min(1)
    assert np.mean(nearest <= 0.0101) >= 0.9


def test_rounds_bring_the_spectrum_nearer() -> None:
    """Protects the rounds: without them the phases are chance, and 24 are better than 4."""
    samples = render_events(150003, seconds=3, dry=True).samples
    mel = log_mel(samples)
    error = [np.abs(log_mel(griffin_lim(mel, iterations=count)) - mel).mean() for count in (0, 4, 24)]
    assert error[0] > 1.5 * error[1] > 1.5 * error[2]


def test_an_onset_in_silence_stays_where_it_is() -> None:
    """Protects timing: of a blow at 0.5 s half the energy of its first 40 ms comes within 10 ms of the true place."""
    since_s = np.arange(16000) / 16000 - 0.5
    blow = np.where(since_s >= 0, np.exp(-np.maximum(since_s, 0) / 0.03) * np.sin(2 * np.pi * 700 * since_s), 0)
    made = griffin_lim(log_mel(blow.astype(np.float32)))
    place = [np.searchsorted(np.cumsum(wave**2), 0.5 * np.sum(wave**2)) / 16 for wave in (blow, made)]
    assert place[1] == pytest.approx(place[0], abs=10)
    assert np.sum(made[: 8000 - 480] ** 2) < 1e-3 * np.sum(made**2)


def test_silence_stays_silence() -> None:
    """Protects pauses: exactly 0, and so is a pause between two sounds as soon as the window has left them."""
    mel = np.full((40, 80), np.log(FLOOR), np.float32)
    assert not griffin_lim(mel).any()
    mel[:10] = mel[30:] = -5
    made = griffin_lim(mel)
    assert made[: 160 * 10].any()
    assert not made[160 * 10 + 240 : 160 * 30 - 240].any()


def test_a_wave_to_start_with_keeps_its_phases() -> None:
    """Protects a vocoder's phases: from those of the true wave it stays near it; other lengths are refused."""
    samples = render_events(150003, seconds=2, dry=True).samples
    mel = log_mel(samples)
    made = griffin_lim(mel, iterations=2, start=samples)
    chance = griffin_lim(mel, iterations=2)
    error = [np.linalg.norm(wave - samples) / np.linalg.norm(samples) for wave in (made, chance)]
    assert error[0] < 0.5 < error[1]
    with pytest.raises(UsageError, match="x 160 samples"):
        griffin_lim(mel, start=samples[160:])
