"""What every two-stream network has in common: what goes in, how it is prepared, and the two streams as methods.

Letters of shapes: B clips, T frames, W picture windows, R feature rows, F features of a row, C channels, D embedding.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.timebase import ROWS_PER_FRAME

MAX_SCALE = 40.0
"""The learned scale of similarities stays below this, so that a small set cannot drive it to infinity."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a network takes in and gives out.

    Attributes
    ----------
    view : name of the crop, see `clapboard.vision.views`
    channels : 1 for gray, 3 for colour (RGB)
    crop_px : side of the crops that come in
    seen_px : side of their middle part, which the network looks at
    input_px : side to which that part is brought
    sound : name of the kind of sound, see `clapboard.sound.kinds`
    window_frames, window_rows : what one embedding sees
    embedding : D
    unit : whether embeddings lie on the unit sphere
    """

    view: str
    channels: int
    crop_px: int
    seen_px: int
    input_px: int
    sound: str
    window_frames: int
    window_rows: int
    embedding: int
    unit: bool


def middle_sampling(crop_px: int, seen_px: int, input_px: int) -> Tensor:
    """Matrix (input_px, crop_px) that takes the middle of a row of pixels and resizes it by linear interpolation."""
    x = (crop_px - seen_px) / 2 - 0.5 + (np.arange(input_px) + 0.5) * seen_px / input_px
    weights = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(crop_px)[None]))
    return torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32)


def windows_of_rows(rows: Tensor, length: int, step: int) -> Tensor:
    """(B, R, F) -> (B, N, length, F): every window of so many rows, one every ``step`` rows."""
    count = (rows.shape[1] - length) // step + 1
    at = step * torch.arange(count, device=rows.device)[:, None] + torch.arange(length, device=rows.device)[None]
    return rows[:, at]


def windows_of_frames(images: Tensor, length: int) -> Tensor:
    """(B, T, C, h, w) -> (B, W, C * length, h, w): neighbouring frames as channels, those of one colour together.

    So a convolution over space and time becomes one over space: the same sums, faster.
    """
    windows = images.shape[1] - length + 1
    return torch.stack([images[:, i : i + windows] for i in range(length)], 3).flatten(2, 3)


def step_of(dense: bool) -> int:
    """Rows between two embeddings of the sound: 1, or those of a frame."""
    return 1 if dense else ROWS_PER_FRAME


def embed_windows(stream: nn.Module, windows: Tensor, *, unit: bool) -> Tensor:
    """Windows one by one through a stream, (B, W, C, h, w) -> (B, W, D) float32, of unit length if asked for."""
    found: Tensor = stream(windows.flatten(0, 1)).float().reshape(windows.shape[0], windows.shape[1], -1)
    return F.normalize(found, dim=-1) if unit else found


class TwoStream(nn.Module):
    """Base of all networks: a picture stream and a sound stream into one space.

    A network sets ``inputs``, and writes `normalise`, `picture` and `hear`. Both streams are valid in time: an
    embedding sees its own window and nothing else, however long the clip around it is.
    """

    inputs: Inputs
    built_as: tuple[str, dict[str, Any]] | None = None
    """Name and options, where `clapboard.training.nets.build` made it."""
    middle: Tensor

    def __init__(self) -> None:
        super().__init__()
        given = self.inputs
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.register_buffer("middle", middle_sampling(given.crop_px, given.seen_px, given.input_px), persistent=False)

    def see(self, images: Tensor) -> Tensor:
        """Crops as they come, (B, T, C, crop, crop) of any type -> (B, T, C, input, input) float32, 0 to 255.

        Where nothing is resized the middle is cut out at a whole pixel: half a pixel between two would blur.
        """
        given = self.inputs
        if given.seen_px == given.input_px:
            first = (given.crop_px - given.seen_px) // 2
            part = slice(first, first + given.seen_px)
            return images[..., part, part].float()
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 would keep 8 of the bits
            seen: Tensor = self.middle @ images.float() @ self.middle.T
        return seen

    def normalise(self, images: Tensor) -> Tensor:
        """(B, T, C, input, input) float, 0 to 255 -> the same shape, as the picture stream takes it; no geometry."""
        raise NotImplementedError

    def picture(self, images: Tensor) -> Tensor:
        """(B, T, C, input, input) float, 0 to 255 -> (B, T - window_frames + 1, D) float32."""
        raise NotImplementedError

    def hear(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """(B, R, F) finished features -> (B, 1 + (R - window_rows) // 4, D) float32: one a frame, for training.

        ``dense`` gives one a row (10 ms), for measuring: (B, R - window_rows + 1, D).
        """
        raise NotImplementedError

    def scale(self) -> Tensor:
        """What similarities are multiplied by, ()."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, images: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Picture (B, T - window_frames + 1, D), sound (B, 1 + (R - window_rows) // 4, D) and scale ()."""
        return self.picture(images), self.hear(rows), self.scale()
