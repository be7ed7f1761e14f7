"""A made sound under a picture: each sample sounds where it was laid, and the picture stays as it was."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import HEIGHT, RATES, WIDTH, decode, flash_and_beep, laid_out, times_of
from test_media_write import described, first_words_s, rich, second_chapter_s

from clapboard.errors import MediaError, NoVideoError, UsageError
from clapboard.media.dub import SOUND_HZ, Span, dub, placed, span_of
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.timebase import SAMPLE_RATE_HZ

LIMIT_MS = {"webm": 1.0, "mkv": 1.0}
"""Matroska's tick is 1 ms; Opus's pre-skip of 6.5 ms is rounded to it."""
ELSEWHERE_MS = 0.1
CODEC_FRAME_S = 1152 / 48_000
"""The longest frame of the codecs that are written, MP2's: a decoder may give that much more than there is."""
KNOCKS_S = (0.12, 0.5, 0.9375, 1.3, 1.77)
PIECE = np.arange(320) / SAMPLE_RATE_HZ
KNOCK = (0.7 * np.exp(-PIECE / 0.004) * np.sin(2 * np.pi * 1500 * PIECE)).astype(np.float32)


def silent(path: Path, rate: Fraction | list[float] = Fraction(25), seconds: float = 2.0, **options: Any) -> Path:
    """A picture that grows lighter, without sound."""
    count = len(times_of(rate, seconds))
    frames = [np.full((HEIGHT, WIDTH), 20 + index, np.uint8) for index in range(count)]
    write_clip(path, frames, rate, **options)
    return path


def knocks(start_s: float, rate_hz: int = SAMPLE_RATE_HZ, seconds: float = 2.1) -> np.ndarray:
    """A sound whose sample 0 is at a time, with a knock at each of `KNOCKS_S`."""
    clock = np.arange(round(seconds * rate_hz)) / rate_hz + start_s
    out = np.zeros(len(clock), np.float32)
    for at in KNOCKS_S:
        since = np.clip(clock - at, 0, None)
        out += np.where(clock >= at, 0.7 * np.exp(-since / 0.004) * np.sin(2 * np.pi * 1500 * since), 0)
    return out.astype(np.float32)


def heard_s(path: Path, near_s: float) -> float:
    """When the knock about a time sounds, finer than a sample; times from the first picture on, s."""
    _, frames, sound = decode(path)
    samples, start_s = laid_out(sound)
    start_s -= frames[0].time_s
    low = max(0, round((near_s - 0.08 - start_s) * SAMPLE_RATE_HZ))
    match = np.correlate(samples[low : low + 2900], KNOCK, "valid")
    peak = int(np.argmax(match))
    assert 0 < peak < len(match) - 1, "no knock there"
    before, at, after = match[peak - 1 : peak + 2]
    return start_s + (low + peak + (before - after) / (before - 2 * at + after) / 2) / SAMPLE_RATE_HZ


def require_in_place(path: Path, late_s: float = 0.0) -> None:
    """Every knock is where it was laid, by the clock of the picture."""
    limit_ms = LIMIT_MS.get(path.suffix[1:], ELSEWHERE_MS)
    for at in KNOCKS_S:
        assert 1000 * (heard_s(path, at + late_s) - at - late_s) == pytest.approx(0, abs=limit_ms)


def decode_pictures(path: Path) -> list[float]:
    """When the pictures of a file without sound are shown, s."""
    return [frame.time_s for frame in read_frames(probe(path))]


def packets(path: Path) -> list[tuple[bytes, float | None, bool]]:
    """What the picture's packets hold, when they are shown, and whether they are key pictures."""
    with av.open(str(path)) as container:
        return [
            (bytes(packet), None if packet.pts is None else float(packet.pts * packet.time_base), packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.size
        ]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("name", RATES)
def test_knocks_are_where_they_were_laid(tmp_path: Path, name: str, ending: str) -> None:
    """The promise: at any frame rate, on decoded output, within 1 ms, and within 0.1 ms where the tick is fine."""
    source, out = silent(tmp_path / f"silent.{ending}", RATES[name]), tmp_path / f"out.{ending}"
    begin_s = probe(source).video.start_s
    assert dub(source, out, knocks(-0.02), SAMPLE_RATE_HZ, start_s=begin_s - 0.02) == ()
    require_in_place(out)
    _, frames, sound = decode(out)
    assert len(frames) == len(times_of(RATES[name]))
    assert sound[0].start_s == pytest.approx(frames[0].time_s, abs=CODEC_FRAME_S)
    assert sound[-1].end_s == pytest.approx(span_of(probe(out)).end_s, abs=CODEC_FRAME_S)


@pytest.mark.parametrize(
    ("source", "target", "video_start_s"),
    [
        ("mov", "mov", 0.0),
        ("mov", "mov", 0.4),
        ("webm", "webm", 0.0),
        ("webm", "webm", 0.4),
        ("mpg", "mpg", 0.4),
        ("avi", "avi", 0.0),
        ("mp4", "mp4", 0.4),
        ("mp4", "mkv", 0.4),
        ("mkv", "mp4", 0.4),
        ("mp4", "ts", 0.4),
        ("ts", "mp4", 0.4),
        ("webm", "mkv", 0.0),
        ("avi", "mp4", 0.0),
    ],
)
def test_any_container_and_any_start(tmp_path: Path, source: str, target: str, video_start_s: float) -> None:
    """The clock is the source's: a picture that starts late takes its sound with it; priming of no codec is heard."""
    # the picture of a transport stream starts by itself at no round time
    before = silent(tmp_path / f"before.{source}", video_start_s=video_start_s)
    after, begin_s = tmp_path / f"after.{target}", span_of(probe(before)).start_s
    dub(before, after, knocks(0.05), SAMPLE_RATE_HZ, start_s=begin_s + 0.05)
    require_in_place(after)
    assert len(decode(after)[1]) == 50


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_of_the_samples(tmp_path: Path, rate_hz: int) -> None:
    """Resampling to 48 kHz neither moves nor stretches the sound."""
    source, out = silent(tmp_path / "silent.mp4"), tmp_path / "out.mp4"
    dub(source, out, knocks(-0.01, rate_hz), rate_hz, start_s=-0.01)
    require_in_place(out)
    assert decode(out)[0].audio.rate_hz == SOUND_HZ


def test_pcm_is_exact_to_the_sample(tmp_path: Path) -> None:
    """Against a reader too simple to be wrong: a click of PCM is at its sample, silence lies before and after."""
    source, out = silent(tmp_path / "silent.avi"), tmp_path / "out.avi"
    click = np.full(480, 0.5, np.float32)
    dub(source, out, click, SOUND_HZ, start_s=0.75)
    with av.open(str(out)) as container:
        found = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]) / 32768
    assert len(found) == 2 * SOUND_HZ
    assert np.flatnonzero(found).tolist() == list(range(36_000, 36_480))


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("begin_s", "seconds"), [(0.5, 0.8), (-1.0, 9.0)])
def test_the_sound_lasts_as_long_as_the_picture(tmp_path: Path, ending: str, begin_s: float, seconds: float) -> None:
    """Shorter sound is padded with silence, longer sound cut; what is left lies where it was."""
    source, out = silent(tmp_path / "silent.mp4"), tmp_path / f"out.{ending}"
    dub(source, out, knocks(begin_s, seconds=seconds), SAMPLE_RATE_HZ, start_s=begin_s)
    for at in (time for time in KNOCKS_S if begin_s <= time < begin_s + seconds - 0.1):
        assert heard_s(out, at) == pytest.approx(at, abs=LIMIT_MS.get(ending, ELSEWHERE_MS) / 1000)
    clip, frames, sound = decode(out)
    assert sound[0].start_s == pytest.approx(frames[0].time_s, abs=CODEC_FRAME_S)
    assert sound[-1].end_s - frames[0].time_s == pytest.approx(2.0, abs=CODEC_FRAME_S)
    if ending == "mp4":
        assert clip.audio.duration_s == pytest.approx(2.0, abs=1e-3)


def test_hidden_pictures_stay_hidden(tmp_path: Path) -> None:
    """An edit list of mp4 that begins inside a group of pictures: sound counts from the first that is shown."""
    source = tmp_path / "edited.mp4"
    with av.open(str(source), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "medium", "bf": "2", "g": "30"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"

        def write(made: list[Any]) -> None:
            for packet in made:
                early = round(Fraction(10, 25) / packet.time_base)
                packet.pts, packet.dts = packet.pts - early, packet.dts - early
                out.mux(packet)

        for index in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH), 16 + 3 * index, np.uint8), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            write(video.encode(frame))
        write(video.encode(None))
    assert any(packet_s is not None and packet_s < 0 for _, packet_s, _ in packets(source))
    assert span_of(probe(source)) == Span(0.0, 2.0)
    shown = [frame.image.mean() for frame in read_frames(probe(source))]
    for target in ("after.mp4", "after.mov"):
        dub(source, tmp_path / target, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
        require_in_place(tmp_path / target)
        clip, frames, _ = decode(tmp_path / target)
        assert len(frames) == 50
        assert [frame.image.mean() for frame in frames] == shown
        assert clip.duration_s == pytest.approx(2.0, abs=0.03)
    dub(source, tmp_path / "after.mkv", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    require_in_place(tmp_path / "after.mkv", late_s=0.4)  # Matroska hides nothing: there are ten pictures before


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
def test_the_picture_is_copied_bit_by_bit(tmp_path: Path, ending: str) -> None:
    """Nothing of it is encoded again; B-frames and their times too."""
    options = {} if ending == "webm" else {"preset": "medium", "bf": "3"}
    source, out = silent(tmp_path / f"silent.{ending}", RATES["vfr"], video_options=options), tmp_path / f"o.{ending}"
    content = source.read_bytes()
    dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    was, now = packets(source), packets(out)
    assert [(data, key) for data, _, key in now] == [(data, key) for data, _, key in was]
    base_s = (now[0][1] or 0) - (was[0][1] or 0)
    assert [time_s - base_s for _, time_s, _ in now] == pytest.approx([time_s for _, time_s, _ in was], abs=1e-4)
    assert source.read_bytes() == content


def test_a_sound_is_replaced_only_when_asked(tmp_path: Path) -> None:
    """Protects people's sound: refused without leave; with it all old tracks go, and those beside the one are told."""
    source, out = rich(tmp_path / "rich.mkv"), tmp_path / "out.mkv"
    with pytest.raises(UsageError, match=r"has 2 sounds already \(aac\)"):
        dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rich.mkv"]
    assert dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, replace=True) == ("audio stream 2 (aac)",)
    clip, _, _ = decode(out)
    assert sum(stream.kind == "audio" for stream in clip.streams) == 1
    require_in_place(out)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_all_else_survives(tmp_path: Path, ending: str) -> None:
    """Title, comment, chapters, subtitles, attachments and rotation are those of the source, at the same times."""
    source, out = rich(tmp_path / f"rich.{ending}"), tmp_path / f"out.{ending}"
    begin_s = span_of(probe(source)).start_s
    dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=begin_s, replace=True)
    was, now = described(source), described(out)
    for name in ("title", "comment", "chapters", "attached"):
        assert now[name] == was[name]
    assert sorted(now["kinds"]) == sorted(set(was["kinds"]))
    assert decode(out)[0].rotation_deg == 90
    start_s = span_of(probe(out)).start_s - begin_s
    assert first_words_s(out) - first_words_s(source) == pytest.approx(start_s, abs=2e-3)
    assert second_chapter_s(out) - second_chapter_s(source) == pytest.approx(start_s, abs=2e-3)


def test_what_cannot_be_held_is_told(tmp_path: Path) -> None:
    """SubRip and an attached font have no place in mp4; H.264 none in webm, and then nothing is written."""
    source = rich(tmp_path / "rich.mkv")
    left_out = dub(source, tmp_path / "out.mp4", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, replace=True)
    assert [what.split()[0] for what in left_out] == ["audio", "subtitle", "attachment"]
    for target in ("out.webm", "out.avi", "out.txt"):
        with pytest.raises(UsageError, match=target):
            dub(source, tmp_path / target, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "rich.mkv"]


def test_sound_and_picture_lie_side_by_side(tmp_path: Path) -> None:
    """Protects players that read from a slow disk: no second of picture is without its sound nearby."""
    source, out = silent(tmp_path / "silent.mp4", seconds=8.0), tmp_path / "out.mp4"
    dub(source, out, knocks(0.0, seconds=8.0), SAMPLE_RATE_HZ, start_s=0.0)
    far_s = 0.0
    with av.open(str(out)) as container:
        times = {"video": 0.0, "audio": 0.0}
        for packet in container.demux():
            if packet.dts is not None:
                times[packet.stream.type] = float(packet.dts * packet.time_base)
                far_s = max(far_s, abs(times["video"] - times["audio"]))
    assert far_s < 1.5


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Never the source, by whatever name; another file only with leave."""
    source, out = silent(tmp_path / "silent.mp4"), tmp_path / "out.mp4"
    content = source.read_bytes()
    os.link(source, tmp_path / "hard.mp4")
    for name in ("silent.mp4", "hard.mp4"):
        with pytest.raises(UsageError, match="being read"):
            dub(source, tmp_path / name, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, overwrite=True)
    assert source.read_bytes() == content
    out.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    assert out.read_text() == "precious"
    dub(source, out, knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, overwrite=True)
    require_in_place(out)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, ending: str) -> None:
    """One line about room; the half-written file is removed."""
    resource = pytest.importorskip("resource", reason="needs limits on the size of files")
    source = silent(tmp_path / "a.mp4")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(MediaError, match=r"cannot be written \(.*\); make room"):
            dub(source, tmp_path / f"b.{ending}", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [source]


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    """No half file, no temporary one; and the hook is told how far the work is."""
    source, told = silent(tmp_path / "silent.mp4"), []

    def stop(step: str, done_s: float, total_s: float | None) -> None:
        told.append((step, total_s))
        if done_s > 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dub(source, tmp_path / "out.mp4", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, hook=stop)
    assert told[0] == ("dub", pytest.approx(2.0))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("samples", "rate_hz", "start_s", "what"),
    [
        (np.zeros((100, 2), np.float32), 16_000, 0.0, r"\(N,\) float32"),
        (np.zeros(0, np.float32), 16_000, 0.0, r"\(N,\) float32"),
        (np.zeros(100), 16_000, 0.0, "float64"),
        (np.full(100, np.nan, np.float32), 16_000, 0.0, "finite"),
        (np.zeros(100, np.float32), 0, 0.0, "0 samples per second"),
        (np.zeros(100, np.float32), 16_000, float("nan"), "from nan s"),
        (np.zeros(100, np.float32), 16_000, 2.0, "would not be heard"),
        (np.zeros(100, np.float32), 16_000, -1.0, "would not be heard"),
    ],
)
def test_what_is_no_sound_of_this_picture(
    tmp_path: Path, samples: np.ndarray, rate_hz: int, start_s: float, what: str
) -> None:
    """One line each, and nothing is left."""
    source = silent(tmp_path / "silent.mp4")
    with pytest.raises(UsageError, match=what):
        dub(source, tmp_path / "out.mp4", samples, rate_hz, start_s=start_s)
    assert list(tmp_path.iterdir()) == [source]


def test_sources_without_a_picture(tmp_path: Path) -> None:
    """Sound alone, a file that is cut off, one that is missing: refused, nothing written."""
    song = tmp_path / "song.mkv"
    with av.open(str(song), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
    with pytest.raises(NoVideoError, match="has no picture"):
        dub(song, tmp_path / "out.mp4", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0, replace=True)
    whole = flash_and_beep(tmp_path / "whole.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    for path in (cut, tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(MediaError):
            dub(path, tmp_path / "out.mp4", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    assert not (tmp_path / "out.mp4").exists()


def test_a_picture_without_end_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged timestamp must not fill the disk with silence."""
    source = silent(tmp_path / "silent.mkv")
    monkeypatch.setattr("clapboard.media.dub.span_of", lambda clip: Span(0.0, 1e7))
    with pytest.raises(MediaError, match="claim 2778 hours of picture; they are damaged"):
        dub(source, tmp_path / "out.mkv", knocks(0.0), SAMPLE_RATE_HZ, start_s=0.0)
    assert list(tmp_path.iterdir()) == [source]


def test_samples_beyond_one_are_clipped() -> None:
    """Protects PCM from wrapping round: too loud is flat, not inverted."""
    loud = np.array([0.0, 1.5, -3.0, 0.5] * 400, np.float32)
    found = np.concatenate(list(placed(loud, SOUND_HZ, 2, 1700)))
    assert len(found) == 1700
    np.testing.assert_allclose(found[:6], [0, 0, 0, 1, -1, 0.5], atol=1e-6)
    assert not found[1602:].any()


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_span_of_a_picture(tmp_path: Path, ending: str) -> None:
    """From the first picture to the end of the last, whatever order the packets lie in; alone it is shown for a bit."""
    path = silent(tmp_path / f"b.{ending}", Fraction(30000, 1001), video_options={"preset": "medium", "bf": "3"})
    found = span_of(probe(path))
    frames = decode_pictures(path)
    assert found.start_s == pytest.approx(frames[0], abs=1e-6)
    assert found.end_s == pytest.approx(frames[-1] + 1001 / 30000, abs=1.1e-3)
    one = span_of(probe(silent(tmp_path / f"one.{ending}", seconds=0.04)))
    assert one.end_s - one.start_s == pytest.approx(0.04, abs=1e-3)
