"""The crop shows the mouth: upright, centred, of one size, and smoothed the same whether streamed or not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vision_pictures import face_points

from clapboard.vision.crop import (
    CROP_PX,
    LOOK_AHEAD_FRAMES,
    SIDE_PER_FACE,
    crop_at,
    cut_patch,
    pose_of,
    sample_crops,
    shrink_factor,
    smooth_pose,
)
from clapboard.vision.detect import face_size


def dot(image: np.ndarray, x: float, y: float, radius: float, level: float) -> None:
    """Draw a soft dot into an (H, W) float picture."""
    down, across = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    cover = np.clip(radius - np.hypot(across - x, down - y) + 0.5, 0, 1)
    image += cover * (level - image)


def centroid(image: np.ndarray) -> tuple[float, float]:
    """Middle of what is bright, x and y, px."""
    weight = np.clip(image.astype(float) - 20, 0, None)
    down, across = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return float((weight * across).sum() / weight.sum()), float((weight * down).sum() / weight.sum())


def wandering(count: int, seed: int) -> np.ndarray:
    """Landmarks (count, 5, 2) of a head that moves, turns and shakes."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) / 25
    faces = [
        face_points(160 + 30 * np.sin(s), 120 + 15 * np.cos(1.3 * s), 40 + 6 * np.sin(0.7 * s), 12 * np.sin(2 * s))
        for s in t
    ]
    return (np.array(faces) + rng.normal(0, 0.7, (count, 5, 2))).astype(np.float32)


@given(st.floats(-40, 40), st.floats(20, 200), st.floats(-500, 500), st.floats(-500, 500))
def test_pose_moves_with_the_face(roll: float, eyes_px: float, x: float, y: float) -> None:
    """The middle of the mouth, the angle and the size follow any similarity exactly."""
    here, upright = pose_of(face_points(x, y, eyes_px, roll)[None])[0], pose_of(face_points(0, 0, 1.0)[None])[0]
    mouth = face_points(x, y, eyes_px, roll)[3:].mean(axis=0)
    np.testing.assert_allclose(here[:2], mouth, atol=1e-3)
    assert here[2] - upright[2] == pytest.approx(np.deg2rad(roll), abs=1e-3)
    assert here[3] == pytest.approx(upright[3] * eyes_px, rel=1e-4)


def test_size_outlives_turning_and_nodding() -> None:
    """A turned head brings the eyes together, a nod brings them to the mouth: one of the two distances stays."""
    front = face_points(0, 0, 100.0)
    turned, nodding = front * np.float32([0.5, 1]), front * np.float32([1, 0.5])
    assert face_size(turned) == pytest.approx(0.95 * 110, rel=1e-5)
    assert face_size(nodding) == pytest.approx(100, rel=1e-5)


@pytest.mark.parametrize("roll_deg", [0, 25, -40])
@pytest.mark.parametrize("eyes_px", [18.0, 42.0, 90.0, 260.0])
def test_marks_land_where_they_should(eyes_px: float, roll_deg: float) -> None:
    """Dots at known places of the face come out at known pixels, whatever its size and tilt."""
    size = int(5 * eyes_px)
    points = face_points(size / 2, size / 2, eyes_px, roll_deg)
    pose = pose_of(points[None])[0]
    angle = pose[2]
    for across, down in ((0.0, 0.0), (0.3, 0.0), (-0.3, 0.2), (0.0, -0.35)):
        image = np.full((size, size), 10.0)
        x = pose[0] + pose[3] * (across * np.cos(angle) - down * np.sin(angle))
        y = pose[1] + pose[3] * (across * np.sin(angle) + down * np.cos(angle))
        dot(image, x, y, 0.06 * pose[3], 250)
        got = centroid(crop_at(np.rint(image).astype(np.uint8), pose))
        np.testing.assert_allclose(got, ((0.5 + across) * CROP_PX, (0.5 + down) * CROP_PX), atol=0.35)


def test_crop_side_in_faces() -> None:
    """The side is what the networks were trained on: 1.5 times the size of the face."""
    points = face_points(50, 50, 40.0)
    assert pose_of(points[None])[0, 3] == pytest.approx(SIDE_PER_FACE * 0.95 * 44, rel=1e-5)


def test_large_mouths_are_averaged_not_skipped() -> None:
    """Fine stripes of a large face turn grey: taking every n-th pixel would turn them into wide stripes."""
    image = np.zeros((800, 800), np.uint8)
    image[:, ::2] = 255
    crop = crop_at(image, np.array([400.0, 400.0, 0.0, 512.0]))
    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_crop_beyond_the_picture_repeats_its_border() -> None:
    """A face that leaves the picture does not bring black bars, and one that has left it raises nothing."""
    image = np.full((60, 80), 90, np.uint8)
    assert (crop_at(image, np.array([2.0, 58.0, 0.3, 70.0])) == 90).all()
    assert (crop_at(image, np.array([-500.0, 900.0, 0.0, 200.0])) == 90).all()
    assert (crop_at(image[:1, :1], np.array([0.0, 0.0, 0.0, 10.0])) == 90).all()


def test_patch_is_a_copy() -> None:
    """The decoder may write over its picture: what is kept must not change."""
    image = np.full((60, 80), 90, np.uint8)
    patch = cut_patch(image, 40, 30, 10, 1)
    image[:] = 0
    assert (patch.image == 90).all()


@settings(max_examples=50)
@given(st.integers(1, 6), st.floats(0, 300), st.floats(0, 200), st.floats(5, 60), st.integers(0, 40))
def test_blocks_do_not_depend_on_the_patch(factor: int, x: float, y: float, half: float, more: int) -> None:
    """A larger patch around the same place holds the same pixels: how much is kept cannot change the crop."""
    image = np.random.default_rng(1).integers(0, 256, (200, 300)).astype(np.uint8)
    small, large = cut_patch(image, x, y, half, factor), cut_patch(image, x, y, half + more, factor)
    top, left = (small.y0 - large.y0) // factor, (small.x0 - large.x0) // factor
    height, width = small.image.shape
    np.testing.assert_array_equal(large.image[top : top + height, left : left + width], small.image)


def test_shrink_factor_does_not_flicker() -> None:
    """A face whose size trembles around a border keeps its factor, one that grows for good gets another."""
    border = CROP_PX * 1.65
    factor, seen = 0, []
    for side in border + np.array([-1.0, 1, -2, 2, -1, 3, 40, 41, 39]):
        factor = shrink_factor(side, factor)
        seen.append(factor)
    assert seen[:6] == [1] * 6
    assert seen[6:] == [2] * 3


def test_smoothing_keeps_a_still_face() -> None:
    """A constant comes back unchanged, right up to both ends, however short."""
    for count in (1, 2, 5, 30):
        faces = np.repeat(face_points(100, 80, 50.0, 10)[None], count, axis=0)
        np.testing.assert_allclose(smooth_pose(faces), pose_of(faces), atol=1e-9)


def test_smoothing_steadies_and_rejects_outliers() -> None:
    """Shaking of the landmarks shrinks to less than half, and one wrong frame leaves no trace."""
    rng = np.random.default_rng(0)
    faces = face_points(100, 80, 50.0)[None] + rng.normal(0, 1, (200, 5, 2)).astype(np.float32)
    raw, smooth = pose_of(faces), smooth_pose(faces)
    assert (smooth.std(axis=0) < raw.std(axis=0) / 2).all()
    still = np.repeat(face_points(100, 80, 50.0)[None], 60, axis=0)
    wrong = still.copy()
    wrong[30] += 80
    np.testing.assert_allclose(smooth_pose(wrong), smooth_pose(still), atol=1e-9)


def test_angle_does_not_jump_at_half_a_turn() -> None:
    """Upside down the angle goes over from pi to -pi: smoothing across must not spin the crop."""
    faces = np.array([face_points(0, 0, 40.0, 180 + (5 if i % 2 else -5)) for i in range(40)])
    angle = smooth_pose(faces)[:, 2] - pose_of(face_points(0, 0, 40.0)[None])[0, 2]
    assert np.abs(np.cos(angle) + 1).max() < 0.01


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 120), st.integers(0, 1000), st.integers(1, 40))
def test_smoothing_by_pieces_equals_smoothing_at_once(count: int, seed: int, piece: int) -> None:
    """With the promised look-ahead, a stream gives the very same poses as the whole track."""
    faces = wandering(count, seed)
    whole = smooth_pose(faces)
    for start in range(0, count, piece):
        low, high = max(0, start - LOOK_AHEAD_FRAMES), min(count, start + piece + LOOK_AHEAD_FRAMES)
        part = smooth_pose(faces[low:high])[start - low : start - low + piece]
        np.testing.assert_allclose(part, whole[start : start + piece], atol=1e-9)


def test_many_mouths_at_once_equal_one_by_one() -> None:
    """Patches of different sizes share one buffer: no crop may see the pixels of another."""
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 256, (90 + 7 * i, 130 - 9 * i)).astype(np.uint8) for i in range(6)]
    poses = np.array([[60 - 4 * i, 40 + 3 * i, 0.1 * i, 30 + 25 * i] for i in range(6)], float)
    patches = [
        cut_patch(image, *pose[:2], pose[3], 1 + i % 3)
        for i, (image, pose) in enumerate(zip(images, poses, strict=True))
    ]
    together = sample_crops(patches, poses)
    for patch, pose, crop in zip(patches, poses, together, strict=True):
        np.testing.assert_array_equal(sample_crops([patch], pose[None])[0], crop)
