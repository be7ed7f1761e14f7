"""Where there is sound to measure by: rows that are not far below the loud ones of their file."""

import numpy as np
from numpy.typing import NDArray

from clapboard.melscale import mel_of_hz
from clapboard.sound.features import HIGHEST_HZ, LOWEST_HZ, MEL_BINS
from clapboard.values import Features

BAND_HZ = (150.0, 4500.0)
"""Most of the energy of speech lies here; hum lies below, hiss above."""
DROP_DB = 30.0
"""A row this far below the loud rows of the file is quiet: vowels and fricatives of one voice span about 30 dB."""
LOUD_PERCENTILE = 95.0
SILENCE_LOG_POWER = -13.0
"""Natural-log mel power under which nothing can be heard: about -75 dB of full scale."""
NEPER_DB = 10 / np.log(10)


def loudness(features: Features) -> NDArray[np.float32]:
    """Log power of each row in the band of speech, (R,) float32, natural-log units; -inf where there is no sound."""
    edges = np.linspace(mel_of_hz(LOWEST_HZ), mel_of_hz(HIGHEST_HZ), MEL_BINS + 2)[1:-1]
    band = (edges >= mel_of_hz(BAND_HZ[0])) & (edges <= mel_of_hz(BAND_HZ[1]))
    level = np.empty(len(features.values), np.float32)
    for start in range(0, len(level), 6000):  # in pieces, so that a long file is never held as float32
        part = np.asarray(features.values[start : start + 6000, band], np.float32)
        level[start : start + 6000] = np.log(np.exp(part).mean(axis=1))
    level[~features.valid] = -np.inf
    return level


def active_rows(features: Features) -> NDArray[np.bool_]:
    """Rows that sound: within 30 dB of the file's loud rows, and audible at all; (R,) bool."""
    level = loudness(features)
    real = level[features.valid]
    if not len(real):
        return np.zeros(len(level), np.bool_)
    threshold = max(float(np.percentile(real, LOUD_PERCENTILE)) - DROP_DB / NEPER_DB, SILENCE_LOG_POWER)
    return np.asarray(level > threshold)
