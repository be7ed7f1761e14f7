"""From a network's spectrum to a wave: the transform and its grid, pieces of long log-mels, silence, wrong networks."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.synthesis import vocoder
from clapboard.synthesis.mel import FLOOR, log_mel
from clapboard.synthesis.stft import framed
from clapboard.synthesis.vocoder import BINS, NetworkVocoder, Vocoder, istft

F32 = np.ndarray


def noise(rows: int) -> F32:
    return (0.1 * np.random.default_rng(0).standard_normal(160 * rows)).astype(np.float32)


def neighbours(mel: F32) -> tuple[F32, F32]:
    """A network whose every row looks at 18 rows to both sides, and at what is missing there as zeros."""
    padded = np.pad(mel, ((18, 18), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, 37, axis=0).mean(-1)
    real = np.repeat(seen, 5, axis=1)[:, :BINS] * 0.01
    return real.astype(np.float32), -real.astype(np.float32)


@pytest.mark.parametrize("rows", [0, 1, 2, 57])
def test_the_true_spectrum_gives_the_true_wave(rows: int) -> None:
    """Protects the grid and both ends: a vocoder with the right magnitudes and phases makes no difference at all."""
    samples = noise(rows)
    spectrum = np.fft.rfft(framed(samples), axis=1) if rows else np.zeros((0, BINS))
    made = istft(spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, samples, atol=1e-6)


def test_pieces_of_a_long_log_mel_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects long files: the wave does not tell where one piece ended and the next began."""
    mel = log_mel(noise(230))
    whole = NetworkVocoder(neighbours)(mel)
    monkeypatch.setattr(vocoder, "PIECE_ROWS", 50)
    monkeypatch.setattr(vocoder, "BEFORE_ROWS", 20)
    np.testing.assert_allclose(NetworkVocoder(neighbours)(mel), whole, atol=1e-6)
    assert whole.shape == (160 * 230,)


def test_silent_rows_stay_silent() -> None:
    """Protects pauses: whatever the network makes of silence, it is not heard."""
    made: Vocoder = NetworkVocoder(lambda mel: (np.ones((len(mel), BINS), np.float32),) * 2)
    mel = np.full((40, 80), np.log(FLOOR), np.float32)
    assert not made(mel).any()
    mel[:10] = -5
    wave = made(mel)
    assert wave[:1600].any()
    assert not wave[1600 + 240 :].any()
    assert made(mel[:0]).shape == (0,)


def test_networks_that_give_other_shapes_are_refused() -> None:
    """One line, and no wave at a wrong place."""
    with pytest.raises(UsageError, match="of 5 rows"):
        NetworkVocoder(lambda mel: (np.zeros((4, BINS), np.float32),) * 2)(np.zeros((5, 80), np.float32))
    with pytest.raises(UsageError, match="twice"):
        istft(np.zeros((3, 257), np.float32), np.zeros((3, 257), np.float32))
