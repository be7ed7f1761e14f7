"""The film with boxes drawn in: pictures at their times, sound as it was, colours by score, boxes where faces are."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import RATES, beep_after_flash_ms, decode, flash_and_beep, tone_frame

from clapboard.errors import ClapboardError, MediaError, UsageError
from clapboard.footage import write_overlay
from clapboard.footage.overlay import face_at
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.values import FaceSpeech, Report, Speakers, Turn

Found = Callable[..., Speakers]
GRAY = 60
WIDTH, HEIGHT = 320, 480


def face(
    number: int = 0,
    box: tuple[float, float, float, float] = (40, 100, 140, 240),
    *,
    score: float = 1.0,
    speaking: bool = True,
    seconds: float = 2.0,
    start_s: float = 0.0,
    speed_px_s: float = 0.0,
) -> FaceSpeech:
    """A face that stays, or moves to the right."""
    times = start_s + np.arange(round(seconds * 25)) / 25
    boxes = np.array(box, np.float32) + np.outer(times - start_s, [speed_px_s, 0, speed_px_s, 0]).astype(np.float32)
    flat = np.ones(len(times), np.float32)
    return FaceSpeech(number, times, boxes.astype(np.float32), 3 * flat, score * flat, np.full(len(times), speaking))


@pytest.fixture
def found(make_report: Callable[..., Report]) -> Found:
    def make(path: Path, *faces: FaceSpeech, turns: tuple[Turn, ...] = (), offset_ms: float = 0.0) -> Speakers:
        return Speakers(make_report(str(path)), offset_ms, "file", faces, turns, "states")

    return make


def gray(path: Path, rate: Any = 25, count: int = 50, size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> Path:
    """A gray picture with a quiet sound."""
    frames = [np.full((size[1], size[0]), GRAY, np.uint8)] * count
    write_clip(path, frames, rate, np.zeros(16_000, np.float32), 16_000, **options)
    return path


def colours(path: Path) -> list[np.ndarray]:
    return [frame.colour.astype(int) for frame in read_frames(probe(path), colour=True) if frame.colour is not None]


def sound_packets(path: Path, track: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=track) if packet.size]


@pytest.mark.parametrize("start_s", [-0.28, 0.0, 0.4])
@pytest.mark.parametrize(
    ("name", "target"), [*((name, "mp4") for name in RATES), ("25", "mkv"), ("59.94", "mkv"), ("vfr", "mkv")]
)
def test_sync_and_sound_are_kept(tmp_path: Path, found: Found, name: str, target: str, start_s: float) -> None:
    """Whatever the rate and the starts: the beep stays with its flash, no picture is lost or moved, no byte changed."""
    before, after = tmp_path / "before.mp4", tmp_path / f"after.{target}"
    flash_and_beep(before, RATES[name], audio_start_s=start_s)
    write_overlay(found(before, face(box=(5, 5, 30, 30))), before, after)
    assert abs(beep_after_flash_ms(after) - beep_after_flash_ms(before)) < 1.0
    was, now = ([frame.time_s for frame in decode(path)[1]] for path in (before, after))
    assert np.diff(now) == pytest.approx(np.diff(was), abs=1.1e-3 if target == "mkv" else 2e-5)
    assert sound_packets(after) == sound_packets(before)


def test_colours_run_from_red_to_green(tmp_path: Path, found: Found) -> None:
    """Measured in the decoded film: 0 is red, a half yellow, 1 green; outside the boxes nothing changes."""
    before, after = gray(tmp_path / "before.mp4", count=3), tmp_path / "after.mp4"
    faces = [
        face(n, (20, top, 120, top + 100), score=s, seconds=0.2)
        for n, top, s in ((0, 40, 0.0), (1, 180, 0.5), (2, 320, 1.0))
    ]
    write_overlay(found(before, *faces), before, after)
    picture = colours(after)[1]
    expected = ((255, 0, 0), (255, 255, 0), (0, 255, 0))
    for top, rgb in zip((40, 180, 320), expected, strict=True):
        assert np.abs(picture[top + 30 : top + 80, 22:24].mean(axis=(0, 1)) - rgb).max() < 25
    assert np.abs(picture[:, 160:] - colours(before)[1][:, 160:]).max() < 8


def test_who_speaks_has_a_thick_box(tmp_path: Path, found: Found) -> None:
    """Whoever cannot tell red from green sees it by the line, and reads the score."""
    before = gray(tmp_path / "before.mp4", count=3)
    thick = []
    for speaking in (False, True):
        after = tmp_path / f"{speaking}.mp4"
        write_overlay(found(before, face(score=0.5, speaking=speaking)), before, after)
        row = colours(after)[1][200, 40:140, 0]
        thick.append(int(np.argmax(row < 150)))
    assert thick[0] >= 2
    assert thick[1] >= 2 * thick[0]


def test_boxes_move_between_points_of_the_grid(tmp_path: Path, found: Found) -> None:
    """At 50 pictures a second every second one lies between two points: its box lies between theirs."""
    before, after = gray(tmp_path / "before.mp4", 50, count=40), tmp_path / "after.mp4"
    write_overlay(found(before, face(seconds=0.8, speed_px_s=100.0, score=0.5)), before, after)
    pictures = colours(after)
    assert len(pictures) == 40
    for index, picture in enumerate(pictures[:39]):
        left = int(np.argmax(picture[200, :, 0] > 150))
        assert abs(left - (40 + 2 * index)) <= 1


def test_faces_come_and_go(tmp_path: Path, found: Found) -> None:
    """A box is drawn while its track lasts, and no longer."""
    before, after = gray(tmp_path / "before.mp4"), tmp_path / "after.mp4"
    late = face(0, start_s=0.4, seconds=0.4, score=0.5)
    early = face(1, (200, 100, 300, 240), seconds=0.2, score=0.5)
    write_overlay(found(before, late, early), before, after)
    seen = [(p[200, 40:48, 0].max() > 150, p[200, 200:208, 0].max() > 150) for p in colours(after)]
    assert [index for index, (first, _) in enumerate(seen) if first] == list(range(10, 20))
    assert [index for index, (_, second) in enumerate(seen) if second] == list(range(5))


def test_a_voice_of_nobody_is_told(tmp_path: Path, found: Found) -> None:
    """A line at the foot while it lasts, half-open; turns of faces write none."""
    before, after = gray(tmp_path / "before.mp4"), tmp_path / "after.mp4"
    turns = (Turn(0.0, 0.4, 0, 0.9), Turn(0.4, 0.8, None, 0.9), Turn(1.2, 1.6, None, 0.9))
    write_overlay(found(before, face(), turns=turns), before, after)
    told = [index for index, picture in enumerate(colours(after)) if picture[400:, :].max() > 200]
    assert told == [*range(10, 20), *range(30, 40)]


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_turned_films_are_written_upright(tmp_path: Path, found: Found, rotation_deg: int) -> None:
    """Boxes are px of the upright picture: so is the film, and no player turns it again."""
    before, after = tmp_path / "before.mp4", tmp_path / "after.mp4"
    gray(before, count=3, size=(WIDTH, HEIGHT), rotation_deg=rotation_deg)
    write_overlay(found(before, face(box=(200, 100, 300, 200), score=0.5)), before, after)
    clip = probe(after)
    assert clip.rotation_deg == 0
    picture = colours(after)[1]
    assert picture.shape[:2] == ((WIDTH, HEIGHT) if rotation_deg != 180 else (HEIGHT, WIDTH))
    assert picture[150, 200:204, 0].mean() > 200
    assert picture[150, 190:198, 0].mean() < 100


@pytest.mark.parametrize("size", [(321, 241), (100, 75)])
def test_odd_sizes(tmp_path: Path, found: Found, size: tuple[int, int]) -> None:
    """One more column or row, and the sound as it was."""
    before, after = tmp_path / "before.mp4", tmp_path / "after.mp4"
    gray(before, count=3, size=size, video_codec="mpeg4", pixel_format="yuv420p")
    write_overlay(found(before, face(box=(10, 40, 60, 70))), before, after)
    assert colours(after)[0].shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert sound_packets(after) == sound_packets(before)


def test_faces_beyond_the_border(tmp_path: Path, found: Found) -> None:
    """A box may reach outside, and a number too wide for its corner is moved in; a face without a score is gray."""
    before, after = gray(tmp_path / "before.mp4", count=3), tmp_path / "after.mp4"
    faces = (
        face(1000, (290, -40, 400, 60), score=float("nan")),
        face(1, (-500, -500, -300, -300)),
        face(2, (900, 900, 950, 950)),
    )
    write_overlay(found(before, *faces), before, after)
    assert len(colours(after)) == 3


def test_the_sound_that_was_measured_is_kept(tmp_path: Path, make_report: Callable[..., Report]) -> None:
    """Of two languages the one by which the scores were made."""
    before = tmp_path / "before.mkv"
    with av.open(str(before), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tracks = [out.add_stream("aac", rate=48_000, layout="mono") for _ in range(2)]
        for index in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64), 60, np.uint8), format="gray")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for track, hz in zip(tracks, (300, 900), strict=True):
            tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(48_000) / 48_000)
            out.mux(track.encode(tone_frame(tone, 48_000, 0, Fraction(1, 48_000))))
            out.mux(track.encode(None))
    clip = probe(before, audio_track=1)
    report = make_report(str(before))
    measured = Speakers(
        Report(str(before), clip, report.offset, (), report.verdict, report.model), 0.0, "file", (), (), "states"
    )
    write_overlay(measured, before, tmp_path / "after.mp4")
    assert sound_packets(tmp_path / "after.mp4") == sound_packets(before, 1) != sound_packets(before, 0)
    with pytest.raises(UsageError, match="another file"):
        write_overlay(measured, gray(tmp_path / "other.mp4"), tmp_path / "never.mp4")


def test_films_without_sound(tmp_path: Path, found: Found) -> None:
    """Where the report knows of no sound either."""
    write_clip(tmp_path / "before.mp4", [np.full((48, 64), 60, np.uint8)] * 3, 25)
    said = found(tmp_path / "before.mp4", face())
    bare = Report("before.mp4", None, said.report.offset, (), said.report.verdict, said.report.model)
    write_overlay(
        Speakers(bare, 0.0, "user", said.faces, (), "states"), tmp_path / "before.mp4", tmp_path / "after.mp4"
    )
    assert probe(tmp_path / "after.mp4").audio is None


def test_what_is_there_stays(tmp_path: Path, found: Found) -> None:
    """The input never, others only with leave, nothing under a name that cannot be; each refused in one line."""
    before = gray(tmp_path / "before.mp4", count=3)
    content = before.read_bytes()
    os.link(before, tmp_path / "hard.mp4")
    (tmp_path / "other.mp4").write_text("precious")
    said = found(before, face())
    wrong: list[tuple[str, bool, type[ClapboardError]]] = [
        ("before.mp4", True, UsageError),
        ("hard.mp4", True, UsageError),
        ("other.mp4", False, UsageError),
        ("after.avi", False, UsageError),
        ("after.webm", False, UsageError),
        ("after", False, UsageError),
        ("nowhere/after.mp4", False, UsageError),
    ]
    for name, overwrite, error in wrong:
        with pytest.raises(error) as caught:
            write_overlay(said, before, tmp_path / name, overwrite=overwrite)
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError, match="no such file"):
        write_overlay(said, tmp_path / "missing.mp4", tmp_path / "after.mp4")
    assert before.read_bytes() == content
    assert (tmp_path / "other.mp4").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.mp4", "hard.mp4", "other.mp4"]
    write_overlay(said, before, tmp_path / "other.mp4", overwrite=True)
    assert len(colours(tmp_path / "other.mp4")) == 3


def test_interrupted_writing_leaves_nothing(tmp_path: Path, found: Found) -> None:
    """And progress is told under the name of the step."""
    before = gray(tmp_path / "before.mp4")
    steps = set()

    def stop(step: str, done_s: float, total_s: float | None) -> None:
        steps.add(step)
        if done_s > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(found(before, face()), before, tmp_path / "after.mp4", hook=stop)
    assert steps == {"overlay"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.mp4"]


@st.composite
def tracks(draw: st.DrawFn) -> FaceSpeech:
    """A track on the grid of a slower or faster film: times ascend, some may come twice."""
    count = draw(st.integers(1, 12))
    jitter = draw(st.lists(st.floats(-0.0199, 0.0199), min_size=count, max_size=count))
    times = np.sort(np.arange(count) / 25 + np.array(jitter)) + draw(st.floats(0, 3600))
    if draw(st.booleans()):
        times[1::2] = times[0 : 2 * (count // 2) : 2]
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    boxes = numbers.uniform(-50, 2000, (count, 4)).astype(np.float32)
    score = numbers.uniform(0, 1, count).astype(np.float32)
    return FaceSpeech(0, times, boxes, score, score, score > 0.5)


@given(tracks(), st.floats(-0.1, 1.1))
def test_faces_between_points_of_the_grid(track: FaceSpeech, share: float) -> None:
    """Inside the track box and score lie between those of the two points about the time; far outside there is none."""
    first, last = float(track.time_s[0]), float(track.time_s[-1])
    time_s = first + share * (last - first + 0.04)
    at = face_at(track, time_s)
    if not first - 0.02 <= time_s <= last + 0.02:
        assert at is None
        return
    assert at is not None
    before = max(int(np.searchsorted(track.time_s, time_s, "right")) - 1, 0)
    after = min(int(np.searchsorted(track.time_s, time_s, "left")), len(track.time_s) - 1)
    near = slice(min(before, after), max(before, after) + 1)
    assert (at.box >= track.boxes[near].min(axis=0) - 1e-3).all()
    assert (at.box <= track.boxes[near].max(axis=0) + 1e-3).all()
    assert track.score[near].min() - 1e-6 <= at.score <= track.score[near].max() + 1e-6
    assert at.speaking in track.speaking[near]


@given(tracks(), st.integers(0, 11))
def test_faces_on_points_of_the_grid(track: FaceSpeech, index: int) -> None:
    """At the time of a frame the answer is what was found in it."""
    index = min(index, len(track.time_s) - 1)
    at = face_at(track, float(track.time_s[index]))
    assert at is not None
    same = track.time_s == track.time_s[index]
    assert any(np.allclose(at.box, box, atol=1e-2) for box in track.boxes[same])


@given(st.floats(0.0, 1.96), st.floats(-500, 500))
def test_steady_motion_is_followed_exactly(time_s: float, speed_px_s: float) -> None:
    """A face that moves evenly is where it would be, at any time."""
    at = face_at(face(speed_px_s=speed_px_s), time_s)
    assert at is not None
    assert at.box[0] == pytest.approx(40 + speed_px_s * time_s, abs=1e-2)
