"""Quick drawing of small moving things over a background, all pictures of a clip at once.

The world is a square of width 1 with (0, 0) at its upper left; a camera says which part of it each picture shows.
Bodies are rounded bars (a disc is a bar without length), drawn with soft edges into boxes no larger than they are.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Gray of a colour (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Which part of the world each picture shows: middle ``x``, ``y`` (T,), ``zoom`` (T,), ``mirror`` (T,) 1 or -1."""

    x: F64
    y: F64
    zoom: F64
    mirror: F64

    def to_px(self, rows: NDArray[np.intp], x: F64, y: F64, px: int) -> tuple[F32, F32]:
        """Places in the world, (n,), as places in pictures ``rows`` (n,), px."""
        scale = self.zoom[rows] * px
        across = (x - self.x[rows]) * scale * self.mirror[rows] + px / 2
        return across.astype(np.float32), ((y - self.y[rows]) * scale + px / 2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """A rounded bar in n pictures, in world units: between two ends, with a radius.

    Attributes
    ----------
    x0, y0, x1, y1 : (n,) its ends
    radius : (n,) half its width
    squash : (n,) its height over its width, for discs: 1 is round
    colour : (3,) RGB at rest, 0 to 255
    flash : (n,) how much of the way to white it is lit, 0 to 1
    alpha : (n,) how opaque it is
    material : pattern, see `_pattern`; "" for none
    """

    x0: F64
    y0: F64
    x1: F64
    y1: F64
    radius: F64
    colour: F32
    squash: F64 | float = 1.0
    flash: F64 | float = 0.0
    alpha: F64 | float = 1.0
    material: str = ""


@dataclass(slots=True, eq=False)
class Canvas:
    """Pictures to draw on; ``begin`` and ``extents`` tell where was drawn in between.

    Attributes
    ----------
    pictures : (T, px, px, C) float32; C is 1 (gray) or 3
    camera : what they show
    """

    pictures: F32
    camera: Camera
    _flat: F32 = field(init=False)
    _extents: F64 = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the pixels in one row, with one more for all that falls outside."""
        shape = self.pictures.shape
        self._flat = np.empty((int(np.prod(shape[:3])) + 1, shape[3]), np.float32)
        self._flat[:-1] = self.pictures.reshape(-1, shape[3])
        self._flat[-1] = 0.0
        self.pictures = self._flat[:-1].reshape(shape)
        self.begin()

    def begin(self) -> None:
        """Forget where was drawn."""
        count = len(self.pictures)
        self._extents = np.tile([np.inf, np.inf, -np.inf, -np.inf], (count, 1))

    def extents(self) -> F32:
        """Where was drawn since `begin`: boxes (T, 4) x0 y0 x1 y1 px; NaN where nothing was or it is out of view."""
        px = self.pictures.shape[1]
        boxes = np.clip(self._extents, 0, px)
        seen = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        return np.where(seen[:, None], boxes, np.nan).astype(np.float32)

    def draw(self, bar: Bar, rows: NDArray[np.intp] | None = None) -> None:
        """Draw one bar in pictures ``rows`` (n,), each at most once; None is all of them."""
        count, px = len(self.pictures), self.pictures.shape[1]
        rows = np.arange(count) if rows is None else rows
        alpha = np.broadcast_to(np.asarray(bar.alpha, np.float32), rows.shape)
        x0, y0 = self.camera.to_px(rows, bar.x0, bar.y0, px)
        x1, y1 = self.camera.to_px(rows, bar.x1, bar.y1, px)
        radius = (np.broadcast_to(bar.radius, rows.shape) * self.camera.zoom[rows] * px).astype(np.float32)
        reach = radius + 0.5
        box = np.stack(
            [
                np.minimum(x0, x1) - reach,
                np.minimum(y0, y1) - reach,
                np.maximum(x0, x1) + reach,
                np.maximum(y0, y1) + reach,
            ]
        )
        kept = (alpha > 0.01) & (box[2] > 0) & (box[3] > 0) & (box[0] < px) & (box[1] < px)
        if not kept.any():
            return
        box = np.stack([np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])])[:, kept]
        rows, x0, y0, x1, y1, radius, alpha = (a[kept] for a in (rows, x0, y0, x1, y1, radius, alpha))
        spans = self._extents[rows]
        spans[:, :2] = np.minimum(spans[:, :2], box[:2].T)
        spans[:, 2:] = np.maximum(spans[:, 2:], box[2:].T)
        self._extents[rows] = spans
        left, top = np.maximum(box[0], 0).astype(np.intp), np.maximum(box[1], 0).astype(np.intp)
        wide = int((np.minimum(box[2], px) - left).max())
        high = int((np.minimum(box[3], px) - top).max())
        across = (left[:, None] + np.arange(wide))[:, None, :]
        down = (top[:, None] + np.arange(high))[:, :, None]
        cells = (rows[:, None, None] * px + down) * px + across
        cells[np.broadcast_to((across >= px) | (down >= px), cells.shape)] = len(self._flat) - 1
        squash = np.broadcast_to(np.asarray(bar.squash, np.float32), kept.shape)[kept]
        spot = (across.astype(np.float32) + np.float32(0.5), down.astype(np.float32) + np.float32(0.5))
        shade, cover = _body((x0, y0, x1, y1), radius, squash, spot, bar.material)
        cover = cover * alpha[:, None, None]
        flash = np.broadcast_to(np.asarray(bar.flash, np.float32), kept.shape)[kept][:, None, None, None]
        colour = bar.colour if self._flat.shape[1] == 3 else np.array([bar.colour @ LUMA], np.float32)
        light = shade[..., None] * colour
        light += flash * (250.0 - light)
        under = self._flat[cells]
        under += cover[..., None] * (light - under)
        self._flat[cells] = under


def _body(
    ends: tuple[F32, F32, F32, F32], radius: F32, squash: F32, spot: tuple[F32, F32], material: str
) -> tuple[F32, F32]:
    """Shade and cover of a bar, (n, h, w) each; ``spot``: places of pixels, px, across (n, 1, w) and down (n, h, 1)."""
    x0, y0, x1, y1 = (a[:, None, None] for a in ends)
    dx, dy = x1 - x0, y1 - y0
    length2 = dx * dx + dy * dy
    along_x, along_y = spot[0] - x0, spot[1] - y0
    if float(length2.max()) > 0.01:
        part = np.clip((along_x * dx + along_y * dy) / np.maximum(length2, 1e-6), 0.0, 1.0)
        along_x, along_y = along_x - part * dx, along_y - part * dy
    distance: F32 = np.sqrt(along_x**2 + (along_y / squash[:, None, None]) ** 2)
    size = radius[:, None, None]
    cover: F32 = np.clip(size + 0.5 - distance, 0.0, 1.0)
    if not material:
        return np.ones_like(cover), cover
    return _pattern(material, along_x / size, along_y / size, distance / size).astype(np.float32), cover


def _pattern(material: str, u: F32, v: F32, edge: F32) -> NDArray[Any]:
    """Shade of a material, times its colour: ``u``, ``v`` -1 to 1 over the body, ``edge`` 0 in its middle to 1."""
    if material == "wood":
        return np.asarray(1.0 + 0.22 * np.sin(7.0 * v + 1.2 * u))
    if material == "metal":
        return np.asarray(0.8 + 0.75 * np.exp(-4.0 * ((u + 0.35) ** 2 + (v + 0.35) ** 2)))
    if material == "skin":
        return np.asarray(1.0 - 0.12 * edge * edge)
    if material == "glass":
        return np.where(edge > 0.62, 1.35, 0.70)
    return np.asarray(1.0 + 0.30 * np.sign(np.sin(6.0 * u + 1.0) * np.sin(6.0 * v + 0.5)))


def stand_out(colour: F32, level: float) -> F32:
    """A colour, (3,), made darker or brighter where it could not be told from the gray ``level`` behind it."""
    gray = float(colour @ LUMA)
    if abs(gray - level) < 40:
        colour = colour * np.float32((level + (45 if level < 130 else -45)) / gray)
    return np.clip(colour, 8, 245)


MATERIAL_COLOURS = {
    "wood": (150, 105, 60),
    "metal": (165, 170, 180),
    "skin": (205, 160, 130),
    "glass": (150, 200, 195),
    "earth": (75, 58, 42),
    "powder": (250, 235, 200),
}
"""RGB of each material, in the middle of its range."""
