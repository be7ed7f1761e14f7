"""The promise of the reader: a beep is within 1 ms of its true place relative to the frame it belongs to."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import (
    BEEP_S,
    PROMISE_MS,
    RATES,
    beep,
    beep_after_flash_ms,
    beep_time_s,
    contiguous,
    decode,
    flash_and_beep,
)

from clapboard.errors import UsageError
from clapboard.media.read import read
from clapboard.values import Audio

STARTS_S = (-0.28, 0.0, 0.4)


@pytest.mark.parametrize("start_s", STARTS_S)
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("name", RATES)
def test_beep_is_where_it_belongs(tmp_path: Path, name: str, ending: str, start_s: float) -> None:
    """Any frame rate, any container, sound that starts early, with the picture or late; from disk and from memory."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", RATES[name], audio_start_s=start_s)
    assert abs(beep_after_flash_ms(path)) < PROMISE_MS
    assert beep_after_flash_ms(path, data=path.read_bytes()) == beep_after_flash_ms(path)


@pytest.mark.parametrize("ending", ["mov", "webm", "mpg", "avi"])
def test_beep_in_the_other_containers(tmp_path: Path, ending: str) -> None:
    """QuickTime, WebM with Opus, MPEG programme stream, AVI; from disk and from memory."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", audio_start_s=0.0 if ending == "avi" else 0.4)
    assert abs(beep_after_flash_ms(path)) < PROMISE_MS
    assert beep_after_flash_ms(path, data=path.read_bytes()) == beep_after_flash_ms(path)


def test_picture_that_starts_late(tmp_path: Path) -> None:
    """The start of the video stream counts like that of the sound (an empty edit in mp4)."""
    path = flash_and_beep(tmp_path / "clip.mp4", video_start_s=0.5)
    clip, frames, _ = decode(path)
    assert abs(beep_after_flash_ms(path)) < PROMISE_MS
    assert frames[0].time_s == pytest.approx(0.5, abs=1e-4)
    assert clip.video is not None
    assert clip.video.start_s == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000])
def test_resampling_does_not_move_the_sound(tmp_path: Path, rate_hz: int) -> None:
    """The filter's delay must not reach the result, whatever the ratio."""
    path = flash_and_beep(tmp_path / "clip.mov", sample_rate_hz=rate_hz, audio_codec="pcm_s16le")
    assert abs(beep_after_flash_ms(path)) < 0.1


@pytest.mark.parametrize(
    ("codec", "ending", "rate_hz"),
    [
        ("aac", "mp4", 44_100),
        ("aac", "mp4", 96_000),
        ("aac", "mkv", 8_000),
        ("libmp3lame", "mkv", 44_100),
        ("libmp3lame", "mp4", 48_000),
        ("libmp3lame", "ts", 48_000),
        ("ac3", "mkv", 48_000),
        ("ac3", "ts", 44_100),
        ("libopus", "mkv", 48_000),
        ("libopus", "mp4", 48_000),
        ("flac", "mkv", 96_000),
        ("flac", "mp4", 44_100),
        ("pcm_s24le", "mov", 48_000),
        ("pcm_u8", "mov", 8_000),
        ("alac", "mov", 44_100),
        ("mp2", "ts", 48_000),
    ],
)
def test_priming_of_codecs(tmp_path: Path, codec: str, ending: str, rate_hz: int) -> None:
    """What an encoder puts in front of the sound is not heard as a delay."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", sample_rate_hz=rate_hz, audio_codec=codec)
    assert abs(beep_after_flash_ms(path)) < PROMISE_MS


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_every_layout_is_heard(tmp_path: Path, channels: int, codec: str) -> None:
    """Mono to 7.1; dialogue in the centre comes through at no less than a fifth, and nothing clips."""
    path = flash_and_beep(tmp_path / "clip.mkv", channels=channels, audio_codec=codec)
    _, _, sound = decode(path)
    peak = max(float(np.abs(block.samples).max()) for block in sound)
    assert abs(beep_after_flash_ms(path)) < PROMISE_MS
    assert 0.5 / 5 < peak < 0.6


@pytest.mark.parametrize(("channels", "ending"), [(1, "mp4"), (2, "mkv"), (6, "mkv")])
def test_two_channels_at_another_rate(tmp_path: Path, channels: int, ending: str) -> None:
    """Left and right at 21 kHz, to 1 ms: what lies in one channel is heard on both sides, what is stereo stays so."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", channels=channels, audio_start_s=0.4)
    clip, frames, mono = decode(path)
    sound = [value for value in read(clip, video=False, sound_hz=21_000, channels=2) if isinstance(value, Audio)]
    assert {(block.rate_hz, block.samples.shape[1]) for block in sound} == {(21_000, 2)}
    assert contiguous(sound)
    assert sound[0].start_s == pytest.approx(mono[0].start_s, abs=1e-4)
    both = np.concatenate([block.samples for block in sound])
    assert len(both) / 21_000 == pytest.approx(sum(len(block.samples) for block in mono) / 16_000, abs=0.002)
    flash_s = max(frames, key=lambda frame: float(frame.image.mean())).time_s
    for side in both.T:
        pattern = beep(np.arange(int(BEEP_S * 21_000)) / 21_000)
        place = int(np.argmax(np.correlate(side, pattern, "valid")))
        assert abs(sound[0].start_s + place / 21_000 - flash_s) < PROMISE_MS / 1000
    np.testing.assert_allclose(both[:, 0], both[:, 1], atol=0.02)


def test_channels_that_nobody_has(tmp_path: Path) -> None:
    """One line for what cannot be given."""
    clip, _, _ = decode(flash_and_beep(tmp_path / "clip.mp4"))
    with pytest.raises(UsageError, match="sound comes in 1 or 2 channels at 1 Hz or more, not 3 at 16000 Hz"):
        list(read(clip, channels=3))


def test_agrees_with_raw_timestamps(tmp_path: Path) -> None:
    """Against a reader that is too simple to be wrong: timestamp of the PCM packet plus the place in it."""
    path = flash_and_beep(tmp_path / "clip.mov", audio_start_s=0.4, audio_codec="pcm_s16le", sample_rate_hz=16_000)
    with av.open(str(path)) as container:
        loud = next(
            float(frame.pts * frame.time_base) + int(np.argmax(frame.to_ndarray()[0] != 0)) / 16_000
            for frame in container.decode(audio=0)
            if frame.to_ndarray().any()
        )
    _, _, sound = decode(path)
    assert beep_time_s(sound) == pytest.approx(loud, abs=2 / 16_000)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_is_one_run(tmp_path: Path, ending: str) -> None:
    """Rounded timestamps do not cut the sound into pieces: 44.1 kHz packets fall on no millisecond."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", sample_rate_hz=44_100)
    _, _, sound = decode(path)
    assert contiguous(sound)
    assert sum(len(block.samples) for block in sound) == pytest.approx(2.0 * 16_000, abs=2_000)


def test_times_of_frames_are_those_written(tmp_path: Path) -> None:
    """A variable rate comes back frame by frame, and is called variable where the container can tell."""
    times = RATES["vfr"]
    assert isinstance(times, list)
    clip, frames, _ = decode(flash_and_beep(tmp_path / "clip.mp4", times))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=1e-4)
    assert clip.variable_rate


@pytest.mark.parametrize("name", [name for name in RATES if name != "vfr"])
def test_rate_is_exact(tmp_path: Path, name: str) -> None:
    """The frame rate is a fraction: 29.97 is 30000/1001."""
    clip, _, _ = decode(flash_and_beep(tmp_path / "clip.mp4", RATES[name]))
    assert clip.rate == RATES[name]
    assert isinstance(clip.rate, Fraction)
    assert not clip.variable_rate
