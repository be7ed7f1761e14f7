"""The optical flow of scenes that foley models learn from and are given: of pictures of half the size."""

import numpy as np
from numpy.typing import NDArray

from clapboard.errors import UsageError
from clapboard.values import F32
from clapboard.vision.optical_flow import tvl1
from clapboard.vision.scenes import DEFAULT_SCENE, SCENES, squeeze

LEVELS, WARPS, ITERATIONS, DATA_WEIGHT = 3, 5, 20, 0.1
"""Settings of `clapboard.vision.optical_flow.tvl1`, written out, for a model keeps those that it learned with."""


def flow_of_scene(images: NDArray[np.uint8]) -> F32:
    """Flow from each picture to the next, px of a picture of half the size.

    Parameters
    ----------
    images : (T, px, px) or (T, px, px, 3) uint8, of any scene; larger ones than 64 x 64 are squeezed, colours averaged

    Returns
    -------
    (T - 1, 2, 32, 32) float32: dx, dy, forward

    Raises
    ------
    UsageError : other shapes
    """
    px = SCENES[DEFAULT_SCENE].px
    if images.ndim not in (3, 4) or not len(images) or min(images.shape[1:3]) < px:
        raise UsageError(f"optical flow of a scene is made of (T, {px}, {px}) or more, not {images.shape}")
    if images.shape[1:] != (px, px):
        small = [squeeze(image, px) for image in images]
        images = np.stack([np.round(one.mean(-1)).astype(np.uint8) if one.ndim == 3 else one for one in small])
    count, height, width = images.shape
    halves = images.reshape(count, height // 2, 2, width // 2, 2).astype(np.float32).mean((2, 4))
    return tvl1(halves, levels=LEVELS, warps=WARPS, iterations=ITERATIONS, data_weight=DATA_WEIGHT)
