"""clapboard-s: a small two-stream network, both streams convolutional in time, so that every frame is computed once.

Letters of shapes: B clips, T frames, W = T - 4 picture windows of 5 frames, R feature rows, D = 256.

The two-stream idea and the windows of 0.2 s are those of SyncNet [1]_ (section 3); the mouth crop follows the
landmarks, and the embeddings lie on the unit sphere. With ``context_frames`` the window is longer: convolutions over
the features of its 5-frame windows, in both streams, so that the middles of picture and sound stay together.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.training.nets.base import Inputs, TwoStream, windows_of_frames

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
CONTEXT_LAYERS = 3
"""Convolutions over time that a longer window is made of."""


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


class _Context(nn.Module):
    """Convolutions over time, valid: (B, C, N) features of short windows -> (B, C, N - extra) of longer ones.

    ``dilation`` is the number of places between two windows that follow each other: 1 at the picture's rate, 4 where
    there is one every row.
    """

    def __init__(self, channels: int, extra: int) -> None:
        super().__init__()
        reach = [extra // CONTEXT_LAYERS + (layer < extra % CONTEXT_LAYERS) for layer in range(CONTEXT_LAYERS)]
        self.convolutions = nn.ModuleList(nn.Conv1d(channels, channels, 1 + r, bias=False) for r in reach if r)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in self.convolutions)

    def forward(self, x: Tensor, dilation: int = 1) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            assert isinstance(convolution, nn.Conv1d)
            x = F.relu(norm(F.conv1d(x, convolution.weight, dilation=dilation)))
        return x


class Lips(nn.Module):
    """Picture stream: (B, T, 48, 48) standardised mouths -> (B, T - 4, 256) unit vectors."""

    def __init__(self, width: int = 24, dropout: float = 0.2, input_px: int = INPUT_PX, extra: int = 0) -> None:
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
            nn.Conv2d(8 * w, 8 * w, input_px // 16, groups=8 * w, bias=False), nn.BatchNorm2d(8 * w), nn.Flatten()
        )
        self.context = _Context(8 * w, extra) if extra else None
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(8 * w, EMBEDDING)

    def forward(self, mouths: Tensor) -> Tensor:
        """See the class."""
        stacked = windows_of_frames(mouths[:, :, None], WINDOW_FRAMES)  # (B, W, 5, 48, 48)
        x = stacked.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        x = self.head(self.body(self.stem(x))).unflatten(0, stacked.shape[:2])
        if self.context is not None:
            x = self.context(x.transpose(1, 2)).transpose(1, 2)
        x = self.last(self.dropout(x))
        return F.normalize(x.float(), dim=-1)


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

    def __init__(self, width: int = 32, dropout: float = 0.2, extra: int = 0) -> None:
        super().__init__()
        w = width
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for index, (inside, outside, kernel, _, _) in enumerate(self.LAYERS):
            self.convolutions.append(nn.Conv2d(1 if index == 0 else inside * w, outside * w, kernel, bias=False))
            self.norms.append(nn.BatchNorm2d(outside * w))
        self.across = nn.Conv2d(4 * w, 6 * w, (5, 1), bias=False)  # all of mel at once
        self.across_norm = nn.BatchNorm2d(6 * w)
        self.context = _Context(6 * w, extra) if extra else None
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
        if self.context is not None:
            x = self.context(x.squeeze(2), dilation if dense else 1).unsqueeze(2)
        x = self.last(self.dropout(x)).squeeze(2).transpose(1, 2)
        return F.normalize(x.float(), dim=-1)


class ClapboardS(TwoStream):
    """Both streams; see the module.

    Parameters
    ----------
    width, sound_width : channels of the first layers
    dropout : before the last layer of both streams, 0 to 1
    input_px : side of the picture that the convolutions see, a multiple of 16
    context_frames : frames that one embedding sees; above 5 the streams get convolutions over time, and the sound sees
        four rows a frame, so that the middles of both windows stay where they are
    """

    inputs = Inputs(
        "mouth-64", 1, CROP_PX, SEEN_PX, INPUT_PX, "log-mel-40", WINDOW_FRAMES, WINDOW_ROWS, EMBEDDING, unit=True
    )

    def __init__(
        self,
        width: int = 24,
        sound_width: int = 32,
        dropout: float = 0.2,
        input_px: int = INPUT_PX,
        context_frames: int = WINDOW_FRAMES,
    ) -> None:
        if input_px % 16 or input_px < 32:
            raise UsageError(f"input_px must be a multiple of 16 and at least 32, not {input_px}")
        if context_frames < WINDOW_FRAMES:
            raise UsageError(f"context_frames must be at least {WINDOW_FRAMES}, not {context_frames}")
        self.inputs = replace(
            self.inputs,
            input_px=input_px,
            window_frames=context_frames,
            window_rows=ROWS_PER_FRAME * context_frames,
        )
        super().__init__()
        extra = context_frames - WINDOW_FRAMES
        self.lips = Lips(width, dropout, input_px, extra)
        self.sound = Sound(sound_width, dropout, extra)

    def normalise(self, images: Tensor) -> Tensor:
        """Each frame to mean 0 and spread 1."""
        return standardise(images)

    def picture(self, images: Tensor) -> Tensor:
        """(B, T, 1, 48, 48) float, 0 to 255 -> (B, T - 4, 256) unit vectors."""
        found: Tensor = self.lips(self.normalise(images)[:, :, 0])
        return found

    def hear(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """(B, R, 40) normalised log-mel -> unit vectors; see `Sound`."""
        found: Tensor = self.sound(rows, dense=dense)
        return found
