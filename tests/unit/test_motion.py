"""The baseline without learning: it finds what moves with the sound, and says nothing where nothing does."""

import numpy as np
import pytest

from clapboard.errors import UsageError
from clapboard.sync import motion
from clapboard.sync.motion import BASELINES, MotionScorer

FRAMES = 100


def scene(late_rows: int = 0, seed: int = 0, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, int]:
    """A square in one corner jumps at random times; rows rise at the same times, later by so many rows.

    Returns images, rows with 200 more on either side, and the first row of frame 0.
    """
    rng = np.random.default_rng(seed)
    images = np.full((FRAMES, 64, 64), 100, np.uint8)
    rows = rng.normal(0, 0.02, (400 + 4 * FRAMES, 40))
    level = 40
    for frame in np.flatnonzero(rng.random(FRAMES) < 0.12):
        level = 230 - level
        images[frame:, 4:20, 44:60] = level
        # Seen between frame - 1 and frame, so first heard in the row after the middle of these, 0.5 rows later.
        at = 200 + 4 * frame + late_rows
        rows[at : at + 25] += np.exp(-np.arange(25) / 5)[:, None]
    flicker = rng.uniform(-90, 90, (FRAMES, 1, 1)) * noise
    images[:, 32:] = (images[:, 32:] + flicker).astype(np.uint8)
    return images, rows, 200


def beside(rows: np.ndarray, start: int, shift_frames: int = 0) -> np.ndarray:
    """The rows that lie beside the frames, or some frames later."""
    first = start + 4 * shift_frames
    return rows[first : first + 4 * FRAMES]


@pytest.mark.parametrize("name", BASELINES)
def test_true_sound_scores_above_shifted_sound(name: str) -> None:
    """Protects every baseline: in an easy scene all shifts from 0.4 to 1.9 s score lower."""
    images, rows, start = scene()
    true = BASELINES[name](images, beside(rows, start))
    others = [BASELINES[name](images, beside(rows, start, by)) for by in (-47, -30, -10, 10, 25, 44)]
    assert true > 0.5 > max(others)


@pytest.mark.parametrize("late_rows", [-70, 0, 33, 120])
def test_the_offset_has_the_sign_of_the_house(late_rows: int) -> None:
    """Protects the sign and the time base: sound later by 330 ms is an offset of -330 ms."""
    images, rows, start = scene(late_rows)
    found = MotionScorer().offset(images, rows, start)
    assert found.offset_ms == pytest.approx(-10 * late_rows, abs=15)
    assert found.confidence > 0.4
    assert found.offsets_ms[int(np.nanargmin(found.curve))] == pytest.approx(-10 * late_rows, abs=15)


def test_a_cell_is_found_beside_what_moves_without_sound() -> None:
    """Protects the reason for cells: half the picture flickers, which drowns the whole but no cell of the rest."""
    images, rows, start = scene(noise=1.0, seed=3)
    whole = MotionScorer()(images, beside(rows, start))
    cell = MotionScorer(cells=8)(images, beside(rows, start))
    assert cell > 0.5 > whole


def test_what_changes_everywhere_is_taken_away() -> None:
    """Protects cells that are steady: changing light drowns every cell, unless it is taken away."""
    images, rows, start = scene(seed=4)
    light = np.random.default_rng(1).uniform(-60, 60, (FRAMES, 1, 1))
    lit = np.clip(images + light, 0, 255).astype(np.uint8)
    plain = MotionScorer(cells=8, best=4)(lit, beside(rows, start))
    steady = MotionScorer(cells=8, best=4, steady=True)(lit, beside(rows, start))
    assert steady > plain + 0.1


def test_slack_forgives_what_it_names() -> None:
    """Protects slack: sound 120 ms late scores as if it were not, sound 120 ms early does not."""
    strict, loose = MotionScorer(), MotionScorer(slack_frames=(-1, 4))
    late, early = scene(12), scene(-12)
    assert loose(late[0], beside(*late[1:])) > 0.8 > strict(late[0], beside(*late[1:]))
    assert loose(early[0], beside(*early[1:])) < 0.5


def test_cells_are_means_of_their_pixels() -> None:
    """Protects the numbers: differences by hand, also where sides are no multiple of the cells."""
    images = np.zeros((3, 5, 7), np.uint8)
    images[1, 0, 0], images[2, 4, 6] = 30, 200
    found = motion.motion_energy(images, 2)
    np.testing.assert_allclose(found[0], [30 / 6, 0, 0, 0])
    np.testing.assert_allclose(found[1], [30 / 6, 0, 0, 200 / 12])
    np.testing.assert_allclose(motion.motion_energy(images), [[30 / 35], [230 / 35]])
    long = np.random.default_rng(0).integers(0, 256, (motion.PIECE + 50, 4, 4), dtype=np.uint8)
    by_hand = np.abs(np.diff(long.astype(float), axis=0))
    np.testing.assert_allclose(motion.motion_energy(long, 4), by_hand.reshape(len(by_hand), -1))


def test_correlations_are_those_of_numpy() -> None:
    """Protects the formula: the same as `numpy.corrcoef` of what is there, also far from zero; 0 of what is flat."""
    rng = np.random.default_rng(2)
    seen, heard, there = rng.normal(50, 3, (30, 2)), rng.normal(-20, 1, (4, 30)), rng.random((4, 30)) < 0.7
    found = motion.correlations(seen, heard, there)
    for lag in range(4):
        for cell in range(2):
            expected = np.corrcoef(seen[there[lag], cell], heard[lag, there[lag]])[0, 1]
            assert found[lag, cell] == pytest.approx(expected)
    np.testing.assert_array_equal(motion.correlations(np.full((30, 2), 7.3), heard), np.zeros((4, 2)))
    np.testing.assert_array_equal(motion.correlations(seen, np.full((4, 30), 0.1)), np.zeros((4, 2)))


def test_repeated_frames_are_no_standstill() -> None:
    """Protects slow files: a single repeated frame takes the motion between its neighbours; a real standstill stays."""
    steps = np.cumsum([0, 10, 0, 20, 0, 0, 50]).astype(np.uint8)
    images = np.broadcast_to(steps[:, None, None], (7, 4, 4))
    np.testing.assert_allclose(motion.motion_energy(images)[:, 0], [10, 15, 20, 0, 0, 50])
    assert not motion.motion_energy(np.zeros((5, 4, 4), np.uint8)).any()


def test_a_frozen_picture_says_nothing() -> None:
    """Protects the control: all sounds score alike, and the offset is not sure of anything."""
    images, rows, start = scene()
    frozen = np.broadcast_to(images[:1], images.shape)
    assert MotionScorer()(frozen, beside(rows, start)) == MotionScorer()(frozen, beside(rows, start, 20)) == 0.0
    assert MotionScorer().offset(frozen, rows, start).confidence == 0.0


def test_without_sound_there_is_no_offset() -> None:
    """Protects short files: no sound beside the picture gives NaN, not a number."""
    images, rows, _ = scene()
    for few, start in ((rows[:3], 0), (rows, 10_000)):
        assert np.isnan(MotionScorer().offset(images, few, start).offset_ms)


def test_bad_values_are_refused() -> None:
    """Protects against scores of what does not belong together."""
    images, rows, start = scene()
    with pytest.raises(UsageError, match="go with 400 rows"):
        MotionScorer()(images, rows)
    with pytest.raises(UsageError, match="too few"):
        MotionScorer()(images[:20], rows[:80])
    with pytest.raises(UsageError, match="gray pictures"):
        motion.motion_energy(images[:1])
    with pytest.raises(UsageError, match="gray pictures"):
        motion.motion_energy(images, 65)
    assert start == 200
