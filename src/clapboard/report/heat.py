"""Where weight lies in a picture, as colours over it: pure functions of arrays, pictures are (H, W, 3) uint8 RGB.

The colours run from dark violet over red to pale yellow; their lightness grows evenly from one end to the other, so
that more weight always looks brighter, in gray print and to those who see fewer colours as well.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

STEPS = 256
LIGHTNESS = (0.30, 0.97)
"""OKLab lightness of the first and of the last colour."""
HUES_DEG = (295.0, 465.0)
"""Hue of both, degrees in the plane of OKLab: violet, over red at 389, to yellow at 105."""
CHROMA = 0.19
"""Chroma of every colour; less where a screen cannot show as much."""
OPAQUE = 0.8
"""How much of the picture is covered by the colour of the greatest weight; less in proportion for less weight."""
FULL_TIMES = 4.0
"""The last colour stands for at least so many times the even share: an even spread must not look like a find."""

# Linear sRGB from the cube roots of cone responses, and these from OKLab [1]_.
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@lru_cache(maxsize=1)
def colours() -> U8:
    """The colours of shares 0 to 1, (256, 3) uint8 sRGB, read-only.

    References
    ----------
    .. [1] B. Ottosson, "A perceptual color space for image processing", 2020 (OKLab).
    """
    table = np.zeros((STEPS, 3), np.uint8)
    for index, at in enumerate(np.linspace(0, 1, STEPS)):
        lightness = LIGHTNESS[0] + at * (LIGHTNESS[1] - LIGHTNESS[0])
        hue = np.deg2rad(HUES_DEG[0] + at * (HUES_DEG[1] - HUES_DEG[0]))
        chromas = CHROMA * np.linspace(1, 0, 101)
        lab = np.stack([np.full(101, lightness), chromas * np.cos(hue), chromas * np.sin(hue)], axis=1)
        linear = (lab @ _TO_CONES.T) ** 3 @ _TO_LINEAR.T
        shown = int(np.argmax((linear >= 0).all(1) & (linear <= 1).all(1)))  # the most chroma that a screen can show
        light = np.clip(linear[shown], 0, 1)
        coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        table[index] = np.round(255 * coded).astype(np.uint8)
    table.flags.writeable = False
    return table


def full_weight(maps: NDArray[np.floating]) -> float:
    """The weight of one place that the last colour stands for: the greatest, but not less than four even shares.

    Parameters
    ----------
    maps : (B, h, w), no weight below 0

    Returns
    -------
    float, above 0; 1 where nothing has weight
    """
    total = float(maps.sum())
    if not maps.size or total <= 0:
        return 1.0
    return max(float(maps.max()), FULL_TIMES * total / maps.size)


def enlarged(weights: NDArray[np.floating], height_px: int, width_px: int) -> F64:
    """A map (h, w) spread over a picture, (height_px, width_px) float64, bilinearly: the middle of each place keeps its
    value, and what is outside the outermost middles has that of the nearest.
    """
    down, across = (_between(n, size) for n, size in zip(weights.shape, (height_px, width_px), strict=True))
    return np.asarray(down @ weights.astype(np.float64) @ across.T)


def _between(places: int, size: int) -> F64:
    """The share of each place in each of so many pixels along one axis, (size, places)."""
    at = np.clip((np.arange(size) + 0.5) * places / size - 0.5, 0, places - 1)
    left = np.minimum(at.astype(np.int64), max(places - 2, 0))
    share = np.zeros((size, places))
    share[np.arange(size), left] = 1 - (at - left)
    share[np.arange(size), np.minimum(left + 1, places - 1)] += at - left
    return share


def over(picture: U8, weights: NDArray[np.floating], full: float) -> U8:
    """A picture in gray with the colour of its weights over it; where there is no weight the gray stays as it is.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    weights : (h, w), of any size: it is spread over the whole picture
    full : the weight that the last colour stands for, see `full_weight`

    Returns
    -------
    (H, W, 3) uint8
    """
    share = np.clip(enlarged(weights, *picture.shape[:2]) / full, 0, 1)
    gray = picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114])  # luma of ITU-R BT.601
    colour = colours()[np.round(share * (STEPS - 1)).astype(np.int64)]
    cover = (OPAQUE * share)[..., None]
    return np.asarray(np.round(gray[..., None] * (1 - cover) + colour * cover), np.uint8)
