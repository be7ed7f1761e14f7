"""Moving the sound: by timestamps and in the samples, in any container, with all else left as it was."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import HEIGHT, WIDTH, beep_after_flash_ms, decode, flash_and_beep, tone_frame, write_pcm

from clapboard.errors import ClapboardError, MediaError, NoAudioError, UsageError
from clapboard.media.encode import write_clip
from clapboard.media.write import bake, shift

Writer = Callable[..., tuple[str, ...]]
WRITERS = pytest.mark.parametrize("write", [shift, bake], ids=["shift", "bake"])
DELAYS = pytest.mark.parametrize("delay_s", [-0.8, -0.0123, 0.3])


@WRITERS
@DELAYS
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("mp4", "mp4"),
        ("mov", "mov"),
        ("mkv", "mkv"),
        ("webm", "webm"),
        ("ts", "ts"),
        ("mpg", "mpg"),
        ("mp4", "mkv"),
        ("mkv", "mp4"),
        ("ts", "mp4"),
        ("mp4", "ts"),
        ("webm", "mkv"),
        ("avi", "mkv"),
        ("avi", "mp4"),
    ],
)
def test_content_moves_by_the_delay(tmp_path: Path, source: str, target: str, delay_s: float, write: Writer) -> None:
    """Measured on decoded output: the beep moves by the delay, within 1 ms, and no frame is lost."""
    start_s = 0.0 if source == "avi" else 0.1
    # the beep is at 1 s, so that 0.8 s can be cut
    before = flash_and_beep(tmp_path / f"before.{source}", audio_start_s=start_s)
    after = tmp_path / f"after.{target}"
    write(before, after, delay_s)
    moved_ms = beep_after_flash_ms(after) - beep_after_flash_ms(before)
    assert moved_ms == pytest.approx(delay_s * 1000, abs=1.0)
    assert len(decode(after)[1]) == len(decode(before)[1])


@WRITERS
@pytest.mark.parametrize(
    ("codec", "ending"),
    [("libopus", "mp4"), ("libmp3lame", "mp4"), ("ac3", "mkv"), ("flac", "mkv"), ("pcm_s24le", "mov"), ("mp2", "ts")],
)
@pytest.mark.parametrize("delay_s", [-0.25, 0.25])
def test_any_codec_moves(tmp_path: Path, codec: str, ending: str, delay_s: float, write: Writer) -> None:
    """Priming of the codec stays out of it."""
    before = flash_and_beep(tmp_path / f"before.{ending}", audio_codec=codec, channels=2)
    after = tmp_path / f"after.{ending}"
    write(before, after, delay_s)
    assert beep_after_flash_ms(after) - beep_after_flash_ms(before) == pytest.approx(delay_s * 1000, abs=1.0)


@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2), (48_000, 8), (96_000, 6)])
@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_bake_keeps_rate_and_layout(tmp_path: Path, codec: str, rate_hz: int, channels: int) -> None:
    """The same codec, sample rate and channels; eight channels too."""
    before = flash_and_beep(
        tmp_path / "before.mkv", audio_codec=codec, sample_rate_hz=rate_hz, channels=channels, seconds=1.5
    )
    after = tmp_path / "after.mkv"
    bake(before, after, -0.1)
    was, now = decode(before)[0].audio, decode(after)[0].audio
    assert was is not None
    assert now is not None
    assert (now.codec, now.rate_hz, now.channels) == (was.codec, was.rate_hz, was.channels)
    assert beep_after_flash_ms(after) - beep_after_flash_ms(before) == pytest.approx(-100, abs=1.0)


def test_bake_is_exact_to_the_sample(tmp_path: Path) -> None:
    """Lossless sound: the very samples, later by so many zeros, or without the first so many."""
    tone = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)
    before = write_pcm(tmp_path / "before.mov", [(0.0, tone)])

    def samples(path: Path) -> Any:
        with av.open(str(path)) as container:
            return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])

    bake(before, tmp_path / "late.mov", 480.4 / 48_000)
    bake(before, tmp_path / "early.mov", -480.4 / 48_000)
    was, late, early = (samples(tmp_path / name) for name in ("before.mov", "late.mov", "early.mov"))
    assert np.array_equal(late, np.concatenate([np.zeros(480, was.dtype), was]))
    assert np.array_equal(early, was[480:])


def test_bake_leaves_the_starts(tmp_path: Path) -> None:
    """The streams of the new file start where they did; shift moves the start instead."""
    before = flash_and_beep(tmp_path / "before.mp4", audio_start_s=0.2)
    bake(before, tmp_path / "baked.mp4", 0.3)
    shift(before, tmp_path / "shifted.mp4", 0.3)
    starts = [decode(tmp_path / name)[2][0].start_s for name in ("before.mp4", "baked.mp4", "shifted.mp4")]
    assert starts[1] == pytest.approx(starts[0], abs=0.025)
    assert starts[2] == pytest.approx(starts[0] + 0.3, abs=1e-3)


def test_bake_fills_holes_with_silence(tmp_path: Path) -> None:
    """Sound with a gap in its timestamps keeps its later part in place."""
    ones = np.full(4_800, 0.5, np.float32)
    before = write_pcm(tmp_path / "before.mkv", [(0.0, ones), (0.1, ones), (1.0, ones), (1.1, ones)])
    bake(before, tmp_path / "after.mkv", 0.1)
    _, _, sound = decode(tmp_path / "after.mkv")
    joined = np.concatenate([block.samples for block in sound])
    assert np.abs(joined[200:1500]).max() < 0.01
    assert np.abs(joined[5_000:17_000]).max() < 0.01
    assert joined[18_000:20_500].min() > 0.4


def rich(path: Path) -> Path:
    """A film with two languages, subtitles, chapters, an attachment, a title, and a display matrix."""
    with av.open(str(path), "w") as out:
        out.metadata.update({"title": "The Film", "comment": "kept"})
        video = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "bf": "2"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.set_display_rotation(-90)
        tracks = [out.add_stream("aac", rate=48_000, layout="mono") for _ in range(2)]
        for track, language, mark in zip(tracks, ("eng", "deu"), (0, 1), strict=True):
            track.metadata.update({"language": language, "title": language.upper()})
            track.disposition = mark
        text = out.add_mux_stream("subrip" if path.suffix == ".mkv" else "mov_text")
        text.metadata["language"] = "eng"
        text.time_base = Fraction(1, 1000)
        if path.suffix == ".mkv":
            out.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font")
        out.set_chapters(
            [
                {"id": 1, "start": 0, "end": 900, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}},
                {"id": 2, "start": 900, "end": 2000, "time_base": Fraction(1, 1000), "metadata": {"title": "Two"}},
            ]
        )
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH), 4 * index, np.uint8), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for track, hz in zip(tracks, (300, 900), strict=True):
            tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(96_000) / 48_000)
            out.mux(track.encode(tone_frame(tone, 48_000, 0, Fraction(1, 48_000))))
            out.mux(track.encode(None))
        words = b"Hello" if path.suffix == ".mkv" else b"\x00\x05Hello"
        packet = av.Packet(words)
        packet.stream, packet.time_base = text, Fraction(1, 1000)
        packet.pts = packet.dts = 500
        packet.duration = 800
        out.mux(packet)
    return path


def described(path: Path) -> dict[str, Any]:
    """What must survive."""
    with av.open(str(path)) as container:
        return {
            "kinds": [stream.type for stream in container.streams if stream.type != "data"],
            "languages": [stream.metadata.get("language") for stream in container.streams if stream.type != "data"],
            "marks": [int(stream.disposition) for stream in container.streams if stream.type == "audio"],
            "title": container.metadata.get("title"),
            "comment": container.metadata.get("comment"),
            "chapters": [chapter["metadata"].get("title") for chapter in container.chapters()],
            "attached": [stream.data for stream in container.streams if stream.type == "attachment"],
        }


def first_words_s(path: Path) -> float:
    """When the first subtitle is shown."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.subtitles[0])
        return next(float(p.pts * p.time_base) for p in packets if p.pts is not None and b"Hello" in bytes(p))


def second_chapter_s(path: Path) -> float:
    with av.open(str(path)) as container:
        chapter = container.chapters()[1]
        return float(chapter["start"] * chapter["time_base"])


@WRITERS
@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize("delay_s", [-0.3, 0.3])
def test_everything_else_survives(tmp_path: Path, ending: str, delay_s: float, write: Writer) -> None:
    """Streams, languages, default marks, title, chapters, attachments, rotation; words stay with the picture."""
    before, after = rich(tmp_path / f"before.{ending}"), tmp_path / f"after.{ending}"
    content = before.read_bytes()
    assert write(before, after, delay_s) == ()
    assert described(after) == described(before)
    clip, frames, _ = decode(after)
    assert clip.rotation_deg == decode(before)[0].rotation_deg == 90
    assert len(frames) == 50
    start_s = frames[0].time_s - decode(before)[1][0].time_s
    assert first_words_s(after) - first_words_s(before) == pytest.approx(start_s, abs=2e-3)
    assert second_chapter_s(after) - second_chapter_s(before) == pytest.approx(start_s, abs=2e-3)
    assert before.read_bytes() == content


def test_one_track_moves_alone(tmp_path: Path) -> None:
    """With a track named, the other languages stay with the picture."""
    before, after = rich(tmp_path / "before.mkv"), tmp_path / "after.mkv"
    shift(before, after, 0.3, audio_track=1)
    starts = [decode(after, audio_track=track)[2][0].start_s for track in (0, 1)]
    assert starts[1] - starts[0] == pytest.approx(0.3, abs=2e-3)


def test_what_the_container_cannot_hold_is_named(tmp_path: Path) -> None:
    """SubRip and an attached font do not fit mp4: the film is written, and the answer says what is missing."""
    left_out = shift(rich(tmp_path / "before.mkv"), tmp_path / "after.mp4", 0.1)
    assert len(left_out) == 2
    assert "subtitle" in left_out[0]
    assert "attachment" in left_out[1]


def test_chapters_that_get_lost_are_named(tmp_path: Path) -> None:
    """A transport stream has no place for chapters: the answer says so, since FFmpeg does not."""
    left_out = shift(rich(tmp_path / "before.mkv"), tmp_path / "after.ts", 0.1)
    assert [what for what in left_out if "chapter" in what]


def test_b_frames_from_matroska(tmp_path: Path) -> None:
    """Matroska gives the first packets no decoding time; dropping them would drop the key frame."""
    before = tmp_path / "before.mkv"
    ramp = [np.full((HEIGHT, WIDTH), 4 * index, np.uint8) for index in range(50)]
    options = {"preset": "medium", "bf": "3", "b-pyramid": "normal"}
    write_clip(before, ramp, 25, np.zeros(96_000, np.float32), video_options=options)
    shift(before, tmp_path / "after.mp4", 0.2)
    was, now = decode(before)[1], decode(tmp_path / "after.mp4")[1]
    assert [float(frame.image.mean()) for frame in now] == [float(frame.image.mean()) for frame in was]
    assert [frame.time_s for frame in now] == pytest.approx([frame.time_s for frame in was], abs=1e-3)


def test_avi_cannot_hold_a_shift(tmp_path: Path) -> None:
    """It would be lost without a word."""
    before = flash_and_beep(tmp_path / "before.mp4")
    with pytest.raises(UsageError, match=r"\.mp4 or \.mkv"):
        shift(before, tmp_path / "after.avi", 0.1)


@pytest.mark.parametrize("delay_s", [-0.3, 0.3])
def test_bake_into_avi(tmp_path: Path, delay_s: float) -> None:
    """In the samples it can."""
    before, after = flash_and_beep(tmp_path / "before.avi"), tmp_path / "after.avi"
    bake(before, after, delay_s)
    assert beep_after_flash_ms(after) - beep_after_flash_ms(before) == pytest.approx(delay_s * 1000, abs=1.0)
    assert len(decode(after)[1]) == len(decode(before)[1])


@WRITERS
@pytest.mark.parametrize("target", ["after.webm", "after.mpg", "after.txt", "after"])
def test_containers_that_do_not_fit(tmp_path: Path, target: str, write: Writer) -> None:
    """H.264 into WebM, an ending that means nothing: one line, and nothing is left behind."""
    before = flash_and_beep(tmp_path / "before.mp4")
    with pytest.raises(ClapboardError) as caught:
        write(before, tmp_path / target, 0.1)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.mp4"]


@WRITERS
def test_target_is_never_the_source(tmp_path: Path, write: Writer) -> None:
    """Nor by another name, nor with leave to overwrite."""
    before = flash_and_beep(tmp_path / "before.mp4")
    content = before.read_bytes()
    (tmp_path / "soft.mp4").symlink_to(before)
    os.link(before, tmp_path / "hard.mp4")
    for name in ("before.mp4", "soft.mp4", "hard.mp4"):
        with pytest.raises(UsageError, match="being read"):
            write(before, tmp_path / name, 0.1, overwrite=True)
    assert before.read_bytes() == content


@WRITERS
def test_nothing_is_overwritten_without_leave(tmp_path: Path, write: Writer) -> None:
    """An existing file stays; with leave it is replaced."""
    before, after = flash_and_beep(tmp_path / "before.mp4"), tmp_path / "after.mp4"
    after.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        write(before, after, 0.1)
    assert after.read_text() == "precious"
    write(before, after, 0.1, overwrite=True)
    assert len(decode(after)[1]) == 50


@WRITERS
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_interrupted_writing_leaves_nothing(tmp_path: Path, write: Writer, interruption: type[BaseException]) -> None:
    """No half file under the target's name, no temporary one beside it."""
    before = flash_and_beep(tmp_path / "before.mp4")

    def stop(step: str, done_s: float, total_s: float | None) -> None:
        if done_s > 0.5:
            raise interruption

    with pytest.raises(interruption):
        write(before, tmp_path / "after.mp4", 0.1, hook=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.mp4"]


@WRITERS
def test_no_folder_no_sound_no_sense(tmp_path: Path, write: Writer) -> None:
    """Each refused with its own kind of error."""
    before = flash_and_beep(tmp_path / "before.mp4")
    with pytest.raises(MediaError, match="cannot be written"):
        write(before, tmp_path / "nowhere" / "after.mp4", 0.1)
    for delay_s in (float("nan"), float("inf"), 1e9):
        with pytest.raises(UsageError, match="cannot move"):
            write(before, tmp_path / "after.mp4", delay_s)
    silent = tmp_path / "silent.mp4"
    write_clip(silent, [np.zeros((HEIGHT, WIDTH), np.uint8)] * 3, 25)
    with pytest.raises(NoAudioError):
        write(silent, tmp_path / "after.mp4", 0.1)
    with pytest.raises(MediaError, match="no such file"):
        write(tmp_path / "missing.mp4", tmp_path / "after.mp4", 0.1)


def test_bake_that_would_cut_everything(tmp_path: Path) -> None:
    """An advance longer than the sound."""
    before = flash_and_beep(tmp_path / "before.mp4")
    with pytest.raises(UsageError, match="none of its sound is left"):
        bake(before, tmp_path / "after.mp4", -5.0)
    assert not (tmp_path / "after.mp4").exists()


def test_written_file_has_common_permissions(tmp_path: Path) -> None:
    """Temporary files are private by custom; the film is not."""
    before = flash_and_beep(tmp_path / "before.mp4")
    after = tmp_path / "after.mp4"
    shift(before, after, 0.1)
    plain = tmp_path / "plain"
    plain.touch()
    assert after.stat().st_mode == plain.stat().st_mode


def test_write_clip_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    """And leaves nothing."""
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    wrong: list[tuple[Any, ...]] = [
        ("clip.avi", [image] * 3, [0.0, 0.05, 0.2]),
        ("clip.mp4", [], 25),
        ("clip.mp4", [image] * 3, [0.0, 0.1, 0.1]),
        ("clip.mp4", [image] * 3, [0.0, 0.1]),
        ("clip.mp4", [image], 0),
        ("clip.mp4", [image], 25, np.zeros((100, 9), np.float32)),
    ]
    for name, *arguments in wrong:
        with pytest.raises(UsageError):
            write_clip(tmp_path / name, *arguments)
    with pytest.raises(MediaError, match="cannot be"):
        write_clip(tmp_path / "clip.mp4", [image[:, :3]], 25)
    assert list(tmp_path.iterdir()) == []


def test_write_clip_stops_clean(tmp_path: Path) -> None:
    """A source of pictures that fails half way leaves no file."""

    def frames() -> Any:
        yield np.zeros((HEIGHT, WIDTH), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_clip(tmp_path / "clip.mp4", frames(), 25, np.zeros(4800, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_damaged_clock_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose tick does not fit the container's numbers: one line, nothing left."""
    before = flash_and_beep(tmp_path / "before.mkv")
    monkeypatch.setattr("clapboard.media.remux.finer", lambda tick: 1 << 40)
    with pytest.raises(MediaError, match="timestamps"):
        shift(before, tmp_path / "after.mkv", 0.1)
    assert not (tmp_path / "after.mkv").exists()


@WRITERS
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, ending: str, write: Writer) -> None:
    """The advice is about room, not about containers; the half-written file is removed."""
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")
    source = flash_and_beep(tmp_path / "a.mp4")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(MediaError, match=r"cannot be written \(.*\); make room"):
            write(source, tmp_path / f"b.{ending}", 0.1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [source]
