"""From a log-mel to a wave by a network that gives magnitudes and phases, and one inverse transform.

The network is `clapboard.training.nets.istft_vocoder` as an ONNX graph. Whoever runs it (`clapboard.models`) hands it
in as a function, so that nothing here knows of graphs or files.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from clapboard.errors import UsageError
from clapboard.synthesis.mel import FLOOR, SILENT
from clapboard.synthesis.stft import WINDOW_SAMPLES, overlapped
from clapboard.values import F32

BINS = WINDOW_SAMPLES // 2 + 1
PIECE_ROWS = 2048
"""Rows handed to the network at once: more only costs memory."""
BEFORE_ROWS, AFTER_ROWS = 256, 24
"""Rows around a piece that the network sees as well; ours looks 18 to each side. Pieces and what is before them are
multiples of the 256 rows after which its noise begins anew, so that the noise goes on from piece to piece."""
SpectrumOfMel = Callable[[F32], tuple[F32, F32]]
"""Log-mel (R, 80) -> real and imaginary part, both (R, 321) float32; `clapboard.models.foley_session.SpectrumOf`."""


class Vocoder(Protocol):
    """Whatever makes a wave of a log-mel."""

    def __call__(self, mel: F32) -> F32:
        """Log-mel (R, 80) float32, of `clapboard.synthesis.mel.log_mel` -> wave (160 R,) float32 at 16 kHz."""
        ...


def istft(real: F32, imag: F32) -> F32:
    """The wave whose windows are nearest to a spectrum in least squares.

    Parameters
    ----------
    real, imag : (R, 321) float32, as `numpy.fft.rfft` of the 640 samples under the window of each row

    Returns
    -------
    (160 R,) float32

    Raises
    ------
    UsageError
        when the shapes differ or are others
    """
    if real.shape != imag.shape or real.ndim != 2 or real.shape[1] != BINS:
        raise UsageError(f"a spectrum is twice (R, {BINS}), not {real.shape} and {imag.shape}")
    if not len(real):
        return np.zeros(0, np.float32)
    spectrum = np.empty(real.shape, np.complex64)
    spectrum.real, spectrum.imag = real, imag
    return overlapped(np.asarray(np.fft.irfft(spectrum, WINDOW_SAMPLES, axis=1), np.float32))


class NetworkVocoder:
    """A `Vocoder` out of a network's spectrum: long log-mels in pieces, silence kept silent.

    Parameters
    ----------
    spectrum : see `SpectrumOfMel`
    """

    def __init__(self, spectrum: SpectrumOfMel) -> None:
        self._spectrum = spectrum

    def __call__(self, mel: F32) -> F32:
        """See `Vocoder`; the wave is the same wherever the pieces begin.

        Raises
        ------
        UsageError
            when the network gives other shapes than rows by 321
        """
        mel = np.ascontiguousarray(mel, np.float32)
        parts = []
        for start in range(0, len(mel), PIECE_ROWS):
            low, high = max(start - BEFORE_ROWS, 0), min(start + PIECE_ROWS + AFTER_ROWS, len(mel))
            found = np.stack(self._spectrum(mel[low:high]))
            if found.shape != (2, high - low, BINS):
                raise UsageError(f"of {high - low} rows the vocoder's network makes {found.shape[1:]}, not (R, {BINS})")
            parts.append(found[:, start - low : min(start + PIECE_ROWS, len(mel)) - low])
        if not parts:
            return np.zeros(0, np.float32)
        real, imag = np.concatenate(parts, axis=1)
        heard = (mel > np.log(FLOOR * (1 + SILENT))).any(1)
        return istft(real * heard[:, None], imag * heard[:, None])
