"""Views of a face: which square of the picture a network sees, how large, whether in colour, and how it is smoothed.

``face-224`` is the square that the pipeline published with SyncNet cuts out [1]_: with bs half of the longer side of
the box of the face, from bs above its middle to 1.8 bs below it, and 1.4 bs to both sides; place and size go through a
median over 13 frames, and what lies outside the picture is gray. The boxes are those of the detector in use; that
pipeline takes S3FD's. At the ends of a track the median repeats the last value, where theirs takes zeros.

References
----------
.. [1] J. S. Chung and A. Zisserman, "Out of time: automated lip sync in the wild", 2016; ``crop_video`` of the released
   ``run_pipeline.py``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clapboard.errors import UsageError
from clapboard.values import F32, F64
from clapboard.vision.crop import SIDE_PER_FACE, cut_patch, sample_crops, shrink_factor, smooth_pose
from clapboard.vision.detect import face_size
from clapboard.vision.resample import U8

Region = Literal["mouth", "head", "face"]
MEDIAN_FRAMES = 13
"""Median over the boxes of a track."""
OUTSIDE = 110
"""Level, of 255, of what lies outside the picture, for views about a box."""


@dataclass(frozen=True, slots=True)
class View:
    """One view of a face.

    Attributes
    ----------
    name : what model files call it
    px : height and width of its crops
    colour : RGB, (T, px, px, 3), or luma at the levels of the file, (T, px, px)
    region : ``mouth`` is about the middle of the mouth, turned upright, 1.5 times as wide as the face is large, see
        `clapboard.vision.crop`; ``head`` is about the box of the face, see the module; ``face`` is the box itself
    """

    name: str
    px: int
    colour: bool
    region: Region


VIEWS = {
    view.name: view
    for view in (
        View("mouth-64", 64, False, "mouth"),
        View("mouth-120", 120, False, "mouth"),
        View("face-224", 224, True, "head"),
        View("face-96", 96, True, "face"),
    )
}
"""Every view by its name."""
DEFAULT_VIEW = "mouth-64"


def view_of(name: str) -> View:
    """The view of that name.

    Raises
    ------
    UsageError : there is none
    """
    if name not in VIEWS:
        raise UsageError(f"no view is called {name}; there is {', '.join(VIEWS)}")
    return VIEWS[name]


_SQUARES = {"head": (1.4, 0.4), "face": (1.0, 0.0)}
"""Of the views about a box: side over that of the box, and how far the middle is moved down, halves of the box."""
_REACH = {"mouth": 0.95, "head": 0.7, "face": 0.7}
"""Half side of the pixels kept per side of the crop. A square turned by 45 degrees reaches 0.71, one that is not turned
0.5; the rest is for smoothing, which moves the crop away from where the face was seen in that frame."""


def place(view: View, box: F64 | F32, landmarks: F32) -> tuple[float, float, float]:
    """Where the crop lies in one frame, before smoothing: x, y of its middle and its side, px.

    Parameters
    ----------
    box, landmarks : (4,) and (5, 2) px
    """
    if view.region == "mouth":
        x, y = landmarks[3:].mean(axis=0).tolist()
        return x, y, SIDE_PER_FACE * float(face_size(landmarks))
    x, y, _, side = _about(view, _squares(np.asarray(box, np.float64)[None]))[0].tolist()
    return x, y, side


def reach(view: View) -> float:
    """Half side of the pixels to be kept about `place`, per side of the crop."""
    return _REACH[view.region]


def outside(view: View) -> int | None:
    """Level of what lies outside the picture; None where its border is repeated."""
    return None if view.region == "mouth" else OUTSIDE


def poses(view: View, boxes: F32, landmarks: F32) -> F64:
    """Where the crop lies in each frame of a track, smoothed.

    Parameters
    ----------
    boxes, landmarks : (T, 4) and (T, 5, 2) px, consecutive frames of the 25 Hz grid

    Returns
    -------
    (T, 4) float64: x, y of the middle, px; angle, rad, clockwise on screen; side, px. Each row depends on at most
    `clapboard.vision.crop.LOOK_AHEAD_FRAMES` rows to either side.
    """
    if view.region == "mouth":
        return smooth_pose(landmarks)
    squares, half = _squares(np.asarray(boxes, np.float64)), MEDIAN_FRAMES // 2
    if len(squares):
        padded = np.pad(squares, ((half, half), (0, 0)), mode="edge")
        squares = np.median(np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_FRAMES, axis=0), axis=-1)
    return _about(view, squares)


def _squares(boxes: F64) -> F64:
    """Middle and half of the longer side of boxes (T, 4): x, y, bs, (T, 3) px."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1) / 2
    return np.column_stack([middle, half])


def _about(view: View, squares: F64) -> F64:
    """Poses (T, 4) of the crops about squares (T, 3)."""
    scale, down = _SQUARES[view.region]
    x, y, half = squares.T
    return np.column_stack([x, y + down * half, np.zeros(len(x)), 2 * scale * half])


class SquareCutter:
    """Cuts the crops of a view that is not turned out of one picture after the other, at one scale where it fits.

    Parameters
    ----------
    view : which crop
    half_sides : half side of the pixels that are looked at, sides of the crop; at least 0.5
    """

    def __init__(self, view: View, half_sides: float) -> None:
        self._view, self._half_sides = view, half_sides
        self._factor = 0

    def __call__(self, image: U8, pose: F64) -> U8:
        """The crop (px, px[, 3]) uint8 about one of `poses`, (4,)."""
        x, y, _, side = pose.tolist()
        self._factor = shrink_factor(side, self._factor, self._view.px)
        half = self._half_sides * side + 2 * self._factor
        patch = cut_patch(image, x, y, half, self._factor, outside=outside(self._view))
        crop: U8 = sample_crops([patch], pose[None], self._view.px)[0]
        return crop
