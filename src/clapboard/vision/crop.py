"""Crops: where the mouth is, smoothed over a track, and the pixels of any square, turned upright and of one size.

Pure functions of arrays. Coordinates are continuous px: a picture of width W spans 0 to W. Which square a network sees
of a face is told by `clapboard.vision.views`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64, Crops
from clapboard.vision.detect import face_size
from clapboard.vision.resample import U8, shrink

CROP_PX = 64
"""Height and width of a crop, unless said otherwise."""
SIDE_PER_FACE = 1.5
"""Side of the crop per size of the face, see `face_size`."""
MEDIAN_FRAMES = 5
"""Median filter over the track, before the Gaussian."""
SIGMA_FRAMES, SIZE_SIGMA_FRAMES = 3.0, 8.0
"""Gaussian smoothing of place and angle, and of size; frames of the 25 Hz grid."""
RADIUS_FRAMES, SIZE_RADIUS_FRAMES = 9, 20
"""Where the two Gaussians end."""
LOOK_AHEAD_FRAMES = MEDIAN_FRAMES // 2 + SIZE_RADIUS_FRAMES
"""How many later (and earlier) frames the pose of one frame depends on."""
TEMPLATE = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.4, 0.5], [0.4, 0.5]])
"""Eyes and mouth corners of an upright face about their middle; only their directions matter."""


def pose_of(landmarks: F32) -> F64:
    """Where and how the mouth lies in each frame, before smoothing.

    Parameters
    ----------
    landmarks : (T, 5, 2) px: left eye, right eye, nose, left and right corner of the mouth, as the viewer sees them

    Returns
    -------
    (T, 4) float64: x, y of the middle of the mouth corners, px; angle, rad, clockwise on screen; side of the crop, px.
    The angle is that of the best similarity from an upright face to the eyes and mouth corners.
    """
    points = np.asarray(landmarks, np.float64)[:, [0, 1, 3, 4]]
    offset = points - points.mean(axis=1, keepdims=True)
    across = (TEMPLATE[:, 0] * offset[..., 1] - TEMPLATE[:, 1] * offset[..., 0]).sum(axis=1)
    along = (TEMPLATE * offset).sum(axis=(1, 2))
    centre = points[:, 2:].mean(axis=1)
    return np.column_stack([centre, np.arctan2(across, along), SIDE_PER_FACE * face_size(landmarks)])


def smooth_pose(landmarks: F32) -> F64:
    """Pose of the mouth in each frame of a track: `pose_of`, a median of 5, then a Gaussian.

    At the ends of the track the median repeats the last value and the Gaussian is cut off and made to sum to one again.

    Parameters
    ----------
    landmarks : (T, 5, 2) px, consecutive frames of the 25 Hz grid

    Returns
    -------
    (T, 4) float64, as `pose_of`; each row depends on `LOOK_AHEAD_FRAMES` rows to either side and on no others
    """
    pose = pose_of(landmarks)
    if not len(pose):
        return pose
    pose[:, 2] = np.unwrap(pose[:, 2])
    reach = MEDIAN_FRAMES // 2
    padded = np.pad(pose, ((reach, reach), (0, 0)), mode="edge")
    steady = np.median(np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_FRAMES, axis=0), axis=-1)
    place = _gaussian(steady[:, :3], SIGMA_FRAMES, RADIUS_FRAMES)
    size = _gaussian(steady[:, 3:], SIZE_SIGMA_FRAMES, SIZE_RADIUS_FRAMES)
    return np.concatenate([place, size], axis=1)


def _gaussian(rows: F64, sigma: float, radius: int) -> F64:
    """Smooth (T, C) along T with a cut-off Gaussian."""
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weight = np.convolve(np.ones(len(rows)), kernel)[radius : radius + len(rows)]
    columns = [np.convolve(column, kernel)[radius : radius + len(rows)] / weight for column in rows.T]
    return np.stack(columns, axis=1)


def shrink_factor(side_px: float, before: int = 0, px: int = CROP_PX) -> int:
    """By what whole factor pixels are averaged before a square of this side is sampled at ``px``, 1 to 16.

    The factor of the frame before is kept near a border, so that the sharpness of a track does not flicker.
    """
    ratio = side_px / px + 0.35
    if before and before - 0.15 <= ratio < before + 1.15:
        return before
    return int(np.clip(ratio, 1, 16))


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A piece of a frame, (h, w) or (h, w, 3), shrunk: ``x0``, ``y0`` its corner in the frame, px."""

    image: U8
    x0: int
    y0: int
    factor: int


def cut_patch(image: U8, x: float, y: float, half: float, factor: int, *, outside: int | None = None) -> Patch:
    """The square of half side `half` about x, y, shrunk by `factor`; its own memory, so that the frame can go.

    Blocks start at multiples of the factor, so that a pixel has the same value whatever the square.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    outside : level of what lies outside the picture; where None the patch ends with the picture
    """
    height, width = image.shape[:2]
    if outside is not None:
        x0, y0 = (int(np.floor((at - half) / factor)) * factor for at in (x, y))
        side = (int(np.ceil(2 * half / factor)) + 1) * factor
        whole = np.full((side, side, *image.shape[2:]), outside, np.uint8)
        left, top = min(max(x0, 0), width), min(max(y0, 0), height)
        right, bottom = min(max(x0 + side, 0), width), min(max(y0 + side, 0), height)
        whole[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
        return Patch(shrink(whole, factor), x0, y0, factor)
    x1 = int(np.clip(x + half + factor, factor, width)) // factor * factor
    y1 = int(np.clip(y + half + factor, factor, height)) // factor * factor
    x0 = max(0, min(int(max(x - half, 0)), x1 - factor)) // factor * factor
    y0 = max(0, min(int(max(y - half, 0)), y1 - factor)) // factor * factor
    piece = shrink(image[y0:y1, x0:x1], factor)
    return Patch(piece.copy() if factor == 1 else piece, x0, y0, factor)


def sample_crops(patches: Sequence[Patch], poses: F64, px: int = CROP_PX) -> U8:
    """The square of each patch: turned upright, bilinear; whatever lies outside repeats the border of the patch.

    Parameters
    ----------
    patches : T patches, all with colours or all without
    poses : (T, 4) as `pose_of`, px of the frames
    px : height and width of the crops

    Returns
    -------
    (T, px, px) or (T, px, px, 3) uint8
    """
    factor = np.array([patch.factor for patch in patches], np.float64)
    corner = np.array([(patch.x0, patch.y0) for patch in patches], np.float64)
    shape = np.array([patch.image.shape[:2] for patch in patches], np.int64)
    start = np.concatenate([[0], np.cumsum(shape.prod(axis=1))[:-1]])
    colours = patches[0].image.shape[2:]
    flat = np.concatenate([patch.image.reshape(-1, *colours) for patch in patches])
    step = poses[:, 3] / factor / px
    cos, sin = step * np.cos(poses[:, 2]), step * np.sin(poses[:, 2])
    centre = (poses[:, :2] - corner) / factor[:, None] - 0.5
    grid = np.arange(px) - (px - 1) / 2

    def place(middle: F64, right: F64, down: F64, length: NDArray[np.int64]) -> tuple[NDArray[np.int32], F32]:
        across = (middle[:, None] + grid * right[:, None])[:, None, :].astype(np.float32)
        at = across + (grid * down[:, None])[:, :, None].astype(np.float32)
        np.clip(at, 0, (length - 1).astype(np.float32)[:, None, None], out=at)
        # The left neighbour of the last pixel is the one before it, so that the right one always exists.
        left = np.minimum(at.astype(np.int32), np.maximum(length - 2, 0).astype(np.int32)[:, None, None])
        at -= left
        return left, at

    left, east = place(centre[:, 0], cos, -sin, shape[:, 1])
    top, south = place(centre[:, 1], sin, cos, shape[:, 0])
    at = top * shape[:, 1].astype(np.int32)[:, None, None]
    at += left
    at += start.astype(np.int32)[:, None, None]
    right = np.minimum(shape[:, 1] - 1, 1).astype(np.int32)[:, None, None]
    below = (np.minimum(shape[:, 0] - 1, 1) * shape[:, 1]).astype(np.int32)[:, None, None]
    under = at + below

    def blend(levels: U8) -> U8:
        def row(line: NDArray[np.int32]) -> F32:
            west = levels[line].astype(np.float32)
            slope = levels[line + right] - west
            slope *= east
            slope += west
            return np.asarray(slope, np.float32)

        upper = row(at)
        lower = row(under)
        lower -= upper
        lower *= south
        lower += upper
        lower += np.float32(0.5)
        return lower.astype(np.uint8)

    if not colours:
        return blend(flat)
    return np.stack([blend(np.ascontiguousarray(flat[:, colour])) for colour in range(3)], axis=-1)


def crop_at(image: U8, pose: F64, factor: int | None = None, px: int = CROP_PX) -> U8:
    """One square of one frame, (px, px) or (px, px, 3) uint8; outside the picture its border is repeated.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    pose : (4,) as `pose_of`
    factor : how far to shrink before sampling; by default as `shrink_factor` says
    px : height and width of the crop
    """
    factor = factor or shrink_factor(float(pose[3]), px=px)
    patch = cut_patch(image, float(pose[0]), float(pose[1]), 0.75 * float(pose[3]) + 2 * factor, factor)
    return np.asarray(sample_crops([patch], np.asarray(pose, np.float64)[None], px)[0], np.uint8)


def longest_track(crops: Sequence[Crops]) -> Crops:
    """The parts of the track with the most frames, joined; ``crops`` must hold at least one part."""
    counts: dict[int, int] = {}
    for part in crops:
        counts[part.track] = counts.get(part.track, 0) + len(part.images)
    best = max(counts, key=lambda track: counts[track])
    mine = [part for part in crops if part.track == best]
    return Crops(best, np.concatenate([c.images for c in mine]), np.concatenate([c.time_s for c in mine]))
