"""Losses: pure functions of embeddings, all with one signature, by name in `LOSSES`.

Letters of shapes: B chunks of clips, W picture windows, e = ``extra`` positions of sound more on each side, D features.
Every loss takes

- ``picture`` (B, W, D), ``sound`` (B, W + 2e, D): picture w belongs to sound w + e; positions are one frame apart
- ``scale`` (): multiplies cosines
- ``anchors`` (B, W) bool, positions with speech: only these are learned from, all are candidates
- ``real`` (B, W + 2e) bool, False where the file has no sound: such positions take no part
- ``neighbours``: positions this close to the right one are never taken for wrong ones
- ``generator``: where chance comes from, so that a resumed run draws the same; none of torch's global state is used

and its own options, and gives () in natural-log units (`contrastive`: squared distance). Where no position can be
learned from, the loss is 0 and so are its gradients.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.timebase import PICTURE_HZ

MASKED = -1e4
"""Added to logits that may not be chosen: finite, so that a row of nothing but these stays differentiable."""
LEAST_PROBABILITY = 1e-6
"""Cosines that stand for probabilities are kept this far from 0 and 1, so that their logarithm stays finite."""


def within_clip(
    picture: Tensor,
    sound: Tensor,
    scale: Tensor,
    *,
    extra: int,
    anchors: Tensor,
    real: Tensor,
    neighbours: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Symmetric cross-entropy over the positions of one clip: which sound belongs to this picture, and the reverse.

    Multi-way matching inside the clip [1]_ instead of pairs; nothing is compared across clips, since that teaches who
    speaks and not when. For unit vectors; see the module for the parameters.

    References
    ----------
    .. [1] S.-W. Chung, J. S. Chung, H.-G. Kang, "Perfect match: improved cross-modal embeddings for audio-visual
       synchronisation", ICASSP 2019, section 2.2.
    """
    windows = picture.shape[1]
    logits = scale * picture @ sound.transpose(1, 2)  # (B, W, W + 2e)
    logits = logits + torch.where(real, 0.0, MASKED)[:, None]
    gap = _gaps(windows, extra, logits.device)
    logits = logits + torch.where((gap.abs() <= neighbours) & (gap != 0), MASKED, 0.0)
    asks = _asking(anchors, real, extra)
    target = torch.arange(windows, device=logits.device).expand(len(logits), -1)
    to_sound = F.cross_entropy(logits[asks], target[asks] + extra, reduction="none")
    square = logits[:, :, extra : extra + windows].transpose(1, 2)
    to_picture = F.cross_entropy(square[asks], target[asks], reduction="none")
    return _mean(to_sound + to_picture) / 2


def info_nce(
    picture: Tensor,
    sound: Tensor,
    scale: Tensor,
    *,
    extra: int,
    anchors: Tensor,
    real: Tensor,
    neighbours: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Symmetric cross-entropy over the clips of a batch at one position [1]_: whose sound is this, and the reverse.

    It teaches who speaks as well as when. One clip alone has nothing to be told from: its loss is 0. For unit vectors.

    References
    ----------
    .. [1] A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive coding", 2018,
       section 2.3.
    """
    windows = picture.shape[1]
    inner = sound[:, extra : extra + windows]
    heard = real[:, extra : extra + windows]
    logits = scale * picture.transpose(0, 1) @ inner.permute(1, 2, 0)  # (W, B pictures, B sounds)
    logits = logits + torch.where(heard, 0.0, MASKED).T[:, None]
    asks = (anchors & heard).T
    target = torch.arange(len(picture), device=logits.device).expand(windows, -1)
    to_sound = F.cross_entropy(logits[asks], target[asks], reduction="none")
    to_picture = F.cross_entropy(logits.transpose(1, 2)[asks], target[asks], reduction="none")
    return _mean(to_sound + to_picture) / 2


def contrastive(
    picture: Tensor,
    sound: Tensor,
    scale: Tensor,
    *,
    extra: int,
    anchors: Tensor,
    real: Tensor,
    neighbours: int = 0,
    generator: torch.Generator | None = None,
    margin: float = 20.0,
    max_shift_s: float = 2.0,
    negatives: int = 1,
) -> Tensor:
    """Pairs and a margin, as in the paper [1]_: ``E = 1/2N sum y d^2 + (1 - y) max(margin - d, 0)^2``.

    ``d`` is the Euclidean distance of a picture and a sound, y = 1 for those that belong together. Each picture that is
    learned from gives one such pair and ``negatives`` wrong ones: sound of the same clip, shifted by up to
    ``max_shift_s``, each shift at most once and never by 0 or outside the sound. N counts all pairs.

    References
    ----------
    .. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", ACCV workshops 2016, section
       2.3; the margin is that of the authors' code.
    """
    asks = _asking(anchors, real, extra)
    positive = (picture - sound[:, extra : extra + picture.shape[1]]).square().sum(-1)[asks]
    shift = round(max_shift_s * PICTURE_HZ)
    place, drawn = _wrong_ones(
        asks, real, extra=extra, neighbours=neighbours, max_shift=shift, count=negatives, generator=generator
    )
    other = sound[torch.arange(len(sound), device=sound.device)[:, None, None], place]  # (B, W, n, D)
    distance = (picture[:, :, None] - other).square().sum(-1)[drawn].clamp_min(1e-12).sqrt()  # no slope of 1 / 0
    negative = (margin - distance).clamp_min(0).square()
    return _mean(torch.cat([positive, negative])) / 2 + _unused(scale)


def cosine_bce(
    picture: Tensor,
    sound: Tensor,
    scale: Tensor,
    *,
    extra: int,
    anchors: Tensor,
    real: Tensor,
    neighbours: int = 0,
    generator: torch.Generator | None = None,
    negatives: int = 1,
    half: bool = False,
) -> Tensor:
    """Binary cross-entropy with the cosine as the probability of belonging together, as Wav2Lip's expert learns [1]_.

    Each picture that is learned from gives its own sound and ``negatives`` other ones of the same chunk, drawn with
    equal chance from all of its positions, far or near. The cosine is clipped to (0, 1), which fits vectors that end in
    a ReLU; ``half`` takes (1 + cosine) / 2 instead, for vectors that may point away from each other, where clipping
    would leave no slope.

    References
    ----------
    .. [1] K. R. Prajwal and others, "A lip sync expert is all you need for speech to lip generation in the wild", 2020,
       section 3.2.
    """
    asks = _asking(anchors, real, extra)
    picture, sound = F.normalize(picture, dim=-1), F.normalize(sound, dim=-1)
    right = (picture * sound[:, extra : extra + picture.shape[1]]).sum(-1)[asks]
    anywhere = sound.shape[1]
    place, drawn = _wrong_ones(
        asks, real, extra=extra, neighbours=neighbours, max_shift=anywhere, count=negatives, generator=generator
    )
    other = sound[torch.arange(len(sound), device=sound.device)[:, None, None], place]
    wrong = (picture[:, :, None] * other).sum(-1)[drawn]
    cosine = torch.cat([right, wrong])
    together = torch.cat([torch.ones_like(right), torch.zeros_like(wrong)])
    probability = ((1 + cosine) / 2 if half else cosine).clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    each = -together * probability.log() - (1 - together) * (1 - probability).log()
    return _mean(each) + _unused(scale)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "within-clip": within_clip,
    "contrastive": contrastive,
    "cosine-bce": cosine_bce,
    "info-nce": info_nce,
}
_COMMON = ("picture", "sound", "scale", "extra", "anchors", "real", "neighbours", "generator")


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a loss or options that do not exist, before anything is computed.

    Raises
    ------
    UsageError : in words, with what there is
    """
    if name not in LOSSES:
        raise UsageError(f"no loss called {name}; there are {', '.join(LOSSES)}")
    own = [option for option in inspect.signature(LOSSES[name]).parameters if option not in _COMMON]
    for option in options:
        if option not in own:
            raise UsageError(f"the loss {name} has no option {option}; it has {', '.join(own) or 'none'}")


def _gaps(windows: int, extra: int, device: torch.device) -> Tensor:
    """(W, W + 2e): how many positions each sound lies behind the one that belongs to each picture."""
    sounds = torch.arange(windows + 2 * extra, device=device)[None]
    return sounds - extra - torch.arange(windows, device=device)[:, None]


def _asking(anchors: Tensor, real: Tensor, extra: int) -> Tensor:
    """(B, W): positions that are learned from: those with speech and with sound."""
    return anchors & real[:, extra : extra + anchors.shape[1]]


def _mean(values: Tensor) -> Tensor:
    """Mean of (n,); 0, with gradients of 0, where there are none."""
    return values.sum() / max(len(values), 1)


def _unused(scale: Tensor) -> Tensor:
    """Nothing, with a slope: where several processes train together every parameter has to take part."""
    return 0 * scale


def _wrong_ones(
    asks: Tensor,
    real: Tensor,
    *,
    extra: int,
    neighbours: int,
    max_shift: int,
    count: int,
    generator: torch.Generator | None,
) -> tuple[Tensor, Tensor]:
    """Draw wrong sounds of the same clip: their places (B, W, n), and which of them are to be used, bool.

    Every place that may be taken has the same chance, none is taken twice for a picture; where there are too few, the
    rest is marked as not to be used.
    """
    gap = _gaps(asks.shape[1], extra, real.device).abs()
    allowed = ((gap > neighbours) & (gap > 0) & (gap <= max_shift))[None] & real[:, None]
    source = real.device if generator is None else generator.device
    lots = torch.rand(allowed.shape, generator=generator, device=source).to(real.device)
    best = torch.where(allowed, lots, -1.0).topk(min(count, allowed.shape[2]), dim=2)
    return best.indices, (best.values >= 0) & asks[:, :, None]
