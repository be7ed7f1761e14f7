"""Draw on a picture what was found in it: boxes coloured by score, numbers, a line of text.

Pure functions of arrays: every picture is (H, W, 3) uint8 RGB and is drawn on in place; what lies outside it
is left out. Only the pixels of a mark are touched, so that drawing costs little beside decoding.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]

LINES_PER_PICTURE = 24
"""Height of a picture over that of its text."""
SMALLEST_TEXT_PX = 10
"""Smaller text cannot be read (px)."""
BOX_PER_TEXT, SPEAKING_PER_TEXT = 0.1, 0.3
"""Thickness of the line of a box, per height of the text: of a face that listens, and of one that speaks."""
DARK, LIGHT = (0, 0, 0), (255, 255, 255)


def colour_of(score: float) -> Colour:
    """Red at 0, yellow at one half, green at 1; gray where there is no score (NaN)."""
    if math.isnan(score):
        return (160, 160, 160)
    share = min(max(score, 0.0), 1.0)
    return (round(255 * min(1.0, 2 - 2 * share)), round(255 * min(1.0, 2 * share)), 0)


def text_px(height_px: int) -> int:
    """Height of text for a picture of that height, px."""
    return max(SMALLEST_TEXT_PX, round(height_px / LINES_PER_PICTURE))


def draw_face(image: U8, box: NDArray[np.floating], number: int, score: float, *, speaking: bool) -> None:
    """Draw the box of one face, coloured by score, thicker where it speaks; above it its number and score.

    Parameters
    ----------
    image : (H, W, 3) uint8, drawn on
    box : (4,) x0 y0 x1 y1, px
    number : of the face
    score : 0 to 1; NaN where there is none
    speaking : whether it was found to speak
    """
    height = text_px(image.shape[0])
    thick = max(1, round((SPEAKING_PER_TEXT if speaking else BOX_PER_TEXT) * height)) + int(speaking)
    colour = colour_of(score)
    x0, y0, x1, y1 = (round(float(side)) for side in box)
    for top, bottom, left, right in (
        (y0, y0 + thick, x0, x1),
        (y1 - thick, y1, x0, x1),
        (y0, y1, x0, x0 + thick),
        (y0, y1, x1 - thick, x1),
    ):
        image[_inside(top, bottom, image.shape[0]), _inside(left, right, image.shape[1])] = colour
    words = f"#{number} {'-' if math.isnan(score) else f'{score:.2f}'}"
    plate = lettering(words, height)
    above = y0 - plate.shape[0]
    # inside the box where there is no room above it
    draw_text(image, words, x0, above if above >= 0 else y0 + thick, ink=DARK, ground=colour)


def draw_line(image: U8, words: str) -> None:
    """Write one line at the foot of the picture, light on dark."""
    plate = lettering(words, text_px(image.shape[0]))
    left = (image.shape[1] - plate.shape[1]) // 2
    draw_text(image, words, left, image.shape[0] - 2 * plate.shape[0], ink=LIGHT, ground=DARK)


def draw_text(image: U8, words: str, x: int, y: int, *, ink: Colour, ground: Colour) -> None:
    """Write words on a plate whose upper left corner is at x, y, px; it is moved to lie inside where it can.

    Parameters
    ----------
    image : (H, W, 3) uint8, drawn on
    ink, ground : colours of the letters and of the plate
    """
    plate = lettering(words, text_px(image.shape[0]))
    height, width = plate.shape
    x, y = (
        max(0, min(at, room - need)) for at, room, need in ((x, image.shape[1], width), (y, image.shape[0], height))
    )
    part = image[y : y + height, x : x + width]
    share = plate[: part.shape[0], : part.shape[1], None].astype(np.float32) / 255
    part[:] = np.asarray(ground, np.float32) * (1 - share) + np.asarray(ink, np.float32) * share + np.float32(0.5)


@lru_cache(maxsize=4096)
def lettering(words: str, height_px: int) -> U8:
    """Words as a plate (h, w) uint8, 0 for the ground and 255 for ink, read-only; letters about ``height_px`` high."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(height_px)
    _, top, _, bottom = font.getbbox("#0Ág" + words)
    _, _, wide, _ = font.getbbox(words)
    edge = max(1, height_px // 8)
    picture = Image.new("L", (round(wide) + 2 * edge, round(bottom - top) + 2 * edge))
    ImageDraw.Draw(picture).text((edge, edge - top), words, fill=255, font=font)
    plate: U8 = np.array(picture, np.uint8)
    plate.flags.writeable = False
    return plate


def _inside(start: int, stop: int, length: int) -> slice:
    """The part of a range that lies in a picture."""
    return slice(min(max(start, 0), length), min(max(stop, 0), length))
