"""Attention over blocks: which blocks of a clip, and which places in them, decide whether its sound is in sync.

A clip is cut into blocks of 25 frames; each goes through the multisensory network by itself, and a head weighs their
features [1]_: plain means; one confidence for each block (temporal); or one for each place of each block
(spatio-temporal). Weights are a softmax over all confidences of the clip, so they sum to one.

Letters of shapes: B clips, N blocks, T = 25 frames of a block, F features, t, h, w places of the map of one block.

References
----------
.. [1] N. Khosravan, S. Ardeshir, R. Puri, "On attention modules for audio-visual synchronization", 2018,
   arXiv:1812.06071, section 3.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from clapboard.errors import UsageError
from clapboard.training.nets.multisensory import Multisensory, MultisensoryConfig

BLOCK_FRAMES = 25
"""Frames of a block: 0.83 s at 29.97 fps."""

Kind = Literal["mean", "temporal", "spatio-temporal"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _check(features: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
    """Features with zeros in absent blocks, and which blocks there are, (B, N) bool; refuse what has another shape.

    Whatever fills absent blocks must not pass, not even a NaN times a weight of 0.
    """
    if features.ndim != 6:
        raise UsageError(f"features must be (clips, blocks, F, t, h, w), not {tuple(features.shape)}")
    if present is None:
        return features, torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
    if present.shape != features.shape[:2] or present.dtype != torch.bool:
        given = f"{tuple(present.shape)} {present.dtype}"
        raise UsageError(f"present must be {tuple(features.shape[:2])} torch.bool, not {given}")
    if not bool(present.any(1).all()):
        raise UsageError("every clip needs at least one block that is present")
    return features.masked_fill(~present[:, :, None, None, None, None], 0.0), present


def mean(features: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean over all blocks, times and places: the baseline without attention.

    Parameters
    ----------
    features : (B, N, F, t, h, w)
    present : (B, N) bool, False for a block that only fills the batch; all, unless given

    Returns
    -------
    pooled (B, F) and weights (B, N), the same for each block that is present

    Raises
    ------
    UsageError : wrong shapes, or a clip without a block
    """
    features, present = _check(features, present)
    weights = present.to(features.dtype) / present.sum(1, keepdim=True)
    return torch.einsum("bn,bnf->bf", weights, features.mean((3, 4, 5))), weights


def temporal(features: Tensor, confidence: nn.Module, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean over blocks, each weighed by its confidence (section 3, temporal attention).

    Parameters
    ----------
    features : (B, N, F, t, h, w)
    confidence : convolution of 1x1x1, (n, F, 1, 1, 1) -> (n, 1, 1, 1, 1)
    present : see `mean`

    Returns
    -------
    pooled (B, F) and weights (B, N), which sum to 1

    Raises
    ------
    UsageError : wrong shapes, or a clip without a block
    """
    features, present = _check(features, present)
    pooled = features.mean((3, 4, 5))
    confidences = confidence(pooled.flatten(0, 1)[..., None, None, None]).reshape(present.shape)
    weights = confidences.masked_fill(~present, float("-inf")).softmax(1)
    return torch.einsum("bn,bnf->bf", weights, pooled), weights


def spatio_temporal(features: Tensor, confidence: nn.Module, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean over all places of all blocks, each weighed by its confidence (section 3, spatio-temporal attention).

    Parameters
    ----------
    features : (B, N, F, t, h, w)
    confidence : convolution of 1x1x1, (n, F, t, h, w) -> (n, 1, t, h, w)
    present : see `mean`

    Returns
    -------
    pooled (B, F) and weights (B, N, t, h, w), which sum to 1

    Raises
    ------
    UsageError : wrong shapes, or a clip without a block
    """
    features, present = _check(features, present)
    confidences = confidence(features.flatten(0, 1)).reshape(*present.shape, *features.shape[3:])
    absent = ~present[:, :, None, None, None]
    weights = confidences.masked_fill(absent, float("-inf")).flatten(1).softmax(1).reshape(confidences.shape)
    return torch.einsum("bnthw,bnfthw->bf", weights, features), weights


def weights_of_blocks(weights: Tensor) -> Tensor:
    """Weights of any head, (B, N) or (B, N, t, h, w) -> (B, N): how much of the decision each block has."""
    return weights if weights.ndim == 2 else weights.sum((2, 3, 4))


class Head(nn.Module):
    """Pooling over blocks and a decision: a logit above 0 says that sound and picture are in sync.

    Parameters
    ----------
    kind : "mean", "temporal" or "spatio-temporal"
    features : F
    hidden : channels between two 1x1x1 convolutions of the confidence; one convolution, as published, unless given

    Raises
    ------
    UsageError : there is no such kind, or a size below 1
    """

    def __init__(self, kind: Kind, features: int, hidden: int | None = None) -> None:
        super().__init__()
        if kind not in KINDS:
            raise UsageError(f'no head called "{kind}"; there are {", ".join(KINDS)}')
        if features < 1 or (hidden is not None and hidden < 1):
            raise UsageError(f"a head needs at least 1 feature and 1 hidden channel, not {features} and {hidden}")
        self.kind: Kind = kind
        self.confidence: nn.Module | None = None
        if kind != "mean" and hidden is None:
            self.confidence = nn.Conv3d(features, 1, 1)
        elif kind != "mean" and hidden is not None:
            self.confidence = nn.Sequential(nn.Conv3d(features, hidden, 1), nn.ReLU(), nn.Conv3d(hidden, 1, 1))
        self.decision = nn.Linear(features, 1)

    def forward(self, features: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, N, F, t, h, w) -> logits (B,) and weights (B, N), or (B, N, t, h, w) for places.

        Raises
        ------
        UsageError : wrong shapes, or a clip without a block
        """
        with torch.autocast(features.device.type, enabled=False):  # sums of thousands of weights need more than 8 bits
            features = features.float()
            if self.confidence is None:
                pooled, weights = mean(features, present)
            elif self.kind == "temporal":
                pooled, weights = temporal(features, self.confidence, present)
            else:
                pooled, weights = spatio_temporal(features, self.confidence, present)
            return self.decision(pooled).squeeze(1), weights


class AttentionAVS(nn.Module):
    """The whole: blocks of pictures and sounds in, a logit and the weights of the blocks out."""

    def __init__(self, net: Multisensory, head: Head) -> None:
        super().__init__()
        if head.decision.in_features != net.config.features:
            raise UsageError(f"the head takes {head.decision.in_features} features, the network {net.config.features}")
        self.net, self.head = net, head

    def forward(self, images: Tensor, sound: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One sound for each clip.

        Parameters
        ----------
        images : (B, N, 25, C, px, px) uint8, or float of 0 to 255
        sound : (B, N, samples, 2) or (B, N, rows, 40), as the network takes it
        present : (B, N) bool; all, unless given

        Returns
        -------
        logits (B,), and weights as `Head` gives them

        Raises
        ------
        UsageError : wrong shapes, or a clip without a block
        """
        logits, weights = self.score(images, sound[:, None], present)
        return logits[:, 0], weights[:, 0]

    def score_pair(
        self, images: Tensor, sound_a: Tensor, sound_b: Tensor, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Two sounds for the same pictures, which are seen once: logits (B, 2), weights (B, 2, ...)."""
        return self.score(images, torch.stack([sound_a, sound_b], 1), present)

    def score(self, images: Tensor, sounds: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """S sounds for each clip, (B, S, N, ...), joined with pictures that are seen once: logits (B, S), weights.

        All sounds go through the network as one batch: in a batch of their own, the batch statistics would tell the
        shifted sounds from the true ones.
        """
        if images.ndim != 6 or sounds.ndim != 5 or sounds.shape[:3:2] != images.shape[:2]:
            raise UsageError(
                f"pictures {tuple(images.shape)} and sounds {tuple(sounds.shape)} are not blocks of the same clips"
            )
        count, several, blocks = sounds.shape[:3]
        seen = self.net.see(images.flatten(0, 1))
        repeated = seen.reshape(count, 1, blocks, *seen.shape[1:]).expand(-1, several, *[-1] * seen.ndim).flatten(0, 2)
        features = self.net.join(repeated, sounds.flatten(0, 2))
        if present is not None:
            present = present[:, None].expand(-1, several, -1).flatten(0, 1)
        logits, weights = self.head(features.reshape(count * several, blocks, *features.shape[1:]), present)
        return logits.reshape(count, several), weights.reshape(count, several, *weights.shape[1:])


def cut_blocks(images: Tensor, sound: Tensor, config: MultisensoryConfig) -> tuple[Tensor, Tensor]:
    """A clip in blocks of 25 frames that do not overlap, each with its sound; what fills no block is left out.

    Parameters
    ----------
    images : (B, T, C, px, px)
    sound : (B, samples, 2) or (B, rows, 40); begins with the first frame

    Returns
    -------
    images (B, N, 25, C, px, px) and sound (B, N, length, ...)

    Raises
    ------
    UsageError : not one whole block
    """
    length, step = config.sound_length(BLOCK_FRAMES), BLOCK_FRAMES * config.sound_per_frame
    blocks = images.shape[1] // BLOCK_FRAMES
    starts = [round(n * step) for n in range(blocks) if round(n * step) + length <= sound.shape[1]]
    if not starts:
        given = f"{images.shape[1]} frames and {sound.shape[1]} samples or rows of sound"
        raise UsageError(f"{given} hold no block of {BLOCK_FRAMES} frames and {length}")
    pictures = images[:, : len(starts) * BLOCK_FRAMES].reshape(len(images), -1, BLOCK_FRAMES, *images.shape[2:])
    return pictures, torch.stack([sound[:, start : start + length] for start in starts], 1)
