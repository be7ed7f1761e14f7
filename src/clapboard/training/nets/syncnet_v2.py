"""syncnet-v2: the layout of the network published with the paper's code [1]_, for whole faces in colour and 13x20 MFCC.

Shapes and numbers of weights are those of its checkpoint, which `clapboard.training.importing` converts. Its first
layer of the picture is a convolution over 5 frames; here it is one over space with the 5 frames of each colour as
channels, which gives the same sums faster. Faces go in as 224x224 levels of 0 to 255, blue first, as OpenCV reads them.

References
----------
.. [1] ``SyncNetModel.py`` of https://github.com/joonson/syncnet_python; J. S. Chung and A. Zisserman, "Out of time:
   automated lip sync in the wild", ACCV workshops 2016.
"""

from dataclasses import replace

from torch import Tensor, nn

from clapboard.training.nets.base import Inputs, TwoStream, embed_windows, step_of, windows_of_frames, windows_of_rows
from clapboard.training.nets.blocks import ConvNorm, FullNorm

WINDOW_FRAMES, WINDOW_ROWS = 5, 20
FACE_PX = 224
FEATURES = 512


class SyncNetV2(TwoStream):
    """See the module.

    Parameters
    ----------
    embedding : length of the vectors
    unit : embeddings of unit length, for losses of cosines; those of the published weights lie anywhere
    """

    inputs = Inputs("face-224", 3, FACE_PX, FACE_PX, FACE_PX, "mfcc-13", WINDOW_FRAMES, WINDOW_ROWS, 1024, unit=False)

    def __init__(self, embedding: int = 1024, unit: bool = False) -> None:
        self.inputs = replace(self.inputs, embedding=embedding, unit=unit)
        super().__init__()
        self.lips = nn.Sequential(
            ConvNorm(3 * WINDOW_FRAMES, 96, 7, 2),
            nn.MaxPool2d(3, 2),
            ConvNorm(96, 256, 5, 2, 1),
            nn.MaxPool2d(3, 2, 1),
            ConvNorm(256, 256, 3, padding=1),
            ConvNorm(256, 256, 3, padding=1),
            ConvNorm(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            ConvNorm(256, FEATURES, 6),
            nn.Flatten(),
            FullNorm(FEATURES, FEATURES),
            nn.Linear(FEATURES, embedding),
        )
        self.sound = nn.Sequential(
            ConvNorm(1, 64, 3, padding=1),
            ConvNorm(64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            ConvNorm(192, 384, 3, padding=1),
            ConvNorm(384, 256, 3, padding=1),
            ConvNorm(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            ConvNorm(256, FEATURES, (5, 4)),
            nn.Flatten(),
            FullNorm(FEATURES, FEATURES),
            nn.Linear(FEATURES, embedding),
        )

    def normalise(self, images: Tensor) -> Tensor:
        """Levels of 0 to 255, red and blue exchanged."""
        return images.flip(2)

    def picture(self, images: Tensor) -> Tensor:
        """(B, T, 3, 224, 224) float, 0 to 255 -> (B, T - 4, 1024)."""
        windows = windows_of_frames(self.normalise(images), WINDOW_FRAMES)
        return embed_windows(self.lips, windows, unit=self.inputs.unit)

    def hear(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """(B, R, 13) MFCC -> (B, 1 + (R - 20) // 4, D), or (B, R - 19, D): one by one, since each window is padded."""
        windows = windows_of_rows(rows, WINDOW_ROWS, step_of(dense))
        return embed_windows(self.sound, windows.transpose(2, 3)[:, :, None], unit=self.inputs.unit)
