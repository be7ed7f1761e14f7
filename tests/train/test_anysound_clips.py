"""Batches of scenes: sound lies exactly on its pictures, and nothing but the moment tells true sound from moved."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Entry, Stored, Writer  # noqa: E402
from clapboard.errors import MediaError, UsageError  # noqa: E402
from clapboard.sound.features import log_mel  # noqa: E402
from clapboard.training.anysound.changes import Changes, change_images, change_sound  # noqa: E402
from clapboard.training.anysound.clips import USUAL, chunks, load_scenes, pairs, scene_of, split_by_group  # noqa: E402
from clapboard.training.anysound.scenes import Scene, make_scene  # noqa: E402

FRAMES = 200


@dataclass(frozen=True)
class Event:
    """An event as the renderer tells it."""

    time_s: float
    source: int = 0
    loudness: float = 1.0
    kind: str = "click"


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip as the renderer makes it: a square is lit in the frame nearest to each click."""

    images: np.ndarray
    time_s: np.ndarray
    samples: np.ndarray
    events: tuple[Event, ...]
    boxes: np.ndarray
    sound_hz: int = 16000
    start_s: float = 0.0
    period_s: float | None = None
    kind: str = "click"
    split: str = "dense"
    seed: int = 0
    more: dict[str, object] = field(default_factory=dict)


def clicking(
    seed: int, *, frames: int = FRAMES, begin_s: float = 0.0, start_s: float = 0.0, period_s: float | None = None
) -> Clip:
    """Clicks at irregular moments (or regular ones), each lights a square in its frame; sound to the end of picture."""
    rng = np.random.default_rng(seed)
    seconds = begin_s + frames / 25 - start_s
    gaps = np.full(100, period_s) if period_s else rng.uniform(0.3, 0.9, 100)
    moments = start_s + 0.1 + np.cumsum(gaps)
    moments = moments[moments < start_s + seconds - 0.1]
    samples = 1e-3 * rng.standard_normal(round(seconds * 16000))
    for moment in moments:
        at = round((moment - start_s) * 16000)
        samples[at - 4 : at + 4] += 0.5
    time_s = begin_s + np.arange(frames) / 25
    images = np.full((frames, 64, 64), 60, np.uint8)
    for moment in moments[(moments > begin_s) & (moments < time_s[-1])]:
        images[round((moment - begin_s) * 25), 8:24, 8:24] = 200
    boxes = np.tile(np.array([8, 8, 24, 24], np.float32), (1, frames, 1))
    events = tuple(Event(float(moment)) for moment in moments)
    return Clip(
        images, time_s, samples.astype(np.float32), events, boxes, start_s=start_s, period_s=period_s, seed=seed
    )


@pytest.fixture(scope="module", name="scenes")
def _scenes() -> list[Scene]:
    """Six scenes of 8 s whose files begin at odd times."""
    return [scene_of(clicking(n, begin_s=0.0123 * n, start_s=-0.0071 * n)) for n in range(6)]


def heard_s(rows: np.ndarray, first_row_s: float) -> np.ndarray:
    """Times of the rows that are the loudest of the five around them, and loud."""
    level = rows.mean(1)
    loud = level > (level.max() + np.median(level)) / 2
    top = [k for k in np.flatnonzero(loud) if level[k] == level[max(0, k - 2) : k + 3].max()]
    return first_row_s + np.array(top) / 100


def assert_heard_at(rows: np.ndarray, times_s: np.ndarray, begin_s: float) -> None:
    """Every event but those at the ends is heard within half a row of its time after the first frame."""
    heard = heard_s(rows, begin_s - 0.015)
    inside = times_s[(times_s > begin_s + 0.05) & (times_s < begin_s + len(rows) / 100 - 0.05)]
    assert len(inside) > 2
    for moment in inside:
        assert np.abs(heard - moment).min() <= 0.0052, (moment, heard)


@given(st.integers(0, 50), st.floats(0, 0.5), st.floats(-0.3, 0.3))
@settings(deadline=None, max_examples=10)
def test_rows_lie_on_their_frames(seed: int, begin_s: float, start_s: float) -> None:
    """Protects the zero: the four rows of a frame lie around its time, whatever the clocks of picture and sound."""
    clip = clicking(seed, frames=120, begin_s=begin_s, start_s=start_s)
    scene = scene_of(clip)
    assert scene.zero_row / 100 + scene.first_row_s == pytest.approx(begin_s - 0.015, abs=1 / 16000)
    first, end = scene.sounding()
    low = scene.zero_row + 4 * first
    times = np.array([event.time_s for event in clip.events]) - begin_s
    assert_heard_at(scene.bands[low : low + 4 * (end - first)].astype(np.float64), times, first / 25)


def test_both_sounds_are_where_they_are_said_to_be(scenes: list[Scene]) -> None:
    """Protects the label: the true sound within 5 ms of its picture, the other ``shift_s`` later in the file."""
    drawn = pairs(scenes, np.random.default_rng(0), blocks=3, range_name="far", clips=12)
    assert drawn.images.shape == (12, 75, 64, 64)
    assert drawn.rows_true.shape == drawn.rows_shifted.shape == (12, 300, 40)
    assert drawn.rows_true.dtype == np.float32
    assert not drawn.other.any()
    for n, (number, at) in enumerate(zip(drawn.scene, drawn.start_frame, strict=True)):
        scene = scenes[number]
        assert scene.events is not None
        moments = scene.events[:, 0] - scene.begin_s - at / 25
        assert_heard_at(drawn.rows_true[n], moments, 0.0)
        assert_heard_at(drawn.rows_shifted[n], moments - drawn.shift_s[n], 0.0)
        assert 1 <= abs(drawn.shift_s[n]) <= 4
        given_events = drawn.events[n]
        assert given_events is not None
        lit = np.flatnonzero(drawn.images[n, :, 16, 16] > 100) / 25
        inside = given_events[given_events[:, 0] < 2.97, 0]
        np.testing.assert_allclose(lit[: len(inside)], inside, atol=0.0201)


@pytest.mark.parametrize("changes", [None, USUAL, Changes(noise=1, other=1)])
def test_true_and_moved_sound_are_cut_from_one_piece(scenes: list[Scene], changes: Changes | None) -> None:
    """Protects against the short cut: what both hear of the file is equal to the bit, changed and normalised alike."""
    drawn = pairs(scenes, np.random.default_rng(1), blocks=3, range_name="far", clips=8, changes=changes)
    compared = 0
    for true, moved, shift_s in zip(drawn.rows_true, drawn.rows_shifted, drawn.shift_s, strict=True):
        by = round(shift_s * 100)
        later, sooner = (true, moved) if by > 0 else (moved, true)
        common = len(true) - abs(by)
        if common > 0:
            np.testing.assert_array_equal(later[abs(by) :], sooner[:common])
            compared += 1
    assert compared >= 4


def test_sound_alone_tells_nothing(scenes: list[Scene]) -> None:
    """Protects the task: over many pairs, level, spread, edges and place have one distribution for true and moved."""
    rng = np.random.default_rng(2)
    how = replace(USUAL, move_px=0, grain=0)  # pictures are not looked at here
    found = [pairs(scenes, rng, blocks=2, range_name="far", clips=30, changes=how) for _ in range(10)]
    true = np.concatenate([drawn.rows_true for drawn in found])
    moved = np.concatenate([drawn.rows_shifted for drawn in found])
    tells = {
        "level": lambda rows: rows.mean((1, 2)),
        "spread": lambda rows: rows.std((1, 2)),
        "beginning": lambda rows: rows[:, :4].mean((1, 2)),
        "end": lambda rows: rows[:, -4:].mean((1, 2)),
    }
    for name, tell in tells.items():
        wins = (tell(true) > tell(moved)).mean()
        assert abs(wins - 0.5) < 0.1, (name, wins)  # 300 pairs: 3.5 standard errors


def test_no_pair_of_a_whole_period(scenes: list[Scene]) -> None:
    """Protects metronomes: their sound moved by a whole period is in sync."""
    regular = scene_of(clicking(7, period_s=0.5))
    drawn = pairs([regular], np.random.default_rng(0), blocks=2, range_name="far", clips=40)
    off = np.abs(drawn.shift_s / 0.5 - np.round(drawn.shift_s / 0.5)) * 0.5
    assert off.min() > 0.08
    hurried = replace(regular, period_s=0.15)
    with pytest.raises(UsageError, match="no scene has room"):
        pairs([hurried], np.random.default_rng(0), blocks=2, range_name="far", clips=1)


def test_sound_of_another_recording(scenes: list[Scene]) -> None:
    """Protects the easy negatives: they come from another group, and the true sound is still the clip's own."""
    mixed = [replace(scene, group=f"g{n // 3}") for n, scene in enumerate(scenes)]
    drawn = pairs(mixed, np.random.default_rng(3), blocks=3, range_name="far", clips=60, other=0.5)
    assert 15 < drawn.other.sum() < 45
    assert (np.isnan(drawn.shift_s) == drawn.other).all()
    for n in np.flatnonzero(drawn.other)[:5]:
        scene = mixed[drawn.scene[n]]
        assert scene.events is not None
        moments = scene.events[:, 0] - scene.begin_s - drawn.start_frame[n] / 25
        assert_heard_at(drawn.rows_true[n], moments, 0.0)
        heard = heard_s(drawn.rows_shifted[n], -0.015)
        near = np.abs(heard[:, None] - moments[None]).min(1)
        assert np.median(near) > 0.02


def test_each_scene_once_in_order(scenes: list[Scene]) -> None:
    """Protects judging: without a count every scene that has room comes once, and short ones are left out."""
    short = scene_of(clicking(9, frames=80))
    drawn = pairs([scenes[0], short, scenes[1]], np.random.default_rng(0), blocks=3, range_name="owens")
    assert drawn.scene.tolist() == [0, 2]
    same = pairs([scenes[0], short, scenes[1]], np.random.default_rng(0), blocks=3, range_name="owens")
    np.testing.assert_array_equal(drawn.rows_shifted, same.rows_shifted)
    with pytest.raises(UsageError, match="no scene has room for 75 frames and shifts of 2 s or more"):
        pairs([short], np.random.default_rng(0), blocks=3, range_name="owens")
    with pytest.raises(UsageError, match="no scenes"):
        pairs([], np.random.default_rng(0), blocks=3, range_name="owens")


@pytest.mark.parametrize("seen", ["either", "both"])
def test_events_in_the_windows(seen: str) -> None:
    """Protects the sparse split: pairs that nobody could judge are left out, without favour for the true window."""
    sparse = scene_of(clicking(0))
    sparse = replace(sparse, events=np.array([[3.0, 0, 1.0], [7.5, -1, 1.0]]))
    drawn = pairs([sparse], np.random.default_rng(0), blocks=2, range_name="far", clips=60, seen=seen)  # type: ignore[arg-type]

    def has(at: np.ndarray) -> np.ndarray:
        return (at / 25 <= 3.0) & (at / 25 + 2 > 3.0)

    true, moved = has(drawn.start_frame), has(drawn.start_frame + drawn.shift_s * 25)
    assert (true & moved if seen == "both" else true | moved).all()
    if seen == "either":
        assert abs(true.mean() - moved.mean()) < 0.25
    with pytest.raises(UsageError, match="events are not known"):
        pairs([replace(sparse, events=None)], np.random.default_rng(0), blocks=2, range_name="far", seen="both")


def test_chunks_have_real_sound_around_them(scenes: list[Scene]) -> None:
    """Protects the lags: 2 s of the file's own sound on both sides, lag 0 where it is said to be."""
    drawn = chunks(scenes, np.random.default_rng(0), frames=75, clips=10, changes=None)
    assert drawn.rows.shape == (10, 4 * (75 + 2 * drawn.reach_frames), 40)
    assert drawn.valid.all()
    for n, (number, at) in enumerate(zip(drawn.scene, drawn.start_frame, strict=True)):
        scene = scenes[number]
        assert scene.events is not None
        assert_heard_at(drawn.rows[n], scene.events[:, 0] - scene.begin_s - at / 25, -drawn.reach_frames / 25)
        np.testing.assert_array_equal(drawn.images[n], scene.images[at : at + 75])


def test_short_scenes_have_fewer_lags(scenes: list[Scene]) -> None:
    """Protects real clips of 4 s: they are used, what is missing is marked and 0, what is there is real."""
    short = scene_of(clicking(11, frames=100))
    drawn = chunks([short], np.random.default_rng(0), frames=75, clips=20, changes=USUAL)
    assert (drawn.rows[~drawn.valid] == 0).all()
    lag_zero = slice(200, 200 + 300)
    assert drawn.valid[:, lag_zero].all()
    assert 0.5 < drawn.valid.mean() < 0.8
    assert len(set(drawn.start_frame.tolist())) > 5
    assert chunks([short, scenes[0]], np.random.default_rng(0), frames=120).scene.tolist() == [1]
    with pytest.raises(UsageError, match="too few scenes have 120 frames"):
        chunks([short], np.random.default_rng(0), frames=120)


def test_rows_are_normalised_as_when_measuring(scenes: list[Scene]) -> None:
    """Protects what is learned from what is measured later: rows of a chunk equal the rows of the whole file."""
    from clapboard.sound.features import normalise
    from clapboard.values import Features

    scene = scenes[2]
    whole = normalise(Features(scene.bands, scene.valid, scene.first_row_s))
    drawn = chunks([scene], np.random.default_rng(0), frames=50, reach_frames=10)
    first = scene.zero_row + 4 * (int(drawn.start_frame[0]) - 10)
    np.testing.assert_allclose(drawn.rows[0], whole[first : first + drawn.rows.shape[1]], atol=1e-5)


def test_changes_move_nothing_in_time(scenes: list[Scene]) -> None:
    """Protects the clock: with all changes at their most the clicks are heard and seen when they were."""
    how = Changes(noise=1, noise_below=(4, 5), other=1, other_below=(4, 5), grain=3, contrast=0.1, light=0.1)
    drawn = pairs(scenes, np.random.default_rng(5), blocks=3, range_name="far", clips=6, changes=how)
    for n, (number, at) in enumerate(zip(drawn.scene, drawn.start_frame, strict=True)):
        scene = scenes[number]
        assert scene.events is not None
        moments = scene.events[:, 0] - scene.begin_s - at / 25
        assert_heard_at(drawn.rows_true[n], moments, 0.0)
        lit = np.flatnonzero((drawn.images[n] > 130).mean((1, 2)) > 0.03)
        expected = np.flatnonzero(scene.images[at : at + 75, 16, 16] > 100)
        np.testing.assert_array_equal(lit, expected)
    assert drawn.boxes == (None,) * 6
    assert drawn.events[0] is not None


def test_changes_of_sound() -> None:
    """Protects what is varied: level and tone, noise under the loud rows, another clip's sound; or nothing."""
    rng = np.random.default_rng(0)
    bands = log_mel(0.1 * rng.standard_normal(48000).astype(np.float32))
    quiet = log_mel(1e-4 * rng.standard_normal(16000).astype(np.float32))
    still = Changes(gain=0, tilt=0, noise=0, other=0)
    np.testing.assert_array_equal(change_sound(bands, quiet, rng, still), bands)
    changed = [change_sound(bands, quiet, rng, replace(still, gain=1.5)) - bands for _ in range(50)]
    assert max(c.std() for c in changed) < 1e-5
    levels = np.array([c.mean() for c in changed])
    assert levels.min() < -1
    assert levels.max() > 1
    tilted = change_sound(bands, quiet, rng, replace(still, tilt=2)) - bands
    assert tilted[0, 0] == pytest.approx(-tilted[0, -1], abs=1e-4)
    silence = np.full_like(bands, -18.4)
    silence[:100] = bands[:100]
    noisy = change_sound(silence, quiet, rng, replace(still, noise=1, noise_below=(2, 2)))
    assert -6 < noisy[150:].mean() - silence[:100].mean() < -1
    mixed = change_sound(silence, quiet, rng, replace(still, other=1, other_below=(2, 2)))
    assert -4 < mixed[150:].mean() - silence[:100].mean() < -1  # as loud as said, however quiet it was


def test_changes_of_pictures() -> None:
    """Protects what is varied: mirrored and moved as a whole, brighter or darker, noise of its own in every frame."""
    rng = np.random.default_rng(0)
    images = rng.integers(60, 190, (20, 64, 64)).astype(np.uint8)
    still = Changes(mirror=0, move_px=0, light=0, contrast=0, grain=0)
    np.testing.assert_array_equal(change_images(images, rng, still), images)
    np.testing.assert_array_equal(change_images(images, rng, replace(still, mirror=1)), images[:, :, ::-1])
    found = {
        (dy, dx)
        for _ in range(40)
        for moved in [change_images(images, rng, replace(still, move_px=1))]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (moved[:, 2:-2, 2:-2] == images[:, 2 - dy : 62 - dy, 2 - dx : 62 - dx]).all()
    }
    assert len(found) == 9
    noise = change_images(images, np.random.default_rng(1), replace(still, grain=8)).astype(int) - images
    assert 0.5 < noise.std() < 9
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1
    means = [change_images(images, rng, replace(still, light=0.3)).mean() - images.mean() for _ in range(30)]
    assert min(means) < -10
    assert max(means) > 10


def written(folder: Path, *, view: str = "scene-64", truth: bool = True) -> Path:
    """Return a data set of three clicking scenes of two recordings, with or without its truth."""
    clips = [clicking(n, frames=60 if n < 2 else 10) for n in range(3)]
    with Writer(folder, view, {"kind": "sounds", "picture_hz": "25/1", "sound_hz": 16000, "channels": 1}) as writer:
        for n, clip in enumerate(clips):
            names = {"id": f"c{n}", "file": f"{n}.mp4", "corpus": "toy", "speaker": "", "group": f"toy/{n % 2}"}
            numbers = {"track": 0, "shard": 0, "start_s": 0.0, "end_s": 2.4, "face_px": 0.0, "speech_share": 0.0}
            entry = Entry(**names, **numbers, frames=len(clip.images))  # type: ignore[arg-type]
            whole = np.round(clip.samples * 32767).astype(np.int16)
            writer.add(entry, Stored(clip.images, clip.time_s, whole, 0.0))
            writer.finished()
    if truth:
        rows = [
            {
                "id": f"c{n}", "kind": "click", "split": "dense", "seed": n, "period_s": 0.5 if n else None,
                "events": [[e.time_s, e.source, e.loudness] for e in clip.events],
                "boxes": [[None if t == 3 else box for t, box in enumerate(s)] for s in clip.boxes.tolist()],
            }
            for n, clip in enumerate(clips)
        ]  # fmt: skip
        (folder / "truth.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_scenes_of_a_data_set(tmp_path: Path) -> None:
    """Protects training from files: the same scene as in memory, with its truth, shots under a second left out."""
    found = load_scenes(written(tmp_path / "set"))
    assert [scene.id for scene in found] == ["c0", "c1"]
    memory = scene_of(clicking(1, frames=60))
    np.testing.assert_array_equal(found[1].images, memory.images)
    np.testing.assert_allclose(found[1].bands[:200].max(1), memory.bands[:200].max(1), atol=0.05)
    assert (found[0].period_s, found[1].period_s) == (None, 0.5)
    assert (found[0].kind, found[0].split, found[0].group) == ("click", "dense", "toy/0")
    assert found[1].events is not None
    assert memory.events is not None
    np.testing.assert_array_equal(found[1].events, memory.events)
    boxes = found[0].boxes
    assert boxes is not None
    assert boxes.shape == (1, 60, 4)
    assert np.isnan(boxes[0, 3]).all()
    assert boxes[0, 4].tolist() == [8, 8, 24, 24]
    assert [scene.id for scene in load_scenes(tmp_path / "set", groups=["toy/1"])] == ["c1"]
    assert len(load_scenes(tmp_path / "set", limit=1)) == 1


def test_real_scenes_have_no_truth(tmp_path: Path) -> None:
    """Protects real data: without truth nothing is claimed of events, and the period is looked for."""
    found = load_scenes(written(tmp_path / "set", truth=False))
    assert [(scene.events, scene.boxes, scene.period_s) for scene in found] == [(None, None, None)] * 2


def test_wrong_data_sets_are_refused(tmp_path: Path) -> None:
    """Protects from training on mouths, and from truth that belongs to something else."""
    with pytest.raises(UsageError, match="holds mouth-64, not scene-64"):
        load_scenes(written(tmp_path / "mouths", view="mouth-64"))
    folder = written(tmp_path / "set")
    rows = (folder / "truth.jsonl").read_text().splitlines(keepends=True)
    (folder / "truth.jsonl").write_text("".join(rows[1:]))
    with pytest.raises(MediaError, match="says nothing of c0"):
        load_scenes(folder)
    (folder / "truth.jsonl").write_text("".join(rows) + '{"id": "c9", "ev')
    assert len(load_scenes(folder)) == 2  # its writer was killed over one more
    (folder / "truth.jsonl").write_text("{\n")
    with pytest.raises(MediaError, match="is damaged"):
        load_scenes(folder)


def test_recordings_are_never_split(scenes: list[Scene]) -> None:
    """Protects held-out figures: a recording is on one side, whatever the order, and somebody is always left."""
    cut = [replace(scene, group=f"g{n // 2}", id=str(n)) for n, scene in enumerate(scenes)]
    learn, judge = split_by_group(cut, 0.34, seed=1)
    assert len(judge) == 2
    assert not {s.group for s in learn} & {s.group for s in judge}
    again = split_by_group(cut[::-1], 0.34, seed=1)[1]
    assert {s.id for s in again} == {s.id for s in judge}
    assert split_by_group(cut, 0.0) == (cut, [])
    assert split_by_group(cut[:2], 0.5) == (cut[:2], [])
    with pytest.raises(UsageError, match="share"):
        split_by_group(cut, 1.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda clip: scene_of(replace(clip, sound_hz=21000)), "16000 Hz, not 21000 Hz"),
        (lambda clip: scene_of(replace(clip, images=clip.images[:, :32])), r"\(T, 64, 64\)"),
        (lambda clip: make_scene(clip.images, clip.time_s, clip.samples[:, None], 0.0), "one channel"),
    ],
)
def test_other_clips_are_refused(make: Callable[[Clip], Scene], said: str) -> None:
    """Protects from silent nonsense: another rate, another size."""
    with pytest.raises(UsageError, match=said):
        make(clicking(0, frames=30))


def test_colours_and_channels_become_their_means() -> None:
    """Protects rendered clips in colour and stereo: the scene is the gray, mono one."""
    clip = clicking(0, frames=30)
    rich = replace(clip, images=np.repeat(clip.images[..., None], 3, 3), samples=np.repeat(clip.samples[:, None], 2, 1))
    np.testing.assert_array_equal(scene_of(rich).images, clip.images)
    np.testing.assert_array_equal(scene_of(rich).bands, scene_of(clip).bands)
