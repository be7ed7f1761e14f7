"""The picture grid, for any times of frames."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapboard.media.grid import MAX_GAP_S, on_grid
from clapboard.values import Frame

IMAGE = np.zeros((2, 2), np.uint8)
THUMBNAIL = np.zeros((2, 2, 3), np.uint8)

NTSC = Fraction(30000, 1001)

gaps_ms = st.lists(st.integers(1, 400), min_size=0, max_size=60)
starts_s = st.floats(-100, 100_000, allow_nan=False)


def frames_at(times: list[float]) -> list[Frame]:
    return [Frame(time, IMAGE, THUMBNAIL) for time in times]


def times_from(start_s: float, gaps: list[int]) -> list[float]:
    return [start_s, *(start_s + np.cumsum(gaps) / 1000)]


@given(starts_s, gaps_ms, st.sampled_from([10, 25, 30, 50, NTSC]))
def test_every_point_once_in_order(start_s: float, gaps: list[int], rate_hz: Fraction | int) -> None:
    """Consecutive points, none left out, none twice."""
    times = times_from(start_s, gaps)
    points = [g for g, _ in on_grid(frames_at(times), rate_hz)]
    assert all(b == a + 1 for a, b in pairwise(points))
    assert abs(points[0] / rate_hz - times[0]) <= 0.5 / rate_hz + 1e-5
    assert abs(points[-1] / rate_hz - times[-1]) <= 0.5 / rate_hz + 1e-5


@given(starts_s, gaps_ms)
def test_each_point_gets_the_nearest_frame(start_s: float, gaps: list[int]) -> None:
    """Nearest by comparing with all of them; of two equally near the later."""
    times = np.array(times_from(start_s, gaps))
    for g, frame in on_grid(frames_at(list(times))):
        distance = np.abs(times - g / 25)
        assert abs(frame.time_s - g / 25) <= distance.min() + 3e-6
        assert frame.time_s >= times[distance <= distance.min() + 1e-9].max() - 1e-9


@given(st.integers(-1000, 1000), st.integers(1, 80))
def test_a_25_fps_file_fills_its_points_one_by_one(phase_ms: int, count: int) -> None:
    """Whatever the start, 25 frames a second are 25 points a second: none doubled, none dropped."""
    frames = frames_at([phase_ms / 1000 + index / 25 for index in range(count)])
    assert [frame for _, frame in on_grid(frames)] == frames


@given(st.integers(-1000, 1_000_000), st.integers(0, 33), st.integers(1, 80))
def test_a_29_97_fps_file_fills_a_grid_of_its_rate(first: int, late_ms: int, count: int) -> None:
    """Also after hours, where a rate that is rounded would slip a frame: none doubled, none dropped."""
    frames = frames_at([float(index / NTSC) + late_ms / 1000 for index in range(first, first + count)])
    assert [frame for _, frame in on_grid(frames, NTSC)] == frames


def test_ties_go_to_the_later() -> None:
    """A point in the middle between two frames shows the later one."""
    early, late = frames_at([0.0, 0.08])
    assert list(on_grid([early, late])) == [(0, early), (1, late), (2, late)]


def test_faster_files_are_thinned_and_slower_repeated() -> None:
    """50 fps: every second frame. 12.5 fps: each frame twice, the same object."""
    fast = frames_at([index / 50 for index in range(10)])
    assert [frame for _, frame in on_grid(fast)] == fast[::2]
    slow = frames_at([index / 12.5 for index in range(3)])
    handed = [frame for _, frame in on_grid(slow)]
    assert handed == [slow[0], slow[1], slow[1], slow[2], slow[2]]


def test_a_wrong_timestamp_does_not_make_a_day_of_stills() -> None:
    """A jump of 26 hours leaves a hole; both sides keep their points."""
    far_s = 95_000.0
    points = [g for g, _ in on_grid(frames_at([0.0, 0.04, far_s, far_s + 0.04]))]
    assert points == [0, 1, round(far_s * 25), round(far_s * 25) + 1]


def test_a_long_still_is_filled() -> None:
    """A screen recording that shows one slide for most of a minute has no hole."""
    still_s = MAX_GAP_S - 1
    assert len(list(on_grid(frames_at([0.0, still_s])))) == still_s * 25 + 1


def test_nothing_in_nothing_out() -> None:
    """No frames, no points; one frame, one point."""
    assert list(on_grid([])) == []
    (only,) = on_grid(frames_at([math.pi]))
    assert only[0] == round(math.pi * 25)


def test_holds_no_frames_back() -> None:
    """Streaming: a frame's points come as soon as the next frame is known."""
    taken = []

    def source() -> object:
        for frame in frames_at([0.0, 0.04, 0.08, 0.12]):
            taken.append(frame)
            yield frame

    assert next(iter(on_grid(source())))[0] == 0  # type: ignore[arg-type]
    assert len(taken) == 2


@pytest.mark.parametrize("rate_hz", [25, 100])
def test_the_frame_keeps_its_time(rate_hz: int) -> None:
    """The grid says where a frame is used, never when it was shown."""
    frame = frames_at([0.013])[0]
    assert all(kept is frame and kept.time_s == 0.013 for _, kept in on_grid([frame], rate_hz))
