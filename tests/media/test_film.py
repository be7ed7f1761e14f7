"""Films written picture by picture: exact times, sound kept, nothing half done."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import HEIGHT, RATES, WIDTH, beep, beep_after_flash_ms, beep_time_s, decode, flash_and_beep

from clapboard.errors import ClapboardError, MediaError, NoAudioError, UsageError
from clapboard.media.encode import write_clip
from clapboard.media.film import Film
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.values import Clip

FLAT = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def copied(source: Path, target: Path, **options: Any) -> Path:
    """The pictures of a file encoded anew, its sound as it is."""
    clip = probe(source)
    assert clip.video is not None
    size = {"width_px": clip.video.width_px, "height_px": clip.video.height_px}
    with Film(target, **size, rate=clip.rate, sound=clip, **options) as film:
        for frame in read_frames(clip, colour=True):
            assert frame.colour is not None
            film.picture(frame.colour, frame.time_s)
    return target


def sound_packets(path: Path) -> list[bytes]:
    """The packets of the sound as they lie in the file."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def white(path: Path) -> Clip:
    write_clip(path, [np.full((HEIGHT, WIDTH), 235, np.uint8)] * 3, 25)
    return probe(path)


@pytest.mark.parametrize("start_s", [-0.28, 0.0, 0.4])
@pytest.mark.parametrize("name", ["23.976", "29.97", "59.94", "vfr"])
@pytest.mark.parametrize(("source", "target"), [("mp4", "mp4"), ("mp4", "mkv"), ("mkv", "mp4"), ("mkv", "mkv")])
def test_sound_stays_with_the_picture(tmp_path: Path, source: str, target: str, name: str, start_s: float) -> None:
    """Any rate, whether sound starts early or late: the beep stays within 1 ms of its flash; every picture is there."""
    before = flash_and_beep(tmp_path / f"before.{source}", RATES[name], audio_start_s=start_s)
    after = copied(before, tmp_path / f"after.{target}")
    assert abs(beep_after_flash_ms(after) - beep_after_flash_ms(before)) < 1.0
    was, now = ([frame.time_s for frame in decode(path)[1]] for path in (before, after))
    assert np.diff(now) == pytest.approx(np.diff(was), abs=1.1e-3 if target == "mkv" else 2e-5)
    assert sound_packets(after) == sound_packets(before)


def test_sound_of_a_clip_in_memory(tmp_path: Path) -> None:
    """Its name is only a name: the packets come from the bytes."""
    before = flash_and_beep(tmp_path / "before.mp4")
    clip = probe("nowhere/else.mp4", data=before.read_bytes())
    with Film(tmp_path / "after.mp4", width_px=WIDTH, height_px=HEIGHT, rate=25, sound=clip) as film:
        film.picture(FLAT, 0.0)
    assert sound_packets(tmp_path / "after.mp4") == sound_packets(before)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_transport_stream_becomes_a_film(tmp_path: Path, ending: str) -> None:
    """A clock that starts at 1.4 s and codes that mp4 wraps in another way."""
    before = flash_and_beep(tmp_path / "before.ts", audio_start_s=0.4)
    assert abs(beep_after_flash_ms(copied(before, tmp_path / f"after.{ending}"))) < 1.0


def test_joined_transport_streams_stay_together(tmp_path: Path) -> None:
    """Behind the place where the clock starts again, the sound moves by as much as the picture."""
    for number, start_s in ((1, 0.0), (2, 0.4)):
        flash_and_beep(tmp_path / f"{number}.ts", audio_start_s=start_s)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())
    clip = probe(joined)
    with Film(tmp_path / "after.mp4", width_px=WIDTH, height_px=HEIGHT, rate=clip.rate, sound=clip) as film:
        _, frames, sound = decode(joined)
        for frame in frames:
            film.picture(np.repeat(frame.image[:, :, None], 3, axis=2), frame.time_s)

    def second_gap_ms(frames: Any, sound: Any) -> float:
        middle_s = (frames[0].time_s + frames[-1].time_s) / 2
        flash_s = max((f for f in frames if f.time_s > middle_s), key=lambda f: float(f.image.mean())).time_s
        return (beep_time_s([block for block in sound if block.start_s > middle_s]) - flash_s) * 1000

    after = decode(tmp_path / "after.mp4")
    assert second_gap_ms(after[1], after[2]) == pytest.approx(second_gap_ms(frames, sound), abs=1.0)


@pytest.mark.parametrize(("source", "codec"), [("mkv", "wavpack"), ("mov", "pcm_mulaw"), ("avi", "pcm_u8")])
def test_sound_that_the_container_does_not_take(tmp_path: Path, source: str, codec: str) -> None:
    """Sound that has no place in mp4 is encoded anew, at its place, with its rate and channels."""
    before = flash_and_beep(tmp_path / f"before.{source}", audio_codec=codec, channels=2)
    after = copied(before, tmp_path / "after.mp4")
    assert abs(beep_after_flash_ms(after) - beep_after_flash_ms(before)) < 1.0
    audio = probe(after).audio
    assert audio is not None
    assert (audio.codec, audio.rate_hz, audio.channels) == ("aac", 48_000, 2)


@pytest.mark.parametrize(
    ("ending", "codec", "sound"),
    [
        ("mp4", "h264", (16_000, 1, "aac")),
        ("mp4", "mpeg4", (48_000, 2, "aac")),
        ("mkv", "h264", (48_000, 2, "pcm_s16le")),
        ("mkv", "h264", (44_100, 1, "aac")),
        ("avi", "mpeg4", (16_000, 1, "pcm_s16le")),
        ("avi", "mpeg4", (48_000, 2, "pcm_s16le")),
    ],
)
def test_samples_are_placed_by_their_time(tmp_path: Path, ending: str, codec: Any, sound: Any) -> None:
    """Sound in pieces, with a hole and an overlap, first of it late: the beep is where the flash is."""
    path = tmp_path / f"made.{ending}"
    rate_hz, channels, _ = sound
    clock = np.arange(2 * rate_hz) / rate_hz
    tone = np.tile(0.5 * beep(clock - 1.0).astype(np.float32), (channels, 1))
    with Film(path, width_px=WIDTH, height_px=HEIGHT, rate=25, codec=codec, sound=sound) as film:
        for index in range(50):
            film.picture(FLAT if index != 25 else FLAT + 165, index / 25)
        for start_s, end_s in ((0.1, 0.3), (0.2, 0.4), (0.6, 1.05), (1.04, 2.0)):  # 0.4 to 0.6 s is a hole
            piece = tone[:, round(start_s * rate_hz) : round(end_s * rate_hz)]
            film.sound(piece[0] if channels == 1 else piece, start_s)
    assert abs(beep_after_flash_ms(path)) < 1.0
    _, frames, _ = decode(path)
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in range(50)], abs=1e-3)


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (63, 48), (1, 1)])
def test_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    """4:2:0 knows only even sizes: one more column or row, a copy of the last."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image[:, -1] = image[-1] = 200
    path = tmp_path / "odd.mp4"
    with Film(path, width_px=width, height_px=height, rate=25) as film:
        for index in range(3):
            film.picture(image, index / 25)
    frames = list(read_frames(probe(path)))
    assert frames[0].image.shape == (height + height % 2, width + width % 2)
    assert np.abs(frames[0].image[-1].astype(int) - frames[0].image[-1].mean()).max() < 12


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (128, 128, 0)])
@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_colours_come_back(tmp_path: Path, rgb: tuple[int, int, int], codec: Any) -> None:
    """The matrix that is written is the one that the file names, so that red stays red."""
    path = tmp_path / "colour.mp4"
    with Film(path, width_px=WIDTH, height_px=HEIGHT, rate=25, codec=codec) as film:
        film.picture(np.broadcast_to(np.array(rgb, np.uint8), (HEIGHT, WIDTH, 3)), 0.0)
    (frame,) = read_frames(probe(path), colour=True)
    assert frame.colour is not None
    assert np.abs(frame.colour.reshape(-1, 3).mean(axis=0) - rgb).max() < 6


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 120)])
def test_avi_is_as_its_readers_take_it(tmp_path: Path, rgb: tuple[int, int, int]) -> None:
    """It names no matrix: FFmpeg and OpenCV take that of BT.601. Its pictures are called XVID."""
    path = tmp_path / "colour.avi"
    with Film(path, width_px=WIDTH, height_px=HEIGHT, rate=25, codec="mpeg4") as film:
        film.picture(np.broadcast_to(np.array(rgb, np.uint8), (HEIGHT, WIDTH, 3)), 0.0)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "XVID"
        seen = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(seen.reshape(-1, 3).mean(axis=0) - rgb).max() < 6
    (frame,) = read_frames(probe(path), colour=True)
    assert frame.colour is not None
    assert np.abs(frame.colour.reshape(-1, 3).mean(axis=0) - rgb).max() < 6


def test_a_picture_of_another_size_is_scaled(tmp_path: Path) -> None:
    """A stream may change its size in the middle."""
    path = tmp_path / "film.mp4"
    with Film(path, width_px=WIDTH, height_px=HEIGHT, rate=25) as film:
        film.picture(FLAT, 0.0)
        film.picture(np.full((11, 33, 3), 90, np.uint8), 0.04)
    frames = list(read_frames(probe(path)))
    assert [frame.image.shape for frame in frames] == [(HEIGHT, WIDTH)] * 2
    assert frames[1].image.mean() == pytest.approx(frames[0].image.mean(), abs=2)


@pytest.mark.parametrize("broken", ["body", "time", "nothing", "channels", "unannounced", "shape"])
def test_nothing_is_left_of_a_film_that_fails(tmp_path: Path, broken: str) -> None:
    """Neither under its name nor under another, and what was there before stays."""
    sound: Any = None if broken == "unannounced" else (16_000, 1, "aac")
    (tmp_path / "film.mp4").write_text("precious")
    expected = KeyboardInterrupt if broken == "body" else UsageError

    def write() -> None:
        size: dict[str, Any] = {"width_px": WIDTH, "height_px": HEIGHT}
        with Film(tmp_path / "film.mp4", **size, rate=25, sound=sound, overwrite=True) as film:
            if broken != "nothing":
                film.picture(FLAT, 1.0)
            if broken == "body":
                raise KeyboardInterrupt
            if broken == "time":
                film.picture(FLAT, 0.5)
            if broken in ("channels", "unannounced"):
                film.sound(np.zeros((2, 100), np.float32), 0.0)
            if broken == "shape":
                film.picture(FLAT[:, :, 0], 2.0)

    with pytest.raises(expected):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert (tmp_path / "film.mp4").read_text() == "precious"


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    """Nor by another name, nor with leave to overwrite; other files only with leave."""
    before = flash_and_beep(tmp_path / "before.mp4")
    content = before.read_bytes()
    os.link(before, tmp_path / "hard.mp4")
    (tmp_path / "other.mp4").write_text("precious")
    for name in ("before.mp4", "hard.mp4"):
        with pytest.raises(UsageError, match="being read"):
            copied(before, tmp_path / name, overwrite=True)
    with pytest.raises(UsageError, match="exists"):
        copied(before, tmp_path / "other.mp4")
    assert before.read_bytes() == content
    assert (tmp_path / "other.mp4").read_text() == "precious"
    assert copied(before, tmp_path / "other.mp4", overwrite=True).stat().st_size > 1000


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    """One line, before anything is written."""
    clip = probe(flash_and_beep(tmp_path / "in.mp4"))
    size: dict[str, Any] = {"width_px": WIDTH, "height_px": HEIGHT}
    wrong: list[tuple[str, dict[str, Any], type[ClapboardError]]] = [
        ("a.avi", {"rate": 25, "codec": "h264", **size}, UsageError),
        ("a.avi", {"rate": 25, "codec": "mpeg4", "sound": clip, **size}, UsageError),
        ("a.mp4", {"rate": 25, "codec": "vp8", **size}, UsageError),
        ("a.txt", {"rate": 25, **size}, UsageError),
        ("a.mp4", {"rate": -1, **size}, UsageError),
        ("a.mp4", {"rate": 25, "width_px": 0, "height_px": 3}, UsageError),
        ("a.mp4", {"rate": 25, "sound": (16_000, 3, "aac"), **size}, UsageError),
        ("a.mp4", {"rate": 25, "sound": (12_345, 1, "aac"), **size}, UsageError),
        ("a.mp4", {"rate": 25, "sound": white(tmp_path / "silent.mp4"), **size}, NoAudioError),
        ("a.webm", {"rate": 25, **size}, MediaError),
        ("none/a.mp4", {"rate": 25, **size}, MediaError),
    ]
    for name, options, error in wrong:
        with pytest.raises(error) as caught, Film(tmp_path / name, **options) as film:
            film.picture(FLAT, 0.0)
        assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "silent.mp4"]


def test_a_rate_that_nobody_knows(tmp_path: Path) -> None:
    """0 from a container that does not say: the times of the pictures are exact all the same."""
    times = [0.0, 0.0371, 0.2, 0.2001, 1.0]
    with Film(tmp_path / "film.mp4", width_px=WIDTH, height_px=HEIGHT, rate=Fraction(0)) as film:
        for time_s in times:
            film.picture(FLAT, time_s)
    assert [frame.time_s for frame in read_frames(probe(tmp_path / "film.mp4"))] == pytest.approx(times, abs=2e-5)
