"""What lies behind the events: painted walls, and how a camera sees them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.events.pictures import Camera
from clapboard.values import F32, F64


def wall(rng: np.random.Generator, family: str, grain: float, tone: tuple[float, float], *, texels: int) -> F32:
    """Paint a background for a world that reaches from -0.5 to 1.5, (texels, texels) float32 gray.

    Parameters
    ----------
    family : one of `clapboard.testing.events.classes.BACKGROUNDS`
    grain : size of its finest wave, world units
    tone : mean and swing of its gray, 0 to 255
    texels : height and width of what is returned
    """
    place = np.linspace(-0.5, 1.5, texels, dtype=np.float32)
    x, y = place[None, :], place[:, None]
    turn = rng.uniform(0, np.pi)
    u = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    v = np.float32(np.cos(turn)) * y - np.float32(np.sin(turn)) * x
    wave = np.float32(2 * np.pi / grain)
    shape: NDArray[Any]
    if family == "plain":
        shape = 0.05 * (u + v)
    elif family == "slope":
        shape = u - 0.5
    elif family == "clouds":
        shape = np.zeros((texels, texels), np.float32)
        for octave in range(4):
            a, b, c, d = rng.uniform(-1, 1, 4).astype(np.float32)
            slow = wave / np.float32(2.0 ** (3 - octave))
            shape += np.sin(slow * (a * x + b * y) + 6 * c) * np.cos(slow * (b * x - a * y) + 6 * d) / (1 + octave)
        shape *= 0.5
    elif family == "stripes":
        shape = 0.5 * np.sin(wave * u) + 0.3 * v
    elif family == "tiles":
        shape = 0.5 * np.sign(np.sin(wave / 2 * u) * np.sin(wave / 2 * v))
    else:
        cx, cy = rng.uniform(0.1, 0.9, 2)
        shape = 0.5 * np.sin(wave * np.sqrt((x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2))
    return np.clip(tone[0] + tone[1] * shape, 5, 250).astype(np.float32)


def film(scenery: F32, camera: Camera, px: int) -> F32:
    """Look at a background through a camera: (T, px, px, C) float32 from ``scenery`` (texels, texels, C).

    Each framing is sampled once, with a border; within it the camera moves by shifts of that picture, also by parts of
    a pixel.
    """
    count, texels = len(camera.x), len(scenery)
    pictures = np.empty((count, px, px, scenery.shape[2]), np.float32)
    framing = np.stack([camera.zoom, camera.mirror], 1)
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(framing, axis=0) != 0).any(1)]))
    for start, end in zip(starts, [*starts[1:], count], strict=True):
        scale, mirror = camera.zoom[start] * px, camera.mirror[start]
        mid_x, mid_y = float(np.mean(camera.x[start:end])), float(np.mean(camera.y[start:end]))
        shift_x = (camera.x[start:end] - mid_x) * scale * mirror
        shift_y = (camera.y[start:end] - mid_y) * scale
        border = int(np.ceil(max(np.abs(shift_x).max(), np.abs(shift_y).max()))) + 1
        steps = np.arange(-border, px + border) + 0.5 - px / 2
        wide = _sample(
            scenery, (mid_x + steps * mirror / scale + 0.5) / 2 * texels, (mid_y + steps / scale + 0.5) / 2 * texels
        )
        whole_x, whole_y = np.floor(shift_x).astype(int), np.floor(shift_y).astype(int)
        still = np.ptp(shift_x) + np.ptp(shift_y) < 1e-9
        if still:
            pictures[start:end] = wide[border : border + px, border : border + px]
            continue
        for row in range(start, end):
            left, top = whole_x[row - start], whole_y[row - start]
            part_x, part_y = np.float32(shift_x[row - start] - left), np.float32(shift_y[row - start] - top)
            patch = wide[border + top : border + top + px + 1, border + left : border + left + px + 1]
            lines = patch[:-1] + part_y * (patch[1:] - patch[:-1])
            pictures[row] = lines[:, :-1] + part_x * (lines[:, 1:] - lines[:, :-1])
    return pictures


def _sample(scenery: F32, x: F64, y: F64) -> F32:
    """Read a picture between its pixels, at columns ``x`` and rows ``y``; outside, its border goes on."""

    def around(places: F64) -> tuple[NDArray[np.intp], F32]:
        inside = np.clip(places - 0.5, 0, len(scenery) - 1.001)
        whole = inside.astype(np.intp)
        return whole, (inside - whole).astype(np.float32)

    (column, part_x), (line, part_y) = around(x), around(y)
    right, below = part_x[None, :, None], part_y[:, None, None]
    upper = scenery[line][:, column] * (1 - right) + scenery[line][:, column + 1] * right
    lower = scenery[line + 1][:, column] * (1 - right) + scenery[line + 1][:, column + 1] * right
    return np.asarray(upper * (1 - below) + lower * below, np.float32)
