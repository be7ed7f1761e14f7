"""syncnet-2016: the network of the paper's figure, for a mouth in 111x111x5 gray levels and 13x20 MFCC.

===========  ======================  =====================
layer        picture, 111x111x5      sound, 13x20
===========  ======================  =====================
conv1        3x3, 96                 3x3, 96
pool1        3x3, stride 2           none
conv2        3x3, 256                3x3, 256
pool2        3x3, stride 2           3x3, stride 1x2
conv3 to 5   3x3, 512                3x3, 512
pool5        3x3, stride 3           3x3, stride 2
fc6          6x6, 4096               5x4, 4096
fc7          256                     256
===========  ======================  =====================

The figure gives neither strides nor padding; these are the ones that make its sizes come out: no padding in the
picture, 1 in the sound, and pool2 of the sound as in the network released later. The released network "v4" has last
layers of ``fc6 = 256`` and ``fc7 = 128``, which leaves a sixth of the weights.

Each layer but the last is followed by batch normalisation and a ReLU, as in the authors' code. Pictures go in as levels
of 0 to 255 and the MFCC as they are.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016, section
   2 and its figures.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from clapboard.errors import UsageError
from clapboard.training.nets.base import Inputs, TwoStream, embed_windows, step_of, windows_of_frames, windows_of_rows
from clapboard.training.nets.blocks import ConvNorm, FullNorm

WINDOW_FRAMES, WINDOW_ROWS = 5, 20
SEEN_PX = 111
CHANNELS = (96, 256, 512, 512, 512)


class SyncNet2016(TwoStream):
    """See the module.

    Parameters
    ----------
    fc6, fc7 : sizes of the last two layers; the second is that of the embedding
    channels : of the five convolutions
    unit : embeddings of unit length, for losses of cosines; the paper's lie anywhere
    """

    inputs = Inputs("mouth-120", 1, 120, SEEN_PX, SEEN_PX, "mfcc-13", WINDOW_FRAMES, WINDOW_ROWS, 256, unit=False)

    def __init__(self, fc6: int = 4096, fc7: int = 256, channels: Sequence[int] = CHANNELS, unit: bool = False) -> None:
        if len(channels) != len(CHANNELS):
            raise UsageError(f"channels must be {len(CHANNELS)} numbers, one a convolution, not {list(channels)}")
        self.inputs = replace(self.inputs, embedding=fc7, unit=unit)
        super().__init__()
        c1, c2, c3, c4, c5 = channels
        self.lips = nn.Sequential(
            ConvNorm(WINDOW_FRAMES, c1, 3),
            nn.MaxPool2d(3, 2),
            ConvNorm(c1, c2, 3),
            nn.MaxPool2d(3, 2),
            ConvNorm(c2, c3, 3),
            ConvNorm(c3, c4, 3),
            ConvNorm(c4, c5, 3),
            nn.MaxPool2d(3, 3),
            nn.Flatten(),
            FullNorm(c5 * 6 * 6, fc6),
            nn.Linear(fc6, fc7),
        )
        self.sound = nn.Sequential(
            ConvNorm(1, c1, 3, padding=1),
            ConvNorm(c1, c2, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            ConvNorm(c2, c3, 3, padding=1),
            ConvNorm(c3, c4, 3, padding=1),
            ConvNorm(c4, c5, 3, padding=1),
            nn.MaxPool2d(3, 2),
            nn.Flatten(),
            FullNorm(c5 * 5 * 4, fc6),
            nn.Linear(fc6, fc7),
        )

    def normalise(self, images: Tensor) -> Tensor:
        """Levels of 0 to 255, as they are."""
        return images

    def picture(self, images: Tensor) -> Tensor:
        """(B, T, 1, 111, 111) float, 0 to 255 -> (B, T - 4, 256)."""
        windows = windows_of_frames(self.normalise(images), WINDOW_FRAMES)
        return embed_windows(self.lips, windows, unit=self.inputs.unit)

    def hear(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """(B, R, 13) MFCC -> (B, 1 + (R - 20) // 4, D), or (B, R - 19, D): one by one, since each window is padded."""
        windows = windows_of_rows(rows, WINDOW_ROWS, step_of(dense))
        return embed_windows(self.sound, windows.transpose(2, 3)[:, :, None], unit=self.inputs.unit)
