"""Rendered events as sets: what each split holds, gaps as in recordings, and test classes that nobody learned from."""

from itertools import combinations

import numpy as np
import pytest

from clapboard.testing import EventClip, render_events
from clapboard.testing.events import BACKGROUNDS, KINDS, RANGES
from clapboard.testing.events.classes import Looks
from clapboard.testing.events.timing import GAP_POINTS_S, draw_gaps, few_contacts, steady_contacts


@pytest.fixture(scope="module")
def sparse() -> list[EventClip]:
    """Return some sparse clips."""
    return [render_events(seed, split="sparse") for seed in range(10)]


def test_a_clip_follows_from_its_seed() -> None:
    """Protects every figure: the same seed gives the same clip, another seed, part or split another one."""
    first, again = render_events(7, seconds=3.0), render_events(7, seconds=3.0)
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.samples, again.samples)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert first.events == again.events
    others = [
        render_events(8, seconds=3.0),
        render_events(7, seconds=3.0, part="test"),
        render_events(7, seconds=3.0, split="sparse"),
    ]
    for other in others:
        assert other.events != first.events
        assert (other.images != first.images).mean() > 0.5


def test_gaps_are_those_of_recordings() -> None:
    """Protects the statistics: 10, 50 and 90 % of the gaps, as drawn and between the events of clips."""
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(np.quantile(draw_gaps(rng, 40_000), [0.1, 0.5, 0.9]), GAP_POINTS_S, atol=0.01)
    clips = [np.diff(steady_contacts(rng, 0.0, 60.0)) for _ in range(200)]
    np.testing.assert_allclose(np.quantile(np.concatenate(clips), [0.1, 0.5, 0.9]), GAP_POINTS_S, atol=0.015)


def test_dense_clips_sound_all_the_time() -> None:
    """Protects the dense split: one seen source, its gaps never longer than they can be drawn."""
    for seed in range(6):
        clip = render_events(seed, kinds=("bounce", "stick", "clap", "firework"))
        times_s = [event.time_s for event in clip.events if event.source == 0]
        assert max(np.diff([0.0, *times_s, 8.0])) <= 1.8
        assert clip.period_s is None
        assert clip.kind in KINDS
        assert {event.source for event in clip.events} <= {0, -1}


def test_sparse_clips_have_one_or_two_events(sparse: list[EventClip]) -> None:
    """Protects the split that needs attention: few seen events, away from the ends, and sounds from off screen."""
    counts = []
    for clip in sparse:
        seen = [event.time_s for event in clip.events if event.source == 0]
        counts.append(len(seen))
        assert min(seen) >= 1
        assert max(seen) <= 7
        assert 2 <= sum(event.source == -1 for event in clip.events) <= 6
        assert clip.kind != "metronome"
        assert clip.period_s is None
    assert set(counts) == {1, 2}
    rng = np.random.default_rng(1)
    drawn = [few_contacts(rng, 3.0) for _ in range(200)]
    assert all(times_s.min() >= 1 and times_s.max() <= 2 for times_s in drawn)
    assert min(float(np.ptp(times_s)) for times_s in drawn if len(times_s) == 2) >= 0.5


def test_silent_motion_is_silent_and_lasts(sparse: list[EventClip]) -> None:
    """Protects the distractors: where nothing sounds there is motion, and no more than the noise of the room."""
    moved, still, quiet = [], [], []
    for clip in sparse:
        motion = np.abs(np.diff(clip.images.astype(float), axis=0)).mean((1, 2))
        away = np.min([np.abs(clip.time_s[1:] - event.time_s) for event in clip.events], axis=0) > 0.4
        seen = np.min([np.abs(clip.time_s[1:] - e.time_s) for e in clip.events if e.source == 0], axis=0) < 0.3
        moved.append(np.median(motion[seen]))
        still.append(np.median(motion[~seen]))
        peak = np.abs(clip.samples).max()
        for time_s in clip.time_s[1:][away & (clip.time_s[1:] > 1.2)]:
            before = [event.time_s for event in clip.events if event.time_s < time_s]
            if before and time_s - max(before) > 1.0:  # echoes have died away
                start = round(time_s * 16_000)
                quiet.append(np.sqrt(np.mean(clip.samples[start : start + 160] ** 2)) / peak)
    assert np.mean(still) > 0.5 * np.mean(moved)
    assert len(quiet) > 50
    assert np.mean(np.array(quiet) < 10 ** (-20 / 20)) > 0.98


def test_two_sources_are_two_kinds_seen_and_heard() -> None:
    """Protects the split of two sources: each has its own boxes and its own events, and they are not on one another."""
    for seed in range(6):
        clip = render_events(seed, split="two-sources", clean=True)
        kinds = clip.kind.split("+")
        assert len(set(kinds)) == 2
        assert clip.boxes.shape == (2, 200, 4)
        assert {event.source for event in clip.events} == {0, 1}
        assert all(event.kind == kinds[event.source] for event in clip.events)
        middles = np.nanmedian((clip.boxes[..., 0] + clip.boxes[..., 2]) / 2, axis=1)
        assert abs(middles[0] - middles[1]) > 12
        assert clip.period_s is None


def test_only_a_metronome_is_regular() -> None:
    """Protects pairs from shifts by a period: a regular clip says its period, and no other says one."""
    for seed in range(4):
        for kind in KINDS:
            clip = render_events(seed, kinds=(kind,), seconds=4.0, clean=True)
            assert (clip.period_s is not None) == (kind == "metronome")
            if clip.period_s:
                np.testing.assert_allclose(np.diff([event.time_s for event in clip.events]), clip.period_s, atol=1e-9)


def test_test_classes_are_never_learned_from() -> None:
    """Protects held-out figures: no range and no background of one part is in the other, and draws keep to them."""
    rng = np.random.default_rng(2)
    assert not set(BACKGROUNDS["train"]) & set(BACKGROUNDS["test"])
    for name, both in RANGES.items():
        spans = sorted([*both.train, *both.test])
        assert all(low < high for low, high in spans), name
        assert all(a[1] <= b[0] for a, b in combinations(spans, 2)), name
        for part in ("train", "test"):
            drawn = [both.draw(rng, part) for _ in range(300)]  # type: ignore[arg-type]
            own = getattr(both, part)
            assert all(any(low <= value <= high for low, high in own) for value in drawn), name
            assert all(any(low <= value <= high for value in drawn) for low, high in own), name
    sizes = {part: Looks.draw(rng, "stick", part).size for part in ("train", "test")}  # type: ignore[arg-type]
    assert any(low <= sizes["test"] <= high for low, high in RANGES["size"].test)
    assert any(low <= sizes["train"] <= high for low, high in RANGES["size"].train)
