"""What a file says of itself, which tracks are taken, and every way in which a file can be no use."""

import errno
import os
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import HEIGHT, WIDTH, beep_after_flash_ms, decode, flash_and_beep, tone_frame

from clapboard.errors import ClapboardError, MediaError, NoAudioError, NoVideoError, UsageError
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read, read_audio, read_frames


def refused(path: Path) -> str:
    """The one line with which a file is refused, from disk as from memory."""
    line = refusal(path)
    if path.is_file() and os.access(path, os.R_OK):
        assert refusal(path, path.read_bytes()) == line
    return line


def refusal(path: Path, data: bytes | None = None) -> str:
    """The line for one of the two."""
    with pytest.raises(MediaError) as caught:
        for _ in read(probe(path, data=data)):
            pass
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    return line


def test_what_is_in_memory_opens_no_file_of_its_name(tmp_path: Path) -> None:
    """The bytes are read, whatever lies where the name points to; what is printed of a clip does not hold them."""
    path = flash_and_beep(tmp_path / "clip.mp4")
    data = path.read_bytes()
    path.write_text("somebody else's")
    clip = probe(path, data=data)
    assert sum(1 for _ in read(clip)) > 50
    assert len(repr(clip)) < 3000
    assert "somebody else's" not in refusal(tmp_path / "no folder" / "a.mp4", b"x" * 100)


@pytest.mark.parametrize(
    "name",
    ["with space.mp4", "-i.mp4", "a:b.mp4", 'it\'s "quoted".mp4', "naïve ünïcode 日本.mp4", "pipe:1.mp4", "%d.mp4"],
)
def test_any_name_opens(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that tools take for options, protocols or patterns are names; also relative to the folder."""
    flash_and_beep(tmp_path / name)
    assert abs(beep_after_flash_ms(tmp_path / name)) < 1
    monkeypatch.chdir(tmp_path)
    assert probe(name).video is not None


def test_probe_describes(tmp_path: Path) -> None:
    """Codec, size, rate, sample rate, channels, start times, duration, versions."""
    path = flash_and_beep(tmp_path / "clip.mp4", Fraction(30000, 1001), audio_start_s=0.5, channels=2)
    clip = probe(path)
    assert (clip.path, clip.rate, clip.rotation_deg, clip.sample_aspect) == (path, Fraction(30000, 1001), 0, 1)
    assert clip.video is not None
    assert (clip.video.codec, clip.video.width_px, clip.video.height_px) == ("h264", WIDTH, HEIGHT)
    assert clip.audio is not None
    assert (clip.audio.codec, clip.audio.rate_hz, clip.audio.channels) == ("aac", 48_000, 2)
    assert clip.audio.start_s == pytest.approx(0.5, abs=0.03)
    assert clip.duration_s == pytest.approx(2.5, abs=0.1)
    assert {"av", "libavformat"} <= set(clip.versions)


def many_tracks(path: Path) -> Path:
    """Three audio tracks of 300, 600 and 1200 Hz; the second is marked as default."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        tracks = [out.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(3)]
        for track, language in zip(tracks, ("eng", "deu", "fra"), strict=True):
            track.metadata["language"] = language
            track.disposition = 1 if language == "deu" else 0
        for index in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH), np.uint8), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for track, hz in zip(tracks, (300, 600, 1200), strict=True):
            tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
            out.mux(track.encode(tone_frame(tone, 16_000, 0, Fraction(1, 16_000))))
            out.mux(track.encode(None))
    return path


@pytest.mark.parametrize(("track", "hz"), [(None, 600), (0, 300), (1, 600), (2, 1200)])
def test_audio_track_is_chosen(tmp_path: Path, track: int | None, hz: int) -> None:
    """Counted from 0 among the audio streams; without a wish the default one, not the first."""
    clip = probe(many_tracks(tmp_path / "tracks.mkv"), audio_track=track)
    samples = np.concatenate([run.samples for run in read_audio(clip)])
    loudest = np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / len(samples)
    assert loudest == pytest.approx(hz, abs=2)
    assert clip.audio is not None
    assert clip.audio.language == {300: "eng", 600: "deu", 1200: "fra"}[hz]


def test_audio_track_that_is_not_there(tmp_path: Path) -> None:
    """The message says how many there are."""
    path = flash_and_beep(tmp_path / "clip.mp4")
    for track in (1, -1):
        with pytest.raises(UsageError, match="it has 1"):
            probe(path, audio_track=track)


def test_cover_art_is_not_video(tmp_path: Path) -> None:
    """A song with a cover has no picture to measure."""
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as out:
        audio = out.add_stream("aac", rate=48_000, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = 1 << 10
        frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH), np.uint8), format="gray")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        out.mux(cover.encode(frame))
        out.mux(cover.encode(None))
        out.mux(audio.encode(tone_frame(np.zeros(48_000), 48_000, 0, Fraction(1, 48_000))))
        out.mux(audio.encode(None))
    clip = probe(path)
    assert clip.video is None
    with pytest.raises(NoVideoError, match="no picture"):
        read(clip)
    assert read_audio(clip)


def test_no_sound(tmp_path: Path) -> None:
    """A silent film: its pictures can be read, its sound is missed in words."""
    path = tmp_path / "film.mp4"
    write_clip(path, [np.zeros((HEIGHT, WIDTH), np.uint8)] * 5, 25)
    clip = probe(path)
    assert clip.audio is None
    with pytest.raises(NoAudioError, match="no sound"):
        read(clip)
    assert len(list(read_frames(clip))) == 5


def test_missing_directory_empty(tmp_path: Path) -> None:
    """Each is told for what it is."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    assert "no such file" in refused(tmp_path / "missing.mp4")
    assert "directory" in refused(tmp_path / "folder.mp4")
    assert "empty" in refused(tmp_path / "empty.mp4")


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    """Opening a named pipe would hang for ever."""
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "regular file" in refused(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("content", [b"not a video at all\n" * 50, bytes(range(256)) * 200, b"\0" * 5000])
def test_other_content(tmp_path: Path, content: bytes) -> None:
    """Text, noise and zeros renamed to .mp4."""
    path = tmp_path / "renamed.mp4"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("reference", ["secret.mp4", "/secret.mp4", "file:secret.mp4", "http://localhost:9/a.ts"])
@pytest.mark.parametrize("kind", ["hls", "concat", "dash"])
def test_playlists_in_disguise_open_nothing(tmp_path: Path, kind: str, reference: str) -> None:
    """A file that names other files is refused, whatever it calls itself: on a server they may be somebody else's."""
    flash_and_beep(tmp_path / "secret.mp4")
    texts = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{reference}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{reference}'\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{reference}</BaseURL></MPD>',
    }
    path = tmp_path / "up.mp4"
    path.write_text(texts[kind])
    assert "nothing it names is opened" in refused(path)


@pytest.mark.parametrize("claim", [b"\xff\xff", b"\x27\x10"])
def test_huge_claims_are_refused(tmp_path: Path, claim: bytes) -> None:
    """A header of a few bytes that claims 65535 or 10000 pixels each way, for a codec that believes it."""
    path = tmp_path / "huge.mkv"
    silence = np.zeros(4_800, np.float32)
    write_clip(path, [np.zeros((288, 320), np.uint8)] * 3, 25, silence, video_codec="ffv1")
    assert len(decode(path)[1]) == 3
    data = path.read_bytes()
    for honest in (b"\xb0\x82\x01\x40", b"\xba\x82\x01\x20"):  # PixelWidth 320, PixelHeight 288
        assert honest in data
        data = data.replace(honest, honest[:2] + claim)
    path.write_bytes(data)
    assert "larger than 35 megapixels" in refused(path)


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"), [("a.avi", "mjpeg", "yuvj420p"), ("a.mkv", "libx264", "yuv420p")]
)
def test_huge_pictures_are_refused(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    """Larger than 8K in truth: nothing is decoded either."""
    path = tmp_path / name
    image = np.zeros((4000, 9000), np.uint8)
    options = {"preset": "ultrafast"} if codec == "libx264" else {}
    silence = np.zeros(4_800, np.float32)
    write_clip(path, [image], 25, silence, video_codec=codec, pixel_format=pixel_format, video_options=options)
    line = refused(path)
    assert "larger than 35 megapixels" in line or "9000 x 4000" in line


def test_encrypted_is_told(tmp_path: Path) -> None:
    """Copy protection is named, instead of damage."""
    path = tmp_path / "protected.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\2\0" + b"\0\0\0\x20moov\0\0\0\x18encv" + b"\xff" * 400)
    assert "encrypted" in refused(path)


def test_truncated_mp4_without_index(tmp_path: Path) -> None:
    """A copy that broke off before the index at the end."""
    path = flash_and_beep(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:2000])
    assert "index" in refused(path)


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_truncated_in_the_middle_reads_what_is_there(tmp_path: Path, ending: str) -> None:
    """No index is needed: the first part is a film."""
    path = flash_and_beep(tmp_path / f"clip.{ending}", seconds=4.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    _, frames, sound = decode(path)
    assert 10 < len(frames) < 100
    assert 0.4 < sound[-1].end_s < 4


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_damage_in_the_middle_is_skipped(tmp_path: Path, ending: str) -> None:
    """Flipped bytes cost some frames, not the file; times still ascend."""
    # Matroska picks up again at the next cluster, 5 s later
    path = flash_and_beep(tmp_path / f"clip.{ending}", seconds=16.0, channels=2)
    data = bytearray(path.read_bytes())
    # the index of an mp4 stays whole: it lies behind the media
    begin, end = (data.index(b"mdat"), data.index(b"moov")) if ending == "mp4" else (0, len(data))
    places = np.random.default_rng(3).integers(begin + (end - begin) // 4, begin + (end - begin) // 2, 60)
    for place in places:
        data[place] ^= 0x55
    path.write_bytes(data)
    _, frames, sound = decode(path)
    times = [frame.time_s for frame in frames]
    assert len(frames) > 100
    assert times[-1] > 15
    assert all(b > a for a, b in pairwise(times))
    assert sound[-1].end_s > 15


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Permissions, where they exist."""
    path = flash_and_beep(tmp_path / "clip.mp4")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "permission denied" in refused(path)


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects from a defect being told where a file cannot be read to its head; simulated, as no disk fails here."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"x" * 300)

    def failing(self: Path, *args: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(MediaError, match=r"clip\.mp4: cannot be read \(Input/output error\)"):
        probe(path)


def test_until(tmp_path: Path) -> None:
    """Half-open: pictures before it, sound up to the sample."""
    clip = probe(flash_and_beep(tmp_path / "clip.mp4"))
    assert [frame.time_s for frame in read_frames(clip, until_s=0.12)] == pytest.approx([0, 0.04, 0.08])
    assert sum(len(run.samples) for run in read_audio(clip, until_s=0.5)) == 8_000


def test_hook_is_told(tmp_path: Path) -> None:
    """Seconds done, ascending, and the total."""
    clip = probe(flash_and_beep(tmp_path / "clip.mp4"))
    told: list[tuple[str, float, float | None]] = []
    for _ in read(clip, audio=False, hook=lambda step, done, total: told.append((step, done, total))):
        pass
    assert [done for _, done, _ in told] == pytest.approx([0.0, 0.52, 1.04, 1.56], abs=0.1)
    assert all(step == "read" and total == pytest.approx(2.0, abs=0.1) for step, _, total in told)


def test_threads_change_nothing(tmp_path: Path) -> None:
    """The same frames at the same times."""
    clip = probe(flash_and_beep(tmp_path / "clip.mp4"))
    one, two = (list(read_frames(clip, threads=threads)) for threads in (1, 2))
    assert [frame.time_s for frame in one] == [frame.time_s for frame in two]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, two, strict=True))


def test_sound_and_picture_come_side_by_side(tmp_path: Path) -> None:
    """One pass: neither stream runs ahead of the other by more than the placing of sound needs."""
    clip = probe(flash_and_beep(tmp_path / "clip.mp4", seconds=6.0))
    picture_s = sound_s = 0.0
    for value in read(clip):
        if hasattr(value, "image"):
            picture_s = value.time_s
        else:
            sound_s = value.end_s
        if picture_s and sound_s and max(picture_s, sound_s) < 5:
            assert abs(picture_s - sound_s) < 1.5


HOSTILE = Path(__file__).parents[2] / "../shared/data/hostile"


@pytest.mark.real
@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the collection of odd and damaged files is not beside the repository")
def test_hostile_files() -> None:
    """Every odd file in the collection reads, or is refused with one line, and none takes for ever."""
    lines: dict[str, str] = {}
    for path in sorted(HOSTILE.iterdir()):
        began = time.process_time()
        try:
            clip = probe(path)
            last_s = -float("inf")
            for value in read(clip, video=clip.video is not None, audio=clip.audio is not None):
                if hasattr(value, "image"):
                    assert value.time_s > last_s, path
                    last_s = value.time_s
        except ClapboardError as error:
            lines[path.name] = str(error)
        assert time.process_time() - began < 60, path
    assert [name for name, line in lines.items() if "\n" in line] == []
