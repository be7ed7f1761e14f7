"""Cuts are found, and nothing else is taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from clapboard.vision.shots import BINS, CUT, ShotDetector, difference, histogram


def scene(seed: int, level: float = 110.0) -> np.ndarray:
    """A thumbnail (36, 64, 3) of some place: blocks of colour."""
    rng = np.random.default_rng(seed)
    blocks = rng.normal(level, 45, (6, 8, 3))
    return np.clip(np.kron(blocks, np.ones((6, 8, 1))), 0, 255).astype(np.uint8)


def with_noise(image: np.ndarray, seed: int, size: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.normal(0, size, image.shape), 0, 255).astype(np.uint8)


def starts(frames: list[np.ndarray]) -> list[int]:
    """Frames at which a new shot starts."""
    detector = ShotDetector()
    return [i for i, frame in enumerate(frames) if detector.push(frame)]


def test_histogram_of_known_thumbnail() -> None:
    """Every plane is counted apart: half of the luma is black, all chroma is grey."""
    image = np.full((4, 4, 3), 128, np.uint8)
    image[:2, :, 0] = 0
    counts = histogram(image).reshape(3, BINS)
    np.testing.assert_allclose(counts[0, [0, BINS // 2]], [0.5, 0.5])
    np.testing.assert_allclose(counts[1:, BINS // 2], [1, 1])


@given(arrays(np.uint8, (5, 7, 3)), arrays(np.uint8, (5, 7, 3)))
def test_difference_is_a_distance_within_zero_and_one(a: np.ndarray, b: np.ndarray) -> None:
    """The threshold has a meaning only if the measure is bounded, symmetric and zero for the same picture."""
    first, second = histogram(a), histogram(b)
    assert 0 <= difference(first, second) <= 1 + 1e-6
    assert difference(first, second) == difference(second, first)
    assert difference(first, first) == 0


def test_first_frame_starts_a_shot() -> None:
    """Whoever follows faces has to search in the first frame."""
    assert starts([scene(0)]) == [0]


def test_hard_cuts_are_found() -> None:
    """Three places, noise within each: a new shot exactly where the place changes."""
    frames = [with_noise(scene(place), 10 * place + i) for place in range(3) for i in range(10)]
    assert starts(frames) == [0, 10, 20]


def test_jump_cut_in_one_room_is_found() -> None:
    """The same colours in another order change the histogram little and the pixels much: framing has changed."""
    rng = np.random.default_rng(5)
    near = scene(3)
    far = near.reshape(-1, 3)[rng.permutation(near.shape[0] * near.shape[1])].reshape(near.shape)
    far = np.where(rng.random((*far.shape[:2], 1)) < 0.09, 90, far).astype(np.uint8)
    assert 0.05 < difference(histogram(near), histogram(far)) < CUT
    assert starts([near] * 5 + [far] * 5) == [0, 5]


def test_moving_camera_is_no_cut() -> None:
    """A pan over a wide place keeps one shot, from its slow start to full speed."""
    wide = np.concatenate([scene(1), scene(1)[:, ::-1]], axis=1)
    steps = [0, 0, 0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21]
    assert starts([wide[:, step : step + 64] for step in steps]) == [0]


def test_slow_fade_is_no_cut() -> None:
    """Brightness that falls over two seconds keeps one shot."""
    ramp = np.linspace(1, 0.6, 50)
    assert starts([with_noise(scene(2) * level, i) for i, level in enumerate(ramp)]) == [0]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_flash_is_told_from_a_cut(length: int) -> None:
    """A photographer's flash interrupts a shot; that the picture is back is said, so that tracks can go on."""
    frames = [with_noise(scene(4), i) for i in range(20)]
    for i in range(10, 10 + length):
        frames[i] = np.clip(frames[i].astype(int) + 120, 0, 255).astype(np.uint8)
    detector = ShotDetector()
    said = [(detector.push(frame), detector.back) for frame in frames]
    assert [i for i, (cut, _) in enumerate(said) if cut] == [0, 10]
    assert [i for i, (_, back) in enumerate(said) if back] == [10 + length]


def test_insert_longer_than_a_flash_is_two_cuts() -> None:
    """Four frames of another place are a shot, and the way back is a cut."""
    frames = [scene(1)] * 5 + [scene(2)] * 4 + [scene(1)] * 5
    assert starts(frames) == [0, 5, 9]


def test_another_picture_size_is_a_cut() -> None:
    """Streams that change their size cannot be compared, so a new shot starts."""
    assert starts([scene(0), scene(0)[:20]]) == [0, 1]
