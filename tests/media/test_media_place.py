"""Placing sound: rounding and jitter must not cut it, gaps and drift must be followed."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import beep, contiguous, decode, laid_out, write_pcm

from clapboard.media.place import Placed, Placer

MS = Fraction(1, 1000)


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class SoundFrame:
    """What the placer looks at."""

    samples: int
    pts: int | None
    time_base: Fraction | None = MS
    sample_rate: int = 48_000
    layout: Name = Name("stereo")
    format: Name = Name("fltp")


def place(frames: list[SoundFrame], fallback_s: float = 0.0) -> list[Placed]:
    placer = Placer(fallback_s)
    return [placed for frame in frames for placed in placer.push(frame)] + list(placer.flush())


def true_times(count: int, samples: int, start_s: float, gaps: dict[int, float]) -> list[float]:
    times, now = [], start_s
    for index in range(count):
        now += gaps.get(index, 0.0)
        times.append(now)
        now += samples / 48_000
    return times


@given(
    st.integers(1, 120),
    st.sampled_from([120, 960, 1024, 1152, 2048]),
    st.floats(-10, 10_000),
    st.dictionaries(st.integers(20, 100), st.floats(0.05, 3.0), max_size=3),
)
def test_rounded_timestamps_and_gaps(count: int, samples: int, start_s: float, gaps: dict[int, float]) -> None:
    """Stamps in whole milliseconds: every frame is placed within 1 ms of the truth, across gaps too."""
    gaps = {at: gap for at, gap in gaps.items() if all(abs(at - other) >= 4 or at == other for other in gaps)}
    times = true_times(count, samples, start_s, gaps)
    placed = place([SoundFrame(samples, round(time * 1000)) for time in times])
    assert [p.start_s for p in placed] == pytest.approx(times, abs=1e-3)


@given(st.integers(20, 120), st.sampled_from([960, 1024, 1152]), st.floats(0, 100))
def test_rounding_starts_no_new_run(count: int, samples: int, start_s: float) -> None:
    """Steady sound is one run, contiguous to the sample, however its stamps are rounded."""
    times = true_times(count, samples, start_s, {})
    placed = place([SoundFrame(samples, round(time * 1000)) for time in times])
    assert [p.fresh for p in placed] == [True] + [False] * (count - 1)
    assert all(b.start_s - a.start_s == pytest.approx(samples / 48_000, abs=1e-9) for a, b in pairwise(placed))


@given(st.integers(10, 80), st.floats(-2, 2))
def test_one_odd_timestamp_moves_nothing(at: int, wrong_s: float) -> None:
    """A single stamp that is off by up to 2 s is not believed."""
    times = true_times(100, 1024, 5.0, {})
    stamps = [round((time + (wrong_s if index == at else 0.0)) * 1000) for index, time in enumerate(times)]
    placed = place([SoundFrame(1024, stamp) for stamp in stamps])
    assert [p.start_s for p in placed] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("ppm", [-500, -100, 100, 500])
def test_drift_is_followed(ppm: int) -> None:
    """A recorder's two clocks: after a minute the sound is still within 2 ms of its stamps."""
    times = [index * 1024 / 48_000 * (1 + ppm / 1e6) for index in range(3000)]
    placed = place([SoundFrame(1024, round(time * 1000)) for time in times])
    assert max(abs(p.start_s - time) for p, time in zip(placed, times, strict=True)) < 2e-3


def test_many_gaps_in_a_row() -> None:
    """Lost packets every few frames: each piece is placed on its own."""
    gaps = dict.fromkeys(range(3, 100, 3), 0.06)
    times = true_times(100, 960, 0.0, gaps)
    placed = place([SoundFrame(960, round(time * 1000)) for time in times])
    assert [p.start_s for p in placed] == pytest.approx(times, abs=1e-3)


def test_missing_timestamps_follow_the_count() -> None:
    """Frames without stamps run on; with none at all the stream's own start counts."""
    times = true_times(40, 1024, 2.0, {})
    stamps = [round(time * 1000) if index % 5 == 0 else None for index, time in enumerate(times)]
    assert [p.start_s for p in place([SoundFrame(1024, s) for s in stamps])] == pytest.approx(times, abs=1e-3)
    bare = place([SoundFrame(1024, None) for _ in times], fallback_s=2.0)
    assert [p.start_s for p in bare] == pytest.approx(times, abs=1e-9)


def test_gap_in_a_file(tmp_path: Path) -> None:
    """Two beeps with half a second of nothing between them in the file: both are where the stamps say."""
    piece = (0.5 * beep(np.arange(4800) / 48_000)).astype(np.float32)
    path = write_pcm(tmp_path / "gap.mkv", [(0.2 + i * 0.1, piece) for i in range(4)] + [(1.1, piece)])
    _, _, sound = decode(path)
    samples, start_s = laid_out(sound)
    assert not contiguous(sound)
    assert start_s == pytest.approx(0.2, abs=1e-3)
    quiet = samples[round((0.61 - start_s) * 16_000) : round((1.09 - start_s) * 16_000)]
    assert np.abs(quiet).max() < 1e-3
    assert np.abs(samples[round((1.1 - start_s) * 16_000) :][:800]).max() > 0.3


def test_no_sound_is_invented_at_the_ends(tmp_path: Path) -> None:
    """The sound that comes out is as long as the sound that went in."""
    ones = np.full(24_000, 0.25, np.float32)
    _, _, sound = decode(write_pcm(tmp_path / "ones.mkv", [(0.3, ones)]))
    assert sum(len(block.samples) for block in sound) == pytest.approx(8_000, abs=2)
    assert sound[0].start_s == pytest.approx(0.3, abs=1e-3)
