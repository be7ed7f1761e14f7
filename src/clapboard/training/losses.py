"""Losses: pure functions of embeddings."""

import torch
from torch import Tensor
from torch.nn import functional as F

MASKED = -1e4
"""Added to logits that may not be chosen: finite, so that a row of nothing but these stays differentiable."""


def within_clip(
    picture: Tensor, sound: Tensor, scale: Tensor, *, extra: int, anchors: Tensor, real: Tensor, neighbours: int = 0
) -> Tensor:
    """Symmetric cross-entropy over the positions of one clip: which sound belongs to this picture, and the reverse.

    Multi-way matching inside the clip [1]_ instead of pairs; nothing is compared across clips, since that teaches who
    speaks and not when.

    Parameters
    ----------
    picture : (B, W, D) unit vectors
    sound : (B, W + 2 extra, D) unit vectors; picture w belongs to sound w + extra
    scale : (), multiplies the cosines
    extra : positions of sound before and after those of the picture, candidates only
    anchors : (B, W) bool, positions with speech: only these ask, all are candidates
    real : (B, W + 2 extra) bool, False where the file has no sound
    neighbours : positions this close to the right one are left out of the candidates

    Returns
    -------
    () loss, mean over both directions, natural-log units

    References
    ----------
    .. [1] S.-W. Chung, J. S. Chung, H.-G. Kang, "Perfect match: improved cross-modal embeddings for audio-visual
       synchronisation", ICASSP 2019, section 2.2.
    """
    windows = picture.shape[1]
    logits = scale * picture @ sound.transpose(1, 2)  # (B, W, W + 2 extra)
    logits = logits + torch.where(real, 0.0, MASKED)[:, None]
    gap = (
        torch.arange(windows + 2 * extra, device=logits.device)[None]
        - extra
        - torch.arange(windows, device=logits.device)[:, None]
    )
    logits = logits + torch.where((gap.abs() <= neighbours) & (gap != 0), MASKED, 0.0)
    asks = anchors & real[:, extra : extra + windows]
    target = torch.arange(windows, device=logits.device).expand(len(logits), -1)
    to_sound = F.cross_entropy(logits[asks], target[asks] + extra)
    square = logits[:, :, extra : extra + windows].transpose(1, 2)
    to_picture = F.cross_entropy(square[asks], target[asks])
    return (to_sound + to_picture) / 2
