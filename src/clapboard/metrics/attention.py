"""What attention looks at: whether it weighs the blocks with an event, and the place of what is heard; and offsets.

B blocks, h w places of a map, S sources, T frames of a block. Weights need not sum to one: only their shares count.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clapboard.errors import UsageError
from clapboard.metrics import clips
from clapboard.values import F64

OFFSETS_WITHIN_MS = (40.0, 80.0, 100.0, 200.0)
"""One and two frames at 25 Hz, and the tolerances of papers on any sound."""
THRESHOLD = 0.5
"""A place is marked where the map is above this part of its maximum, as in class activation maps [1]_.

.. [1] B. Zhou et al., "Learning deep features for discriminative localization", CVPR 2016 (there 20 % of it).
"""


def validate(weights: ArrayLike, shape: str) -> F64:
    """Weights as an array.

    Parameters
    ----------
    shape : ``"B"`` for blocks, ``"h w"`` for a map

    Raises
    ------
    UsageError : another shape, or a weight that is negative or not finite
    """
    array = np.asarray(weights, np.float64)
    if array.ndim != len(shape.split()) or not array.size:
        raise UsageError(f"weights must be ({shape.replace(' ', ', ')}), not {array.shape}")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise UsageError("weights must be finite and not negative")
    return array


def blocks_with_events(blocks_s: ArrayLike, event_s: ArrayLike) -> NDArray[np.bool_]:
    """Which blocks hold an event, (B,).

    Parameters
    ----------
    blocks_s : (B, 2) begin and end, half-open, s
    event_s : (E,) s

    Raises
    ------
    UsageError : other shapes
    """
    blocks, events = np.asarray(blocks_s, np.float64), np.asarray(event_s, np.float64)
    if blocks.ndim != 2 or blocks.shape[1:] != (2,) or events.ndim != 1:
        raise UsageError(f"blocks must be (B, 2) and events (E,), not {blocks.shape} and {events.shape}")
    return np.asarray(((events >= blocks[:, :1]) & (events < blocks[:, 1:])).any(axis=1), np.bool_)


def block_ratio(weights: ArrayLike, with_event: ArrayLike) -> float:
    """Mean weight of the blocks with an event over that of the others.

    1 is what equal weights give. NaN where one of the two kinds is missing, infinite where the others weigh nothing.
    """
    weight, event = validate(weights, "B"), np.asarray(with_event, np.bool_)
    if event.shape != weight.shape:
        raise UsageError(f"{len(weight)} blocks need as many answers whether there is an event, not {event.shape}")
    if event.all() or not event.any():
        return float("nan")
    inside, others = float(weight[event].mean()), float(weight[~event].mean())
    if others == 0:
        return float("inf") if inside else float("nan")
    return inside / others


def block_ratio_of_clips(weights: Sequence[ArrayLike], with_event: Sequence[ArrayLike]) -> float:
    """`block_ratio` over many clips: every clip's weights count relative to their mean, and then all blocks alike.

    A mean of ratios would be carried away by single clips whose other blocks weigh next to nothing. Clips with one kind
    of block count as well.
    """
    if len(weights) != len(with_event):
        raise UsageError(f"{len(weights)} clips with weights, {len(with_event)} with events")
    found = [validate(weight, "B") for weight in weights]
    if not found:
        return float("nan")
    relative = [weight / weight.mean() if weight.any() else np.ones(len(weight)) for weight in found]
    return block_ratio(np.concatenate(relative), np.concatenate([np.asarray(event, np.bool_) for event in with_event]))


def inside(boxes_px: ArrayLike, shape: tuple[int, int], picture_px: tuple[float, float]) -> F64:
    """How much of each place of a map lies inside boxes, (h, w), 0 to 1.

    Parameters
    ----------
    boxes_px : (4,), (T, 4) or (S, T, 4) x0, y0, x1, y1 of the picture; NaN where a source is not seen. Boxes of one
        frame are joined; where two share a place the larger part counts. The mean over frames is taken
    shape : h, w of the map
    picture_px : height and width of the picture that the map covers

    Raises
    ------
    UsageError : not (4,), (T, 4) or (S, T, 4)
    """
    boxes = np.asarray(boxes_px, np.float64)
    if boxes.shape[-1:] != (4,) or boxes.ndim > 3:
        raise UsageError(f"boxes must be (4,), (T, 4) or (S, T, 4), not {boxes.shape}")
    boxes = boxes.reshape((1,) * (3 - boxes.ndim) + boxes.shape)
    if not boxes.size:
        return np.zeros(shape)
    down = _along(boxes[..., 1], boxes[..., 3], shape[0], picture_px[0])
    across = _along(boxes[..., 0], boxes[..., 2], shape[1], picture_px[1])
    return np.asarray((down[..., :, None] * across[..., None, :]).max(axis=0).mean(axis=0))


def _along(low: F64, high: F64, cells: int, length_px: float) -> F64:
    """How much of each cell of a side lies between two positions, (..., cells); 0 where these are NaN."""
    edges = np.linspace(0, length_px, cells + 1)
    overlap = np.minimum(high[..., None], edges[1:]) - np.maximum(low[..., None], edges[:-1])
    return np.asarray(np.nan_to_num(np.clip(overlap, 0, None) * cells / length_px, nan=0.0))


def share_over_area(weights: ArrayLike, covered: ArrayLike) -> float:
    """Part of a map's weight that lies inside a box, over the part of the area that the box takes.

    1 is what a map gives that is the same everywhere. NaN without a box, or without weight.

    Parameters
    ----------
    weights : (h, w)
    covered : (h, w) from `inside`
    """
    weight, cover = _map_and_cover(weights, covered)
    total, area = float(weight.sum()), float(cover.mean())
    return float((weight * cover).sum()) / total / area if total and area else float("nan")


def iou(weights: ArrayLike, covered: ArrayLike, threshold: float = THRESHOLD) -> float:
    """Intersection over union of a box and the places of a map that are above a part of its maximum, 0 to 1.

    NaN where there is neither.

    Parameters
    ----------
    weights : (h, w)
    covered : (h, w) from `inside`
    threshold : part of the maximum, from 0 to less than 1

    Raises
    ------
    UsageError : shapes differ, or there is no such threshold
    """
    weight, cover = _map_and_cover(weights, covered)
    if not 0 <= threshold < 1:
        raise UsageError(f"a threshold is a part of the maximum from 0 to less than 1, not {threshold:g}")
    marked = weight > threshold * weight.max()
    shared = float(cover[marked].sum())
    union = float(marked.sum() + cover.sum()) - shared
    return shared / union if union else float("nan")


def _map_and_cover(weights: ArrayLike, covered: ArrayLike) -> tuple[F64, F64]:
    """Both as arrays of one shape."""
    weight, cover = validate(weights, "h w"), validate(covered, "h w")
    if weight.shape != cover.shape:
        raise UsageError(f"a map {weight.shape} and what a box covers {cover.shape} must be of one shape")
    return weight, cover


def offset_table(errors_ms: ArrayLike) -> dict[str, float]:
    """How near offsets are.

    Parameters
    ----------
    errors_ms : (N,) measured minus true, NaN where nothing was measured, which counts as wrong

    Returns
    -------
    ``number``, ``measured``; ``within_40_ms``, ``within_80_ms``, ``within_100_ms``, ``within_200_ms``, 0 to 1, of all;
    ``mae_ms``, the mean absolute error of those that were measured, and ``median_ms``, that of all
    """
    errors = clips.validate(errors_ms)
    sizes = np.abs(errors)
    real = sizes[np.isfinite(sizes)]
    middle = np.median(np.where(np.isfinite(sizes), sizes, np.inf)) if len(sizes) else float("nan")
    return {
        "number": float(len(sizes)),
        "measured": float(len(real)),
        **{f"within_{limit_ms:g}_ms": clips.within(errors, limit_ms) for limit_ms in OFFSETS_WITHIN_MS},
        "mae_ms": float(real.mean()) if len(real) else float("nan"),
        "median_ms": float(middle),
    }
