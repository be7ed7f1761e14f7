"""The pictures of a clip: background, camera, silent things, and what sounds in front of them."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.events.classes import BACKGROUNDS, RANGES
from clapboard.testing.events.kinds import paint
from clapboard.testing.events.movers import paint_movers
from clapboard.testing.events.pictures import LUMA, Camera, Canvas
from clapboard.testing.events.plan import Plan
from clapboard.testing.events.scenery import film, wall
from clapboard.values import F32, F64

Painter = Callable[[Canvas, F64], F32]
"""Draws one thing into every picture at the times (T,) given, and returns its boxes (T, 4) px."""
GAINS, LIFTS = (0.75, 1.1), (0.0, 20.0)
"""Contrast of whole clips, and what is added to their black, levels of 255."""


def stage(
    rng: np.random.Generator, plan: Plan, time_s: F64, px: int, *, colour: bool, beside: Sequence[Painter] = ()
) -> tuple[NDArray[np.uint8], F32]:
    """Draw all pictures of a plan.

    Parameters
    ----------
    rng : for all that the plan leaves to chance
    plan : what is to be seen
    time_s : (T,) times of the pictures, s
    px : width and height of the pictures
    colour : RGB instead of gray
    beside : draw what else is to be seen, after the sources of the plan

    Returns
    -------
    images : (T, px, px), or (T, px, px, 3) in colour, uint8
    boxes : (S, T, 4) float32 px, where each source is, then each thing beside; NaN where it is not to be seen
    """
    family, grain = str(rng.choice(BACKGROUNDS[plan.part])), RANGES["grain"].draw(rng, plan.part)
    painted = wall(rng, family, grain, (plan.level, plan.contrast), texels=round(2.4 * px))[..., None]
    tint = rng.uniform(0.8, 1.2, 3).astype(np.float32)
    if colour:
        painted = np.clip(painted * (tint / (tint @ LUMA)), 0, 255)
    camera = _camera(rng, time_s, clean=plan.clean)
    canvas = Canvas(film(painted, camera, px), camera)
    if not plan.clean:
        sparse = plan.split == "sparse"
        things, misses = rng.integers(2, 5) if sparse else rng.integers(0, 4), rng.integers(1, 3) if sparse else 0
        sounding = [source.looks.kind for source in plan.sources]
        paint_movers(rng, canvas, time_s, sounding, things=int(things), misses=int(misses))
    painters: list[Painter] = [*(partial(paint, source) for source in plan.sources), *beside]
    boxes = np.zeros((len(painters), len(time_s), 4), np.float32)
    for number, painter in enumerate(painters):
        boxes[number] = painter(canvas, time_s)
    pictures = canvas.pictures
    if not plan.clean:
        flicker = 1 + _smooth(rng, time_s, rng.uniform(0.0, 0.06), 8.0) * (rng.random() < 0.5)
        # exposures differ, and so do the levels of files: 16 to 235 is usual
        gain, lift = rng.uniform(*GAINS), rng.uniform(*LIFTS)
        pictures *= (gain * flicker).astype(np.float32)[:, None, None, None]
        pictures += np.float32(lift)
        _add_grain(rng, pictures, rng.uniform(0.0, 5.0))
    images = np.clip(pictures + 0.5, 0, 255).astype(np.uint8)
    return images if colour else images[..., 0], boxes


def _smooth(rng: np.random.Generator, time_s: F64, size: float, fastest_hz: float) -> F64:
    """A smooth random motion, (T,) of about ``size``."""
    rates, phases = rng.uniform(0.2, fastest_hz, 5), rng.uniform(0, 2 * np.pi, 5)
    return np.asarray(size * np.sin(2 * np.pi * np.outer(time_s, rates) + phases).mean(1) * 1.8)


def _camera(rng: np.random.Generator, time_s: F64, *, clean: bool) -> Camera:
    """Draw framings, cuts between them, and shake."""
    count = len(time_s)
    if clean:
        return Camera(np.full(count, 0.5), np.full(count, 0.5), np.ones(count), np.ones(count))
    cuts_s = np.sort(rng.uniform(0, time_s[-1], int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))))
    shot = np.searchsorted(cuts_s, time_s, "right")
    shots = len(cuts_s) + 1
    x, y = 0.5 + rng.uniform(-0.06, 0.06, shots), 0.5 + rng.uniform(-0.05, 0.05, shots)
    zoom, mirror = rng.uniform(0.85, 1.15, shots), np.where(rng.random(shots) < 0.3, -1.0, 1.0)
    shake = rng.uniform(0.002, 0.02) if rng.random() < 0.5 else 0.0
    fastest_hz = rng.uniform(1.0, 6.0)
    moved_x, moved_y = _smooth(rng, time_s, shake, fastest_hz), _smooth(rng, time_s, shake, fastest_hz)
    return Camera(x[shot] + moved_x, y[shot] + moved_y, zoom[shot], mirror[shot])


def _add_grain(rng: np.random.Generator, pictures: F32, size: float) -> None:
    """Add the camera's noise, in place: one large sheet, laid otherwise over each picture."""
    count, px = pictures.shape[:2]
    sheet = rng.standard_normal((2 * px, 2 * px, pictures.shape[3]), np.float32) * np.float32(size)
    for row, (top, left) in enumerate(rng.integers(0, px, (count, 2))):
        pictures[row] += sheet[top : top + px, left : left + px]
