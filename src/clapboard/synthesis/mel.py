"""The log-mel that sound is made from: 80 bands, one row every 10 ms, and the way back to a spectrum.

A picture of the 25 Hz grid owns four rows, and row r the samples from 160 r up to 160 r + 160, whose middle is the
middle of the row's window. Rows for networks that listen (`clapboard.sound.features`) begin with their window instead,
and are coarser: what they are for is to tell sounds apart, not to be turned back into them.
"""

from functools import cache

import numpy as np

from clapboard.errors import UsageError
from clapboard.melscale import corners_hz, frozen, triangles
from clapboard.synthesis.stft import framed
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32

MEL_BINS = 80
LOWEST_HZ, HIGHEST_HZ = 30.0, 7900.0
FFT_SAMPLES = 1024
FLOOR = 1e-8
"""Added to mel power before the logarithm: noise at about -80 dB of full scale."""
INVERSION_STEPS = 12
"""Steps of `power_of_mel`: 24 rather than 12 bring Griffin-Lim's log-mel 0.03 dB nearer on real sounds."""
SILENT = 1e-3
"""Bands that stand less than this part above the floor are silent."""


@cache
def filters(fft_samples: int = FFT_SAMPLES) -> F32:
    """Triangular filters, (80, fft_samples / 2 + 1) float32, each with peak 1, evenly spaced in mel."""
    hz = np.arange(fft_samples // 2 + 1) * SAMPLE_RATE_HZ / fft_samples
    return frozen(triangles(corners_hz(LOWEST_HZ, HIGHEST_HZ, MEL_BINS), hz))


def log_mel(samples: F32) -> F32:
    """Log-mel power of a wave at 16 kHz.

    Parameters
    ----------
    samples : (160 R,) float32 in [-1, 1]

    Returns
    -------
    (R, 80) float32: natural logarithm of mel power + `FLOOR`. Row r is centred on sample 160 r + 80; the wave is taken
    as 0 beyond its ends.

    Raises
    ------
    UsageError
        when the samples are not (160 R,)
    """
    if samples.ndim != 1 or len(samples) % SAMPLES_PER_ROW:
        raise UsageError(f"a log-mel is made of (160 R,) samples, not {samples.shape}: cut or pad the wave")
    if not len(samples):
        return np.zeros((0, MEL_BINS), np.float32)
    spectrum = np.fft.rfft(framed(samples.astype(np.float32, copy=False)), FFT_SAMPLES, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * np.float32(1 / FFT_SAMPLES)
    # Not a matrix product: that would differ in the last bit with the number of rows, and wake the threads of BLAS.
    bands = np.einsum("rf,bf->rb", power.astype(np.float32, copy=False), filters())
    return np.asarray(np.log(bands + np.float32(FLOOR)), np.float32)


def power_of_mel(mel: F32, fft_samples: int = FFT_SAMPLES) -> F32:
    """A power spectrum that has the bands of a log-mel: positive, smooth where the bands leave it open.

    The bands are fitted by the multiplicative steps of Lee and Seung for the Kullback-Leibler divergence (Algorithms
    for non-negative matrix factorization, NIPS 2000, equation 5), from what each band spreads over its own bins. They
    keep power positive and weigh what is wrong in parts of a band, as the ear does; a pseudo-inverse cut off at zero
    leaves holes between loud bands, and the sound made from it is 1 dB further from the log-mel.

    Parameters
    ----------
    mel : (R, 80) float32, as `log_mel` gives it
    fft_samples : size of the transform wanted, at least 640; for other sizes than 1024 the filters are scaled so that
        noise has the same bands

    Returns
    -------
    (R, fft_samples / 2 + 1) float32, squared magnitude of the samples under the window; 0 outside of the bands and
    where the log-mel is that of silence

    Raises
    ------
    UsageError
        when the log-mel is not (R, 80), or not finite
    """
    if mel.ndim != 2 or mel.shape[1] != MEL_BINS:
        raise UsageError(f"a log-mel must be (R, {MEL_BINS}), not {mel.shape}")
    if not np.isfinite(mel).all():
        raise UsageError("the log-mel holds numbers that are not finite: the network that made it is broken")
    bands = np.exp(mel.astype(np.float32, copy=False)) - np.float32(FLOOR)
    bands[bands < SILENT * FLOOR] = 0
    matrix, spread, weight = _inversion(fft_samples)
    power = bands @ spread
    for _ in range(INVERSION_STEPS):
        ratio = bands / np.maximum(power @ matrix.T, np.float32(1e-30))
        power *= (ratio @ matrix) * weight
    return np.asarray(power, np.float32)


@cache
def _inversion(fft_samples: int) -> tuple[F32, F32, F32]:
    """Matrix from squared magnitudes to bands, its start of a way back, and 1 / its sums over bands; see above."""
    raw = filters(fft_samples).astype(np.float64)
    matrix = raw * (filters().sum(1) / raw.sum(1))[:, None] / FFT_SAMPLES
    covered = matrix.sum(0) > 0
    weight = np.divide(1.0, matrix.sum(0), out=np.zeros(len(covered)), where=covered)
    return frozen(matrix), frozen(raw / matrix.sum(1)[:, None]), frozen(weight)
