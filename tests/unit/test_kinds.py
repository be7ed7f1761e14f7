"""Kinds of sound: numbers of the published programs, streaming, gaps, silence, and how far a row reaches."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.sound.kinds import KINDS, SPEECH_KIND, SoundKind
from clapboard.sound.rows import Rows
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio, Features

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)

N = np.arange(SAMPLE_RATE_HZ)
WHOLE = np.round(6000 * np.sin(0.05 * N * (1 + N / 40_000)) + 2500 * np.sin(1.1 * N) + (N * N % 997 - 498))
"""One second of 16-bit sound with tones and noise, from which the golden values below were made."""
GOLDEN_MFCC = {
    0: "20.3828 -19.642 6.2341 36.375 9.0862 -13.9369 30.1299 -5.1802 -28.8746 16.6993 -5.8347 -33.5773 3.8965",
    50: "20.3929 -17.8963 6.5254 37.4485 12.4833 -13.8548 25.5333 -9.6643 -33.1414 7.7377 -17.5652 -45.2959 -4.1254",
}
"""Rows of ``python_speech_features.mfcc(WHOLE.astype(int16), 16000)``, version 0.6."""
GOLDEN_MEL = {
    0: [-0.3755, -2.329, -1.9676, -1.9414, -2.0248, -1.5585, -0.9529, -1.0474, -0.7669, -0.8466],
    50: [-2.934, -2.2899, -1.9334, -1.9259, -2.0055, -1.5384, -0.9271, -1.0445, -0.7568, -0.8813],
}
"""Every eighth band of the columns that begin at samples 0 and 8000, by Wav2Lip's audio.py over librosa 0.11."""


def noise(seconds: float, seed: int = 0) -> F32:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)


def finished(kind: SoundKind, samples: F32) -> F32:
    values = kind.bands(samples)
    return kind.finish(Features(values, np.ones(len(values), np.bool_), 0.0))


@every_kind
def test_shapes(kind: SoundKind) -> None:
    """Protects the clock and the networks' inputs: a row every 160 samples, none that reaches beyond the sound."""
    for count in (0, 1, kind.row_samples - 1, kind.row_samples, kind.row_samples + 159, kind.row_samples + 160, 16_000):
        rows = max(0, 1 + (count - kind.row_samples) // 160)
        found = kind.bands(noise(1.0)[:count])
        assert found.shape == (rows, kind.columns)
        assert found.dtype == np.float32
    assert finished(kind, noise(1.0)).shape == (rows, kind.features)
    assert finished(kind, noise(1.0)).dtype == np.float32


@every_kind
def test_a_row_spans_its_samples(kind: SoundKind) -> None:
    """Protects ``row_samples``: a click changes the rows that hold it, and with pre-emphasis the sample after it."""
    quiet = noise(1.0)
    click = quiet.copy()
    click[8000] += 0.5
    changed = np.flatnonzero((kind.bands(click) != kind.bands(quiet)).any(1))
    begins = 160 * np.arange(200)
    holds = np.flatnonzero((begins <= 8000 + kind.lead_rows) & (begins + kind.row_samples > 8000))
    # A Hann window is 0 at its first sample, so a click just there changes nothing.
    assert set(changed) <= set(holds)
    assert set(holds) - set(changed) <= {50}
    assert len(changed) >= kind.row_samples // 160


@every_kind
@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 39_999), max_size=6), asked=st.booleans())
def test_streaming_equals_the_whole(kind: SoundKind, cuts: list[int], asked: bool) -> None:
    """Protects streaming: blocks of any size give the rows of the whole, to the bit, asked for in between or not."""
    samples = noise(2.5)
    ends = [0, *sorted(set(cuts)), len(samples)]
    rows = Rows(kind)
    for a, b in pairwise(ends):
        rows.push(Audio(samples[a:b], SAMPLE_RATE_HZ, 3.0 + a / SAMPLE_RATE_HZ))
        if asked:
            assert len(rows.features().values) == max(0, 1 + (b - kind.row_samples) // 160)
    found = rows.features()
    np.testing.assert_array_equal(found.values, kind.bands(samples).astype(kind.dtype))
    assert found.valid.all()
    assert found.first_s == pytest.approx(3.0 + kind.row_samples / 2 / SAMPLE_RATE_HZ)


@every_kind
def test_a_gap_is_marked_and_keeps_the_clock(kind: SoundKind) -> None:
    """Protects gaps: rows that touch one are not valid, rows behind it begin anew where their time says."""
    first, second = noise(0.5), noise(0.5, 1)
    rows = Rows(kind)
    rows.push(Audio(first, SAMPLE_RATE_HZ, 0.0))
    rows.push(Audio(second, SAMPLE_RATE_HZ, 0.8))
    found = rows.features()
    begins = 160 * np.arange(len(found.values))
    np.testing.assert_array_equal(found.valid, (begins + kind.row_samples <= 8000) | (begins >= 12_800))
    np.testing.assert_array_equal(found.values[80:], kind.bands(second).astype(kind.dtype))
    assert not kind.finish(found)[~found.valid].any()


@every_kind
def test_stored_rows_are_near_enough(kind: SoundKind) -> None:
    """Protects the storage: what the network takes is nearly the same from rows that were stored."""
    values = kind.bands(noise(3.0))
    valid = np.ones(len(values), np.bool_)
    exact, stored = (kind.finish(Features(v, valid, 0.0)) for v in (values, values.astype(kind.dtype)))
    assert np.abs(exact - stored).max() < 0.01


@every_kind
def test_finishing_in_pieces_equals_the_whole(kind: SoundKind) -> None:
    """Protects long files: a piece comes out as it does in the whole, wherever it was cut."""
    values = kind.bands(noise(9.0)).astype(kind.dtype)
    features = Features(values, np.ones(len(values), np.bool_), 0.0)
    whole = kind.finish(features)
    np.testing.assert_allclose(kind.finish(features, 350, 500), whole[350:500], atol=1e-4)


@every_kind
def test_silence_comes_to_the_floor(kind: SoundKind) -> None:
    """Protects finite numbers: digital silence is the floor that the kind states, and nothing lies below it."""
    np.testing.assert_allclose(kind.bands(np.zeros(2000, np.float32)), kind.floor, rtol=1e-5)
    assert kind.bands(np.float32(1e-9) * noise(1.0)).min() >= kind.floor - 1e-4
    assert np.isfinite(finished(kind, np.zeros(2000, np.float32))).all()


@every_kind
def test_another_rate_is_refused(kind: SoundKind) -> None:
    """Protects the clock against sound that was not resampled."""
    with pytest.raises(UsageError, match="16000 Hz"):
        Rows(kind).push(Audio(noise(0.1), 44_100, 0.0))


def test_speech_is_judged_by_a_kind_that_there_is() -> None:
    """Protects the name of the kind that activity is judged by."""
    assert KINDS[SPEECH_KIND].columns == 40


def test_golden_mfcc() -> None:
    """Protects ``mfcc-13`` against python_speech_features itself."""
    found = finished(KINDS["mfcc-13"], (WHOLE / 32768).astype(np.float32))
    for row, golden in GOLDEN_MFCC.items():
        np.testing.assert_allclose(found[row], [float(number) for number in golden.split()], atol=6e-5)


def test_golden_mel() -> None:
    """Protects ``mel-80`` against librosa and Wav2Lip's scaling."""
    found = finished(KINDS["mel-80"], (WHOLE / 32768).astype(np.float32))
    for row, golden in GOLDEN_MEL.items():
        np.testing.assert_allclose(found[row, :80:8], golden, atol=6e-5)


def slow_mfcc(samples: np.ndarray, row: int) -> list[float]:
    """One row by the formulas of python_speech_features, number by number; samples are 16-bit."""
    sharp = [float(samples[0])] + [float(b) - 0.97 * float(a) for a, b in pairwise(samples)]
    frame = np.array(sharp[160 * row : 160 * row + 400])
    wave = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    power = np.abs(wave @ frame) ** 2 / 512
    corners = []
    for index in range(28):
        mel = index * 2595 * np.log10(1 + 8000 / 700) / 27
        corners.append(int(513 * 700 * (10 ** (mel / 2595) - 1) / 16_000))
    logs = []
    for left, top, right in zip(corners, corners[1:], corners[2:], strict=False):
        rise = sum(power[i] * (i - left) / (top - left) for i in range(left, top))
        logs.append(np.log(rise + sum(power[i] * (right - i) / (right - top) for i in range(top, right))))
    found = [float(np.log(power.sum()))]
    for order in range(1, 13):
        total = sum(value * np.cos(np.pi * order * (2 * k + 1) / 52) for k, value in enumerate(logs))
        found.append(float(2 * total * np.sqrt(1 / 52) * (1 + 11 * np.sin(np.pi * order / 22))))
    return found


@pytest.mark.parametrize("row", [0, 1, 40, 97])
def test_mfcc_by_the_formulas(row: int) -> None:
    """Protects ``mfcc-13`` in every step: pre-emphasis over the whole file, spectrum, corners, DCT, lifter, energy."""
    whole = np.round(32768 * noise(1.0, 5).clip(-1, 0.99))
    found = finished(KINDS["mfcc-13"], (whole / 32768).astype(np.float32))
    np.testing.assert_allclose(found[row], slow_mfcc(whole, row), atol=1e-4)


def slow_mel(samples: F32, begin: int, band: int) -> float:
    """One band of one column by the formulas of Wav2Lip's audio.py and librosa's Slaney filters."""
    sharp = [float(b) - 0.97 * float(a) for a, b in pairwise(samples[begin - 1 : begin + 800])]
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * n / 800) for n in range(800)]
    wave = np.exp(-2j * np.pi * np.outer(np.arange(401), np.arange(800)) / 800)
    magnitude = np.abs(wave @ (np.array(sharp) * hann))

    def mel(hz: float) -> float:
        return hz / (200 / 3) if hz < 1000 else 15 + np.log(hz / 1000) / (np.log(6.4) / 27)

    def hertz(at: float) -> float:
        return at * 200 / 3 if at < 15 else 1000 * np.exp((at - 15) * np.log(6.4) / 27)

    left, top, right = (hertz(mel(55) + (band + k) * (mel(7600) - mel(55)) / 81) for k in range(3))
    total = 0.0
    for index, value in enumerate(magnitude):
        hz = 20 * index
        total += value * max(0.0, min((hz - left) / (top - left), (right - hz) / (right - top))) * 2 / (right - left)
    level_db = 20 * np.log10(max(total, 1e-5)) - 20
    return float(np.clip(8 * (level_db + 100) / 100 - 4, -4, 4))


@pytest.mark.parametrize(("row", "column", "band"), [(1, 0, 0), (20, 1, 17), (20, 3, 45), (60, 2, 79)])
def test_mel_by_the_formulas(row: int, column: int, band: int) -> None:
    """Protects ``mel-80``: which samples a column holds, its filters and its scale."""
    samples = noise(1.0, 6)
    found = finished(KINDS["mel-80"], samples)[row, 80 * column + band]
    assert found == pytest.approx(slow_mel(samples, 160 * row + 40 * column, band), abs=1e-4)


def test_a_window_of_mel_rows_holds_the_columns_of_80_hz() -> None:
    """Protects the layout: 19 rows laid end to end hold 16 columns 200 samples apart, from any row on."""
    samples = noise(1.0, 7)
    rows = finished(KINDS["mel-80"], samples)
    for first in (0, 3, 50):
        strip = rows[first : first + 19].reshape(-1, 80)[: 5 * 15 + 1 : 5]
        for j in (0, 1, 7, 15):
            begin = 160 * first + 200 * j
            np.testing.assert_array_equal(strip[j], rows[begin // 160, 80 * (begin % 160 // 40) :][:80])
        assert len(strip) == 16
