"""A wave from a log-mel without any network: the phase is found by going back and forth between wave and spectrum.

Fast Griffin-Lim [1]_ (Algorithm 2): each round turns the spectrum into the wave nearest to it, the wave into its
spectrum, steps on a little further in the direction of the last change, and puts the wanted magnitudes back.

References
----------
.. [1] N. Perraudin, P. Balazs, P. Soendergaard, "A fast Griffin-Lim algorithm", WASPAA 2013.
"""

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.synthesis.mel import power_of_mel
from clapboard.synthesis.stft import framed, overlapped
from clapboard.timebase import SAMPLES_PER_ROW
from clapboard.values import F32

FFT_SAMPLES = 640
"""As long as the window: a third cheaper than the 1024 of the log-mel, which only draws the same spectrum finer."""
MOMENTUM = 0.99
"""The paper's alpha: the best of its figure 2 that is sure not to run away."""
LEAST = np.float32(1e-12)
"""Magnitudes are divided by this at least."""


def griffin_lim(mel: F32, *, iterations: int = 24, seed: int = 0, start: F32 | None = None) -> F32:
    """Make a wave whose log-mel is near the one given.

    Parameters
    ----------
    mel : (R, 80) float32, as `clapboard.synthesis.mel.log_mel` gives it
    iterations : rounds; 24 and 60 differ by little, see docs/foley.md
    seed : of the phases that it starts with
    start : (160 R,) float32, a wave whose phases it starts with instead, as that of a vocoder

    Returns
    -------
    (160 R,) float32; exactly 0 where the log-mel is silent for as long as a window

    Raises
    ------
    UsageError
        when the log-mel is not (R, 80), or not finite, or the wave to start with has another length
    """
    magnitude = np.sqrt(power_of_mel(mel, FFT_SAMPLES))
    if not len(magnitude):
        return np.zeros(0, np.float32)
    if start is None:
        turns = np.random.default_rng(seed).random(magnitude.shape, np.float32)
        spectrum = (magnitude * np.exp(np.complex64(2j * np.pi) * turns)).astype(np.complex64)
    elif start.shape == (len(mel) * SAMPLES_PER_ROW,):
        spectrum = np.asarray(np.fft.rfft(framed(start), axis=1), np.complex64)
        spectrum *= magnitude / np.maximum(np.abs(spectrum), LEAST)
    else:
        raise UsageError(f"a log-mel of {len(mel)} rows has a wave of {len(mel)} x 160 samples, not {start.shape}")
    before: NDArray[np.complex64] | None = None
    for _ in range(iterations):
        now = np.asarray(np.fft.rfft(framed(_wave(spectrum)), axis=1), np.complex64)
        spectrum = now if before is None else now + np.float32(MOMENTUM) * (now - before)
        spectrum *= magnitude / np.maximum(np.abs(spectrum), LEAST)
        before = now
    return _wave(spectrum)


def _wave(spectrum: NDArray[np.complex64]) -> F32:
    """The wave nearest to a spectrum, (R, 321) -> (160 R,)."""
    return overlapped(np.asarray(np.fft.irfft(spectrum, FFT_SAMPLES, axis=1), np.float32))
