"""What every plug-in must keep: one check for each kind, to be called from its own tests.

::

    from clapboard.models.any_session import load_any_sound
    from clapboard.testing.contracts import check_any_sound_model, check_detector

    def test_my_detector():
        check_detector(MyDetector())

    def test_my_model():
        check_any_sound_model(load_any_sound("mine.json"))
"""

import numpy as np

from clapboard.models.any_session import AnySoundModel
from clapboard.testing.articulation import speak
from clapboard.testing.face import Actor, render, true_landmarks
from clapboard.testing.speaker import Speaker
from clapboard.timebase import FEATURE_HZ, PICTURE_HZ
from clapboard.values import Crops, Faces
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


def check_any_sound_model(model: AnySoundModel, *, seed: int = 0) -> None:
    """Check that a model for any sound does what `clapboard.models.any_spec.AnySoundSpec` promises.

    Parameters
    ----------
    model : the one to check
    seed : of the pictures and rows that it is given

    Raises
    ------
    AssertionError : a promise is broken; the message says which
    """
    rng, spec = np.random.default_rng(seed), model.spec
    frames = 90 + spec.window_frames
    images = rng.integers(0, 256, (frames, *model.frame_shape()), dtype=np.uint8)
    time_s = 7.0 + np.arange(frames) / PICTURE_HZ
    seen = model.look(Crops(0, images, time_s))
    windows = frames - spec.window_frames + 1
    _require(seen.values.shape == (windows, spec.embedding), f"look gives (T - window_frames + 1, D): {windows}")
    _require(seen.places.shape == (windows, *spec.places), f"places are (T - window_frames + 1, {spec.places})")
    _require(bool(np.isfinite(seen.values).all() and np.isfinite(seen.places).all()), "vectors and places are finite")
    _require(bool((seen.places >= 0).all()), "attention is not negative")
    unseen = seen.places.sum((1, 2)) == 0
    _require(bool((seen.values[unseen] == 0).all()), "values are sums weighted by attention: without it they are 0")
    middle_s = (spec.window_frames - 1) / 2 / PICTURE_HZ
    _require(bool(np.allclose(seen.time_s, time_s[:windows] + middle_s)), "times are the middles of the windows")
    part = model.look(Crops(0, images[20:60], time_s[20:60]))
    inner = slice(20, 20 + len(part.values))
    for name in ("values", "places"):
        whole, alone = getattr(seen, name)[inner], getattr(part, name)
        close = np.allclose(whole, alone, rtol=1e-3, atol=1e-3 * float(np.abs(whole).max()))
        _require(
            bool(close), f"a window sees its own frames alone: the same windows of a shorter run have other {name}"
        )
    rows = rng.standard_normal((200, model.kind.features)).astype(np.float32)
    valid = np.ones(len(rows), np.bool_)
    valid[150] = False
    heard = model.embed_sound(rows, valid, 7.0)
    count = len(rows) - spec.window_rows + 1
    _require(heard.values.shape == (count, spec.embedding), f"embed_sound gives (R - window_rows + 1, D): {count}")
    _require(
        bool(np.allclose(heard.time_s, 7.0 + (np.arange(count) + (spec.window_rows - 1) / 2) / FEATURE_HZ)),
        "there is a vector of sound every 10 ms, at the middle of its window",
    )
    without = np.zeros(count, np.bool_)
    without[max(150 - spec.window_rows + 1, 0) : 151] = True
    known = np.isfinite(heard.values).all(1)
    _require(
        bool((known == ~without).all()), "vectors are not known where a row of theirs has no sound, and only there"
    )
    short = model.look(Crops(0, images[: spec.window_frames - 1], time_s[: spec.window_frames - 1]))
    _require(len(short.values) == 0, "fewer frames than a window give nothing, and no error")


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
