"""The kind of sound ``log-mel-40``: log-mel power, and its local normalisation. Rows are 10 ms apart and 25 ms wide."""

from functools import cache

import numpy as np

from clapboard.melscale import corners_hz, frozen, triangles
from clapboard.timebase import FEATURE_HZ, SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, Features

MEL_BINS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
WINDOW_SAMPLES = 400
"""25 ms: the usual window of speech features."""
FFT_SAMPLES = 512
FLOOR = 1e-8
"""Added to mel power before the logarithm: about the noise of 16-bit sound, so that digital silence stays finite."""
NORM_HALF_S = 3.0
"""Each row is normalised by the sound within this many seconds on both sides, so scenes of a long file do not mix."""
NORM_MIN_STD = 0.7
"""Least spread (natural-log units) that normalisation divides by, so that noise in a pause is not blown up."""


@cache
def mel_filters(bins: int = MEL_BINS) -> F32:
    """Triangular filters, (bins, 257) float32, each with peak 1, evenly spaced in mel between 60 and 7600 Hz."""
    hz = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    return frozen(triangles(corners_hz(LOWEST_HZ, HIGHEST_HZ, bins), hz))


@cache
def _window() -> F32:
    """Periodic Hann window of 25 ms, (400,) float32."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)).astype(np.float32)


def log_mel(samples: F32) -> F32:
    """Log-mel power of samples at 16 kHz.

    Parameters
    ----------
    samples : (N,) float32 in [-1, 1]

    Returns
    -------
    (R, 40) float32, natural logarithm; R = 1 + (N - 400) // 160, or 0 rows when N < 400. Row r covers the samples
    from 160 r up to 160 r + 400.
    """
    if len(samples) < WINDOW_SAMPLES:
        return np.zeros((0, MEL_BINS), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::SAMPLES_PER_ROW]
    spectrum = np.fft.rfft(views * _window(), FFT_SAMPLES, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) / FFT_SAMPLES
    # Not a matrix product: that would differ in the last bit with the number of rows, and wake the threads of BLAS.
    mel = np.einsum("rf,bf->rb", power, mel_filters())
    return np.asarray(np.log(mel + np.float32(FLOOR)), np.float32)


def normalise(features: Features, start: int = 0, stop: int | None = None) -> F32:
    """Rows start to stop with each mel bin's local mean taken away and its local spread divided out.

    Local is `NORM_HALF_S` seconds on both sides, over rows with sound only; rows without sound come out as 0. This
    takes out the microphone, the level and the room, as instance normalisation does for short clips.

    Returns
    -------
    (stop - start, 40) float32
    """
    stop = len(features.values) if stop is None else stop
    half = round(NORM_HALF_S * FEATURE_HZ)
    low, high = max(0, start - half), min(len(features.values), stop + half)
    values = np.asarray(features.values[low:high], np.float64)
    weight = np.asarray(features.valid[low:high], np.float64)[:, None]
    sums = np.concatenate(
        [[np.zeros(2 * MEL_BINS + 1)], np.cumsum(np.hstack([values * weight, values**2 * weight, weight]), axis=0)]
    )
    here = np.arange(start, stop) - low
    total = sums[np.minimum(here + half + 1, high - low)] - sums[np.maximum(here - half, 0)]
    count = np.maximum(total[:, -1:], 1.0)
    mean = total[:, :MEL_BINS] / count
    spread = np.sqrt(np.maximum(total[:, MEL_BINS:-1] / count - mean**2, NORM_MIN_STD**2))
    normed = (values[here] - mean) / spread * weight[here]
    return np.asarray(normed, np.float32)
