"""Clips with a known offset: exact in the samples, and still exact after a file was written and read."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapboard.errors import UsageError
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.testing import make_clip, talking_arrays

SMALL: dict[str, Any] = {"width_px": 160, "height_px": 120, "face_px": 60, "duration_s": 2.0}
RATE_HZ = 16_000


def _samples(offset_ms: float, **options: Any) -> np.ndarray:
    samples = talking_arrays(3, 2.0, offset_ms=offset_ms, sample_rate_hz=RATE_HZ, **options).samples
    assert samples is not None
    return samples


REFERENCE = _samples(0.0)


@settings(max_examples=12, deadline=None)
@given(st.integers(-1500, 1500))
def test_the_shift_is_exact_to_the_sample(offset_ms: int) -> None:
    """Positive is early: what is heard at n / rate is what is seen ``offset_ms`` later."""
    moved = _samples(float(offset_ms))
    shift = offset_ms * RATE_HZ // 1000
    early, late = (moved, REFERENCE) if shift >= 0 else (REFERENCE, moved)
    size = len(moved) - abs(shift)
    assert np.array_equal(early[:size], late[abs(shift) :])


def test_an_offset_between_two_samples_is_told_as_made() -> None:
    """The truth is what is in the clip, not what was asked for."""
    truth = talking_arrays(3, 1.0, offset_ms=10.02, sample_rate_hz=RATE_HZ).truth
    assert truth.offset_ms == pytest.approx(10.0)
    assert truth.speaking == 0


def _lag_ms(path: Path, offset_free: np.ndarray, first_picture_s: float) -> float:
    """Measure how early the sound of a file is against the in-sync samples, from its content and timestamps."""
    (run,) = read_audio(probe(path))
    heard = np.zeros(len(offset_free), np.float32)
    first = round((run.start_s - first_picture_s) * RATE_HZ)
    cut = run.samples[max(0, -first) :][: len(heard) - max(0, first)]
    heard[max(0, first) : max(0, first) + len(cut)] = cut
    size = 2 * len(heard)
    product = np.fft.irfft(np.conj(np.fft.rfft(heard, size)) * np.fft.rfft(offset_free, size), size)
    peak = int(np.argmax(product))
    return (peak if peak < size // 2 else peak - size) / RATE_HZ * 1000


@pytest.mark.parametrize(
    ("name", "by", "offset_ms", "starts"),
    [
        ("a.mp4", "samples", 300.0, (0.0, 0.0)),
        ("b.mkv", "samples", -240.0, (0.4, 0.0)),
        ("c.mp4", "timestamps", 120.0, (0.0, 0.0)),
        ("d.mkv", "timestamps", -200.0, (0.0, 0.3)),
        ("e.ts", "samples", 80.0, (0.0, 0.28)),
    ],
)
def test_the_offset_survives_the_file(
    tmp_path: Path, name: str, by: Literal["samples", "timestamps"], offset_ms: float, starts: tuple[float, float]
) -> None:
    """Samples or timestamps, streams that start together or apart: the file is off by what its truth says, to 1 ms."""
    video_start_s, audio_start_s = starts
    path = tmp_path / name
    truth = make_clip(
        path, by=by, offset_ms=offset_ms, video_start_s=video_start_s, audio_start_s=audio_start_s, seed=3, **SMALL
    )
    assert truth.offset_ms == pytest.approx(offset_ms, abs=0.02)
    times = [frame.time_s for frame in read_frames(probe(path))]
    np.testing.assert_allclose(np.array(times) - times[0], truth.times_s, atol=2e-3)
    assert _lag_ms(path, REFERENCE, times[0]) == pytest.approx(offset_ms, abs=1.0)


def test_silence_other_voices_and_no_sound() -> None:
    """The bad cases: each is what it says, and its truth names no speaker."""
    options: dict[str, Any] = {**SMALL, "sample_rate_hz": RATE_HZ}
    silent = talking_arrays(3, silent=True, **options)
    assert silent.samples is not None
    assert not silent.samples.any()
    none = talking_arrays(3, audio=False, **options)
    assert none.samples is None
    foreign = talking_arrays(3, voice_of=99, **options)
    assert foreign.samples is not None
    assert abs(np.corrcoef(foreign.samples, REFERENCE)[0, 1]) < 0.2
    assert {talk.truth.speaking for talk in (silent, none, foreign)} == {None}


def test_a_static_picture_stays_and_a_talking_one_does_not() -> None:
    """A photo with a voice is never in sync."""
    still = list(talking_arrays(3, static=True, **SMALL).frames)
    assert len(still) == 50
    assert all(np.array_equal(still[0], picture) for picture in still)
    moving = list(talking_arrays(3, **SMALL).frames)
    assert not np.array_equal(moving[0], moving[1])


def test_only_the_named_face_of_several_speaks() -> None:
    """Listeners move but say nothing; the voice stays the same whoever else is there."""
    talk = talking_arrays(3, faces=3, speaking=1, **SMALL)
    (shot,) = talk.truth.shots
    assert [bool(actor.articulation.sounds) for actor in shot[2]] == [False, True, False]
    middles = [talk.truth.landmarks(face)[:, :, 0].mean() for face in range(3)]
    assert middles == sorted(middles)
    with pytest.raises(UsageError, match="speaking must name one of the faces"):
        talking_arrays(3, faces=2, speaking=2)


def test_a_cut_changes_the_picture_at_its_time_and_the_truth_with_it() -> None:
    """Two shots of the same speech: the jump is between the right two frames."""
    talk = talking_arrays(4, cuts_s=[1.0], **SMALL)
    pictures = [picture.astype(float) for picture in talk.frames]
    jumps = [np.abs(b - a).mean() for a, b in pairwise(pictures)]
    assert int(np.argmax(jumps)) == 24
    points = talk.truth.landmarks()
    steps = np.abs(np.diff(points, axis=0)).mean(axis=(1, 2))
    assert int(np.argmax(steps)) == 24


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 50, [0.0, 0.03, 0.1, 0.11, 0.3]])
def test_any_rate_and_variable_rates(rate: Any) -> None:
    """Times of pictures are those asked for; the sound does not depend on them."""
    talk = talking_arrays(3, 2.0, rate=rate, width_px=64, height_px=64, face_px=30, sample_rate_hz=RATE_HZ)
    assert len(list(talk.frames)) == len(talk.times_s)
    assert talk.samples is not None
    assert np.array_equal(talk.samples, REFERENCE)
    expected = rate if isinstance(rate, list) else [float(i / Fraction(rate)) for i in range(int(2 * rate))]
    np.testing.assert_allclose(talk.times_s, expected)


def test_senseless_rates_and_ways_are_refused(tmp_path: Path) -> None:
    """One clear line, and no file."""
    with pytest.raises(UsageError, match="must ascend from 0"):
        talking_arrays(rate=[0.1, 0.2])
    with pytest.raises(UsageError, match="rate must be positive"):
        talking_arrays(rate=Fraction(0))
    with pytest.raises(UsageError, match="by must be"):
        make_clip(tmp_path / "x.mp4", by="magic")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_public_names_load_lazily_and_all_exist() -> None:
    """Every name in ``__all__`` can be had, and an unknown one says so."""
    import clapboard.testing as made

    assert all(getattr(made, name) is not None for name in made.__all__)
    assert callable(made.voice)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = made.nonsense
