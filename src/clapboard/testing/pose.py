"""How a head is held: slow movements that are known at any time, and the true places of the five landmarks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.identity import Identity
from clapboard.testing.mouth import MouthShape
from clapboard.values import F32, F64

DEPTH, DEPTH_HALF_WIDTH = 0.3, 1.3
"""How far the face stands out before its outline, and where that ends, in eye distances: what a turn shifts."""
NOSE_DEPTH = 0.2
"""How much farther the nose stands out, in eye distances."""


NOSE_TIP = 0.03
"""What detectors call the tip of the nose is this far below its brightest spot, in eye distances."""


def drift(rng: np.random.Generator, times_s: NDArray[Any], size: float, hz: tuple[float, float] = (0.05, 0.4)) -> F64:
    """Slow smooth movement (T,) within ``size`` of 0: a sum of three sines, so exact at any time."""
    rates, phases, parts = rng.uniform(*hz, 3), rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.2, 1, 3)
    waves = np.sin(2 * np.pi * np.asarray(times_s, np.float64)[:, None] * rates + phases)
    return np.asarray(size * (waves @ parts) / parts.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where a head is, at T times, all (T,) float64.

    ``x_px`` and ``y_px`` are the middle between the eyes, ``eyes_px`` the distance of the eyes, ``roll_rad`` the head's
    turn in the picture (clockwise), ``turn`` its turn to the side (the sine of the angle; positive to the left).
    """

    x_px: F64
    y_px: F64
    eyes_px: F64
    roll_rad: F64
    turn: F64

    def head(self, number: int, x_px: F32, y_px: F32) -> tuple[F32, F32]:
        """Return head coordinates of pixels of one picture: x (1, w) and y (h, 1) px give u and v, both (h, w)."""
        cos, sin = np.cos(self.roll_rad[number]), np.sin(self.roll_rad[number])
        scale = 1 / self.eyes_px[number]
        across = (x_px - self.x_px[number]).astype(np.float32)
        down = (y_px - self.y_px[number]).astype(np.float32)
        u = across * np.float32(cos * scale) + down * np.float32(sin * scale)
        v = down * np.float32(cos * scale) - across * np.float32(sin * scale)
        return u, v

    def picture(self, points: F64) -> F64:
        """Return pixels of points in head coordinates: (T, n, 2) to (T, n, 2)."""
        cos, sin = np.cos(self.roll_rad)[:, None], np.sin(self.roll_rad)[:, None]
        u, v = points[..., 0], points[..., 1]
        x = self.x_px[:, None] + self.eyes_px[:, None] * (u * cos - v * sin)
        y = self.y_px[:, None] + self.eyes_px[:, None] * (u * sin + v * cos)
        return np.stack([x, y], axis=-1)


def turned(u: F32, turn: float | F32) -> F32:
    """Return where on the face a pixel of a turned head looks: u of the picture to u of the face."""
    part = u * np.float32(1 / DEPTH_HALF_WIDTH)
    return np.asarray(u + turn * np.float32(DEPTH) * np.maximum(1 - part * part, 0), dtype=np.float32)


def nose_shift(u: F32, v: F32, turn: float | F32, identity: Identity) -> F32:
    """How much farther the nose moves in a turn, to be added to u of the texture."""
    across, down = u * np.float32(1 / 0.22), (v - np.float32(identity.eye_nose)) * np.float32(1 / 0.3)
    return np.asarray(turn * np.float32(NOSE_DEPTH) * np.exp(-across * across - down * down), dtype=np.float32)


def face_points(identity: Identity, shape: MouthShape, turn: F64) -> F64:
    """Landmarks in head coordinates as the picture shows them.

    Parameters
    ----------
    identity : whose face
    shape : T mouths
    turn : (T,) as in `Pose`

    Returns
    -------
    (T, 5, 2) float64: left eye, right eye, tip of the nose, left and right corner of the mouth, as the viewer sees them
    """
    count = len(turn)
    half, corner = shape.half[:, 0, 0], shape.corner[:, 0, 0]
    face = np.zeros((count, 5, 2))
    face[:, 0, 0], face[:, 1, 0] = -0.5, 0.5
    face[:, 2, 1] = identity.eye_nose + NOSE_TIP
    face[:, 3, 0], face[:, 4, 0] = -half, half
    face[:, 3:, 1] = (identity.eye_mouth + corner)[:, None]
    seen = face.copy()
    extra = np.zeros((count, 5))
    extra[:, 2] = NOSE_DEPTH * turn
    for _ in range(6):
        depth = DEPTH * np.maximum(1 - (seen[..., 0] / DEPTH_HALF_WIDTH) ** 2, 0)
        seen[..., 0] = face[..., 0] - turn[:, None] * depth - extra
    return seen
