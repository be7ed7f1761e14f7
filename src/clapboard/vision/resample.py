"""Taking small pictures out of large ones: area shrinking by whole factors, then bilinear sampling.

Coordinates are continuous: a picture of width W spans 0 to W, the middle of its first pixel is at 0.5. Whatever lies
outside a picture takes the value of its nearest border pixel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64

U8 = NDArray[np.uint8]


def shrink(image: U8, factor: int) -> U8:
    """Mean of each `factor` x `factor` block, rounded; rows and columns beyond the last whole block are dropped.

    Parameters
    ----------
    image : (H, W) uint8
    factor : whole number from 1 to 16

    Returns
    -------
    (H // factor, W // factor) uint8
    """
    if factor == 1:
        return image
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    # Whole rows are added first since they are contiguous; 16 x 16 x 255 still fits 16 bits.
    rows = image[0:height:factor, :width].astype(np.uint16)
    for i in range(1, factor):
        rows += image[i:height:factor, :width]
    total = rows[:, 0::factor] + rows[:, 1::factor]
    for i in range(2, factor):
        total += rows[:, i::factor]
    if factor == 2:
        total += 2
        total >>= 2
        return total.astype(np.uint8)
    return (total * np.float32(1 / factor**2) + np.float32(0.5)).astype(np.uint8)


def _taps(start: Any, stop: Any, count: int, length: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], F32]:
    """Left and right neighbour and the weight of the right one, for `count` samples spread over start..stop."""
    step = (np.asarray(stop, np.float64) - start) / count
    at = np.asarray(start, np.float64)[..., None] + (np.arange(count) + 0.5) * step[..., None] - 0.5
    last = np.asarray(length)[..., None] - 1
    at = np.clip(at, 0, last)
    left = at.astype(np.int64)
    return left, np.minimum(left + 1, last), (at - left).astype(np.float32)


def resize(image: U8, window: tuple[float, float, float, float], height: int, width: int) -> F32:
    """Sample a window of a picture on a grid, bilinearly; meant for steps of at most two pixels.

    Parameters
    ----------
    image : (H, W) uint8
    window : x0, y0, x1, y1, px; may reach outside
    height, width : size of the result

    Returns
    -------
    (height, width) float32, 0 to 255
    """
    x0, y0, x1, y1 = window
    top, bottom, down = _taps(y0, y1, height, image.shape[0])
    left, right, across = _taps(x0, x1, width, image.shape[1])
    first, last = int(left[0]), int(right[-1]) + 1
    band = image[:, first:last]
    above = band[top].astype(np.float32)
    rows = above + (band[bottom] - above) * down[:, None]
    west = np.take(rows, left - first, axis=1)
    west += (np.take(rows, right - first, axis=1) - west) * across
    return west


class Mips:
    """A picture and its halvings, in one buffer, so that boxes of any size are sampled together."""

    def __init__(self, image: U8, levels: int) -> None:
        self.images = [np.ascontiguousarray(image)]
        for _ in range(levels - 1):
            if min(self.images[-1].shape) < 4:
                break
            self.images.append(shrink(self.images[-1], 2))
        self._flat = np.concatenate([level.reshape(-1) for level in self.images])
        sizes = np.array([level.size for level in self.images])
        self._start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._shape = np.array([level.shape for level in self.images])

    def sample(self, boxes: F64, size: int) -> F32:
        """Each box as a (size, size) picture, from the level where a step is one to two pixels.

        Parameters
        ----------
        boxes : (n, 4) x0 y0 x1 y1, px of the full picture; may reach outside

        Returns
        -------
        (n, size, size) float32, 0 to 255
        """
        side = np.maximum(boxes[:, 2:] - boxes[:, :2], 1).min(axis=1)
        level = np.clip(np.floor(np.log2(side / size)), 0, len(self.images) - 1).astype(np.int64)
        scaled = boxes / np.exp2(level)[:, None]
        height, width = self._shape[level, 0], self._shape[level, 1]
        top, bottom, down = _taps(scaled[:, 1], scaled[:, 3], size, height)
        left, right, across = _taps(scaled[:, 0], scaled[:, 2], size, width)
        start = self._start[level][:, None]
        top, bottom = start + top * width[:, None], start + bottom * width[:, None]
        across, down = across[:, None, :], down[:, :, None]

        def row(line: NDArray[np.int64]) -> F32:
            west = self._flat[line[:, :, None] + left[:, None, :]].astype(np.float32)
            east = self._flat[line[:, :, None] + right[:, None, :]]
            return np.asarray(west + (east - west) * across, np.float32)

        above = row(top)
        return np.asarray(above + (row(bottom) - above) * down, np.float32)
