"""Each turn of a speaking face as a clip: what is cut, where from, its sound to the sample, the offset taken out."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import RATES, beep_after_flash_ms, decode, flash_and_beep

from clapboard import check
from clapboard.errors import MediaError, UsageError
from clapboard.footage import crops as module
from clapboard.footage import write_crops
from clapboard.footage.crops import JOIN_S, SHORTEST_S, crop_name, stretches
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.media.write import shift
from clapboard.testing import make_clip
from clapboard.values import FaceSpeech, Report, Speakers, Turn
from clapboard.vision.crop import crop_at
from clapboard.vision.views import OUTSIDE, poses, view_of

Found = Callable[..., Speakers]


def face(
    number: int = 0, box: Any = (20, 10, 44, 34), *, start_s: float = 0.0, seconds: float = 2.0, speed_px_s: float = 0.0
) -> FaceSpeech:
    times = start_s + np.arange(round(seconds * 25)) / 25
    boxes = np.array(box, np.float32) + np.outer(times - start_s, [speed_px_s, 0, speed_px_s, 0]).astype(np.float32)
    flat = np.ones(len(times), np.float32)
    return FaceSpeech(number, times, boxes.astype(np.float32), 3 * flat, flat, flat > 0)


@pytest.fixture
def found(make_report: Callable[..., Report]) -> Found:
    def make(
        path: Path,
        turns: Any = ((0.2, 1.8, 0),),
        faces: Any = None,
        offset_ms: float = 0.0,
    ) -> Speakers:
        said = tuple(Turn(start_s, end_s, who, 0.9) for start_s, end_s, who in turns)
        return Speakers(make_report(str(path)), offset_ms, "file", faces or (face(),), said, "states")

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "crops.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("delay_ms", [-120.0, 0.0, 333.0])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_offset_is_taken_out(tmp_path: Path, found: Found, ending: str, delay_ms: float) -> None:
    """Early sound is delayed by the offset, late sound comes earlier; unasked the crop is off as its source is."""
    source = tmp_path / f"off.{ending}"
    shift(flash_and_beep(tmp_path / f"whole.{ending}"), source, delay_ms / 1000)
    off_ms = beep_after_flash_ms(source)
    assert off_ms == pytest.approx(delay_ms, abs=1.0)
    start_s = decode(source)[1][0].time_s
    said = found(source, turns=((start_s + 0.2, start_s + 1.8, 0),), faces=(face(start_s=start_s),), offset_ms=-off_ms)
    (plain,) = write_crops(said, source, tmp_path / "plain")
    (fixed,) = write_crops(said, source, tmp_path / "fixed", correct_offset=True)
    assert beep_after_flash_ms(plain) == pytest.approx(off_ms, abs=1.0)
    assert abs(beep_after_flash_ms(fixed)) < 1.0
    assert [(row["offset_ms"], row["corrected"]) for row in rows(tmp_path / "fixed")] == [(round(-off_ms, 1), True)]


@pytest.mark.parametrize("start_s", [0.1, 0.11, 0.13, 0.14])
def test_a_picture_that_begins_off_the_grid(tmp_path: Path, found: Found, start_s: float) -> None:
    """Its frames lie between the points, as those of most transport streams do: the sound is cut by the frames."""
    source = tmp_path / "off.mp4"
    shift(flash_and_beep(tmp_path / "whole.mp4"), source, -start_s)
    frames = decode(source)[1]
    assert frames[0].time_s == pytest.approx(start_s, abs=1e-3)
    turns = ((frames[5].time_s, frames[45].time_s, 0),)
    said = found(source, turns, (face(start_s=start_s),), offset_ms=1000 * start_s)
    (crop,) = write_crops(said, source, tmp_path / "crops", correct_offset=True)
    assert abs(beep_after_flash_ms(crop)) < 1.0
    shown, want = decode(crop)[1], frames[5:45]
    assert len(shown) == len(want)
    bright, flash = (int(np.argmax([frame.image.mean() for frame in some])) for some in (shown, want))
    assert bright == flash
    assert rows(tmp_path / "crops")[0]["start_s"] == pytest.approx(frames[5].time_s, abs=0.006)


@pytest.mark.parametrize("start_s", [-0.28, 0.0, 0.4])
@pytest.mark.parametrize("name", ["23.976", "25", "59.94", "vfr"])
def test_sound_is_cut_where_the_picture_is(tmp_path: Path, found: Found, name: str, start_s: float) -> None:
    """Streams that start apart, any rate: the beep stays with its flash, as near as the grid allows."""
    source = flash_and_beep(tmp_path / "talk.mp4", RATES[name], audio_start_s=start_s)
    frames = decode(source)[1]
    said = found(source, turns=((0.5, 1.7, 0),), faces=(face(start_s=frames[0].time_s),))
    (crop,) = write_crops(said, source, tmp_path / "crops")
    # a frame stands for the points of the grid that are nearer to it than to the next
    grid_ms = 0.0 if name == "25" else 500 * max(b.time_s - a.time_s for a, b in pairwise(frames))
    assert abs(beep_after_flash_ms(crop)) < 1.0 + grid_ms


def test_length_is_that_of_the_turn(tmp_path: Path, found: Found) -> None:
    """25 pictures a second from 0 on, and as many samples as they last; silent where the source has no sound yet."""
    source = flash_and_beep(tmp_path / "talk.mp4", audio_start_s=0.6)
    (crop,) = write_crops(found(source, turns=((0.2, 1.8, 0),)), source, tmp_path / "crops")
    clip, frames, sound = decode(crop)
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(40) / 25)
    assert frames[0].image.shape == (224, 224)
    assert sound[0].start_s == 0.0
    assert sum(len(block.samples) for block in sound) == pytest.approx(40 * 640, abs=1024)  # a packet of AAC
    assert clip.rate == 25
    assert clip.audio is not None
    assert (clip.audio.codec, clip.audio.rate_hz, clip.audio.channels) == ("aac", 16_000, 1)
    assert abs(beep_after_flash_ms(crop)) < 1.0


def test_square_about_the_head(tmp_path: Path, found: Found) -> None:
    """The view that the published pipeline cuts, followed as the face moves; gray where it reaches outside."""
    source = tmp_path / "talk.mp4"
    numbers = np.random.default_rng(0)
    picture = np.kron(numbers.integers(40, 220, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8))
    write_clip(source, [picture] * 50, 25, np.zeros(32_000, np.float32), 16_000)
    moving = face(box=(200, 60, 260, 140), speed_px_s=40.0)
    (crop,) = write_crops(found(source, turns=((0.2, 1.4, 0),), faces=(moving,)), source, tmp_path / "crops")
    view = view_of("face-224")
    want = poses(view, moving.boxes, np.empty((50, 5, 2), np.float32))[5:35]
    seen = next(read_frames(probe(source), colour=True)).colour
    assert seen is not None
    wide = np.pad(seen, ((200, 200), (200, 200), (0, 0)), constant_values=OUTSIDE)
    shots = [frame.colour for frame in read_frames(probe(crop), colour=True)]
    assert len(shots) == 30
    for shot, pose in zip(shots, want, strict=True):
        assert shot is not None
        true = crop_at(wide, pose + np.array([200, 200, 0, 0]), px=224)
        assert np.abs(shot.astype(int) - true).mean() < 6
    assert np.abs(shots[-1][:, -20:].astype(int) - OUTSIDE).max() < 20


def test_turns_become_crops(tmp_path: Path, found: Found) -> None:
    """Near turns are joined, short ones and those of nobody left out; names tell face and time, rows the rest."""
    source = flash_and_beep(tmp_path / "talk.mp4", seconds=6.0)
    turns = ((0.2, 0.8, 0), (1.0, 1.6, 0), (1.2, 2.2, 1), (2.4, 2.9, 0), (3.0, 4.5, None), (4.0, 9.0, 1))
    faces = (face(0, seconds=6.0), face(1, seconds=6.0))
    made = write_crops(found(source, turns, faces), source, tmp_path / "new" / "crops")
    assert [path.name for path in made] == [
        "talk.face-0.00000.20-00001.60.mp4",
        "talk.face-1.00001.20-00002.20.mp4",
        "talk.face-1.00004.00-00006.00.mp4",
    ]
    assert names(tmp_path / "new" / "crops") == ["crops.jsonl", *(path.name for path in made)]
    assert [len(decode(path)[1]) for path in made] == [35, 25, 50]
    first = {
        "file": made[0].name,
        "face": 0,
        "start_s": 0.2,
        "end_s": 1.6,
        "source": os.path.join("..", "..", "talk.mp4"),
    }
    assert rows(made[0].parent)[0] == first | {
        "source_percent_encoded": None, "offset_ms": 0.0, "offset_from": "file", "corrected": False,
    }  # fmt: skip
    assert [row["file"] for row in rows(made[0].parent)] == [path.name for path in made]


def test_nobody_who_speaks(tmp_path: Path, found: Found) -> None:
    """No turn, no crop, no folder."""
    source = flash_and_beep(tmp_path / "talk.mp4")
    assert write_crops(found(source, turns=((0.2, 1.8, None),)), source, tmp_path / "crops") == []
    assert names(tmp_path) == ["talk.mp4"]


def test_films_of_one_folder_share_a_list(tmp_path: Path, found: Found) -> None:
    """Rows are added; a crop that is written anew has one row, and is not written over without leave."""
    home = tmp_path / "crops"
    sources = [flash_and_beep(tmp_path / name) for name in ("a.mp4", "b.mp4")]
    for source in sources:
        write_crops(found(source), source, home)
    content = (home / "a.face-0.00000.20-00001.80.mp4").read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        write_crops(found(sources[0], offset_ms=40.0), sources[0], home)
    assert (home / "a.face-0.00000.20-00001.80.mp4").read_bytes() == content
    write_crops(found(sources[0], offset_ms=40.0), sources[0], home, overwrite=True)
    assert [(row["source"], row["offset_ms"]) for row in rows(home)] == [
        ("../b.mp4", 0.0),
        ("../a.mp4", 40.0),
    ]


@pytest.mark.parametrize("stem", ['we:ird "näme" ~$x', "-rf", "..", "ж" * 100, "a b"])
def test_names_are_safe(tmp_path: Path, found: Found, stem: str) -> None:
    """Spaces, quotes, dashes in front, letters of two bytes: the crop has a name that needs no care."""
    source = flash_and_beep(tmp_path / f"{stem}.mp4")
    (crop,) = write_crops(found(source), source, tmp_path / "crops")
    assert not set(crop.name) & set(' :"~$/\\')
    assert crop.name[0] not in "-."
    assert len(crop.name.encode()) < 200
    assert len(decode(crop)[1]) == 40


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_interrupted_crops(tmp_path: Path, found: Found, failure: type[BaseException]) -> None:
    """All crops of a file or none: the same command can be given again, and nothing half done is left."""
    source = flash_and_beep(tmp_path / "talk.mp4", seconds=6.0)
    steps = set()

    def stop(step: str, done_s: float, total_s: float | None) -> None:
        steps.add(step)
        if done_s > 4.5:
            raise failure

    said = found(source, ((0.2, 1.2, 0), (2.0, 5.0, 0), (2.5, 5.5, 1)), (face(seconds=6.0), face(1, seconds=6.0)))
    with pytest.raises(failure):
        write_crops(said, source, tmp_path / "crops", hook=stop)
    assert names(tmp_path / "crops") == []
    assert steps == {"crops"}


def test_overwriting_leaves_no_older_crops_of_the_source(tmp_path: Path, found: Found) -> None:
    """A second run at other settings cuts elsewhere: old and new would overlap. Crops of other films stay."""
    home = tmp_path / "crops"
    source, other = (flash_and_beep(tmp_path / name, seconds=3.0) for name in ("talk.mp4", "talk.b.mp4"))
    write_crops(found(source, ((0.2, 1.0, 0), (1.8, 2.6, 0)), (face(seconds=3.0),)), source, home)
    write_crops(found(other), other, home)
    later = found(source, ((0.4, 1.2, 0), (1.8, 2.6, 0)), (face(seconds=3.0),))
    with pytest.raises(UsageError, match="exists already; give --overwrite"):
        write_crops(later, source, home)
    before = names(home)

    def stop(step: str, done_s: float, total_s: float | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_crops(later, source, home, overwrite=True, hook=stop)
    assert names(home) == before
    write_crops(later, source, home, overwrite=True)
    fresh = ["talk.face-0.00000.40-00001.20.mp4", "talk.face-0.00001.80-00002.60.mp4"]
    kept = "talk.b.face-0.00000.20-00001.80.mp4"
    assert names(home) == ["crops.jsonl", kept, *fresh]
    assert [row["file"] for row in rows(home)] == [kept, *fresh]
    assert write_crops(found(source, turns=()), source, home, overwrite=True) == []
    assert names(home) == ["crops.jsonl", kept]
    assert [row["file"] for row in rows(home)] == [kept]


def test_a_source_is_known_from_any_folder_and_another_of_its_name_is_not_it(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects crops of other films: a name says nothing but with its folder, wherever the program is started."""
    home = tmp_path / "crops"
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        flash_and_beep(tmp_path / day / "talk.mp4")
    monkeypatch.chdir(tmp_path / "day1")
    (first,) = write_crops(found(Path("talk.mp4")), "talk.mp4", home)
    before = first.read_bytes()
    monkeypatch.chdir(tmp_path / "day2")
    with pytest.raises(UsageError, match=r"is a crop of another file \(../day1/talk.mp4\)"):
        write_crops(found(Path("talk.mp4")), "talk.mp4", home, overwrite=True)
    write_crops(found(Path("talk.mp4"), turns=((0.4, 1.8, 0),)), "talk.mp4", home, overwrite=True)
    assert first.read_bytes() == before
    assert [row["source"] for row in rows(home)] == ["../day1/talk.mp4", "../day2/talk.mp4"]
    monkeypatch.chdir(tmp_path)
    write_crops(found(Path("day1/talk.mp4"), turns=((0.6, 1.8, 0),)), "day1/talk.mp4", home, overwrite=True)
    assert names(home) == ["crops.jsonl", "talk.face-0.00000.40-00001.80.mp4", "talk.face-0.00000.60-00001.80.mp4"]


def test_rows_never_remove_what_is_no_crop_of_the_source(tmp_path: Path, found: Found) -> None:
    """The list is only text, which anybody may change: a row cannot name another file for removal."""
    source, home = flash_and_beep(tmp_path / "talk.mp4"), tmp_path / "crops"
    (tmp_path / "mine.txt").write_text("precious")
    write_crops(found(source), source, home)
    (home / "notes.mp4").write_text("precious")
    with (home / "crops.jsonl").open("a") as file:
        for name in ("../mine.txt", "notes.mp4"):
            file.write(json.dumps({"file": name, "source": str(source)}) + "\n")
    write_crops(found(source), source, home, overwrite=True)
    assert (tmp_path / "mine.txt").read_text() == (home / "notes.mp4").read_text() == "precious"
    assert len(rows(home)) == 1


def test_crops_that_cannot_be_listed_are_not_left(
    tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the last moment: no crop without a row."""
    source, home = flash_and_beep(tmp_path / "talk.mp4"), tmp_path / "crops"

    def full(*what: Any, **more: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clapboard.footage.rows.os", SimpleNamespace(**{**vars(os), "open": full}))
    with pytest.raises(MediaError, match="make room or name another folder"):
        write_crops(found(source), source, home)
    monkeypatch.undo()
    assert names(home) == []


def test_nothing_is_corrected_by_an_assumed_offset(tmp_path: Path, found: Found) -> None:
    """0 that nobody measured takes nothing out, and no row may say that it did."""
    source = flash_and_beep(tmp_path / "talk.mp4")
    for offset_from, corrected in (("assumed", False), ("likely", True), ("user", True)):
        said = replace(found(source), offset_from=offset_from)
        write_crops(said, source, tmp_path / offset_from, correct_offset=True)
        (row,) = rows(tmp_path / offset_from)
        assert (row["offset_from"], row["corrected"]) == (offset_from, corrected)


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_source_whose_name_is_no_unicode(tmp_path: Path, found: Found) -> None:
    """Rows stay UTF-8 that every reader takes, the exact name is kept beside, and its crops are known again."""
    source = tmp_path / os.fsdecode(b"bad\xff.mp4")
    flash_and_beep(tmp_path / "good.mp4").rename(source)
    home = tmp_path / "crops"
    (crop,) = write_crops(found(source), source, home)
    assert crop.name == "bad_.face-0.00000.20-00001.80.mp4"
    (row,) = rows(home)
    assert row["source"].endswith("/bad\ufffd.mp4")
    assert row["source_percent_encoded"].endswith("/bad%FF.mp4")
    write_crops(found(source, turns=((0.4, 1.8, 0),)), source, home, overwrite=True)
    assert names(home) == ["bad_.face-0.00000.40-00001.80.mp4", "crops.jsonl"]


def test_few_crops_are_open_at_once(tmp_path: Path, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoders are large: a long film must not keep those of all its turns."""
    open_now, most = 0, 0

    class Counted(module.Film):
        def __enter__(self) -> Any:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            return super().__enter__()

        def __exit__(self, *what: Any) -> Any:
            nonlocal open_now
            open_now -= 1
            return super().__exit__(*what)

    monkeypatch.setattr(module, "Film", Counted)
    source = flash_and_beep(tmp_path / "talk.mp4", seconds=12.0)
    turns = tuple((start_s, start_s + 1.0, start_s % 2) for start_s in range(11))
    said = found(source, turns, (face(0, seconds=12.0), face(1, seconds=12.0)), offset_ms=200.0)
    assert len(write_crops(said, source, tmp_path / "crops", correct_offset=True)) == 11
    assert open_now == 0
    assert most <= 3


def test_another_file_is_noticed(tmp_path: Path, found: Found) -> None:
    """A shorter film than that which was measured has no picture for a turn: one line, and no crop of it."""
    source = flash_and_beep(tmp_path / "talk.mp4")
    with pytest.raises(UsageError, match="another file"):
        write_crops(found(source, ((5.0, 7.0, 0),), (face(seconds=8.0),)), source, tmp_path / "crops")
    assert names(tmp_path / "crops") == []


def test_what_makes_no_sense_is_refused(tmp_path: Path, found: Found) -> None:
    """Each in one line, before anything is decoded."""
    source = flash_and_beep(tmp_path / "talk.mp4")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "crops.jsonl").write_text("not json\n")
    with pytest.raises(UsageError, match="offset is not known"):
        write_crops(found(source, offset_ms=float("nan")), source, tmp_path / "crops", correct_offset=True)
    with pytest.raises(MediaError, match="no such file"):
        write_crops(found(source), tmp_path / "missing.mp4", tmp_path / "crops")
    with pytest.raises(MediaError, match="no folder"):
        write_crops(found(source), source, tmp_path / "file")
    with pytest.raises(UsageError, match="no list of crops"):
        write_crops(found(source), source, tmp_path / "bad")
    assert (tmp_path / "file").read_text() == "precious"
    assert names(tmp_path) == ["bad", "file", "talk.mp4"]


def test_the_source_is_never_a_crop(tmp_path: Path, found: Found) -> None:
    """Not even with leave to overwrite: crops of crops get other names, but a link may stand there."""
    source = flash_and_beep(tmp_path / "talk.mp4")
    content = source.read_bytes()
    (tmp_path / "talk.face-0.00000.20-00001.80.mp4").hardlink_to(source)
    with pytest.raises(UsageError, match="never overwritten"):
        write_crops(found(source), source, tmp_path, overwrite=True)
    assert source.read_bytes() == content


def test_crops_measure_in_sync(tmp_path: Path, found: Found) -> None:
    """The sign, by the measurement itself: a crop of early sound is measured 200 ms less early than its file."""
    source = tmp_path / "talk.mp4"
    truth = make_clip(source, seed=3, duration_s=4.0, offset_ms=200.0, rate=Fraction(25))
    points = truth.landmarks().astype(np.float32)
    low, high = points.min(axis=1), points.max(axis=1)
    size = (high - low) * 0.6
    boxes = np.concatenate([low - size, high + size], axis=1).astype(np.float32)
    flat = np.ones(len(boxes), np.float32)
    track = FaceSpeech(0, truth.times_s, boxes, flat, flat, flat > 0)
    said = found(source, ((0.0, 4.0, 0),), (track,), offset_ms=200.0)
    (fixed,) = write_crops(said, source, tmp_path / "fixed", correct_offset=True)
    before_ms, after_ms = (check(path).offset.offset_ms for path in (source, fixed))
    assert after_ms == pytest.approx(before_ms - 200, abs=25)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 20), st.sampled_from([None, 0, 1, 7])), max_size=12))
def test_any_turns(made: list[tuple[float, float, int | None]]) -> None:
    """No crop is too short, reaches beyond its track or overlaps another of its face; all that counts is in one."""
    turns = [Turn(start_s, start_s + length_s, who, 0.5) for start_s, length_s, who in made]
    faces = [face(0, seconds=200.0), face(1, start_s=40.0, seconds=30.0)]
    cuts = stretches(turns, faces)
    ends = {0: 200.0, 1: 70.0}
    for number in (0, 1):
        mine = [cut for cut in cuts if cut.face == number]
        assert all(cut.end_s - cut.start_s >= SHORTEST_S - 1e-9 for cut in mine)
        assert all(cut.start_s >= 40.0 * number - 0.021 and cut.end_s <= ends[number] + 0.021 for cut in mine)
        assert all(b.start_s - a.end_s >= JOIN_S - 0.041 for a, b in pairwise(mine))
        for turn in turns:
            if turn.face == number == 0 and turn.end_s - turn.start_s >= SHORTEST_S + 0.05:
                assert any(c.start_s <= turn.start_s + 0.021 and c.end_s >= turn.end_s - 0.021 for c in mine)
    assert {cut.face for cut in cuts} <= {0, 1}
    assert len({crop_name(Path("a.mp4"), cut) for cut in cuts}) == len(cuts)
