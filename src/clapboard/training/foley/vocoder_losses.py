"""What a vocoder is judged by: magnitudes at several resolutions, the log-mel, and the wave where it can be known.

Letters of shapes: B clips, N samples. The first is the multi-resolution STFT loss of Parallel WaveGAN [1]_, equations 4
to 6, with short windows among them: they tell where within a row a blow begins.

References
----------
.. [1] R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from clapboard.synthesis.mel import FFT_SAMPLES as MEL_FFT_SAMPLES
from clapboard.synthesis.mel import FLOOR, filters
from clapboard.synthesis.stft import OVERLAP, WINDOW_SAMPLES
from clapboard.timebase import SAMPLES_PER_ROW

RESOLUTIONS = (2048, 512, 128)
"""Windows, samples: 128 ms, which hears a buzz of the rate of rows, to 8 ms; each moved by a quarter."""
PHASE_SAMPLES = 512
"""The one of them whose phases count."""
LEAST_NORM = 1e-3
"""Clips are not compared more strictly than with this norm of magnitudes: silence is not divided by 0."""


@cache
def hann(samples: int) -> Tensor:
    """Periodic Hann window, (samples,)."""
    return torch.hann_window(samples)


def wave_of(real: Tensor, imag: Tensor) -> Tensor:
    """`clapboard.synthesis.vocoder.istft` away from the ends: (B, R, 321) twice -> (B, 160 (R - 3)).

    Sample 0 is sample 240 of the rows' wave; what fewer than four windows cover is left out.
    """
    frames = torch.fft.irfft(torch.complex(real, imag), WINDOW_SAMPLES, dim=-1) * hann(WINDOW_SAMPLES).to(real.device)
    parts = frames.unflatten(-1, (OVERLAP, SAMPLES_PER_ROW))
    count = parts.shape[1] - OVERLAP + 1
    added = torch.stack([parts[:, last : last + count, OVERLAP - 1 - last] for last in range(OVERLAP)]).sum(0)
    return added.flatten(1) / 1.5


def spectrum(waves: Tensor, samples: int) -> Tensor:
    """Complex spectrum, (B, bins, frames), of windows that lie within the waves."""
    window = hann(samples).to(waves.device)
    return torch.stft(waves, samples, samples // 4, window=window, center=False, return_complex=True)


def stft_losses(made: Tensor, true: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Spectral convergence, mean difference of logarithms, and difference of spectra with their phases, each ().

    The first two are means over resolutions; the third is against the sum of the true magnitudes: 0 for the same
    spectrum, about 1.3 for one with the same magnitudes and phases by chance.
    """
    convergence, logs, phases = [], [], torch.zeros(())
    for samples in RESOLUTIONS:
        wanted, found = spectrum(true, samples), spectrum(made, samples)
        power, made_power = ((one.real**2 + one.imag**2) / samples for one in (wanted, found))
        magnitude, made_magnitude = ((one + 1e-12).sqrt() for one in (power, made_power))
        norm = magnitude.flatten(1).norm(dim=1).clamp_min(LEAST_NORM)
        convergence.append(((made_magnitude - magnitude).flatten(1).norm(dim=1) / norm).mean())
        logs.append(0.5 * F.l1_loss((made_power + FLOOR).log(), (power + FLOOR).log()))
        if samples == PHASE_SAMPLES:
            apart = found - wanted
            distance = ((apart.real**2 + apart.imag**2) / samples + 1e-12).sqrt()
            phases = (distance.flatten(1).sum(1) / magnitude.flatten(1).sum(1).clamp_min(LEAST_NORM)).mean()
    return torch.stack(convergence).mean(), torch.stack(logs).mean(), phases


@cache
def _mel_filters() -> Tensor:
    return torch.from_numpy(filters().copy())


def log_mel_of(waves: Tensor) -> Tensor:
    """`clapboard.synthesis.mel.log_mel` of waves, (B, frames, 80), of the windows that lie within them."""
    window = hann(WINDOW_SAMPLES).to(waves.device)
    views = waves.unfold(-1, WINDOW_SAMPLES, SAMPLES_PER_ROW) * window
    found = torch.fft.rfft(views, MEL_FFT_SAMPLES)
    power = (found.real**2 + found.imag**2) / MEL_FFT_SAMPLES
    found_mel: Tensor = (power @ _mel_filters().to(waves.device).T + FLOOR).log()
    return found_mel
