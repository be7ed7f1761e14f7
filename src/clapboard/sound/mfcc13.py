"""The kind of sound ``mfcc-13``: 13 cepstral coefficients, as python_speech_features makes them by default [1]_.

SyncNet was published with these features [2]_, made from a whole file of 16-bit samples; rows here are the same
numbers. Two things differ on purpose: there is no row that reaches beyond the sound (the package fills its last one up
with zeros), and a run of sound behind a gap begins anew.

References
----------
.. [1] J. Lyons, python_speech_features 0.6: ``mfcc`` with winlen .025, winstep .01, numcep 13, nfilt 26, nfft 512,
   lowfreq 0, highfreq 8000, preemph .97, ceplifter 22, appendEnergy, a rectangular window.
.. [2] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016, section 2.1; the released
   ``SyncNetInstance.py``.
"""

from functools import cache

import numpy as np

from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64, Features

FILTERS = 26
COLUMNS = FILTERS + 1
"""Bands kept of a row: the filters, then the energy of the whole row."""
COEFFICIENTS = 13
WINDOW_SAMPLES = 400
FFT_SAMPLES = 512
PRE_EMPHASIS = 0.97
"""Part of each sample that is taken away from the next one."""
LIFTER = 22
"""The higher cepstral coefficients are raised by up to 1 + 22 / 2."""
FULL_SCALE = 32768.0
"""Samples are counted in steps of 16 bits, and rounded to them: the coefficient 0 holds the level."""
LEAST_POWER = float(np.finfo(np.float64).eps)
"""What a power of exactly 0 is replaced by before the logarithm."""


@cache
def filters() -> F64:
    """Triangles over bins of the spectrum, (26, 257) float64; their corners are rounded down to whole bins."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700), FILTERS + 2)
    corner = np.floor((FFT_SAMPLES + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE_HZ)
    left, top, right = corner[:-2, None], corner[1:-1, None], corner[2:, None]
    at = np.arange(FFT_SAMPLES // 2 + 1)
    rise, fall = (at - left) / (top - left), (right - at) / (right - top)
    found: F64 = np.where(at < top, np.maximum(rise, 0), np.maximum(fall, 0))
    found.setflags(write=False)
    return found


@cache
def cepstrum() -> F64:
    """Matrix (26, 13) from logarithms of filters to liftered coefficients: an orthonormal DCT-II, then the lifter."""
    order, place = np.arange(COEFFICIENTS), np.arange(FILTERS)[:, None]
    waves = np.cos(np.pi * order * (place + 0.5) / FILTERS) * np.where(order == 0, 1, np.sqrt(2)) / np.sqrt(FILTERS)
    found = np.asarray(waves * (1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER)), np.float64)
    found.setflags(write=False)
    return found


def bands(samples: F32) -> F32:
    """Power in 26 bands and of the whole row.

    Parameters
    ----------
    samples : (N,) float32 in [-1, 1] at 16 kHz, from the beginning of the sound or one row before the rows wanted: the
        pre-emphasis of row r looks at sample 160 r - 1

    Returns
    -------
    (R, 27) float32, natural logarithms, power counted in steps of 16 bits; R = 1 + (N - 400) // 160, or 0
    """
    if len(samples) < WINDOW_SAMPLES:
        return np.zeros((0, COLUMNS), np.float32)
    whole = np.clip(np.rint(samples.astype(np.float64) * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    sharp = np.concatenate([whole[:1], whole[1:] - PRE_EMPHASIS * whole[:-1]])
    views = np.lib.stride_tricks.sliding_window_view(sharp, WINDOW_SAMPLES)[::SAMPLES_PER_ROW]
    spectrum = np.fft.rfft(views, FFT_SAMPLES, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) / FFT_SAMPLES
    # Not matrix products: those differ in the last bit with the number of rows, and wake the threads of BLAS.
    found = np.empty((len(power), COLUMNS))
    np.einsum("rf,bf->rb", power, filters(), out=found[:, :FILTERS])
    np.einsum("rf->r", power, out=found[:, FILTERS])
    return np.log(np.where(found == 0, LEAST_POWER, found)).astype(np.float32)


def finish(features: Features, start: int = 0, stop: int | None = None) -> F32:
    """Cepstral coefficients of the rows start to stop; rows without sound come out as 0.

    Returns
    -------
    (stop - start, 13) float32; the first one is the natural logarithm of the row's energy
    """
    rows = np.asarray(features.values[start:stop], np.float64)
    found = np.einsum("rb,bc->rc", rows[:, :FILTERS], cepstrum())
    found[:, 0] = rows[:, FILTERS]
    return np.asarray(found * features.valid[start:stop, None], np.float32)
