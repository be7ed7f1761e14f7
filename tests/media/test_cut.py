"""Pieces cut out of files: exact times of pictures and samples, measured on what is decoded again."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import PROMISE_MS, RATES, beep, beep_time_s, decode, flash_and_beep, write_pcm

from clapboard.errors import NoAudioError, UsageError
from clapboard.media.cut import cut, cut_sound
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.values import Audio, Frame


def flash_s(path: Path) -> float:
    """When the white picture is shown, s."""
    return max(decode(path)[1], key=lambda frame: float(frame.image.mean())).time_s


@pytest.mark.parametrize("start_s", [0.0, 0.7135])
@pytest.mark.parametrize("rate", ["25", "29.97", "vfr"])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi"])
def test_times_are_kept(tmp_path: Path, ending: str, rate: str, start_s: float) -> None:
    """Every picture and sample of the piece is as much earlier as the cut says: sync is kept within 1 ms."""
    if ending == "avi" and rate == "vfr":
        pytest.skip("avi has no variable rate")
    source = flash_and_beep(tmp_path / f"whole.{ending}", RATES[rate])
    begin_s = decode(source)[1][0].time_s  # the clock of a transport stream starts anywhere
    out = tmp_path / "piece.mp4"
    cut(probe(source), out, begin_s + start_s, begin_s + 1.5)
    _, frames, sound = decode(out)
    assert frames[0].time_s == pytest.approx(0, abs=1e-4)
    assert sound[0].start_s == pytest.approx(0, abs=1e-3)
    assert flash_s(out) == pytest.approx(flash_s(source) - begin_s - start_s, abs=PROMISE_MS / 1000)
    assert beep_time_s(sound) == pytest.approx(beep_time_s(decode(source)[2]) - begin_s - start_s, abs=0.0005)


def test_the_first_picture_is_the_one_that_is_shown(tmp_path: Path) -> None:
    """A cut between two pictures begins with the earlier one, which is what a viewer sees then."""
    images = [np.full((48, 64), 16 + 4 * number, np.uint8) for number in range(50)]
    write_clip(tmp_path / "steps.mp4", images, 25, np.zeros(32_000, np.float32), 16_000)
    cut(probe(tmp_path / "steps.mp4"), tmp_path / "piece.mp4", 0.5, 1.0)  # 0.48 is shown until 0.52
    frames = decode(tmp_path / "piece.mp4")[1]
    assert [frame.time_s for frame in frames] == pytest.approx([0, *np.arange(0.02, 0.5, 0.04)], abs=1e-4)
    levels = [float(frame.image.mean()) for frame in decode(tmp_path / "steps.mp4")[1]]
    shown = [int(np.argmin(np.abs(np.array(levels) - float(frame.image.mean())))) for frame in frames]
    assert shown == list(range(12, 25))


def test_far_inside_a_long_file_nothing_is_decoded_from_the_start(tmp_path: Path) -> None:
    """Protects curation of films: the index is used, and times stay exact behind it."""
    rng = np.random.default_rng(5)
    images = [rng.integers(16, 200, (48, 64), np.uint8) for _ in range(600)]
    images[500] = np.full((48, 64), 235, np.uint8)
    clock = np.arange(24 * 16_000) / 16_000
    write_clip(
        tmp_path / "long.mkv",
        images,
        25,
        (0.5 * beep(clock - 20.0)).astype(np.float32),
        16_000,
        video_options={"g": "50"},
    )
    clip = probe(tmp_path / "long.mkv")
    firsts = [next(value for value in read(clip, from_s=19.0) if isinstance(value, kind)) for kind in (Frame, Audio)]
    assert isinstance(firsts[0], Frame)
    assert isinstance(firsts[1], Audio)
    assert 10 < firsts[0].time_s < 19
    assert 10 < firsts[1].start_s < 19
    cut(clip, tmp_path / "piece.mp4", 19.5, 21.5)
    assert flash_s(tmp_path / "piece.mp4") == pytest.approx(0.5, abs=1e-3)
    assert beep_time_s(decode(tmp_path / "piece.mp4")[2]) == pytest.approx(0.5, abs=0.0005)


def test_picture_alone_and_sound_alone(tmp_path: Path) -> None:
    """What voters are shown holds nothing of the other: no stream of sound, and as sound just so many samples."""
    source = flash_and_beep(tmp_path / "whole.mp4", channels=2, sample_rate_hz=44_100)
    done = cut(probe(source), tmp_path / "seen.mp4", 0.5, 1.5, sound=False, long_side_px=32)
    clip = probe(tmp_path / "seen.mp4")
    assert clip.audio is None
    assert clip.video is not None
    assert (clip.video.width_px, clip.video.height_px) == (done.width_px, done.height_px) == (32, 24)
    assert done.samples == 0

    heard = io.BytesIO()
    assert cut_sound(probe(source), heard, 0.5, 1.5) == 44_100
    heard.seek(0)
    with wave.open(heard) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (44_100, 2, 44_100)
        samples = np.frombuffer(file.readframes(44_100), "<i2").reshape(-1, 2)[:, 0] / 32_767
    pattern = beep(np.arange(int(0.08 * 44_100)) / 44_100)
    assert np.argmax(np.correlate(samples, pattern, "valid")) / 44_100 == pytest.approx(0.5, abs=0.0005)


def test_a_hole_in_the_sound_stays_a_hole(tmp_path: Path) -> None:
    """Sound that is missing is silence in the piece, and what follows keeps its place."""
    tone = (0.5 * beep(np.arange(9600) / 48_000)).astype(np.float32)
    source = write_pcm(tmp_path / "holes.mkv", [(0.0, np.zeros(4800, np.float32)), (1.0, tone)])
    heard = io.BytesIO()
    assert cut_sound(probe(source), heard, 0.5, 1.5) == 48_000
    heard.seek(0)
    with wave.open(heard) as file:
        samples = np.frombuffer(file.readframes(48_000), "<i2")
    assert not samples[:23_900].any()
    assert samples[24_000:24_500].any()
    cut(probe(source), tmp_path / "piece.mp4", 0.5, 1.5)
    assert beep_time_s(decode(tmp_path / "piece.mp4")[2]) == pytest.approx(0.5, abs=0.0005)


def test_what_cannot_be_cut(tmp_path: Path) -> None:
    """Nothing is left behind, nothing is written over, and the input least of all."""
    source = flash_and_beep(tmp_path / "whole.mp4")
    clip = probe(source)
    with pytest.raises(NoAudioError, match="has no sound from 5 to 6 s"):
        cut(clip, tmp_path / "late.mp4", 5.0, 6.0)
    silent = tmp_path / "silent.mp4"
    write_clip(silent, [np.zeros((48, 64), np.uint8)] * 25, Fraction(25))
    with pytest.raises(NoAudioError, match="has no sound"):
        cut(probe(silent), tmp_path / "late.mp4", 0.0, 1.0)
    with pytest.raises(UsageError, match="exists already"):
        cut(clip, silent, 0.0, 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["silent.mp4", "whole.mp4"]
