"""The mel scale of HTK, and triangular filters over the bins of a spectrum: shared by the kinds of sound."""

import numpy as np

from clapboard.values import F32, F64


def mel_of_hz(hz: float) -> float:
    """Hz to mel, the formula of HTK: 2595 log10(1 + f / 700)."""
    return float(2595 * np.log10(1 + hz / 700))


def corners_hz(lowest_hz: float, highest_hz: float, bins: int) -> F64:
    """Corners of so many triangles, (bins + 2,) Hz, evenly spaced in mel: number b stands on b, b + 1 and b + 2."""
    edges_mel = np.linspace(mel_of_hz(lowest_hz), mel_of_hz(highest_hz), bins + 2)
    return np.asarray(700 * (10 ** (edges_mel / 2595) - 1), np.float64)


def triangles(corner_hz: F64, hz: F64) -> F64:
    """Triangular filters with peak 1.

    Parameters
    ----------
    corner_hz : (B + 2,) corners, Hz, ascending
    hz : (F,) frequencies of the bins of the spectrum, Hz

    Returns
    -------
    (B, F) float64, 0 to 1
    """
    rise = (hz - corner_hz[:-2, None]) / (corner_hz[1:-1] - corner_hz[:-2])[:, None]
    fall = (corner_hz[2:, None] - hz) / (corner_hz[2:] - corner_hz[1:-1])[:, None]
    return np.asarray(np.maximum(0, np.minimum(rise, fall)), np.float64)


def frozen(filters: F64) -> F32:
    """Filters as float32 that nobody can write to: they are kept and handed out again."""
    found = filters.astype(np.float32)
    found.setflags(write=False)
    return found
