"""What is around a head: background, shoulders, and the noise of the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clapboard.testing.identity import Identity, smooth_noise
from clapboard.testing.pose import drift
from clapboard.testing.speaker import STREAM_CAMERA, generator
from clapboard.values import F32, F64

MARGIN_PX = 24
"""How far a background may wander (px)."""
NOISE_FIELDS = 4
"""Different fields of camera noise; each frame takes one of them, shifted."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A place seen by one camera.

    ``backdrop`` (H + 2 m, W + 2 m) is luma with a margin m to wander in, ``wander_px`` (T, 2) how far it has moved in
    each picture, ``body`` and ``body_alpha`` (H, W) are luma and opacity of neck and shoulders, ``noise``
    (fields, H + 2 m, W + 2 m) is what the camera adds.
    """

    backdrop: F32
    wander_px: F64
    body: F32
    body_alpha: F32
    noise: F32
    seed: int

    def empty(self, number: int) -> F32:
        """Return picture ``number`` without heads, (H, W) luma, its own memory."""
        height, width = self.body.shape
        x, y = (int(step) for step in np.round(self.wander_px[number]) + MARGIN_PX)
        canvas = self.backdrop[y : y + height, x : x + width].copy()
        canvas += self.body_alpha * (self.body - canvas)
        return canvas

    def expose(self, canvas: F32, number: int) -> F32:
        """Return what the camera makes of picture ``number``: noise, other in each picture but always the same for it.

        ``canvas`` (H, W) is changed.
        """
        if len(self.noise):
            height, width = canvas.shape
            rng = generator(self.seed, STREAM_CAMERA, 1, number)
            field, x, y = rng.integers([len(self.noise), 2 * MARGIN_PX, 2 * MARGIN_PX])
            canvas += self.noise[field, y : y + height, x : x + width]
        return canvas


def _backdrop(rng: np.random.Generator, rows: int, columns: int) -> F64:
    """One of: plain, a gradient, blurred things, a rough wall; luma (rows, columns)."""
    level, kind = rng.uniform(30, 190), rng.integers(4)
    across, down = np.linspace(-1, 1, columns)[None, :], np.linspace(-1, 1, rows)[:, None]
    picture = np.full((rows, columns), level)
    if kind >= 1:
        picture += rng.uniform(-40, 40) * across + rng.uniform(-40, 40) * down
    if kind == 2:
        picture += rng.uniform(10, 40) * smooth_noise(rng, rows, columns, int(rng.integers(4, 12)))
        for _ in range(int(rng.integers(1, 5))):
            x, y = rng.integers(columns), rng.integers(rows)
            picture[y : y + rng.integers(rows // 4, rows), x : x + rng.integers(8, columns // 3)] += rng.uniform(
                -50, 50
            )
    if kind == 3:
        picture += rng.uniform(4, 16) * smooth_noise(rng, rows, columns, 90)
    return np.asarray(np.clip(picture, 16, 225))


def _dress(canvas: F64, alpha: F64, identity: Identity, eyes: tuple[float, float, float]) -> None:
    """Paint neck and shoulders in place for a head whose eyes are at x, y with a distance, all px."""
    rng = generator(identity.seed, STREAM_CAMERA, 2)
    height, width = canvas.shape
    u = (np.arange(width)[None, :] + 0.5 - eyes[0]) / eyes[2]
    v = (np.arange(height)[:, None] + 0.5 - eyes[1]) / eyes[2]
    side, pixel = np.abs(u), 1 / eyes[2]
    cloth = rng.uniform(20, 200) + rng.uniform(0, 12) * smooth_noise(rng, height, width, 40)
    half, base = rng.uniform(0.55, 0.7), identity.chin + rng.uniform(0.35, 0.55)
    neck = np.clip((half + 0.25 * np.clip(v - base + 0.2, 0, 1) ** 2 - side) / pixel + 0.5, 0, 1) * (v > 0.5)
    slope = base + 0.25 * side**1.6
    trunk = np.clip((v - slope) / pixel + 0.5, 0, 1) * np.clip((rng.uniform(2.2, 2.7) - side) / pixel + 0.5, 0, 1)
    shade = identity.skin * (0.75 - 0.2 * np.clip(identity.chin + 0.35 - v, 0, 1) - 0.15 * (side / half) ** 2)
    collar = np.clip((v - base - 0.3 + 0.5 * side) / (2 * pixel) + 0.5, 0, 1)
    for mask, tone in ((neck, shade), (trunk * collar, cloth * (1 - 0.08 * side))):
        canvas += mask * (tone - canvas)
        np.maximum(alpha, mask, out=alpha)


def build_scene(
    seed: int,
    times_s: F64,
    size_px: tuple[int, int],
    people: Sequence[tuple[Identity, tuple[float, float, float]]],
    grain: float | None,
) -> Scene:
    """Build a place.

    Parameters
    ----------
    seed : draws background, its movement and the camera's noise
    times_s : (T,) presentation times, s
    size_px : width, height
    people : identity of each, and x, y and distance of the eyes at rest, px
    grain : standard deviation of the camera's noise, luma; None draws it
    """
    rng = generator(seed, STREAM_CAMERA, 0)
    width, height = size_px
    rows, columns = height + 2 * MARGIN_PX, width + 2 * MARGIN_PX
    backdrop = _backdrop(rng, rows, columns)
    moving = rng.random() < 0.5
    wander = np.stack([drift(rng, times_s, MARGIN_PX * moving, (0.05, 0.2)) for _ in range(2)], axis=1)
    drawn = float(rng.choice([0.0, 1.0, 2.0, 4.0]))
    grain = drawn if grain is None else grain
    noise = np.zeros((0, rows, columns), np.float32)
    if grain > 0:
        noise = rng.standard_normal((NOISE_FIELDS, rows, columns), np.float32) * np.float32(grain)
    body, alpha = np.zeros((height, width)), np.zeros((height, width))
    for identity, eyes in people:
        _dress(body, alpha, identity, eyes)
    return Scene(backdrop.astype(np.float32), wander, body.astype(np.float32), alpha.astype(np.float32), noise, seed)
