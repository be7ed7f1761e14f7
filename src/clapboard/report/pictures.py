"""Pictures inside a page: as small as they are shown, as JPEG in a data URI, so that the page needs no other file."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

QUALITY = 75
"""Of JPEG, 1 to 95: a thumbnail of 232 px takes about 8 kB."""


def fitted_size(height_px: int, width_px: int, side_px: int) -> tuple[int, int]:
    """Height and width of a picture when its longer side is brought to ``side_px``, each at least 1."""
    scale = side_px / max(height_px, width_px)
    return max(1, round(height_px * scale)), max(1, round(width_px * scale))


def fitted(picture: U8, side_px: int) -> U8:
    """A picture (H, W, 3) with its longer side at ``side_px``: made smaller by area, larger by smooth interpolation."""
    from PIL import Image

    height, width = fitted_size(picture.shape[0], picture.shape[1], side_px)
    smaller = width <= picture.shape[1]
    way = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), way), np.uint8)


def data_uri(picture: U8) -> str:
    """A picture (H, W, 3) uint8 as the address of itself."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(out, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
