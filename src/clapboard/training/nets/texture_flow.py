"""The flow of textures: a small convolutional network over the rows of a log-mel, told the time and the cues.

Letters of shapes: B pieces, R rows, C numbers of a row's cues, W channels. Two rows are one position of 20 ms. Blocks
of dilated convolutions with gates follow one another (van den Oord et al., "WaveNet", 2016); each is scaled and shifted
by the time of the flow (Perez et al., "FiLM", 2018). With the usual dilations a row depends on 0.62 s before and after
it. Each band of the noisy log-mel and of that of the cues also goes straight to what is given, times a weight that the
time decides: of a normal law that is the whole answer, and what is white in all bands fits through no fewer channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from clapboard.errors import UsageError
from clapboard.synthesis.mel import MEL_BINS
from clapboard.synthesis.texture import FEATURES, MEL, ROWS_AT_ONCE

DILATIONS = (1, 2, 4, 8, 15, 1)
TIME_WAVES = 32
"""Sines and cosines that the time is told by."""


class Block(nn.Module):
    """One gated convolution with a residual: (B, W, P) and (B, 2 W) of the time -> (B, W, P)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.near = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, film: Tensor) -> Tensor:
        """See the class."""
        scale, shift = film[:, :, None].chunk(2, 1)
        value, gate = self.near(x * (1 + scale) + shift).chunk(2, 1)
        y: Tensor = self.out(torch.tanh(value) * torch.sigmoid(gate))
        joined: Tensor = (x + y) * 0.5**0.5
        return joined


class TextureFlow(nn.Module):
    """See the module.

    Parameters
    ----------
    width : channels, W
    dilations : of the blocks, in positions

    Raises
    ------
    UsageError : a size below 1
    """

    def __init__(self, width: int = 192, dilations: Sequence[int] = DILATIONS) -> None:
        if width < 1 or not dilations or min(dilations) < 1:
            raise UsageError("width and dilations must be at least 1, and there is one dilation at least")
        super().__init__()
        self.begin = nn.Conv1d(ROWS_AT_ONCE * (MEL_BINS + FEATURES), width, 1)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in dilations)
        self.time = nn.Sequential(nn.Linear(2 * TIME_WAVES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.film = nn.Linear(width, 2 * width * len(dilations))
        self.straight = nn.Linear(width, 2 * MEL_BINS)
        self.end = nn.Sequential(nn.Conv1d(width, width, 1), nn.SiLU(), nn.Conv1d(width, ROWS_AT_ONCE * MEL_BINS, 1))
        self.waves: Tensor
        self.register_buffer("waves", 2.0 ** torch.linspace(0, 10, TIME_WAVES), persistent=False)

    def forward(self, noisy: Tensor, time: Tensor, cues: Tensor) -> Tensor:
        """(B, R, 80), (B,) 0 to 1 and (B, R, C) -> velocity (B, R, 80); R is even."""
        waves = time[:, None] * self.waves
        told = self.time(torch.cat([waves.sin(), waves.cos()], 1))
        films = self.film(told).chunk(len(self.blocks), 1)
        of_noisy, of_cues = self.straight(told)[:, None].chunk(2, 2)
        rows = torch.cat([noisy, cues], 2)
        x = self.begin(rows.reshape(len(rows), -1, ROWS_AT_ONCE * rows.shape[2]).transpose(1, 2))
        for block, film in zip(self.blocks, films, strict=True):
            x = block(x, film)
        bent: Tensor = self.end(x).transpose(1, 2).reshape(noisy.shape)
        straight: Tensor = of_noisy * noisy + of_cues * cues[:, :, MEL:]
        return bent + straight
