"""clapboard-s: a small two-stream network, both streams convolutional in time, so that every frame is computed once.

Letters of shapes: B clips, T frames, W = T - 4 picture windows of 5 frames, R feature rows, D = 256.

The two-stream idea and the windows of 0.2 s are those of SyncNet [1]_ (section 3); the mouth crop follows the
landmarks, and the embeddings lie on the unit sphere.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW_FRAMES = 5
"""Frames that one picture embedding sees: 0.2 s."""
WINDOW_ROWS = 20
"""Feature rows that one sound embedding sees: 0.2 s."""
EMBEDDING = 256
CROP_PX = 64
"""Side of the mouth crops that come in."""
SEEN_PX = 54
"""Side of the middle part that the network looks at."""
INPUT_PX = 48
"""Side to which that part is brought."""
MIN_STD = 8.0
"""Least contrast (levels of 255) that a crop is normalised by, so that a blank picture stays blank."""


def centre_sampling() -> Tensor:
    """Matrix (48, 64) that takes the middle 54 of 64 pixels and brings them to 48 by linear interpolation."""
    x = (CROP_PX - SEEN_PX) / 2 - 0.5 + (np.arange(INPUT_PX) + 0.5) * SEEN_PX / INPUT_PX
    weights = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(CROP_PX)[None]))
    return torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32)


def standardise(images: Tensor) -> Tensor:
    """Each image of (..., h, w) to mean 0 and spread 1: exposure and flicker carry no timing."""
    mean = images.mean((-2, -1), keepdim=True)
    spread = ((images - mean) ** 2).mean((-2, -1), keepdim=True).sqrt()
    return (images - mean) / spread.clamp_min(MIN_STD)


def as_seen(images: Tensor, matrix: Tensor) -> Tensor:
    """Crops (..., 64, 64), any dtype, as the network sees them: (..., 48, 48); ``matrix`` is `centre_sampling`'s."""
    return standardise(matrix @ images.float() @ matrix.T)


class _Residual(nn.Module):
    """Two 3x3 convolutions and a short cut; ``stride`` halves the picture."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.short_cut = (
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))
            if stride == 2
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        return F.relu(y + self.short_cut(x))


class Lips(nn.Module):
    """Picture stream: (B, T, 48, 48) standardised mouths -> (B, T - 4, 256) unit vectors."""

    def __init__(self, width: int = 24, dropout: float = 0.2) -> None:
        super().__init__()
        w = width
        # A 5x5x5 convolution written as a 2-D one over five neighbouring frames: the same sums, faster.
        self.stem = nn.Sequential(
            nn.Conv2d(WINDOW_FRAMES, w, 5, 2, 2, bias=False), nn.BatchNorm2d(w), nn.ReLU()
        )  # 24 px
        self.body = nn.Sequential(
            _Residual(w, w, 1),  # 24 px
            _Residual(w, 2 * w, 2),  # 12 px
            _Residual(2 * w, 4 * w, 2),  # 6 px
            _Residual(4 * w, 8 * w, 2),  # 3 px
        )
        self.head = nn.Sequential(
            nn.Conv2d(8 * w, 8 * w, 3, groups=8 * w, bias=False), nn.BatchNorm2d(8 * w), nn.Flatten()
        )
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(8 * w, EMBEDDING)

    def forward(self, mouths: Tensor) -> Tensor:
        """See the class."""
        clips, frames = mouths.shape[:2]
        windows = frames - WINDOW_FRAMES + 1
        stacked = torch.stack([mouths[:, i : i + windows] for i in range(WINDOW_FRAMES)], 2)  # (B, W, 5, 48, 48)
        x = stacked.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        x = self.last(self.dropout(self.head(self.body(self.stem(x)))))
        return F.normalize(x.float(), dim=-1).view(clips, windows, EMBEDDING)


class Sound(nn.Module):
    """Sound stream: (B, R, 40) normalised log-mel -> unit vectors of 20 rows each.

    With ``dense=False`` one vector every 4 rows, (B, 1 + (R - 20) // 4, 256), for training at the picture's rate; with
    ``dense=True`` one every row, (B, R - 19, 256), by the same weights: strides in time become dilations.
    """

    #            in  out  kernel (mel, time)  stride (mel, time)  padding of mel
    LAYERS = (
        (1, 1, (5, 6), (2, 2), 2),
        (1, 2, (3, 3), (1, 1), 1),
        (2, 3, (3, 4), (2, 2), 1),
        (3, 4, (3, 2), (2, 1), 1),
    )

    def __init__(self, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        w = width
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for index, (inside, outside, kernel, _, _) in enumerate(self.LAYERS):
            self.convolutions.append(nn.Conv2d(1 if index == 0 else inside * w, outside * w, kernel, bias=False))
            self.norms.append(nn.BatchNorm2d(outside * w))
        self.across = nn.Conv2d(4 * w, 6 * w, (5, 1), bias=False)  # all of mel at once
        self.across_norm = nn.BatchNorm2d(6 * w)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Conv2d(6 * w, EMBEDDING, 1)

    def forward(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """See the class."""
        x = rows.transpose(1, 2).unsqueeze(1)  # (B, 1, 40, R)
        dilation = 1
        for (_, _, _, (down, along), padding), convolution, norm in zip(
            self.LAYERS, self.convolutions, self.norms, strict=True
        ):
            stride = (down, 1 if dense else along)
            assert isinstance(convolution, nn.Conv2d)
            x = F.conv2d(x, convolution.weight, None, stride, (padding, 0), (1, dilation if dense else 1))
            x = F.relu(norm(x))
            dilation *= along
        x = F.relu(self.across_norm(self.across(x)))  # (B, 6w, 1, R')
        x = self.last(self.dropout(x)).squeeze(2).transpose(1, 2)
        return F.normalize(x.float(), dim=-1)


class ClapboardS(nn.Module):
    """Both streams and the scale of their similarity, learned; (B, T, 48, 48) and (B, R, 40) in."""

    def __init__(self, width: int = 24, sound_width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.lips = Lips(width, dropout)
        self.sound = Sound(sound_width, dropout)
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(10.0))))

    def forward(self, mouths: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Picture (B, T - 4, 256), sound (B, 1 + (R - 20) // 4, 256), scale ()."""
        return self.lips(mouths), self.sound(rows), self.log_scale.exp().clamp(max=40)
