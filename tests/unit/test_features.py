"""Log-mel rows: their place in time, normalisation, and activity. What all kinds share is in test_kinds.py."""

import numpy as np
import pytest

from clapboard.sound.activity import active_rows
from clapboard.sound.features import log_mel, mel_filters, normalise
from clapboard.sound.kinds import KINDS
from clapboard.sound.rows import Rows
from clapboard.values import Audio, Features

LOG_MEL = KINDS["log-mel-40"]


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16000))).astype(np.float32)


def collected(*runs: Audio) -> Features:
    rows = Rows(LOG_MEL)
    for run in runs:
        rows.push(run)
    return rows.features()


def test_a_click_lands_in_the_row_of_its_time() -> None:
    """Protects the clock of the rows: a click at 0.5 s is loudest in the row whose middle is nearest."""
    samples = np.zeros(16000, np.float32)
    samples[8000] = 1.0
    found = collected(Audio(samples, 16000, 0.0))
    loudest = int(found.values.astype(np.float32).sum(1).argmax())
    assert found.first_s + loudest / 100 == pytest.approx(0.5, abs=0.0051)


@pytest.mark.parametrize("gap_s", [4000.0, 86_400.0, 1e12])
def test_sound_behind_a_day_of_nothing_is_left_out(gap_s: float) -> None:
    """Protects memory: one wrong timestamp must not make rows for a day; what came before the hole stays."""
    rows = Rows(LOG_MEL)
    rows.push(Audio(noise(0.5), 16000, 0.0))
    rows.push(Audio(noise(0.5, 1), 16000, 0.5 + gap_s))
    rows.push(Audio(noise(0.5, 2), 16000, 0.5))
    found = rows.features()
    assert len(found.values) == 1 + (16000 - 400) // 160
    assert found.valid.all()


def test_an_overlap_is_heard_once() -> None:
    """Protects overlapping timestamps: the later run is cut, the clock stays."""
    samples = noise(1.0)
    found = collected(Audio(samples[:10000], 16000, 0.0), Audio(samples[9000:], 16000, 9000 / 16000))
    np.testing.assert_array_equal(found.values, log_mel(samples).astype(np.float16))


def test_filters_cover_the_band_of_speech() -> None:
    """Protects the mel scale: centres by HTK's formula, nothing below 60 Hz or above 7600 Hz."""
    filters = mel_filters()
    hz = np.arange(257) * 31.25
    assert not filters[:, (hz < 60) | (hz > 7600)].any()
    centres = (filters * hz).sum(1) / filters.sum(1)
    assert centres[20] == pytest.approx(1886, rel=0.01)  # mel(60) = 92.7, steps of 65.73 mel, the 21st back in Hz


def test_level_and_microphone_are_taken_out() -> None:
    """Protects normalisation: gain and a fixed tone curve change nothing."""
    plain = Features(log_mel(noise(8.0) * np.repeat([1, 0.2], 4 * 16000).astype(np.float32)), np.ones(798, bool), 0.0)
    tone = np.linspace(-2, 2, 40, dtype=np.float32)
    other = Features(plain.values + 3 + tone, plain.valid, 0.0)
    np.testing.assert_allclose(normalise(plain), normalise(other), atol=1e-3)


def test_normalisation_in_pieces_equals_the_whole() -> None:
    """Protects long files: a piece is normalised by what surrounds it, wherever it was cut."""
    features = Features(log_mel(noise(12.0)).astype(np.float16), np.ones(1198, bool), 0.0)
    whole = normalise(features)
    np.testing.assert_allclose(normalise(features, 400, 500), whole[400:500], atol=1e-4)


def test_speech_is_active_and_silence_is_not() -> None:
    """Protects activity: loud rows count, rows 40 dB below do not, digital silence never does."""
    level = np.repeat([0.1, 0.0005, 0.1, 0.0], 16000).astype(np.float32)
    samples = (level * np.random.default_rng(0).standard_normal(64000)).astype(np.float32)
    active = active_rows(collected(Audio(samples, 16000, 0.0)))
    assert active[10:90].all()
    assert not active[110:190].any()
    assert not active[310:390].any()
    assert not active_rows(collected(Audio(np.zeros(16000, np.float32), 16000, 0.0))).any()
