"""What every plug-in must keep: one check for each kind, to be called from its own tests.

::

    from clapboard.testing.contracts import check_detector

    def test_my_detector():
        check_detector(MyDetector())
"""

import numpy as np

from clapboard.testing.articulation import speak
from clapboard.testing.face import Actor, render, true_landmarks
from clapboard.testing.speaker import Speaker
from clapboard.values import Faces
from clapboard.vision.detect import Detector, overlap

WIDTH_PX, HEIGHT_PX = 480, 270


def _same(a: Faces, b: Faces) -> bool:
    return bool(
        np.array_equal(a.boxes, b.boxes)
        and np.array_equal(a.scores, b.scores)
        and np.array_equal(a.landmarks, b.landmarks)
    )


def check_detector(detector: Detector, *, face_px: float = 110.0, seed: int = 3) -> None:
    """Check that a face detector does what `clapboard.vision.detect.Detector` promises.

    A talking face is rendered, so no file is needed.

    Parameters
    ----------
    detector : the one to check
    face_px : width of the rendered face at its cheeks, px
    seed : who is rendered

    Raises
    ------
    AssertionError : a promise is broken; the message says which
    """
    speaker = Speaker.from_seed(seed)
    actor = Actor(speak(seed, 1.0, speaker=speaker), speaker, face_px=face_px, x=0.4, motion=0.0)
    image = next(render([actor], [0.5], width_px=WIDTH_PX, height_px=HEIGHT_PX, seed=seed, grain=0.0))
    image.flags.writeable = False
    truth = true_landmarks(actor, [0.5], (WIDTH_PX, HEIGHT_PX))[0]

    faces = detector.detect(image)
    _require(len(faces) == 1, f"detect finds the one face that is there, and no other; it found {len(faces)}")
    _check_values(faces)
    points = faces.landmarks[0]
    _require(
        float(np.abs(points - truth).max()) < 0.12 * face_px,
        "landmarks lie where they are: left eye, right eye, nose, left and right corner of the mouth, "
        f"as the viewer sees them; off by {np.abs(points - truth).max():.1f} px",
    )
    x0, y0, x1, y1 = faces.boxes[0]
    inside = (points > (x0, y0)).all() and (points < (x1, y1)).all()
    _require(bool(inside), "the box holds the landmarks")

    flat = np.full((HEIGHT_PX, WIDTH_PX), 120, np.uint8)
    _require(len(detector.detect(flat)) == 0, "detect finds nothing in an even picture")
    for shape in ((1, 1), (3, 50), (16, 16)):
        _require(len(detector.detect(np.zeros(shape, np.uint8))) == 0, f"detect answers for a picture of {shape} px")
    _require(_same(faces, detector.detect(image)), "the same picture gives the same answer")
    turned = np.asfortranarray(image)
    _require(_same(faces, detector.detect(turned)), "the order of the pixels in memory makes no difference")

    here, away = faces.boxes[0], faces.boxes[0] + np.float32(0.45 * WIDTH_PX)
    boxes = np.stack([away, here, here + np.float32(0.05 * face_px), away])
    seen = detector.refine(image, boxes)
    _require(len(seen) == len(boxes), "refine answers for every box")
    _check_values(seen)
    _require(
        bool(seen.scores[1:3].min() > 0.5 > seen.scores[[0, 3]].max()),
        f"refine keeps the order, with high scores where the face is and low ones elsewhere; scores {seen.scores}",
    )
    _require(
        bool((overlap(seen.boxes[1:3], faces.boxes) > 0.6).all()),
        "refine draws its boxes as detect does, at the face",
    )
    none = detector.refine(image, np.zeros((0, 4), np.float32))
    _require(len(none) == 0, "refine of no boxes is no faces")
    outside = detector.refine(image, np.array([[-500, -500, -400, -400]], np.float32))
    _require(len(outside) == 1 and bool(outside.scores[0] < 0.5), "refine answers for a box outside the picture")


def _check_values(faces: Faces) -> None:
    for name in ("boxes", "scores", "landmarks"):
        array = getattr(faces, name)
        _require(array.dtype == np.float32, f"{name} are float32, not {array.dtype}")
        _require(bool(np.isfinite(array).all()), f"{name} are finite")
    _require(bool(((faces.scores >= 0) & (faces.scores <= 1)).all()), "scores are from 0 to 1")
    _require(bool((np.diff(faces.boxes.reshape(-1, 2, 2), axis=1) > 0).all()), "boxes are x0 y0 x1 y1 with x0 < x1")


def _require(good: bool, promise: str) -> None:
    if not good:
        raise AssertionError(promise)
