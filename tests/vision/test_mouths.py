"""The way from frames to mouth crops, with a detector that knows where the faces are."""

from collections import defaultdict

import numpy as np
import pytest
from vision_pictures import FakeDetector, face_points, numbered, paint_face, picture, to_frame

from clapboard.values import F32, Crops, Frame
from clapboard.vision.crop import crop_at, pose_of, shrink_factor, smooth_pose
from clapboard.vision.detect import Detector
from clapboard.vision.mouths import DETECT_EVERY, REFINE_EVERY, RETRY_EVERY, MouthFinder
from clapboard.vision.mtcnn import Mtcnn
from clapboard.vision.track import MAX_MISSES, MIN_FRAMES


def run(finder: MouthFinder, frames: list[Frame], first: int = 0) -> dict[int, Crops]:
    """All crops of every track, put together."""
    parts: dict[int, list[Crops]] = defaultdict(list)
    for grid, frame in enumerate(frames, first):
        for crops in finder.push(grid, frame):
            parts[crops.track].append(crops)
    for crops in finder.close():
        parts[crops.track].append(crops)
    return {
        number: Crops(number, np.concatenate([c.images for c in some]), np.concatenate([c.time_s for c in some]))
        for number, some in parts.items()
    }


def still(count: int, *places: tuple[float, float]) -> dict[int, list[F32]]:
    """Faces that stay where they are in all of `count` pictures."""
    return {i: [face_points(x, y, 20) for x, y in places] for i in range(count)}


def test_one_face_is_one_track_with_all_its_frames() -> None:
    """Every frame of the face comes out once, in order, at its own time."""
    finder = MouthFinder(FakeDetector(still(70, (80, 60))))
    crops = run(finder, [numbered(i) for i in range(70)])
    assert list(crops) == [0]
    np.testing.assert_allclose(crops[0].time_s, np.arange(70) / 25)
    assert crops[0].images.shape == (70, 64, 64)
    (track,) = finder.tracks
    np.testing.assert_array_equal(track.time_s, crops[0].time_s)
    assert (track.shot.start_s, track.shot.end_s) == (0.0, 69 / 25)
    assert not track.interpolated.any()


def test_full_search_runs_once_a_second() -> None:
    """The search is forty times dearer than following: a face that is well followed must not cause more of it."""
    detector = FakeDetector(still(80, (80, 60)))
    run(MouthFinder(detector), [numbered(i) for i in range(80)])
    assert detector.detected == list(range(0, 80, DETECT_EVERY))


@pytest.mark.parametrize("count", [40, 41])
def test_steady_face_is_looked_at_in_every_second_frame(count: int) -> None:
    """Half the looks are saved once a face is known, not one frame of it is lost, and none counts as missed."""
    faces = {i: [face_points(80 + 0.5 * i, 60 + i % 2, 20)] for i in range(count)}
    detector = FakeDetector(faces)
    finder = MouthFinder(detector)
    crops = run(finder, [numbered(i) for i in range(count)])
    looked = sorted(set(detector.refined))
    assert looked[:MIN_FRAMES] == list(range(MIN_FRAMES))
    assert np.diff(looked[MIN_FRAMES - 1 :]).max() == REFINE_EVERY
    assert len(looked) <= MIN_FRAMES + (count - MIN_FRAMES) / REFINE_EVERY + 2
    (track,) = finder.tracks
    np.testing.assert_allclose(crops[0].time_s, np.arange(count) / 25)
    assert not track.interpolated.any()
    np.testing.assert_array_equal(track.landmarks[looked], np.array([faces[i][0] for i in looked]))
    between = [i for i in range(count - 1) if i not in looked]
    middle = (track.landmarks[np.subtract(between, 1)] + track.landmarks[np.add(between, 1)]) / 2
    np.testing.assert_allclose(track.landmarks[between], middle, atol=1e-3)


@pytest.mark.parametrize(("step_px", "score"), [(0.0, 0.97), (2.0, 0.999)])
def test_doubtful_and_fast_faces_are_looked_at_in_every_frame(step_px: float, score: float) -> None:
    """Interpolation is for what is known well: a poor score or fast movement takes every frame."""
    faces = {i: [face_points(40 + step_px * i, 60, 20)] for i in range(50)}
    detector = FakeDetector(faces, score)
    run(MouthFinder(detector), [numbered(i) for i in range(50)])
    assert sorted(set(detector.refined)) == list(range(50))


def test_frame_passed_over_before_a_miss_counts_as_missed() -> None:
    """Nobody knows whether the face was still there, so nothing is claimed; it goes on when it is back."""
    faces = still(60, (80, 60))
    gone = list(range(23, 28))
    for i in gone:
        faces[i] = []
    detector = FakeDetector(faces)
    finder = MouthFinder(detector)
    crops = run(finder, [numbered(i) for i in range(60)])
    assert 22 not in detector.refined
    assert len(crops[0].time_s) == 60
    assert np.flatnonzero(finder.tracks[0].interpolated).tolist() == [22, *gone]


def test_search_is_more_frequent_without_a_face() -> None:
    """Somebody who comes in is found within a third of a second."""
    faces = {i: [face_points(80, 60, 20)] for i in range(30, 80)}
    detector = FakeDetector(faces)
    crops = run(MouthFinder(detector), [numbered(i) for i in range(80)])
    assert detector.detected[:4] == [0, RETRY_EVERY, 2 * RETRY_EVERY, 3 * RETRY_EVERY]
    assert crops[0].time_s[0] <= (30 + RETRY_EVERY) / 25


def test_short_miss_is_bridged() -> None:
    """A hand before the face for a third of a second does not break the track."""
    faces = still(60, (80, 60))
    for i in range(20, 20 + MAX_MISSES - 2):
        faces[i] = []
    finder = MouthFinder(FakeDetector(faces))
    crops = run(finder, [numbered(i) for i in range(60)])
    assert [len(c.time_s) for c in crops.values()] == [60]
    assert np.flatnonzero(finder.tracks[0].interpolated).tolist() == list(range(20, 20 + MAX_MISSES - 2))


def test_long_miss_ends_the_track() -> None:
    """Who comes back after a second is a new track: it may be somebody else."""
    faces = still(80, (80, 60))
    for i in range(20, 45):
        faces[i] = []
    crops = run(MouthFinder(FakeDetector(faces)), [numbered(i) for i in range(80)])
    assert [c.time_s[0] for c in crops.values()] == pytest.approx([0.0, 1.8], abs=RETRY_EVERY / 25)
    assert len(crops[0].time_s) == 20


def test_cut_ends_all_tracks() -> None:
    """Another shot, another track, even when the face is at the same place."""
    finder = MouthFinder(FakeDetector(still(60, (80, 60))))
    run(finder, [numbered(i, colour=60 if i < 30 else 200) for i in range(60)])
    assert [(t.time_s[0], len(t.time_s)) for t in finder.tracks] == [(0.0, 30), (30 / 25, 30)]
    assert [(t.shot.start_s, t.shot.end_s) for t in finder.tracks] == [(0.0, 1.2), (1.2, 59 / 25)]


def test_shots_without_a_face_are_shots_too() -> None:
    """Whoever wants the cuts gets all of them, and none where a flash hid a face."""
    finder = MouthFinder(FakeDetector({i: still(60, (80, 60))[i] if i < 20 else [] for i in range(60)}))
    colours = {i: 60 if i < 20 else 200 if i < 40 else 120 for i in range(60)}
    run(finder, [numbered(i, colour=255 if i == 12 else colours[i]) for i in range(60)])
    assert [(shot.start_s, shot.end_s) for shot in finder.shots] == [(0.0, 0.8), (0.8, 1.6), (1.6, 59 / 25)]
    assert [t.shot for t in finder.tracks] == finder.shots[:1]
    assert MouthFinder(FakeDetector({})).shots == []


@pytest.mark.parametrize("length", [1, 3])
def test_flash_does_not_end_a_track(length: int) -> None:
    """A photographer's flash hides the face for a moment; the track goes on behind it, and nothing starts in it."""
    faces = still(60, (80, 60))
    for i in range(30, 30 + length):
        faces[i] = []
    finder = MouthFinder(FakeDetector(faces))
    frames = [numbered(i, colour=200 if 30 <= i < 30 + length else 60) for i in range(60)]
    crops = run(finder, frames)
    assert [len(c.time_s) for c in crops.values()] == [60]
    assert np.flatnonzero(finder.tracks[0].interpolated).tolist() == list(range(30, 30 + length))
    assert finder.tracks[0].shot.start_s == 0.0


def test_crossing_faces_keep_their_tracks() -> None:
    """Two people pass each other, one hiding the other: no track ever holds both, and none changes its owner."""
    count = 80
    at_left = [60 + 1.5 * i for i in range(count)]
    at_right = [180 - 1.5 * i for i in range(count)]
    faces = {
        i: [face_points(x, 60, 20)] + ([face_points(y, 60, 20)] if abs(x - y) > 20 else [])
        for i, (x, y) in enumerate(zip(at_left, at_right, strict=True))
    }
    finder = MouthFinder(FakeDetector(faces))
    run(finder, [numbered(i, size=(120, 240)) for i in range(count)])
    for track in finder.tracks:
        middle, where = track.landmarks[:, 2, 0], np.rint(track.time_s * 25).astype(int)
        off_left = np.abs(middle - np.array(at_left)[where]).max()
        off_right = np.abs(middle - np.array(at_right)[where]).max()
        assert min(off_left, off_right) < 12
    assert len(finder.tracks[0].time_s) == count


def test_two_faces_are_two_tracks() -> None:
    """Each face is followed on its own, side by side."""
    finder = MouthFinder(FakeDetector(still(50, (50, 60), (120, 60))))
    crops = run(finder, [numbered(i) for i in range(50)])
    assert [len(c.time_s) for c in crops.values()] == [50, 50]
    assert sorted(float(t.landmarks[0, 2, 0]) for t in finder.tracks) == [50, 120]


def test_flicker_leaves_no_track() -> None:
    """Something taken for a face for a moment, or with poor scores all along, is dropped."""
    short = {i: [face_points(80, 60, 20)] for i in range(MIN_FRAMES - 1)}
    finder = MouthFinder(FakeDetector(short))
    assert run(finder, [numbered(i) for i in range(60)]) == {}
    poor = MouthFinder(FakeDetector(still(60, (80, 60)), score=0.85))
    assert run(poor, [numbered(i) for i in range(60)]) == {}
    assert finder.tracks == poor.tracks == []


def test_crowd_is_capped_to_the_largest() -> None:
    """In a crowd the nearest people are followed."""
    faces = {i: [face_points(40 + 70 * k, 60, 12 + 2 * k) for k in range(5)] for i in range(40)}
    finder = MouthFinder(FakeDetector(faces), max_faces=2)
    run(finder, [numbered(i, size=(120, 400)) for i in range(40)])
    assert sorted(float(t.landmarks[0, 2, 0]) for t in finder.tracks) == [250, 320]


def test_repeated_frames_cost_nothing() -> None:
    """A file of 12.5 fps fills the grid with every frame twice: each is looked at once, and its time is kept."""
    detector = FakeDetector(still(40, (80, 60)))
    single = [numbered(i, time_s=i / 12.5) for i in range(40)]
    crops = run(MouthFinder(detector), [frame for frame in single for _ in range(2)])
    assert len(detector.refined) <= 40 + 2
    np.testing.assert_allclose(crops[0].time_s, np.repeat(np.arange(40) / 12.5, 2))


def test_gap_in_the_grid_ends_tracks() -> None:
    """Crops are consecutive on the grid, so a hole in the file starts anew."""
    finder = MouthFinder(FakeDetector(still(60, (80, 60))))
    for i in [*range(20), *range(40, 60)]:
        finder.push(i, numbered(i))
    finder.close()
    assert [len(t.time_s) for t in finder.tracks] == [20, 20]


def test_change_of_size_ends_tracks() -> None:
    """A stream that changes its resolution cannot be followed across."""
    finder = MouthFinder(FakeDetector(still(60, (80, 60))))
    run(finder, [numbered(i, size=(120, 160) if i < 30 else (122, 160)) for i in range(60)])
    assert [len(t.time_s) for t in finder.tracks] == [30, 30]


def test_no_frames_no_faces() -> None:
    """Nothing in, nothing out."""
    finder = MouthFinder(FakeDetector({}))
    assert finder.close() == []
    assert finder.tracks == []


def test_memory_does_not_grow_with_length() -> None:
    """Only a fixed number of small patches waits, however long the track is."""
    finder = MouthFinder(FakeDetector(defaultdict(lambda: [face_points(80, 60, 20)])))
    waiting = []
    for i in range(300):
        finder.push(i, numbered(i % 200, time_s=i / 25))
        waiting.append(sum(len(track._patches) for track in finder._running))
    assert max(waiting[200:]) == max(waiting[50:100]) < 45


@pytest.mark.parametrize("eyes_px", [24.0, 75.0])
def test_stream_equals_whole_track(eyes_px: float) -> None:
    """Streaming with look-ahead gives the crops that the pure functions give for the whole track at once."""
    count, eyes = 70, eyes_px
    images, faces = [], {}
    for i in range(count):
        image = picture(320, 240)
        points = paint_face(image, 150 + 12 * np.sin(i / 9), 115 + 8 * np.cos(i / 7), eyes, 15 * np.sin(i / 8))
        image[0, 0] = i
        images.append(image)
        faces[i] = [points]
    frames = [to_frame(image, i / 25) for i, image in enumerate(images)]
    finder = MouthFinder(FakeDetector(faces))
    crops = run(finder, frames)[0]
    landmarks = finder.tracks[0].landmarks
    poses, raw, factor = smooth_pose(landmarks), pose_of(landmarks), 0
    for i, frame in enumerate(frames):
        factor = shrink_factor(float(raw[i, 3]), factor)
        want = crop_at(frame.image, poses[i], factor)
        assert np.abs(crops.images[i].astype(int) - want).max() <= 1


def test_drawn_face_with_the_real_detector(mtcnn: Mtcnn) -> None:
    """The whole way on a moving face drawn in code: one track, no gaps, and the mouth in the middle of every crop."""
    frames, truth = [], []
    for i in range(40):
        image = picture(320, 240)
        truth.append(paint_face(image, 130 + 1.5 * i, 120, 40, 10 * np.sin(i / 6), mouth=0.1 + 0.1 * np.sin(i)))
        frames.append(to_frame(image, i / 25))
    finder = MouthFinder(mtcnn)
    crops = run(finder, frames)[0]
    (track,) = finder.tracks
    assert len(crops.time_s) == 40
    assert not track.interpolated.any()
    assert np.abs(track.landmarks[:, 3:].mean(axis=1) - np.array(truth)[:, 3:].mean(axis=1)).max() < 8
    dark = (crops.images < 90).sum(axis=0)
    down, across = np.mgrid[:64, :64] + 0.5
    assert (dark * across).sum() / dark.sum() == pytest.approx(32, abs=5)
    assert (dark * down).sum() / dark.sum() == pytest.approx(32, abs=5)


def test_any_detector_will_do() -> None:
    """The finder asks for nothing but the protocol."""
    detector: Detector = FakeDetector(still(30, (80, 60)))
    assert len(run(MouthFinder(detector), [numbered(i) for i in range(30)])) == 1
