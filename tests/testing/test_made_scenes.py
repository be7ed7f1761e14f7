"""Scenes with several people: who speaks when is as the truth says, in the sound, in the mouths and in the file."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard import embeddings
from clapboard.errors import UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.testing import SceneTruth, render_scene, scene_arrays
from clapboard.testing.stage import Staged

SMALL: dict[str, Any] = {"width_px": 96, "height_px": 64, "face_px": 40.0, "grain": 0.0}
STEP_S = 0.04


def _levels(staged: Staged) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each 40 ms of the sound, by the clock of the pictures, s, and its level, dB."""
    rate_hz = staged.truth.sample_rate_hz
    step = round(STEP_S * rate_hz)
    blocks = staged.samples[: len(staged.samples) // step * step].reshape(-1, step)
    middles_s = (np.arange(len(blocks)) + 0.5) * STEP_S + staged.truth.offset_ms / 1000
    return middles_s, 10 * np.log10((blocks.astype(float) ** 2).mean(1) + 1e-12)


def _anybody(truth: SceneTruth, times_s: np.ndarray) -> np.ndarray:
    """Whether anybody is heard, seen or not."""
    faces: list[int | None] = [seat.number for seat in truth.seats]
    return np.any([truth.speaking(face, times_s) for face in [*faces, None]], axis=0)


@pytest.mark.parametrize("sound_early_ms", [0.0, 240.0, -400.0])
def test_the_voice_is_heard_in_its_turns_and_not_between(sound_early_ms: float) -> None:
    """Protects the truth against the sound: loud in turns, seen or not, near the noise of the room elsewhere."""
    lines = [(0.3, 2.0, 0), (2.6, 4.2, 1), (4.9, 6.0, None)]
    staged = scene_arrays(cast=(12, 13), turns=lines, duration_s=7.0, sound_early_ms=sound_early_ms, **SMALL)
    assert staged.truth.offset_ms == pytest.approx(sound_early_ms)
    times_s, level_db = _levels(staged)
    spoken = _anybody(staged.truth, times_s)
    inner = spoken & np.roll(spoken, 1) & np.roll(spoken, -1)
    outer = ~(spoken | np.roll(spoken, 8) | np.roll(spoken, -8))  # echoes of rooms die away
    assert inner.sum() > 60
    assert outer.sum() > 10
    assert np.median(level_db[inner]) > np.percentile(level_db[outer], 90) + 15
    for (start_s, end_s, who), turn in zip(lines, staged.truth.turns, strict=True):
        assert (turn.face, turn.score) == (who, 1.0)
        assert start_s <= turn.start_s < start_s + 0.5
        assert end_s - 0.5 < turn.end_s <= end_s


def _inside(truth: SceneTruth, pictures: np.ndarray, face: int) -> np.ndarray:
    """Return how much the pixels of a mouth, held still, change from picture to picture, (T - 1,)."""
    points = truth.landmarks(face, truth.times_s)
    corners = points[:, 3:].reshape(-1, 2)
    (left, top), (right, bottom) = np.floor(corners.min(0) - 3).astype(int), np.ceil(corners.max(0) + 6).astype(int)
    mouths = pictures[:, top:bottom, left:right].astype(float)
    return np.abs(np.diff(mouths, axis=0)).mean((1, 2))


@pytest.mark.parametrize("listeners", ["quiet", "talking"])
def test_mouths_of_listeners_rest_or_say_something_else(listeners: Any) -> None:
    """Protects the pictures: who speaks moves the mouth; a listener rests, unless asked to talk on without a voice."""
    lines = [(0.2, 3.0, 0), (3.2, 6.0, 1)]
    staged = scene_arrays(cast=(12, 13), turns=lines, listeners=listeners, motion=0.0, **SMALL)
    truth, pictures = staged.truth, np.stack(list(staged.frames))
    middles_s = (truth.times_s[1:] + truth.times_s[:-1]) / 2
    for face in (0, 1):
        change, own = _inside(truth, pictures, face), truth.speaking(face, middles_s)
        other = truth.speaking(1 - face, middles_s)
        ratio = change[own].mean() / change[other].mean()
        assert ratio > 2 if listeners == "quiet" else 0.5 < ratio < 2, (face, ratio)


def test_silent_talk_leaves_voice_and_own_turns_as_they_are() -> None:
    """Two scenes that differ only in their listeners sound the same, and lips say in their turns what is heard."""
    quiet, talking = (scene_arrays(listeners=manner, **SMALL) for manner in ("quiet", "talking"))
    assert np.array_equal(quiet.samples, talking.samples)
    assert quiet.truth.turns == talking.truth.turns
    for one, two in zip(quiet.truth.seats, talking.truth.seats, strict=True):
        (start_s, end_s) = quiet.truth.heard[one.member][0]
        times_s = np.arange(start_s + 0.2, end_s - 0.2, 0.01)
        lips = [seat.actor.articulation.at(times_s).opening for seat in (one, two)]
        np.testing.assert_allclose(*lips, atol=0.02)
        assert len(two.actor.articulation.sounds) > 1.5 * len(one.actor.articulation.sounds)


def test_a_cut_ends_a_turn_and_hides_a_speaker() -> None:
    """Shots have faces of their own; somebody who is heard while another is shown is a voice of nobody on screen."""
    staged = scene_arrays(
        cast=(12, 13), turns=[(0.1, 4.0, 0)], duration_s=4.2, layout=[(0, (0, 1)), (1.0, (1,)), (2.0, (0,))], **SMALL
    )
    truth = staged.truth
    assert [(seat.member, seat.start_s) for seat in truth.seats] == [(0, 0.0), (1, 0.0), (1, 1.0), (0, 2.0)]
    assert [turn.face for turn in truth.turns] == [0, None, 3]
    assert [turn.end_s for turn in truth.turns[:2]] == [1.0, 2.0]
    pictures = np.stack(list(staged.frames)).astype(float)
    jumps = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert sorted(np.argsort(jumps)[-2:].tolist()) == [24, 49]


def test_two_may_speak_at_once() -> None:
    """Turns of different people overlap, in the truth and in the sound."""
    both, one = ([(0.1, 3.0, 0)] * (only == 0) + [(0.1, 3.0, 1)] for only in (0, 1))
    staged, alone = (scene_arrays(turns=turns, duration_s=3.0, **SMALL) for turns in (both, one))
    times_s = staged.truth.times_s
    assert (staged.truth.speaking(0, times_s) & staged.truth.speaking(1, times_s)).sum() > 40
    assert (staged.samples.astype(float) ** 2).sum() > 1.2 * (alone.samples.astype(float) ** 2).sum()


@pytest.mark.parametrize("rate", [25, 30])
def test_a_written_scene_is_seen_and_heard_as_told(tmp_path: Path, rate: int) -> None:
    """The detector finds every seat, `seat_of` tells them apart, and lips fit the sound in their own turns only."""
    path = tmp_path / "panel.mp4"
    truth = render_scene(
        path, cast=(12, 13, 14), turns=[(0.1, 2.2, 0), (2.4, 4.4, 2)], duration_s=4.6, rate=rate, sound_early_ms=80
    )
    assert truth.path == path
    clip = probe(path)
    assert [frame.time_s for frame in read_frames(clip)] == pytest.approx(truth.times_s, abs=2e-3)
    assert next(iter(read_audio(clip))).rate_hz == truth.sample_rate_hz
    found = embeddings.features(path, sound_hz=100)
    assert found.report.offset.offset_ms == pytest.approx(80, abs=40)
    seats = set()
    for face in found.faces:
        time_s = face.picture.time_s
        seat = truth.seat_of(time_s[50], face.boxes_px[50])
        assert seat is not None
        seats.add(seat)
        rows = np.abs(found.sound.time_s[:, None] - (time_s - truth.offset_ms / 1000)).argmin(0)
        distance = np.linalg.norm(face.picture.values - found.sound.values[rows], axis=1)
        own, others = truth.speaking(seat, time_s), _anybody(truth, time_s) & ~truth.speaking(seat, time_s)
        if own.any():
            assert np.nanmean(distance[own]) < np.nanmean(distance[others]) - 0.1
    assert seats == {0, 1, 2}
    assert truth.seat_of(1.0, (0, 0, 5, 5)) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cast": (12, 12)}, "needs a seed of their own"),
        ({"stranger": 12}, "needs a seed of their own"),
        ({"turns": [(0, 1, 2)]}, "must name people by 0 to 1"),
        ({"layout": [(0, (0, 5))]}, "must name people by 0 to 1"),
        ({"layout": [(1, (0,))]}, "must ascend from 0"),
        ({"layout": [(0, (1, 1))]}, "twice in one shot"),
        ({"turns": [(2, 1, 0)]}, "must end after its start"),
        ({"turns": [(1, 1.02, 0)]}, "no sound of speech fits"),
        ({"listeners": "asleep"}, 'must be "quiet" or "talking"'),
    ],
)
def test_senseless_scenes_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """One clear line, and no file."""
    with pytest.raises(UsageError, match=message):
        render_scene(tmp_path / "x.mp4", **options)
    assert not list(tmp_path.iterdir())
