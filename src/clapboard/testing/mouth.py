"""The mouth: lips, teeth, tongue and the dark between them, painted over skin as the curves say.

Works on one picture or on many at once; see `clapboard.testing.identity` for the coordinates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.testing.articulation import Lips
from clapboard.testing.identity import Identity
from clapboard.values import F32

APERTURE = 0.30
"""Height of the opening between the lips when ``opening`` is 1, in eye distances: about 18 mm."""
REACH = (0.78, 0.62)
"""Nothing is painted farther than this from the middle of the mouth, in eye distances across and down."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthShape:
    """The lips of T pictures in eye distances: all (T, 1, 1) float32.

    ``height`` is the opening, ``half`` half the distance of the corners, ``corner`` how far these lie below the middle
    of the mouth at rest (negative: a smile), ``upper`` and ``lower`` the thickness of the lips.
    """

    height: F32
    half: F32
    corner: F32
    upper: F32
    lower: F32
    roundness: F32
    smile: F32
    gloss: F32
    tongue: F32
    tuck: F32

    def __getitem__(self, rows: slice) -> "MouthShape":
        """Return some of the pictures."""
        return MouthShape(*(getattr(self, name)[rows] for name in self.__slots__))


def mouth_shape(lips: Lips, identity: Identity) -> MouthShape:
    """Return the shape of one person's mouth from what the lips do."""

    def column(values: NDArray[Any]) -> F32:
        return np.asarray(values, np.float32)[:, None, None]

    wide, narrow = np.clip(lips.spread, 0, 1.5), np.clip(-lips.spread, 0, 1.3)
    slim = (1 - 0.55 * lips.press) * (1 - 0.12 * np.clip(lips.opening, 0, 1.5)) * (1 + 0.3 * lips.protrusion)
    slim = slim * (1 - 0.12 * wide)
    return MouthShape(
        height=column(APERTURE * lips.opening),
        half=column(identity.mouth_width / 2 * (1 + 0.16 * wide - 0.3 * narrow)),
        corner=column(-0.05 * wide + 0.03 * lips.opening),
        upper=column(identity.lip_upper * slim),
        lower=column(identity.lip_lower * slim * (1 - 0.6 * lips.tuck)),
        roundness=column(np.clip(0.25 + 0.75 * narrow, 0, 1)),
        smile=column(wide),
        gloss=column(identity.lip_gloss + 0.15 * lips.protrusion),
        tongue=column(lips.tongue),
        tuck=column(lips.tuck),
    )


def jaw_drop(shape: MouthShape) -> F32:
    """How far the chin is below its place at rest, (T, 1, 1), in eye distances."""
    return np.asarray(0.6 * shape.height)


def paint_mouth(tone: F32, x: F32, y: F32, shape: MouthShape, *, identity: Identity, soft: float) -> F32:
    """Paint mouths over skin.

    Parameters
    ----------
    tone : (T, h, w) or (1, h, w), luma of what is there already
    x, y : the same shape, place of each pixel relative to the middle of the mouth at rest, in eye distances
    shape : T mouths
    identity : whose mouth
    soft : width of an edge, in eye distances; a pixel or more

    Returns
    -------
    (T, h, w) float32, luma
    """
    inv = np.float32(1 / soft)
    across = x / shape.half
    square = across * across
    bow = np.maximum(1 - square, 0)
    round_ = np.sqrt(bow)
    profile = bow + shape.roundness * (round_ - bow)
    middle = shape.corner * square
    rise = (np.float32(0.24) + np.float32(0.1) * shape.smile) * shape.height
    upper_in = middle - rise * profile
    lower_in = middle + (shape.height - rise) * profile
    # the upper lip has a dip in its middle
    cupid = 1 - np.float32(0.28) * np.exp(-square * 45)
    upper_out = upper_in - shape.upper * round_ * cupid
    lower_out = lower_in + shape.lower * (np.float32(0.6) * bow + np.float32(0.4) * round_)
    present = np.clip((1 - np.abs(across)) * shape.half * inv + 0.5, 0, 1)
    # shadow below the lower lip, dimples beside the corners
    below = (y - lower_out - np.float32(0.05)) * 16
    tone = tone * (1 - np.float32(0.16) * identity.contrast * bow * np.exp(-below * below))
    beside = (np.abs(x) - shape.half - np.float32(0.02)) * 18
    height = (y - shape.corner) * 16
    dimple = np.exp(-beside * beside - height * height)
    tone = tone * (1 - np.float32(0.12) * (1 + shape.smile) * dimple)
    light = 1 + identity.light_u * x
    # lips: the upper one looks down and is darker, the lower one shines
    in_upper = np.clip((y - upper_out) * inv + 0.5, 0, 1) * np.clip((upper_in - y) * inv + 0.5, 0, 1) * present
    in_lower = np.clip((y - lower_in) * inv + 0.5, 0, 1) * np.clip((lower_out - y) * inv + 0.5, 0, 1) * present
    bulge = (y - lower_in) / (shape.lower + np.float32(0.01)) - np.float32(0.45)
    shine = shape.gloss * np.exp(-6 * bulge * bulge - 3 * square)
    lip = np.float32(identity.lip) * light
    tone = tone + in_upper * (np.float32(0.86) * lip - tone)
    tone = tone + in_lower * (lip * (np.float32(0.95) + shine) - tone)
    # the line between shut lips
    crease = np.abs(y - (upper_in + lower_in) * np.float32(0.5)) * np.float32(1 / max(0.02, soft))
    tone = tone * (1 - np.float32(0.4) * np.maximum(1 - crease, 0) * present)
    # what shows between open lips: nothing at all while they are shut
    gap = np.minimum(y - upper_in, lower_in - y)
    inside = np.clip(gap * inv, 0, 1) * present
    depth = np.clip(1 - square, 0.2, 1)
    hole = np.broadcast_to(np.float32(identity.cavity), tone.shape)
    rise_of_tongue = (np.float32(0.3) + np.float32(0.5) * shape.tongue) * shape.height
    tongue = np.clip((y - lower_in + rise_of_tongue) * 16, 0, 1) * np.float32(0.75) * depth
    hole = hole + tongue * (np.float32(0.75 * identity.lip) - hole)
    teeth = np.float32(identity.teeth) * depth * light
    lower_teeth = np.clip((y - lower_in + np.float32(identity.teeth_lower)) * inv + 0.5, 0, 1)
    hole = hole + np.float32(0.8) * lower_teeth * (teeth - hole)
    edge = np.float32(0.01 + identity.teeth_upper) + np.float32(0.03) * shape.tuck
    upper_teeth = np.clip((edge - y) * inv + 0.5, 0, 1) * (np.abs(across) < 0.85)
    hole = hole + upper_teeth * (teeth - hole)
    # the upper lip throws a shadow on the teeth
    hole = hole * np.clip(np.float32(0.55) + (y - upper_in) * 9, 0, 1)
    return np.asarray(tone + inside * (hole - tone), dtype=np.float32)
