"""Pictures of talking faces: each shows the curves at its own time, and its landmarks are where it says."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.testing import Actor, Identity, Lips, Speaker, crop_mouths, mouth_crops, render, speak, true_landmarks
from clapboard.testing.mouth import mouth_shape, paint_mouth
from clapboard.vision.mtcnn import Mtcnn

SIZE = (320, 240)


def _actor(seed: int, face_px: float = 100.0, **options: float) -> Actor:
    speaker = Speaker.from_seed(seed)
    return Actor(speak(seed, 3.0, speaker=speaker), speaker, face_px, **options)


def _pictures(actor: Actor, times_s: list[float], grain: float = 0.0) -> list[np.ndarray]:
    return list(render([actor], times_s, width_px=SIZE[0], height_px=SIZE[1], seed=1, grain=grain))


def test_a_picture_depends_on_its_time_and_on_nothing_else() -> None:
    """Any rate, fractions of frames and variable rates are exact, because no frame is made from its neighbours."""
    actor = _actor(3)
    odd = [0.0, 1001 / 24000, 0.517, 1.2345, 2.0]
    together = _pictures(actor, odd)
    for time_s, picture in zip(odd, together, strict=True):
        assert np.array_equal(_pictures(actor, [time_s])[0], picture), time_s
    assert not np.array_equal(together[0], together[1])


def test_the_same_seed_gives_the_same_pictures_noise_included() -> None:
    """Repeatable to the last bit."""
    for one, two in zip(_pictures(_actor(5), [0.1, 0.2], 3.0), _pictures(_actor(5), [0.1, 0.2], 3.0), strict=True):
        assert np.array_equal(one, two)
        assert one.shape == (SIZE[1], SIZE[0])
        assert one.dtype == np.uint8


def _mouth(opening: float, identity: Identity) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 140), np.linspace(-0.6, 0.6, 120))
    zero = np.zeros(1, np.float32)
    lips = Lips(np.full(1, opening, np.float32), zero, zero, zero, zero, zero)
    skin = np.full((1, 120, 140), 150, np.float32)
    place = x[None].astype(np.float32), y[None].astype(np.float32)
    return paint_mouth(skin, *place, mouth_shape(lips, identity), identity=identity, soft=0.012)[0]


@pytest.mark.parametrize("seed", range(5))
def test_shut_lips_show_nothing_of_the_inside_and_open_ones_do(seed: int) -> None:
    """Where the curve says 0 the picture shows a shut mouth; from there on what shows grows with the curve."""
    identity = Identity.from_seed(seed)
    other = replace(identity, teeth=250.0, cavity=240.0)
    openings = (0.0, 0.1, 0.3, 0.6, 1.0)
    seen = [int((np.abs(_mouth(part, identity) - _mouth(part, other)) > 3).sum()) for part in openings]
    assert seen[0] == 0
    assert seen == sorted(set(seen))


def test_the_true_landmarks_are_where_a_detector_sees_them() -> None:
    """The faces are good enough for the real detector, and the truth given with them is true: 4 % of the face."""
    detector = Mtcnn()
    scores, errors = [], []
    for seed, face_px in zip(range(200, 210), [60, 75, 90, 110, 130] * 2, strict=True):
        actor = _actor(seed, face_px)
        times = [0.4, 1.7]
        truth = true_landmarks(actor, times, SIZE)
        for picture, points in zip(_pictures(actor, times, 2.0), truth, strict=True):
            faces = detector.detect(picture)
            assert len(faces) == 1
            scores.append(float(faces.scores[0]))
            errors.append(np.hypot(*(faces.landmarks[0] - points).T).mean() / face_px)
    assert np.median(scores) > 0.98
    assert np.mean(np.array(scores) >= 0.95) >= 0.9
    assert max(errors) < 0.04


def test_the_mouth_corners_follow_the_lips() -> None:
    """A rounded mouth is narrower than a spread one, in the truth as in the picture."""
    actor = _actor(6, motion=0.0)
    lips = actor.articulation
    inside = (lips.time_s > 0) & (lips.time_s < 3)
    times = lips.time_s[inside][[int(np.argmin(lips.spread[inside])), int(np.argmax(lips.spread[inside]))]]
    points = true_landmarks(actor, times, SIZE)
    width = points[:, 4, 0] - points[:, 3, 0]
    assert width[0] < 0.85 * width[1]


def test_a_face_may_leave_the_picture() -> None:
    """Heads at the border or outside are cut off, not an error."""
    for x in (-1.0, 0.0, 1.0, 3.0):
        assert _pictures(_actor(2, x=x), [0.0])[0].shape == (SIZE[1], SIZE[0])


def test_tiny_pictures_are_refused() -> None:
    """One clear line."""
    with pytest.raises(UsageError, match="at least 16 px"):
        render([], [0.0], width_px=8, height_px=8)


def test_crops_come_in_sync_with_their_sound() -> None:
    """The training's entry: right shapes, right lengths, and level goes with the darkness between the lips."""
    images, samples = mouth_crops(11, 4.0)
    assert images.shape == (100, 64, 64)
    assert images.dtype == np.uint8
    assert samples.shape == (64_000,)
    again, same = mouth_crops(11, 4.0)
    assert np.array_equal(images, again)
    assert np.array_equal(samples, same)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30), Fraction(60000, 1001)])
def test_crops_at_any_rate_show_the_same_mouth_at_the_same_time(rate: Fraction) -> None:
    """A frame at time t shows the curves at t, whatever the rate."""
    speaker = Speaker.from_seed(9)
    curves = speak(9, 2.0, speaker=speaker)
    times = np.array([float(i / rate) for i in range(int(2 * rate))])
    images = crop_mouths(curves, speaker, times)
    alone = crop_mouths(curves, speaker, times[17:18])
    # only the camera's noise, which goes by the number of the picture, may differ
    assert np.abs(images[17].astype(int) - alone[0]).mean() < 10
    nearest = np.abs(images.astype(int) - alone.astype(int)).mean(axis=(1, 2))
    assert abs(int(np.argmin(nearest)) - 17) <= 1


def test_crops_lie_as_those_of_real_faces_do() -> None:
    """The same mouth through picture, true landmarks and the product's crop lands on the same place and size."""
    from clapboard.vision.crop import crop_at, pose_of

    differences = []
    for seed in range(20, 26):
        actor = _actor(seed, 110.0, motion=0.0)
        points = true_landmarks(actor, [0.6], SIZE).astype(np.float32)
        through = crop_at(_pictures(actor, [0.6])[0], pose_of(points)[0]).astype(float)
        direct = crop_mouths(actor.articulation, actor.speaker, np.array([0.6])).astype(float)[0]
        shifts = [(_alike(through, direct, dx, dy), dx, dy) for dx in range(-8, 9, 2) for dy in range(-8, 9, 2)]
        differences.append(max(shifts)[1:])
    assert np.abs(np.median(differences, axis=0)).max() <= 4


def _alike(one: np.ndarray, two: np.ndarray, dx: int, dy: int) -> float:
    """Correlation of the inner parts of two crops, one of them moved."""
    inner = one[12:52, 12:52]
    moved = two[12 + dy : 52 + dy, 12 + dx : 52 + dx]
    return float(np.corrcoef(inner.ravel(), moved.ravel())[0, 1])
