"""The kind of sound ``mel-80``: the mel spectrogram of Wav2Lip's ``audio.py`` [1]_, every 2.5 ms.

There a column is 50 ms wide and comes every 12.5 ms (80 Hz), and its network takes 16 columns, 0.2 s. Rows here come
every 10 ms, of which 12.5 ms is no multiple: so each row holds the four columns that begin at its samples 0, 40, 80 and
120, and a window of 19 rows holds, for every row that it may begin with, all 16 columns of 80 Hz: the n-th row's are
columns 4 n + 5 j, j from 0 to 15, of the rows laid end to end. Only columns that lie in the sound are made, where the
published code mirrors it at both ends.

References
----------
.. [1] K. R. Prajwal, R. Mukhopadhyay, V. Namboodiri, C. V. Jawahar, "A lip sync expert is all you need for speech to
   lip generation in the wild", 2020; ``audio.py`` and ``hparams.py`` of the released code, which use librosa 0.7.
"""

from functools import cache

import numpy as np

from clapboard.melscale import frozen, triangles
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.values import F32, F64, Features

MEL_BINS = 80
COLUMNS_PER_ROW = 4
COLUMNS = MEL_BINS * COLUMNS_PER_ROW
STEP_SAMPLES = SAMPLES_PER_ROW // COLUMNS_PER_ROW
"""From one column to the next: 40 samples, 2.5 ms."""
COLUMN_SAMPLES = 800
ROW_SAMPLES = COLUMN_SAMPLES + (COLUMNS_PER_ROW - 1) * STEP_SAMPLES
LOWEST_HZ, HIGHEST_HZ = 55.0, 7600.0
PRE_EMPHASIS = 0.97
FLOOR_DB, REFERENCE_DB = -100.0, 20.0
"""Magnitudes below the floor count as it; the reference is taken away after that."""
MAX_ABS = 4.0
"""The decibels from the floor up to 0 are spread over -4 to 4."""
NEPER_DB = 10 / np.log(10)
"""Decibels of one unit of natural-log power."""


def _hz_of_mel(mel: F64) -> F64:
    """Slaney's scale: 200/3 Hz a mel up to 1000 Hz, then 27 steps for each factor of 6.4."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def _mel_of_hz(hz: float) -> float:
    """The way back."""
    return hz * 3 / 200 if hz < 1000 else float(15 + 27 * np.log(hz / 1000) / np.log(6.4))


@cache
def filters() -> F32:
    """Triangles of equal area over bins of the spectrum, (80, 401) float32, as ``librosa.filters.mel`` makes them."""
    corner = _hz_of_mel(np.linspace(_mel_of_hz(LOWEST_HZ), _mel_of_hz(HIGHEST_HZ), MEL_BINS + 2))
    hz = np.arange(COLUMN_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / COLUMN_SAMPLES
    return frozen(triangles(corner, hz) * (2 / (corner[2:] - corner[:-2]))[:, None])


@cache
def _window() -> F32:
    """Periodic Hann window of 50 ms, (800,) float32."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(COLUMN_SAMPLES) / COLUMN_SAMPLES)).astype(np.float32)


def bands(samples: F32) -> F32:
    """Squared magnitude in 80 bands, four columns a row.

    Parameters
    ----------
    samples : (N,) float32 in [-1, 1] at 16 kHz, from the beginning of the sound or one row before the rows wanted: the
        pre-emphasis of row r looks at sample 160 r - 1

    Returns
    -------
    (R, 320) float32, natural logarithms, not below that of the floor; R = 1 + (N - 920) // 160, or 0. Number 80 k + b
    of row r is band b of the samples from 160 r + 40 k up to 160 r + 40 k + 800.
    """
    if len(samples) < ROW_SAMPLES:
        return np.zeros((0, COLUMNS), np.float32)
    count = 1 + (len(samples) - ROW_SAMPLES) // SAMPLES_PER_ROW
    sharp = np.concatenate([samples[:1], samples[1:] - np.float32(PRE_EMPHASIS) * samples[:-1]])
    views = np.lib.stride_tricks.sliding_window_view(sharp, COLUMN_SAMPLES)[::STEP_SAMPLES]
    spectrum = np.fft.rfft(views[: COLUMNS_PER_ROW * count] * _window(), axis=1)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    # Not a matrix product: that would differ in the last bit with the number of rows, and wake the threads of BLAS.
    mel = np.einsum("cf,bf->cb", magnitude, filters())
    least = np.float32(10 ** (FLOOR_DB / 20))
    return np.asarray(2 * np.log(np.maximum(mel, least)), np.float32).reshape(count, COLUMNS)


def finish(features: Features, start: int = 0, stop: int | None = None) -> F32:
    """The spectrogram of the rows start to stop as Wav2Lip scales it, -4 to 4; rows without sound come out as 0.

    Returns
    -------
    (stop - start, 320) float32
    """
    level_db = np.asarray(features.values[start:stop], np.float32) * np.float32(NEPER_DB) - np.float32(REFERENCE_DB)
    scaled = 2 * MAX_ABS * (level_db - FLOOR_DB) / -FLOOR_DB - MAX_ABS
    found = np.clip(scaled, -MAX_ABS, MAX_ABS) * features.valid[start:stop, None]
    return np.asarray(found, np.float32)
