"""What a face detector is, and the geometry of boxes that detectors and trackers share.

Coordinates are continuous pixels: a picture of width W spans 0 to W, the middle of its first pixel is at 0.5.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, F64, Faces

EYE_TO_MOUTH = 0.95
"""What the eyes are apart in a frontal face, per distance from eyes to mouth."""


class Detector(Protocol):
    """Finds faces and their five landmarks; `clapboard.testing.contracts.check_detector` checks an implementation."""

    def detect(self, image: NDArray[np.uint8]) -> Faces:
        """All faces of a picture, best score first; a full search.

        Parameters
        ----------
        image : (H, W) uint8 luma

        Returns
        -------
        Faces, perhaps none; scores 0 to 1, boxes may reach outside the picture
        """
        ...

    def refine(self, image: NDArray[np.uint8], boxes: F32) -> Faces:
        """The face expected in each box; cheap, since nothing is searched.

        Parameters
        ----------
        image : (H, W) uint8 luma
        boxes : (n, 4) x0 y0 x1 y1 px, where faces are expected, as this detector draws its boxes

        Returns
        -------
        Faces of the same number and order; the score is low where there is no face
        """
        ...


def no_faces() -> Faces:
    """Faces of a picture without any."""
    return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


def select(faces: Faces, which: Any) -> Faces:
    """Some of the faces, by mask or index."""
    return Faces(faces.boxes[which], faces.scores[which], faces.landmarks[which])


def face_size(landmarks: NDArray[Any]) -> F64:
    """Size of faces that neither turning nor nodding shrinks: the larger of two distances, px.

    Parameters
    ----------
    landmarks : (..., 5, 2) px

    Returns
    -------
    (...) float64: distance of the eyes, or `EYE_TO_MOUTH` times that from eyes to mouth
    """
    points = np.asarray(landmarks, np.float64)
    apart = points[..., 1, :] - points[..., 0, :]
    down = (points[..., 3, :] + points[..., 4, :] - points[..., 0, :] - points[..., 1, :]) / 2
    across, along = np.hypot(apart[..., 0], apart[..., 1]), np.hypot(down[..., 0], down[..., 1])
    return np.asarray(np.maximum(across, EYE_TO_MOUTH * along), np.float64)


def overlap(a: NDArray[Any], b: NDArray[Any], of_smaller: bool = False) -> F32:
    """Intersection over union of every box of `a` with every box of `b`, (n, m) float32.

    With `of_smaller` the intersection is divided by the smaller of the two areas instead.
    """
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    inner = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0, None).prod(axis=2)
    area_a = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None]
    area_b = (b[:, 2:] - b[:, :2]).prod(axis=1)[None, :]
    whole = np.minimum(area_a, area_b) if of_smaller else area_a + area_b - inner
    return np.asarray(inner / np.maximum(whole, 1e-9), np.float32)


def keep_best(boxes: NDArray[Any], scores: NDArray[Any], limit: float, of_smaller: bool = False) -> NDArray[np.int64]:
    """Indices left by greedy non-maximum suppression, best score first."""
    order = np.argsort(-scores, kind="stable")
    hidden = overlap(boxes[order], boxes[order], of_smaller) > limit
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~hidden[i, i + 1 :]
    return np.asarray(order[alive], np.int64)
