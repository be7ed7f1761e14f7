"""The picture network of the fast generator: from silent frames to what is heard every 10 ms.

Letters of shapes: B clips, T frames, m margin frames, R = 4 T rows, C channels, M materials.

Each frame is seen with its changes from the one before and to the next; strided convolutions make a vector of it, in
which where something is still counts. Convolutions over time follow, valid ones, so that a row depends on the frames
within the margin and on nothing else. Each frame's vector becomes four rows, which two more convolutions join. While
learning, each frame also tells what is in view, whether it sounds or not: a blow lasts a few rows, what is struck is
there all the time.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from clapboard.errors import UsageError
from clapboard.synthesis.cues import MATERIALS, MEL_BANDS
from clapboard.timebase import ROWS_PER_FRAME
from clapboard.training.nets.foley_encoders import changes

SCENE = "scene-64"
PICTURE_PX = 64
DILATIONS = (1, 1, 2)
"""Of the convolutions over time, five frames each."""
FRAME_KERNEL, ROW_KERNEL, ROW_LAYERS = 5, 5, 2
MARGIN_FRAMES = 1 + sum((FRAME_KERNEL // 2) * dilation for dilation in DILATIONS) + 1
"""One for the changes, those of the convolutions over time, and one for those over rows: 10 frames, 0.4 s."""
MEL_MIDDLE, MEL_SPREAD = -10.0, 4.0
"""The network gives log-mel in these units: about what rendered sounds have, so that it begins near."""
ENERGY_MIDDLE, ENERGY_SPREAD = -6.0, 5.0


class Told(NamedTuple):
    """What the picture tells, (B, R) or (B, R, ...): logits of onsets, log energy, logits of materials, log-mel.

    And ``view`` (B, T + 2, M), for learning alone: logits of a material being in view; a frame more at each end.
    """

    onset: Tensor
    energy: Tensor
    materials: Tensor
    mel: Tensor
    view: Tensor


class FoleyPicture(nn.Module):
    """See the module.

    Parameters
    ----------
    width : half the channels of the first convolution; the later ones have three and four times as many
    features : numbers of a frame's vector
    row_features : numbers of a row's vector
    dropout : before the heads, 0 to 1
    """

    def __init__(self, width: int = 16, features: int = 112, row_features: int = 64, dropout: float = 0.1) -> None:
        if min(width, features, row_features) < 1 or not 0 <= dropout < 1:
            raise UsageError("width, features and row_features must be at least 1, dropout from 0 up to below 1")
        super().__init__()
        w = width
        self.look = nn.Sequential(
            nn.Conv2d(3, 2 * w, 8, 4, 2, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),  # 16 px
            nn.Conv2d(2 * w, 3 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(3 * w), nn.ReLU(),  # 8 px
            nn.Conv2d(3 * w, 4 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),  # 4 px
            nn.Flatten(), nn.Linear(4 * w * 16, features, bias=False), nn.BatchNorm1d(features), nn.ReLU(),
        )  # fmt: skip
        self.over_time = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(features, features, FRAME_KERNEL, dilation=dilation, bias=False),
                nn.BatchNorm1d(features),
                nn.ReLU(),
            )
            for dilation in DILATIONS
        )
        self.view = nn.Conv1d(features, len(MATERIALS), 1)
        self.spread = nn.Conv1d(features, ROWS_PER_FRAME * row_features, 1)
        self.over_rows = nn.Sequential(
            *(
                layer
                for _ in range(ROW_LAYERS)
                for layer in (
                    nn.ReLU(),
                    nn.Conv1d(row_features, row_features, ROW_KERNEL, bias=False),
                    nn.BatchNorm1d(row_features),
                )
            ),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.onset = nn.Conv1d(row_features, 1, 1)
        self.energy = nn.Conv1d(row_features, 1, 1)
        self.materials = nn.Conv1d(row_features, len(MATERIALS), 1)
        self.mel = nn.Conv1d(row_features, MEL_BANDS, 1)

    def forward(self, images: Tensor) -> Told:
        """(B, T + 2 m, 64, 64), 0 to 255 -> `Told` of the 4 T rows of the frames within the margin."""
        seen = changes(images)
        x = self.look(seen.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        x = x.unflatten(0, seen.shape[:2]).transpose(1, 2)  # (B, C, T + 2 m - 2)
        for layer, dilation in zip(self.over_time, DILATIONS, strict=True):
            cut = (FRAME_KERNEL // 2) * dilation
            x = x[:, :, cut:-cut] + layer(x)
        view = self.view(x).float().transpose(1, 2)
        x = self.spread(x).unflatten(1, (-1, ROWS_PER_FRAME))  # (B, C, 4, T + 2)
        x = x.transpose(2, 3).flatten(2)  # (B, C, 4 T + 8)
        x = self.dropout(self.over_rows(x)).float()
        return Told(
            self.onset(x).float()[:, 0],
            self.energy(x).float()[:, 0] * ENERGY_SPREAD + ENERGY_MIDDLE,
            self.materials(x).float().transpose(1, 2),
            self.mel(x).float().transpose(1, 2) * MEL_SPREAD + MEL_MIDDLE,
            view,
        )
