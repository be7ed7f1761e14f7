"""The optical flow of scenes that foley models learn from and are given: of pictures of half the size."""

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F32
from clapboard.vision.optical_flow import tvl1

LEVELS, WARPS, ITERATIONS, DATA_WEIGHT = 3, 5, 20, 0.1
"""Settings of `clapboard.vision.optical_flow.tvl1`, written out, for a model keeps those that it learned with."""


def flow_of_scene(images: NDArray[np.uint8]) -> F32:
    """Flow from each picture to the next, px of a picture of half the size.

    Parameters
    ----------
    images : (T, H, W) uint8, both sides even

    Returns
    -------
    (T - 1, 2, H / 2, W / 2) float32: dx, dy, forward

    Raises
    ------
    UsageError : other shapes
    """
    if images.ndim != 3 or images.shape[1] % 2 or images.shape[2] % 2:
        raise UsageError(f"optical flow of a scene is made of (T, H, W) with even sides, not {images.shape}")
    count, height, width = images.shape
    halves = images.reshape(count, height // 2, 2, width // 2, 2).astype(np.float32).mean((2, 4))
    return tvl1(halves, levels=LEVELS, warps=WARPS, iterations=ITERATIONS, data_weight=DATA_WEIGHT)
