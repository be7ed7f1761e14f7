"""Pictures and a detector made in code, so that no test here needs real media."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clapboard.values import F32, Faces, Frame
from clapboard.vision.mtcnn import box_of

U8 = NDArray[np.uint8]

FACE = np.array([[-0.5, -0.55], [0.5, -0.55], [0.0, 0.05], [-0.38, 0.55], [0.38, 0.55]])
"""Landmarks of the drawn face about its middle, in distances of the eyes."""


def face_points(x: float, y: float, eyes_px: float, roll_deg: float = 0.0) -> F32:
    """Landmarks (5, 2) of a face that is drawn at x, y."""
    angle = np.deg2rad(roll_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (FACE @ turn.T * eyes_px + (x, y)).astype(np.float32)


def paint_face(
    image: NDArray[np.floating], x: float, y: float, eyes_px: float, roll_deg: float = 0.0, *, mouth: float = 0.0
) -> F32:
    """Draw a face of shaded ellipses into an (H, W) float picture; return its landmarks (5, 2).

    The face is twice as wide as the eyes are apart.
    """
    angle = np.deg2rad(roll_deg)
    down, across = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    dx, dy = (across - x) / eyes_px, (down - y) / eyes_px
    u, v = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)

    def blot(at_u: float, at_v: float, half_u: float, half_v: float, level: float | NDArray[np.floating]) -> None:
        radius = np.hypot((u - at_u) / half_u, (v - at_v) / half_v)
        cover = np.clip((1 - radius) * min(half_u, half_v) * eyes_px + 0.5, 0, 1)
        image[...] = image + cover * (level - image)

    blot(0, -0.25, 1.12, 1.45, 40)
    blot(0, 0.0, 0.98, 1.3, 175 - 45 * u**2 - 12 * v)
    for side in (-1, 1):
        blot(0.5 * side, -0.78, 0.26, 0.05, 70)
        blot(0.5 * side, -0.55, 0.22, 0.15, 135)
        blot(0.5 * side, -0.55, 0.18, 0.085, 225)
        blot(0.5 * side, -0.55, 0.085, 0.085, 30)
        blot(0.1 * side, 0.13, 0.06, 0.045, 85)
    blot(0.0, -0.2, 0.07, 0.3, 185)
    blot(0.0, 0.02, 0.15, 0.13, 175)
    blot(0.0, 0.13, 0.2, 0.03, 120)
    blot(0.0, 0.55, 0.42, 0.11 + 0.5 * mouth, 110)
    blot(0.0, 0.55, 0.36, 0.02 + 0.45 * mouth, 45)
    return face_points(x, y, eyes_px, roll_deg)


def picture(width: int = 320, height: int = 240) -> NDArray[np.float64]:
    """An empty background with a slope, (height, width)."""
    return np.linspace(90, 130, width)[None, :] + np.linspace(-10, 10, height)[:, None]


def to_frame(image: NDArray[np.floating], time_s: float, colour: int = 128, *, rgb: U8 | None = None) -> Frame:
    """A frame of a float picture; its thumbnail has one colour. ``rgb`` (H, W, 3) are its colours, if any."""
    luma = np.clip(image, 0, 255).astype(np.uint8)
    step = max(1, luma.shape[0] // 36)
    thumbnail = np.repeat(luma[::step, ::step, None], 3, axis=2)
    thumbnail[..., 1:] = colour
    return Frame(time_s, luma, thumbnail, rgb)


@dataclass
class FakeDetector:
    """Knows where the faces are: ``faces[number]`` are the landmarks of the faces in the picture of that number.

    The number of a picture is the value of its first pixel. A face counts as seen in a box that overlaps its own.
    """

    faces: dict[int, list[F32]]
    score: float = 0.999
    detected: list[int] = field(default_factory=list)
    refined: list[int] = field(default_factory=list)

    def detect(self, image: U8) -> Faces:
        """All faces of the picture."""
        number = int(image[0, 0])
        self.detected.append(number)
        return self._faces(self.faces.get(number, []))

    def refine(self, image: U8, boxes: F32) -> Faces:
        """The nearest face of each box, or a face without score."""
        number = int(image[0, 0])
        self.refined.append(number)
        known = self.faces.get(number, [])
        found, scores = [], []
        for box in boxes:
            middle, side = (box[:2] + box[2:]) / 2, box[2] - box[0]
            gaps = [float(np.hypot(*(points.mean(axis=0) - middle))) for points in known]
            near = int(np.argmin(gaps)) if gaps else -1
            seen = near >= 0 and gaps[near] < side / 2
            found.append(known[near] if seen else face_points(*middle, side / 2.5))
            scores.append(self.score if seen else 0.01)
        return self._faces(found, scores)

    def _faces(self, points: list[F32], scores: list[float] | None = None) -> Faces:
        landmarks = np.array(points, np.float32).reshape(-1, 5, 2)
        given = [self.score] * len(landmarks) if scores is None else scores
        return Faces(box_of(landmarks).astype(np.float32), np.array(given, np.float32), landmarks)


def numbered(number: int, time_s: float | None = None, colour: int = 128, size: tuple[int, int] = (120, 160)) -> Frame:
    """An empty frame that a `FakeDetector` recognises."""
    image = np.full(size, 100.0)
    image[0, 0] = number
    return to_frame(image, number / 25 if time_s is None else time_s, colour)
