"""Which face belongs to which track, and what a track remembers."""

import numpy as np
import pytest
from vision_pictures import face_points

from clapboard.values import F32
from clapboard.vision.crop import LOOK_AHEAD_FRAMES, smooth_pose
from clapboard.vision.detect import keep_best, overlap
from clapboard.vision.mtcnn import box_of
from clapboard.vision.track import HIT_OVERLAP, MAX_MISSES, MIN_FRAMES, FaceTrack, judge, match

IMAGE = np.full((240, 320), 100, np.uint8)


def boxes(*corners: tuple[float, float, float, float]) -> F32:
    return np.array(corners, np.float32)


def followed(sights: str, score: float = 0.99, speed: float = 2.0) -> FaceTrack:
    """A track of a face that moves to the right: "x" where it was seen, "." where not."""
    track = FaceTrack(0, 0)
    for i, sight in enumerate(sights):
        points = face_points(100 + speed * i, 100, 30)
        if sight == "x":
            track.hit(i / 25, IMAGE, box_of(points[None])[0].astype(np.float32), points, score)
        else:
            track.miss(i / 25, IMAGE)
    return track


def test_overlap_of_known_boxes() -> None:
    """Half of one box in another, once over the union and once over the smaller one."""
    a, b = boxes((0, 0, 10, 10)), boxes((5, 0, 15, 10), (20, 20, 30, 30), (0, 0, 5, 5))
    np.testing.assert_allclose(overlap(a, b), [[50 / 150, 0, 0.25]])
    np.testing.assert_allclose(overlap(a, b, of_smaller=True), [[0.5, 0, 1]])


def test_keep_best_hides_only_what_overlaps() -> None:
    """The better of two boxes on one face stays, a third elsewhere too, best first."""
    found = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    assert keep_best(found, np.array([0.7, 0.9, 0.8]), 0.5).tolist() == [1, 2]


def test_match_is_one_to_one_and_takes_the_best_first() -> None:
    """Two faces are never given to one track, nor one face to two."""
    tracks = boxes((0, 0, 10, 10), (4, 0, 14, 10)).astype(float)
    faces = boxes((3, 0, 13, 10), (0, 0, 10, 10), (80, 80, 90, 90))
    assert sorted(match(tracks, faces)) == [(0, 1), (1, 0)]
    assert match(tracks[:0], faces) == []
    assert match(tracks, faces[2:]) == []


def test_judge_gives_a_shared_face_to_the_closer_track() -> None:
    """Where two tracks see the same face, the one that expected it there keeps it."""
    expected = boxes((0, 0, 10, 10), (4, 0, 14, 10)).astype(float)
    seen = boxes((4, 0, 14, 10), (4, 0, 14, 10))
    assert judge(expected, seen, np.float32([0.99, 0.98])).tolist() == [False, True]


def test_judge_asks_for_score_and_place() -> None:
    """Neither a face far from where it was expected nor a poor one counts."""
    expected = boxes((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)).astype(float)
    seen = boxes((0, 0, 10, 10), (29, 0, 39, 10), (40, 0, 50, 10))
    assert HIT_OVERLAP > 0.06
    assert judge(expected, seen, np.float32([0.99, 0.99, 0.5])).tolist() == [True, False, False]


def test_short_gaps_are_interpolated() -> None:
    """Landmarks run on a straight line through the frames without sight, and these are marked."""
    _, box, landmarks, interpolated = followed("xxxx...xxxx").arrays()
    np.testing.assert_allclose(landmarks[:, 0, 0], landmarks[0, 0, 0] + 2 * np.arange(11), atol=1e-3)
    np.testing.assert_allclose(np.diff(box[:, 0]), 2, atol=1e-3)
    assert interpolated.tolist() == [False] * 4 + [True] * 3 + [False] * 4


def test_scores_are_those_of_the_detector() -> None:
    """How sure it was, frame by frame, and nothing where it saw nothing."""
    found = followed("xxxx...xxxx", 0.97).scores()
    assert found[[0, 3, 7, 10]] == pytest.approx([0.97] * 4)
    assert np.flatnonzero(np.isnan(found)).tolist() == [4, 5, 6]


def test_track_ends_with_its_last_sight() -> None:
    """Frames after the last sight are a guess: they never leave the track."""
    track = followed("xxxxx....")
    assert len(track.arrays()[0]) == 5
    assert track.ready(final=True) == 5


def test_lost_after_too_many_misses() -> None:
    """A face may be away for `MAX_MISSES` frames, not for one more."""
    assert not followed("x" * 5 + "." * MAX_MISSES).lost
    assert followed("x" * 5 + "." * (MAX_MISSES + 1)).lost


def test_expected_box_moves_on_during_a_miss() -> None:
    """A moving face is looked for where it should be by now, not where it was."""
    before, after = followed("x" * 20), followed("x" * 20 + "." * 4)
    moved = after.expected()[0] - before.expected()[0]
    assert 1.5 < moved < 8


@pytest.mark.parametrize(
    ("sights", "score", "good"),
    [
        ("x" * MIN_FRAMES, 0.99, True),
        ("x" * (MIN_FRAMES - 1), 0.99, False),
        ("x" * 30, 0.85, False),
        ("x...." * 8, 0.99, False),
    ],
)
def test_flicker_is_no_face(sights: str, score: float, good: bool) -> None:
    """Too short, too poor or too seldom seen: such a track is not believed."""
    assert followed(sights, score).credible is good


def test_pixels_are_let_go() -> None:
    """What was taken is freed, and frames are handed out in order, each once, smoothed as the whole track would be."""
    track = followed("x" * 60)
    count = track.ready(final=False)
    assert count == 60 - LOOK_AHEAD_FRAMES
    poses, patches, time_s = track.take(10)
    assert (len(patches), poses.shape) == (10, (10, 4))
    later, patches, later_s = track.take(track.ready(final=True))
    assert (len(patches), later.shape) == (50, (50, 4))
    np.testing.assert_allclose(np.concatenate([poses, later]), smooth_pose(track.arrays()[2]), atol=1e-6)
    np.testing.assert_allclose(np.concatenate([time_s, later_s]), np.arange(60) / 25)
    assert track.ready(final=True) == 0


def test_repeat_is_the_same_sight_again() -> None:
    """A slow file shows a picture twice: the second time nothing new is seen and nothing is lost."""
    track = followed("xxxxx")
    track.repeat(0.2)
    _, _, landmarks, interpolated = track.arrays()
    np.testing.assert_array_equal(landmarks[5], landmarks[4])
    assert not interpolated.any()
    assert track.ready(final=True) == 6
