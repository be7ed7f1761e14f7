"""What a made-up person looks like: proportions and tones drawn from a seed, painted once into a texture.

Coordinates of the head: u to the viewer's right, v down, the unit is the distance between the eyes, and the origin
is the middle between them. Tones are luma from 0 (black) to 255 (white).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.speaker import STREAM_FACE, generator
from clapboard.values import F32, F64

LEFT, TOP, RIGHT, BOTTOM = -1.9, -2.1, 1.9, 2.7
"""What the texture covers, in eye distances."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Proportions (in eye distances) and tones (luma) of one face.

    ``half_width`` is half the width of the head at the cheeks, ``eye_mouth`` and ``eye_nose`` are distances down from
    the line of the eyes, ``chin`` and ``crown`` the lower and the upper end of the head, ``jaw`` its squareness (2 an
    ellipse). ``mouth_width`` is from corner to corner at rest, ``lip_upper`` and ``lip_lower`` the lips' thickness.
    ``teeth_upper`` and ``teeth_lower`` say how much of the teeth an open mouth shows. ``light_u`` and ``light_v`` point
    to where light comes from.
    """

    seed: int
    half_width: float
    eye_mouth: float
    eye_nose: float
    chin: float
    crown: float
    jaw: float
    brow: float
    brow_size: float
    eye_size: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    teeth_upper: float
    teeth_lower: float
    skin: float
    lip: float
    lip_gloss: float
    hair: float
    hairline: float
    hair_length: float
    iris: float
    teeth: float
    cavity: float
    beard: float
    moustache: float
    glasses: bool
    light_u: float
    light_v: float
    contrast: float
    blemish: float

    @classmethod
    def from_seed(cls, seed: int) -> "Identity":
        """Draw a face."""
        rng = generator(seed, STREAM_FACE)
        skin = rng.uniform(85, 200)
        eye_mouth = float(np.clip(rng.normal(1.14, 0.05), 1.03, 1.26))
        bearded = rng.random() < 0.22
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.35)
        return cls(
            seed=seed,
            half_width=rng.uniform(1.0, 1.14),
            eye_mouth=eye_mouth,
            eye_nose=eye_mouth * rng.uniform(0.49, 0.54),
            chin=eye_mouth + rng.uniform(0.66, 0.8),
            crown=rng.uniform(-1.4, -1.2),
            jaw=rng.uniform(2.1, 3.0),
            brow=rng.uniform(0.29, 0.36),
            brow_size=rng.uniform(0.7, 1.3),
            eye_size=rng.uniform(0.85, 1.05),
            mouth_width=rng.uniform(0.74, 0.9),
            lip_upper=rng.uniform(0.07, 0.13),
            lip_lower=rng.uniform(0.1, 0.18),
            teeth_upper=rng.uniform(-0.02, 0.06),
            teeth_lower=rng.uniform(-0.04, 0.04),
            skin=skin,
            lip=skin * rng.uniform(0.6, 0.86),
            lip_gloss=rng.uniform(0.0, 0.3),
            hair=min(rng.uniform(18, 70) if rng.random() < 0.8 else rng.uniform(70, 150), 0.65 * skin),
            hairline=rng.uniform(0.7, 0.95),
            hair_length=rng.uniform(0.2, 0.5) if rng.random() < 0.55 else rng.uniform(1.0, 2.4),
            iris=rng.uniform(25, 70),
            teeth=min(skin * rng.uniform(0.95, 1.3), 225),
            cavity=skin * rng.uniform(0.1, 0.28),
            beard=rng.uniform(0.15, 0.6) if bearded else 0.0,
            moustache=rng.uniform(0.2, 0.6) if bearded or rng.random() < 0.06 else 0.0,
            glasses=bool(rng.random() < 0.15),
            light_u=float(strength * np.cos(angle)),
            light_v=float(strength * np.sin(angle)) - 0.15,
            contrast=rng.uniform(1.1, 1.5),
            blemish=rng.uniform(0.005, 0.03),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """The head but for eyes and mouth: ``values`` (rows * columns,) complex64, ``detail`` texels per eye distance.

    The real part is luma, the imaginary part opacity (0 or 1): one look-up then fetches both.
    """

    values: NDArray[np.complex64]
    rows: int
    columns: int
    detail: float

    def look_up(self, u: F32, v: F32) -> tuple[F32, F32]:
        """Return luma and opacity at any points (any shape), between texels by straight lines."""
        across = np.clip((u - np.float32(LEFT)) * np.float32(self.detail) - np.float32(0.5), 0, self.columns - 2)
        down = np.clip((v - np.float32(TOP)) * np.float32(self.detail) - np.float32(0.5), 0, self.rows - 2)
        column, row = across.astype(np.intp), down.astype(np.intp)
        right, below = (across - column).astype(np.float32), (down - row).astype(np.float32)
        row *= self.columns
        row += column
        take = self.values.take
        upper = take(row)
        upper += right * (take(row + 1) - upper)
        row += self.columns
        lower = take(row)
        lower += right * (take(row + 1) - lower)
        upper += below * (lower - upper)
        return np.ascontiguousarray(upper.real), np.ascontiguousarray(upper.imag)


def _soft(distance: F64, width: float) -> F64:
    """1 inside (distance > 0), 0 outside, over ``width``."""
    return np.asarray(np.clip(distance / width + 0.5, 0, 1))


def _spot(u: F64, v: F64, at: tuple[float, float], size: tuple[float, float]) -> F64:
    """A round spot, 1 in its middle."""
    return np.asarray(np.exp(-(((u - at[0]) / size[0]) ** 2) - ((v - at[1]) / size[1]) ** 2))


def smooth_noise(rng: np.random.Generator, rows: int, columns: int, cells: int | tuple[int, int]) -> F64:
    """Smooth random field (rows, columns), about -1 to 1, ``cells`` bumps along the longer side or (down, across)."""
    if isinstance(cells, int):
        cells = round(cells * rows / max(rows, columns)), round(cells * columns / max(rows, columns))
    steps = max(2, cells[0]), max(2, cells[1])
    coarse = rng.normal(size=(steps[0] + 1, steps[1] + 1))

    def weights(count: int, size: int) -> NDArray[Any]:
        where = (np.arange(size) + 0.5) * count / size
        part = where - np.floor(where)
        part = part * part * (3 - 2 * part)
        matrix = np.zeros((size, count + 1))
        cell = np.floor(where).astype(int)
        matrix[np.arange(size), cell] = 1 - part
        matrix[np.arange(size), cell + 1] = part
        return matrix

    return np.asarray(np.clip(weights(steps[0], rows) @ coarse @ weights(steps[1], columns).T / 1.5, -1, 1))


def head_edge(identity: Identity, v: F64) -> F64:
    """Half the width of the head at heights v, 0 above the crown and below the chin."""
    middle = 0.35
    lower = np.clip((v - middle) / (identity.chin - middle), 0, 1) ** identity.jaw
    upper = np.clip((middle - v) / (middle - identity.crown), 0, 1) ** 2.3
    return np.asarray(identity.half_width * np.sqrt(1 - np.maximum(lower, upper)))


def _skin(identity: Identity, u: F64, v: F64, rng: np.random.Generator) -> F64:
    """Luma of bare skin with its light and shadow: forehead, sockets, nose, cheeks, chin."""
    side = np.abs(u)
    nose, mouth = identity.eye_nose, identity.eye_mouth
    normal_u = np.clip(u / identity.half_width, -1, 1)
    normal_v = np.clip((v - 0.35) / 1.7, -1, 1)
    facing = np.sqrt(np.clip(1 - 0.75 * normal_u**2 - 0.35 * normal_v**2, 0.05, 1))
    shade = 0.55 + 0.5 * facing + identity.light_u * normal_u + identity.light_v * normal_v
    deep = identity.contrast
    # eyes lie deep, brows and nose stand out
    shade -= deep * 0.16 * _spot(side, v, (0.48, -0.04), (0.34, 0.2))
    shade -= deep * 0.14 * _spot(side, v, (0.2, -0.1), (0.12, 0.2))
    shade += deep * 0.10 * _spot(u, v, (0.0, 0.25), (0.09, 0.35))
    shade += deep * 0.10 * _spot(u, v, (0.0, nose), (0.13, 0.1))
    shade -= deep * 0.13 * _spot(side, v, (0.24, nose + 0.02), (0.06, 0.14))
    shade -= deep * 0.30 * _spot(u, v, (0.0, nose + 0.17), (0.2, 0.05))
    shade -= deep * 0.35 * _spot(side, v, (0.1, nose + 0.13), (0.05, 0.03))
    shade -= deep * 0.06 * _spot(u, v, (0.0, (nose + mouth) / 2 + 0.1), (0.04, 0.12))
    shade += deep * 0.08 * _spot(side, v, (0.62, 0.5), (0.28, 0.22))
    shade += deep * 0.08 * _spot(u, v, (0.0, -0.75), (0.7, 0.3))
    # the fold from the nose to the corner of the mouth
    along = np.clip((v - nose) / (mouth - nose), 0, 1.15)
    fold = np.exp(-(((side - 0.27 - 0.25 * along) / 0.05) ** 2)) * np.sin(np.pi * along / 1.15)
    shade -= deep * 0.08 * fold
    shade += deep * 0.10 * _spot(u, v, (0.0, identity.chin - 0.22), (0.25, 0.14))
    shade -= deep * 0.10 * _spot(u, v, (0.0, mouth + 0.29), (0.3, 0.07))
    rows, columns = u.shape
    for cells, part in ((9, 1.0), (30, 0.7), (80, 0.6)):
        shade += identity.blemish * part * smooth_noise(rng, rows, columns, cells)
    return identity.skin * shade


def paint_head(identity: Identity, detail: float) -> Texture:
    """Paint the head without eyes and mouth.

    Parameters
    ----------
    identity : whose head
    detail : texels per eye distance; edges are one texel wide
    """
    rows, columns = round((BOTTOM - TOP) * detail), round((RIGHT - LEFT) * detail)
    u, v = np.meshgrid(
        LEFT + (np.arange(columns) + 0.5) / detail, TOP + (np.arange(rows) + 0.5) / detail, indexing="xy"
    )
    rng = generator(identity.seed, STREAM_FACE, 1)
    pixel, side = 1 / detail, np.abs(u)
    edge = head_edge(identity, v)
    # the slope of the outline turns a horizontal distance into one across the edge
    slope = np.gradient(edge, axis=0) * detail
    edge = np.where((v > identity.chin) | (v < identity.crown), -pixel, edge)
    face = _soft((edge - side) / np.sqrt(1 + np.minimum(slope**2, 100)), pixel)
    strands = 1 + 0.1 * smooth_noise(rng, rows, columns, (9, 90)) + 0.1 * smooth_noise(rng, rows, columns, (4, 24))
    hair_tone = identity.hair * strands * (1 - 0.25 * v / 2)
    # hair behind the head, then ears, then the face, then hair in front
    around = identity.half_width * 1.16
    back_v = np.where(v < 0, (v / (identity.crown - 0.28)) ** 2, (v / identity.hair_length) ** 6)
    back = _soft((1 - (side / around) ** 2.4 - back_v) * 0.5, 1.5 * pixel)
    tone, alpha = hair_tone, back
    if identity.hair_length < 1:
        ear = _soft((1 - np.hypot((side - identity.half_width) / 0.14, (v - 0.2) / 0.3)) * 0.14, pixel)
        tone = tone + ear * (identity.skin * (0.72 + 0.15 * _spot(side, v, (1.1, 0.1), (0.05, 0.1))) - tone)
        alpha = np.maximum(alpha, ear)
    skin = _skin(identity, u, v, rng)
    tone = tone + face * (skin - tone)
    alpha = np.maximum(alpha, face)
    line = -identity.hairline * (1 - 0.35 * (u / identity.half_width) ** 2) + 0.06 * smooth_noise(
        rng, rows, columns, 16
    )
    temple = (side > 0.9 * identity.half_width) & (v < 0.2)
    front = (
        np.maximum(_soft(line - v, 3 * pixel + 0.04), temple * _soft(side - 0.93 * edge, 0.08) * _soft(0.1 - v, 0.2))
        * alpha
    )
    tone = tone + front * (hair_tone - tone)
    # brows: an arch each
    brow_v = -identity.brow + 0.25 * (side - 0.45) ** 2 - 0.02 * (side - 0.5)
    thick = 0.055 * identity.brow_size * np.clip(1.4 - side, 0.4, 1)
    brow = _soft(thick - np.abs(v - brow_v), 0.03 + pixel) * _soft(side - 0.2, 0.06) * _soft(0.82 - side, 0.1)
    tone = tone + 0.85 * brow * (min(identity.hair, 0.4 * identity.skin) - tone)
    grain = np.clip(0.85 + 0.15 * smooth_noise(rng, rows, columns, 160), 0, 1)
    low = _soft(v - identity.eye_mouth + 0.35 - 0.5 * side**2, 0.3) * _soft(edge - side + 0.05, 0.1) * face
    bare = np.maximum(_spot(u, v, (0.0, identity.eye_mouth), (0.5, 0.2)), 0)
    tone = tone + identity.beard * grain * low * (1 - np.clip(1.3 * bare, 0, 1)) * (identity.hair - tone)
    upper = _spot(u, v, (0.0, identity.eye_mouth - 0.21), (0.36, 0.07))
    tone = tone + identity.moustache * grain * np.clip(1.4 * upper, 0, 1) * (identity.hair - tone)
    if identity.glasses:
        ring = np.abs(np.hypot((side - 0.5) / 1.15, v - 0.02) - 0.33)
        frame = np.maximum(_soft(0.02 - ring, pixel), _soft(0.018 - np.abs(v + 0.05), pixel) * (side < 0.14))
        frame = np.maximum(frame, _soft(0.02 - np.abs(v + 0.05), pixel) * (side > 0.86) * face)
        tone = tone + 0.9 * frame * (30 - tone)
    values = np.clip(tone, 5, 250) + 1j * alpha
    return Texture(values.astype(np.complex64).ravel(), rows, columns, float(detail))
