"""The multisensory network: picture and sound joined early, features that tell whether they belong together.

Layers, channels, strides and the order of normalisation are those of the released code of Owens and Efros [1]_
(``src/shift_net.py``); sizes for 125 frames (4.2 s at 29.97 fps) of 224x224 and 87,588 samples (21 kHz, stereo).

=========  ====================================  ========  ============
stream     layer                                 channels  size
=========  ====================================  ========  ============
sound      conv1_1, 65, stride 4                 64        21,897
sound      pool, 4, stride 4, no padding         64        5,474
sound      conv2_1, residual 15, stride 4        128       1,369
sound      conv3_1, residual 15, stride 4        128       343
sound      conv4_1, residual 15, stride 4        256       86
sound      maximum to the picture's length       256       32
sound      conv5_1, 3                            128       32
picture    conv1, 5x7x7, stride 2                64        63x112x112
picture    pool, 1x3x3, stride 1x2x2             64        63x56x56
picture    conv2_1, residual 3x3x3               64        63x56x56
picture    conv2_2, residual 3x3x3, stride 2     64        32x28x28
joint      sound at every place, side by side    192       32x28x28
joint      merge1, merge2, 1x1x1, and short cut  512, 128  32x28x28
joint      conv3_1, conv3_2, residual 3x3x3      128       32x28x28
joint      conv4_1 (stride 2), conv4_2           256       16x14x14
joint      conv5_1 (stride 1x2x2), conv5_2       512       16x7x7
=========  ====================================  ========  ============

What differs from the code: batch renormalisation is plain batch normalisation; the fractional pooling of the sound
takes windows that lie evenly in place of random ones.

Letters of shapes: B clips, T frames, C colours, N samples, R rows, F = 8 width features, t, h, w places of the map.

References
----------
.. [1] A. Owens and A. A. Efros, "Audio-visual scene analysis with self-supervised multisensory features", ECCV 2018;
   released code (Apache-2.0), files shift_net.py and shift_params.py.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.sound.features import MEL_BINS, WINDOW_SAMPLES
from clapboard.timebase import SAMPLE_RATE_HZ, SAMPLES_PER_ROW
from clapboard.training.nets.same import ConvNormRelu, Norm, Residual, SameConv, SameMaxPool

WAVE_HZ = 21_000
"""Rate of the samples that the published network takes."""
WAVE_CHANNELS = 2
WAVE_LEAST = 16
"""Samples that the first convolution and the pool behind it need."""
COMPANDING = 255.0
"""Samples are companded as in mu-law telephony, without its rounding."""
Stride = tuple[int, int]
"""Of a layer in time, and in height and width."""


@dataclass(frozen=True, slots=True)
class MultisensoryConfig:
    """Sizes of the network; those of the publication unless said otherwise.

    Attributes
    ----------
    width : channels of the first layers; all others grow with it
    picture_px : side of the pictures
    picture_channels : 1 for gray, 3 for colour (RGB)
    picture_hz : rate of the frames
    sound : "wave", samples at 21 kHz in stereo; or "log-mel", finished rows of the kind log-mel-40
    motion : put the difference of each frame from the one before beside it; no part of the publication
    conv1, pool1, conv2, conv4, conv5 : strides (time, space) of the layers of the picture and the joint part
    cam : conv5 keeps its map (stride 1), for class activation maps of 14x14
    norm_momentum, norm_eps : of batch normalisation

    Raises
    ------
    UsageError : a size makes no network
    """

    width: int = 64
    picture_px: int = 224
    picture_channels: int = 3
    picture_hz: Fraction = Fraction(30_000, 1001)
    sound: Literal["wave", "log-mel"] = "wave"
    motion: bool = False
    conv1: Stride = (2, 2)
    pool1: Stride = (1, 2)
    conv2: Stride = (2, 2)
    conv4: Stride = (2, 2)
    conv5: Stride = (1, 2)
    cam: bool = False
    norm_momentum: float = 0.0003
    norm_eps: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse what makes no network."""
        if self.width < 1 or self.picture_px < 1 or self.picture_hz <= 0:
            raise UsageError("width, picture_px and picture_hz must be positive")
        if self.picture_channels not in (1, 3):
            raise UsageError(f"picture_channels must be 1 (gray) or 3 (RGB), not {self.picture_channels}")
        if self.sound not in ("wave", "log-mel"):
            raise UsageError(f'sound must be "wave" or "log-mel", not "{self.sound}"')
        for name in ("conv1", "pool1", "conv2", "conv4", "conv5"):
            stride = getattr(self, name)
            if len(stride) != 2 or min(stride) < 1:
                raise UsageError(f"{name} must be two strides of at least 1, in time and in space, not {stride}")
            object.__setattr__(self, name, tuple(stride))  # recipes hold lists
        if not (0 < self.norm_momentum <= 1 and self.norm_eps > 0):
            raise UsageError("norm_momentum must lie between 0 and 1, and norm_eps above 0")

    @classmethod
    def small(cls) -> Self:
        """One that a CPU can train: gray 64x64 at 25 fps, log-mel rows, about half a million weights, maps of 8x8."""
        return cls(
            width=8,
            picture_px=64,
            picture_channels=1,
            picture_hz=Fraction(25),
            sound="log-mel",
            motion=True,
            conv1=(1, 2),
            pool1=(1, 2),
            conv2=(2, 2),
            conv4=(1, 1),
            conv5=(2, 1),
            norm_momentum=0.05,
        )

    @property
    def features(self) -> int:
        """F: channels of the last map."""
        return 8 * self.width

    @property
    def last(self) -> Stride:
        """Stride of conv5 as it is made: ``cam`` keeps the map."""
        return (self.conv5[0], 1) if self.cam else self.conv5

    def map_of(self, frames: int) -> tuple[int, int, int]:
        """Places (t, h, w) of the last map for so many frames."""
        time, space = frames, self.picture_px
        for in_time, in_space in (self.conv1, self.pool1, self.conv2, self.conv4, self.last):
            time, space = math.ceil(time / in_time), math.ceil(space / in_space)
        return time, space, space

    @property
    def sound_per_frame(self) -> Fraction:
        """Samples or rows from one frame to the next."""
        return (WAVE_HZ if self.sound == "wave" else Fraction(SAMPLE_RATE_HZ, SAMPLES_PER_ROW)) / self.picture_hz

    def sound_length(self, frames: int) -> int:
        """Samples, or rows whose whole window lies inside, that belong to so many frames.

        87,588 samples for 125 frames; 98 rows for 25 frames of 25 fps.
        """
        if self.sound == "wave":
            return round(frames * self.sound_per_frame)
        return int(1 + (frames * SAMPLE_RATE_HZ / self.picture_hz - WINDOW_SAMPLES) // SAMPLES_PER_ROW)


def compand(samples: Tensor) -> Tensor:
    """Samples in [-1, 1] by the logarithm of mu-law, sign(x) log(1 + 255 |x|) / log(256); any shape."""
    return samples.sign() * torch.log1p(COMPANDING * samples.abs()) / math.log1p(COMPANDING)


def pool_to_length(x: Tensor, length: int) -> Tensor:
    """Maxima over ``length`` windows that lie evenly and do not overlap: (B, C, n) -> (B, C, length).

    Fractional max pooling (B. Graham, 2014) with a fixed place for each window; where n < length, places repeat.
    """
    size = x.shape[-1]
    at = torch.arange(length, device=x.device)
    first = at * size // length
    last = torch.maximum((at + 1) * size // length - 1, first)
    widest = -(-size // length)
    inside = torch.minimum(first[:, None] + torch.arange(widest, device=x.device), last[:, None])
    return x[..., inside].amax(-1)


class Multisensory(nn.Module):
    """See the module."""

    def __init__(self, config: MultisensoryConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MultisensoryConfig()
        w, norm = config.width, {"momentum": config.norm_momentum, "eps": config.norm_eps}
        cube, point = (3, 3, 3), (1, 1, 1)

        def both(stride: Stride) -> tuple[int, int, int]:
            return (stride[0], stride[1], stride[1])

        self.sound: nn.Sequential
        if config.sound == "wave":
            self.sound = nn.Sequential(
                ConvNormRelu(WAVE_CHANNELS, w, (65,), (4,), **norm),
                nn.MaxPool1d(4, 4),
                Residual(w, 2 * w, (15,), (4,), **norm),
                Residual(2 * w, 2 * w, (15,), (4,), **norm),
                Residual(2 * w, 4 * w, (15,), (4,), **norm),
            )
        else:  # rows come at 100 Hz, about where the strides of the wave end
            self.sound = nn.Sequential(
                ConvNormRelu(MEL_BINS, 4 * w, (5,), (1,), **norm),
                Residual(4 * w, 4 * w, (5,), (1,), **norm),
                Residual(4 * w, 4 * w, (5,), (2,), **norm),
            )
        self.sound_last = ConvNormRelu(4 * w, 2 * w, (3,), (1,), **norm)
        colours = config.picture_channels * (2 if config.motion else 1)
        self.picture = nn.Sequential(
            ConvNormRelu(colours, w, (5, 7, 7), both(config.conv1), **norm),
            SameMaxPool((1, 3, 3), both(config.pool1)),
            Residual(w, w, cube, point, **norm),
            Residual(w, w, cube, both(config.conv2), **norm),
        )
        self.merge1 = ConvNormRelu(3 * w, 8 * w, point, point, **norm)
        self.merge2 = SameConv(8 * w, 2 * w, point, point, bias=True)
        self.merge_norm = Norm(2 * w, **norm)
        self.joint = nn.Sequential(
            Residual(2 * w, 2 * w, cube, point, **norm),
            Residual(2 * w, 2 * w, cube, point, **norm),
            Residual(2 * w, 4 * w, cube, both(config.conv4), **norm),
            Residual(4 * w, 4 * w, cube, point, **norm),
            Residual(4 * w, 8 * w, cube, both(config.last), **norm),
            Residual(8 * w, 8 * w, cube, point, **norm),
        )

    @classmethod
    def small(cls) -> Self:
        """The network of `MultisensoryConfig.small`."""
        return cls(MultisensoryConfig.small())

    def see(self, images: Tensor) -> Tensor:
        """The picture by itself: run it once, and join it with as many sounds as there are.

        Parameters
        ----------
        images : (B, T, C, px, px) uint8, or float of 0 to 255

        Returns
        -------
        (B, width, t', h', w')

        Raises
        ------
        UsageError : pictures of another shape
        """
        config = self.config
        wanted = (config.picture_channels, config.picture_px, config.picture_px)
        if images.ndim != 5 or tuple(images.shape[2:]) != wanted or not images.shape[1]:
            raise UsageError(f"pictures must be (B, T, {', '.join(map(str, wanted))}), not {tuple(images.shape)}")
        x = images.transpose(1, 2) * (2 / 255) - 1
        if config.motion:
            before = torch.cat([x[:, :, :1], x[:, :, :-1]], 2)
            x = torch.cat([x, x - before], 1)
        seen: Tensor = self.picture(x.contiguous(memory_format=torch.channels_last_3d))
        return seen

    def hear(self, sound: Tensor, length: int) -> Tensor:
        """The sound by itself, brought to the length of the picture's features.

        Parameters
        ----------
        sound : (B, N, 2) samples in [-1, 1] at 21 kHz, or (B, R, 40) finished rows
        length : t'

        Returns
        -------
        (B, 2 width, t')

        Raises
        ------
        UsageError : a sound of another shape
        """
        wave = self.config.sound == "wave"
        wanted = WAVE_CHANNELS if wave else MEL_BINS
        if sound.ndim != 3 or sound.shape[2] != wanted or sound.shape[1] < (WAVE_LEAST if wave else 1):
            many = f"{WAVE_LEAST} samples or more" if wave else "rows"
            raise UsageError(f"sound must be (B, {many}, {wanted}), not {tuple(sound.shape)}")
        x = sound.transpose(1, 2).float()
        x = self.sound(compand(x) if wave else x)
        heard: Tensor = self.sound_last(pool_to_length(x, length))
        return heard

    def join(self, seen: Tensor, sound: Tensor) -> Tensor:
        """What `see` gave, and a sound -> features (B, F, t, h, w).

        Raises
        ------
        UsageError : a sound of another shape, or of another number of clips
        """
        if len(seen) != len(sound):
            raise UsageError(f"{len(seen)} pictures and {len(sound)} sounds; give one sound for each")
        heard = self.hear(sound, seen.shape[2])
        x = torch.cat([seen, heard[..., None, None].expand(-1, -1, -1, *seen.shape[3:])], 1)
        x = x.contiguous(memory_format=torch.channels_last_3d)
        w = self.config.width
        short = torch.cat([x[:, :w], x[:, -w:]], 1)
        features: Tensor = self.joint(F.relu(self.merge_norm(self.merge2(self.merge1(x)) + short)))
        return features

    def forward(self, images: Tensor, sound: Tensor) -> Tensor:
        """Images (B, T, C, px, px), and their sound as `hear` takes it -> features (B, F, t, h, w)."""
        return self.join(self.see(images), sound)
