"""Windows over a wave, one for each row of 10 ms, and the wave that windows add up to."""

from functools import cache, lru_cache

import numpy as np

from clapboard.melscale import frozen
from clapboard.timebase import SAMPLES_PER_ROW
from clapboard.values import F32

WINDOW_SAMPLES = 640
"""40 ms: four rows, so that windows overlap by three quarters and a wave can be found again from magnitudes."""
EDGE_SAMPLES = (WINDOW_SAMPLES - SAMPLES_PER_ROW) // 2
"""A row's window reaches this far beyond the row on both sides, 240 samples; beyond the wave it finds zeros."""
OVERLAP = WINDOW_SAMPLES // SAMPLES_PER_ROW


@cache
def window() -> F32:
    """Periodic Hann window of 40 ms, (640,) float32."""
    return frozen(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES))


def framed(samples: F32) -> F32:
    """Samples under the window of each row: (160 R,) float32, R at least 1, -> (R, 640) float32."""
    padded = np.pad(samples, EDGE_SAMPLES)
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::SAMPLES_PER_ROW] * window()


def overlapped(frames: F32) -> F32:
    """The wave whose windows are nearest to the frames in least squares: (R, 640 or more) -> (160 R,) float32.

    Each frame's first 640 samples stand where `framed` cuts its row's window, the rest is left out. Griffin and Lim,
    "Signal estimation from modified short-time Fourier transform", 1984, equation 6.
    """
    return _added(frames[:, :WINDOW_SAMPLES] * window()) * _scale(len(frames))


def _added(frames: F32) -> F32:
    """Add windows up at their places and cut what lies beyond the rows: (R, 640) -> (160 R,)."""
    rows = len(frames)
    parts = frames.reshape(rows, OVERLAP, SAMPLES_PER_ROW)
    wave = np.zeros((rows + OVERLAP - 1, SAMPLES_PER_ROW), np.float32)
    for start in range(OVERLAP):
        wave[start : start + rows] += parts[:, start]
    return wave.reshape(-1)[EDGE_SAMPLES : EDGE_SAMPLES + rows * SAMPLES_PER_ROW]


@lru_cache(maxsize=4)
def _scale(rows: int) -> F32:
    """One over the sum of the squared windows at each sample, (160 R,) float32: 1 / 1.5 but at the ends."""
    squares = np.broadcast_to(window() ** 2, (rows, WINDOW_SAMPLES))
    return frozen(1 / _added(np.ascontiguousarray(squares)).astype(np.float64))
