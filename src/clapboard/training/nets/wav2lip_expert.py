"""wav2lip-expert: the lip-sync expert of Wav2Lip [1]_, for the lower half of a face in colour and 80 mel bands.

Residual convolutions, deeper than SyncNet's; both streams end in a ReLU, so that the cosine of two embeddings lies
between 0 and 1 and may stand for a probability. A picture window is the lower 48x96 of 5 faces of 96x96, blue first, 0
to 1; a sound window is 16 columns of 80 bands, 12.5 ms apart, taken out of the rows as `clapboard.sound.mel80` says.

References
----------
.. [1] K. R. Prajwal, R. Mukhopadhyay, V. P. Namboodiri, C. V. Jawahar, "A lip sync expert is all you need for speech to
   lip generation in the wild", ACM Multimedia 2020, section 3.2; ``models/syncnet.py`` of the released code.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from clapboard.training.nets.base import Inputs, TwoStream, embed_windows, step_of, windows_of_frames
from clapboard.training.nets.blocks import ConvNorm

WINDOW_FRAMES, WINDOW_ROWS = 5, 19
FACE_PX = 96
BANDS = 80
COLUMNS = 16
"""Columns of 80 Hz that one embedding hears: 0.2 s."""
COLUMNS_PER_ROW, COLUMN_STEP = 4, 5
"""A row of 10 ms holds four columns, 2.5 ms apart; every fifth of these gives the 80 Hz that the network takes."""


def _residuals(channels: int, count: int) -> list[nn.Module]:
    """Blocks that keep the size."""
    return [ConvNorm(channels, channels, 3, padding=1, residual=True) for _ in range(count)]


class Wav2LipExpert(TwoStream):
    """See the module.

    Parameters
    ----------
    width : channels of the first layers; the embedding is 16 times as long
    """

    inputs = Inputs("face-96", 3, FACE_PX, FACE_PX, FACE_PX, "mel-80", WINDOW_FRAMES, WINDOW_ROWS, 512, unit=True)

    def __init__(self, width: int = 32) -> None:
        w = width
        self.inputs = replace(self.inputs, embedding=16 * w)
        super().__init__()
        self.lips = nn.Sequential(
            ConvNorm(3 * WINDOW_FRAMES, w, 7, padding=3),
            ConvNorm(w, 2 * w, 5, (1, 2), 1),
            *_residuals(2 * w, 2),
            ConvNorm(2 * w, 4 * w, 3, 2, 1),
            *_residuals(4 * w, 3),
            ConvNorm(4 * w, 8 * w, 3, 2, 1),
            *_residuals(8 * w, 2),
            ConvNorm(8 * w, 16 * w, 3, 2, 1),
            *_residuals(16 * w, 2),
            ConvNorm(16 * w, 16 * w, 3, 2, 1),
            ConvNorm(16 * w, 16 * w, 3),
            ConvNorm(16 * w, 16 * w, 1),
            nn.Flatten(),
        )
        self.sound = nn.Sequential(
            ConvNorm(1, w, 3, padding=1),
            *_residuals(w, 2),
            ConvNorm(w, 2 * w, 3, (3, 1), 1),
            *_residuals(2 * w, 2),
            ConvNorm(2 * w, 4 * w, 3, 3, 1),
            *_residuals(4 * w, 2),
            ConvNorm(4 * w, 8 * w, 3, (3, 2), 1),
            *_residuals(8 * w, 2),
            ConvNorm(8 * w, 16 * w, 3),
            ConvNorm(16 * w, 16 * w, 1),
            nn.Flatten(),
        )

    def normalise(self, images: Tensor) -> Tensor:
        """Levels of 0 to 255 to 0 to 1, red and blue exchanged."""
        return images.flip(2) / 255

    def picture(self, images: Tensor) -> Tensor:
        """(B, T, 3, 96, 96) float, 0 to 255 -> (B, T - 4, 512) unit vectors."""
        lower = self.normalise(images)[..., FACE_PX // 2 :, :]
        return embed_windows(self.lips, windows_of_frames(lower, WINDOW_FRAMES), unit=True)

    def hear(self, rows: Tensor, *, dense: bool = False) -> Tensor:
        """(B, R, 320) mel of four columns a row -> unit vectors (B, 1 + (R - 19) // 4, 512), or (B, R - 18, 512)."""
        step = step_of(dense)
        count = (rows.shape[1] - WINDOW_ROWS) // step + 1
        columns = rows.reshape(rows.shape[0], -1, BANDS)  # (B, 4 R, 80), every 2.5 ms
        begin = COLUMNS_PER_ROW * step * torch.arange(count, device=rows.device)
        at = begin[:, None] + COLUMN_STEP * torch.arange(COLUMNS, device=rows.device)
        return embed_windows(self.sound, columns[:, at].transpose(2, 3)[:, :, None], unit=True)
