"""A vocoder with an inverse-STFT head: from a log-mel to the spectrum of a wave, both at 100 rows a second.

After Vocos [1]_: one-dimensional ConvNeXt blocks at the rate of the log-mel, no upsampling; the last layer gives every
bin of every row a logarithm of magnitude and a phase, and the wave is one inverse transform and an overlap-add away
(`clapboard.synthesis.vocoder`). Letters of shapes: B clips, R rows, C channels, F = 321 bins.

What differs from [1]_, all for a training of minutes and without a discriminator:

- The magnitude is a correction of the log-mel drawn over the bins, so that an untrained network has the right level
  already.
- Phases are those about the middle of the window, where a blow in the middle of a row has the phase 0 in all bins.
- A second magnitude is that of noise, whose spectrum is added. Without it a steady log-mel gives the same spectrum in
  every row, and so a buzz at 100 Hz: measured on rendered engines, rotors and saws, the wave is like itself 10 ms
  later by 0.4 to 0.55 (correlation), where the true sounds and Griffin-Lim have 0. The noise is levelled band by band.

References
----------
.. [1] H. Siuzdak, "Vocos: closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
   synthesis", ICLR 2024, section 3.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.synthesis.mel import FFT_SAMPLES as MEL_FFT_SAMPLES
from clapboard.synthesis.mel import MEL_BINS, filters
from clapboard.synthesis.stft import EDGE_SAMPLES, WINDOW_SAMPLES
from clapboard.timebase import SAMPLES_PER_ROW

FFT_SAMPLES = WINDOW_SAMPLES
"""As long as the window, 640: 321 bins, 25 Hz apart."""
BINS = FFT_SAMPLES // 2 + 1
MEL_MIDDLE, MEL_SPREAD = -8.0, 4.0
"""Log-mels of sounds are about so and so wide."""
MOST_LOG = 5.0
"""Logarithms of magnitude are at most this: 148, what a tone at full scale has in the bin that it meets."""
QUIET = -1.5
"""What is not noise begins so much below it, in logarithms of magnitude: with a twentieth of the power."""
NOISE_ROWS = 256
"""The noise of the graph begins anew after 2.56 s, under magnitudes that have changed meanwhile."""
LEAST_CHANCE = 0.1
"""Noise that is weaker than this in a band and row by chance, against the mean, is not made louder for it."""
SCALE = 0.1
"""Blocks begin with this part of what they give: with much less a short training hardly reaches them."""


class Block(nn.Module):
    """ConvNeXt over rows: a convolution of each channel, then two layers at each row; (B, R, C) -> (B, R, C)."""

    def __init__(self, width: int, kernel: int, expansion: int) -> None:
        super().__init__()
        self.over_rows = nn.Conv2d(width, width, (1, kernel), padding=(0, kernel // 2), groups=width)
        self.norm = nn.LayerNorm(width)
        self.wider = nn.Linear(width, expansion * width)
        self.back = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        # As a picture of height 1: on a CPU torch's convolution of one axis is three times slower.
        y = self.over_rows(x.transpose(1, 2)[:, :, None])[:, :, 0].transpose(1, 2)
        y = self.back(F.gelu(self.wider(self.norm(y))))
        found: Tensor = x + self.scale * y
        return found


class IstftVocoder(nn.Module):
    """See the module.

    Parameters
    ----------
    width : C
    blocks : how many
    kernel : rows that a block sees, odd
    expansion : a block's inner layer is so many times as wide
    """

    spread: Tensor
    level: Tensor
    turn: Tensor
    noise: Tensor
    bands: Tensor

    def __init__(self, width: int = 160, blocks: int = 5, kernel: int = 7, expansion: int = 3) -> None:
        if min(width, blocks, expansion) < 1 or kernel < 1 or kernel % 2 == 0:
            raise UsageError("a vocoder's width, blocks and expansion are at least 1, its kernel is odd")
        super().__init__()
        self.first = nn.Conv1d(MEL_BINS, width, kernel, padding=kernel // 2)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, kernel, expansion) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 3 * BINS)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[:BINS] = QUIET
            self.head.weight[: 2 * BINS] *= 0.1
        self.reach_rows = (blocks + 1) * (kernel // 2)
        spread, level = _drawn_over_bins()
        self.register_buffer("spread", torch.from_numpy(spread), persistent=False)
        self.register_buffer("level", torch.from_numpy(level), persistent=False)
        turn = 1 - 2 * (torch.arange(BINS) % 2)
        self.register_buffer("turn", turn.float(), persistent=False)
        self.register_buffer("noise", noise_rows(steady_noise())[0], persistent=False)
        triangles = torch.from_numpy(filters(FFT_SAMPLES).copy())
        self.register_buffer("bands", triangles / triangles.sum(1, keepdim=True), persistent=False)

    def forward(self, mel: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of the spectrum of each row's window.

        Parameters
        ----------
        mel : (B, R, 80) float32, of `clapboard.synthesis.mel.log_mel`
        noise : (B, R, 642) float32, of `noise_rows`; where None, the same `NOISE_ROWS` rows over and over

        Returns
        -------
        two of (B, R, 321) float32, as `numpy.fft.rfft` of the row's samples under the window gives them
        """
        real, imag, _ = self.parts(mel, noise)
        return real, imag

    def parts(self, mel: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """What `forward` gives, and how much of the power of each bin is not noise, 0 to 1, (B, R, 321)."""
        if noise is None:
            noise = self.noise[torch.arange(mel.shape[1], device=mel.device) % NOISE_ROWS][None]
        x = self.norm(self.first(((mel - MEL_MIDDLE) / MEL_SPREAD).transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        given = self.head(self.last_norm(x)).float()
        change, change_of_noise, phase = given[..., :BINS], given[..., BINS : 2 * BINS], given[..., 2 * BINS :]
        drawn, spread = mel.float(), self.spread.float()
        magnitude = 0.5 * F.linear(drawn, spread) + self.level + change
        # The noise is louder in one band and row than in another by chance: that is taken out, as far as it can be.
        real, imag = noise[..., :BINS], noise[..., BINS:]
        by_chance = F.linear(real**2 + imag**2, self.bands).clamp_min(LEAST_CHANCE).log()
        loudness = 0.5 * F.linear(drawn - by_chance, spread) + self.level + change_of_noise
        tones = torch.sigmoid(2 * (magnitude - loudness))
        magnitude = magnitude.clamp(max=MOST_LOG).exp() * self.turn
        loudness = loudness.clamp(max=MOST_LOG).exp()
        return magnitude * phase.cos() + loudness * real, magnitude * phase.sin() + loudness * imag, tones


def steady_noise() -> Tensor:
    """White noise that goes on where it began after `NOISE_ROWS` rows, and the windows' ends, (1, samples)."""
    noise = np.random.default_rng(0).standard_normal(NOISE_ROWS * SAMPLES_PER_ROW, np.float32)
    return torch.from_numpy(np.pad(noise, EDGE_SAMPLES, mode="wrap"))[None]


def noise_rows(waves: Tensor) -> Tensor:
    """Spectra of windows within white noise (B, N), mean power 1: real, then imaginary parts, (B, R, 642)."""
    window = torch.hann_window(WINDOW_SAMPLES, device=waves.device)
    views = waves.unfold(-1, WINDOW_SAMPLES, SAMPLES_PER_ROW) * (window / window.norm())
    found = torch.fft.rfft(views)
    return torch.cat([found.real, found.imag], -1)


def _drawn_over_bins() -> tuple[np.ndarray, np.ndarray]:
    """Weights (321, 80) that draw a log-mel over bins, and what half of it lacks of the log of magnitude, (321,).

    Between the middles of two bands the logarithms are joined by a line; a bin of noise has the power that way.
    """
    triangles = filters().astype(np.float64)
    hz = np.arange(triangles.shape[1]) / MEL_FFT_SAMPLES
    middle = (triangles * hz).sum(1) / triangles.sum(1)
    at = np.arange(BINS) / FFT_SAMPLES
    spread = np.stack([np.interp(at, middle, one) for one in np.eye(MEL_BINS)], 1)
    level = 0.5 * np.interp(at, middle, np.log(MEL_FFT_SAMPLES / triangles.sum(1)))
    return spread.astype(np.float32), level.astype(np.float32)
