"""Controls: whoever judges by what is seen and heard is right on clips, and right half of the time on controls."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.testing.events import render_events  # noqa: E402
from clapboard.training.anysound.clips import Pairs, pairs, scene_of  # noqa: E402
from clapboard.training.anysound.controls import (  # noqa: E402
    CONTROLS,
    Control,
    coins,
    control_pairs,
    control_scenes,
    with_other_sound,
)
from clapboard.training.anysound.scenes import Scene, make_scene  # noqa: E402


def winking(seed: int, frames: int = 120) -> Scene:
    """A scene whose picture lights up and whose sound bangs at the same frames, at irregular gaps."""
    rng = np.random.default_rng(seed)
    at = np.cumsum(rng.integers(7, 23, 30))
    at = at[at < frames]
    images = rng.integers(0, 20, (frames, 64, 64)).astype(np.uint8)
    images[at] += 100
    samples = 1e-3 * rng.standard_normal(frames * 640)
    for frame in at:
        samples[frame * 640 : frame * 640 + 300] += 0.3 * rng.standard_normal(min(300, len(samples) - frame * 640))
    name = str(seed)
    return make_scene(images, np.arange(frames) / 25, samples.astype(np.float32), 0.0, id=name, group=name, file=name)


@pytest.fixture(scope="module", name="scenes")
def _scenes() -> list[Scene]:
    """Forty of them."""
    return [winking(seed) for seed in range(40)]


def right(drawn: Pairs) -> float:
    """Share of pairs in which light and loudness go together more with the true sound; equal ones count half."""
    light = drawn.images.mean((2, 3))
    light = light - light.mean(1, keepdims=True)
    score = []
    for rows in (drawn.rows_true, drawn.rows_shifted):
        loud = rows.mean(2).reshape(len(rows), -1, 4).mean(2)
        score.append((light * (loud - loud.mean(1, keepdims=True))).sum(1))
    return float(np.mean(np.sign(score[0] - score[1]) / 2 + 0.5))


def test_whoever_looks_and_listens_is_right(scenes: list[Scene]) -> None:
    """Protects the tests below: without a control the same judge hardly errs."""
    assert right(pairs(scenes, np.random.default_rng(0), blocks=2, range_name="far", clips=150)) > 0.97


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_leave_nothing_to_tell(name: Control, scenes: list[Scene]) -> None:
    """Protects every figure: on a control the judge is right half of the time."""
    made = control_scenes(name, scenes)
    drawn = control_pairs(name, pairs(made, np.random.default_rng(0), blocks=2, range_name="far", clips=200), made)
    assert abs(right(drawn) - 0.5) < 0.15  # the coins of 40 scenes have a standard error of 0.08


def test_a_frozen_picture_stands_still(scenes: list[Scene]) -> None:
    """Protects the control of the picture: no frame differs, the sound is the clip's own."""
    made = control_scenes("frozen-picture", scenes[:2])
    assert (made[0].images == scenes[0].images[60]).all()
    assert made[0].images.shape == scenes[0].images.shape
    assert made[0].bands is scenes[0].bands


@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.integers(0, 99))
@settings(deadline=None)
def test_every_sound_goes_to_another_recording(groups: list[int], seed: int) -> None:
    """Protects the control of the sound: never the own recording's, each used once, whatever the recordings' sizes."""
    bare = winking(0, 30)
    scenes = [replace(bare, group=str(g), id=str(n), first_row_s=0.01 * n) for n, g in enumerate(groups)]
    scenes = [replace(scene, bands=np.full((2, 40), n, np.float16)) for n, scene in enumerate(scenes)]
    if 2 * max(groups.count(g) for g in groups) > len(groups):
        with pytest.raises(UsageError, match="more recordings"):
            with_other_sound(scenes, seed)
        return
    made = with_other_sound(scenes, seed)
    givers = [int(scene.bands[0, 0]) for scene in made]
    assert sorted(givers) == list(range(len(scenes)))
    for own, giver in enumerate(givers):
        assert groups[own] != groups[giver]
        assert made[own].id == str(own)


def test_another_sound_keeps_its_distance_to_the_beginning() -> None:
    """Protects the control from a short cut: files whose clocks begin elsewhere get sound for their whole picture."""
    early, late = winking(0), winking(1)
    late = replace(late, begin_s=100.0, first_row_s=late.first_row_s + 100.0, period_s=0.7)
    made = with_other_sound([early, late])
    assert [scene.zero_row for scene in made] == [early.zero_row, late.zero_row]
    assert [scene.sounding() for scene in made] == [early.sounding(), late.sounding()]
    assert made[0].period_s == 0.7


def test_coins_are_thrown_once(scenes: list[Scene]) -> None:
    """Protects the control of the labels: a clip's label is the same in every batch, half of them are exchanged."""
    names = [f"clip {n}" for n in range(400)]
    thrown = coins(names, 3)
    assert 0.4 < thrown.mean() < 0.6
    np.testing.assert_array_equal(coins(names[::-1], 3)[::-1], thrown)
    assert (coins(names, 4) != thrown).any()
    drawn = pairs(scenes, np.random.default_rng(0), blocks=2, range_name="far", clips=20)
    made = control_pairs("shuffled-labels", drawn, scenes, 3)
    swapped = coins([scenes[n].id for n in drawn.scene], 3)
    np.testing.assert_array_equal(made.rows_true[swapped], drawn.rows_shifted[swapped])
    np.testing.assert_array_equal(made.rows_shifted[swapped], drawn.rows_true[swapped])
    np.testing.assert_array_equal(made.rows_true[~swapped], drawn.rows_true[~swapped])
    assert 0 < swapped.sum() < 20


def test_rendered_clips_have_controls() -> None:
    """Protects the use that they are for: rendered scenes, drawn by their events, in all three controls."""
    scenes = [scene_of(render_events(seed, split="sparse", seconds=6.0)) for seed in range(4)]
    for name in CONTROLS:
        made = control_scenes(name, scenes)
        drawn = control_pairs(
            name, pairs(made, np.random.default_rng(0), blocks=2, range_name="near", seen="either"), made
        )
        assert len(drawn.images) >= 3
        assert (drawn.images.std(1).max() == 0) == (name == "frozen-picture")


def test_other_names_are_refused(scenes: list[Scene]) -> None:
    """Protects a run from a slip of the pen: it would learn from what is no control."""
    with pytest.raises(UsageError, match="there are frozen-picture, other-sound, shuffled-labels"):
        control_scenes("frozen", scenes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no control is called frozen"):
        control_pairs("frozen", pairs(scenes[:1], np.random.default_rng(0), blocks=2, range_name="far"), scenes)  # type: ignore[arg-type]
