"""The contract of detectors catches those that break it."""

import numpy as np
import pytest

from clapboard.testing.contracts import check_detector
from clapboard.values import F32, Faces
from clapboard.vision.detect import no_faces
from clapboard.vision.mtcnn import Mtcnn


class Spoilt:
    """The default detector, with one promise broken."""

    def __init__(self, good: Mtcnn) -> None:
        self.good = good

    def detect(self, image: np.ndarray) -> Faces:
        return self.good.detect(image)

    def refine(self, image: np.ndarray, boxes: F32) -> Faces:
        return self.good.refine(image, boxes)


class Blind(Spoilt):
    def detect(self, image: np.ndarray) -> Faces:
        return no_faces()


class Mirrored(Spoilt):
    def detect(self, image: np.ndarray) -> Faces:
        faces = self.good.detect(image)
        return Faces(faces.boxes, faces.scores, faces.landmarks[:, [1, 0, 2, 4, 3]])


class Sorting(Spoilt):
    def refine(self, image: np.ndarray, boxes: F32) -> Faces:
        faces = self.good.refine(image, boxes)
        order = np.argsort(-faces.scores)
        return Faces(faces.boxes[order], faces.scores[order], faces.landmarks[order])


class Trusting(Spoilt):
    def refine(self, image: np.ndarray, boxes: F32) -> Faces:
        faces = self.good.refine(image, boxes)
        return Faces(faces.boxes, np.ones_like(faces.scores), faces.landmarks)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [(Blind, "finds the one face"), (Mirrored, "left eye, right eye"), (Sorting, "order"), (Trusting, "order")],
)
def test_broken_promises_are_named(mtcnn: Mtcnn, broken: type[Spoilt], promise: str) -> None:
    """The message tells the author of a plug-in what is wrong."""
    with pytest.raises(AssertionError, match=promise):
        check_detector(broken(mtcnn))
