"""Changes of clips from batch to batch that tell nothing about time: level, tone, noise, other sound, light, place.

F frames, R rows. Sound is changed as log power of its bands before it is normalised and before the true and the moved
window are cut from it, so that both are changed alike.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32


@dataclass(frozen=True, slots=True)
class Changes:
    """How much is changed; chances from 0 to 1, levels in natural-log units of power (1 is 4.3 dB).

    Attributes
    ----------
    gain : the level of the sound, up or down by up to so much
    tilt : one end of the spectrum against the other, up or down by up to so much
    noise : chance of noise; it lies ``noise_below`` under the loud rows
    other : chance of another clip's sound; it lies ``other_below`` under the loud rows
    mirror : chance that left and right are exchanged
    move_px : the picture is moved by up to so much, its border repeated
    light : brightness up or down by up to so much of half its range
    contrast : levels are spread by up to 1 + this, or as much less, less than 0.9
    grain : greatest spread of the picture's noise, levels of 255
    """

    gain: float = 1.5
    tilt: float = 1.5
    noise: float = 0.5
    noise_below: tuple[float, float] = (1.5, 6.0)
    other: float = 0.3
    other_below: tuple[float, float] = (1.0, 5.0)
    mirror: float = 0.5
    move_px: int = 4
    light: float = 0.3
    contrast: float = 0.3
    grain: float = 6.0


USUAL = Changes()
LOUD_PERCENTILE = 95.0
"""The loud rows, that noise is measured against, are louder than so many in a hundred."""


def change_sound(
    bands: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]], rng: np.random.Generator, how: Changes
) -> F32:
    """Change the sound of one clip.

    Parameters
    ----------
    bands : (R, S) natural log power
    other : (R', S), R' at least 1, sound of another clip, repeated where it is shorter

    Returns
    -------
    (R, S) float32
    """
    rows, columns = bands.shape
    out = np.asarray(bands, np.float32)
    loud = _loud(out)
    if rng.random() < how.other:
        mixed = np.resize(np.asarray(other, np.float32), (rows, columns))
        below = rng.uniform(*how.other_below)
        out = _sum(out, mixed + np.float32(loud - _loud(mixed) - below))
    if rng.random() < how.noise:
        colour = np.cumsum(rng.normal(0, 0.15, columns)) + loud - rng.uniform(*how.noise_below)
        # Power of noise in a band scatters as an exponential: the sum of two squares of Gaussian numbers.
        scatter = rng.standard_exponential((rows, columns), np.float32)
        out = np.log(np.exp(out) + scatter * np.exp(colour).astype(np.float32))
    tone = rng.uniform(-how.gain, how.gain) + np.linspace(-0.5, 0.5, columns) * rng.uniform(-how.tilt, how.tilt)
    return np.asarray(out + tone.astype(np.float32), np.float32)


def _loud(bands: F32) -> float:
    """Level of the loud rows, natural-log units."""
    level = bands.max(1)
    return float(np.percentile(level, LOUD_PERCENTILE)) if len(level) else 0.0


def _sum(one: F32, two: F32) -> F32:
    """Log power of two sounds together; through the powers, which is several times faster than logaddexp."""
    return np.asarray(np.log(np.exp(one) + np.exp(two)), np.float32)


def change_images(images: NDArray[np.uint8], rng: np.random.Generator, how: Changes) -> NDArray[np.uint8]:
    """Change the pictures of one clip, all frames alike but for the noise.

    Parameters
    ----------
    images : (F, h, w)

    Returns
    -------
    (F, h, w) uint8, a new array
    """
    out = images[:, :, ::-1] if rng.random() < how.mirror else images
    down, right = rng.integers(-how.move_px, how.move_px + 1, 2).tolist()
    contrast, light = 1 + rng.uniform(-how.contrast, how.contrast), 127.5 * rng.uniform(-how.light, how.light)
    level = _moved(out, down, right, how.move_px).astype(np.int16)
    level -= 128  # whole numbers in steps of 1/128 of the contrast: millions of levels, so every step counts
    level *= np.int16(round(128 * contrast))
    level >>= 7
    level += np.int16(128 + round(light))
    if how.grain:
        grain = _grain()
        at = int(rng.integers(max(1, len(grain) - level.size)))
        noise = grain[at : at + level.size] * np.float32(rng.uniform(0, how.grain))
        level += np.resize(noise.astype(np.int16), level.shape)
    return np.clip(level, 0, 255, out=level).astype(np.uint8)


def _moved(images: NDArray[np.uint8], down: int, right: int, most: int) -> NDArray[np.uint8]:
    """Pictures moved by whole pixels, at most ``most``; the border that comes in repeats the edge."""
    wide = np.pad(images, ((0, 0), (most, most), (most, most)), "edge")
    height, width = images.shape[1:]
    return np.asarray(wide[:, most - down :, most - right :][:, :height, :width])


@cache
def _grain() -> F32:
    """Normal numbers of which the noise of a clip is a stretch: drawing millions for each batch costs too much."""
    return np.random.default_rng(0).standard_normal(2**20, np.float32)
