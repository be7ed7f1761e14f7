"""Class activation maps: where in the picture a network's decision comes from, and how that is shown.

Letters of shapes: B clips, F features, t, h, w places of the last map.

References
----------
.. [1] A. Owens and A. A. Efros, "Audio-visual scene analysis with self-supervised multisensory features", ECCV 2018;
   released code, files shift_net.py and sep_video.py.
"""

import torch
from torch import Tensor

HOT_PERCENT = 97.0
"""A heat map is full where the class activation is at this percentile or above (the authors' sep_video.py)."""
COLD_SHARE = 0.5
"""A heat map is empty below this share of the full value (the same)."""


def cam(features: Tensor, weight: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """Class activation map: the decision's weights at every place, whose mean is the decision after mean pooling.

    Parameters
    ----------
    features : (B, F, t, h, w)
    weight : (F,), or (1, F) as a linear layer holds it
    bias : of the decision

    Returns
    -------
    (B, t, h, w)
    """
    return torch.einsum("bfthw,f->bthw", features, weight.reshape(-1).to(features.dtype)) + bias


def heat_map(activation: Tensor, *, over_time: bool = True) -> Tensor:
    """Class activation maps as shown: 0 below half of the 97th percentile of the clip, 1 at that percentile.

    Parameters
    ----------
    activation : (B, t, h, w)
    over_time : one map of each clip, the mean over its times; otherwise a map for each time

    Returns
    -------
    (B, h, w) or (B, t, h, w) float32, 0 to 1; all 0 where nothing is active
    """
    size = activation.abs().float()
    size = size.mean(1, keepdim=True) if over_time else size
    hot = torch.quantile(size.flatten(1), HOT_PERCENT / 100, dim=1)[:, None, None, None]
    cold = COLD_SHARE * hot
    shown = ((size - cold) / (hot - cold).clamp_min(1e-12)).clamp(0, 1)
    return shown[:, 0] if over_time else shown
