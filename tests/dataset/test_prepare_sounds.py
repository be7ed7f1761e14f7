"""``clapboard prepare --kind sounds`` through the real program: what is kept, why not, labels, lists, options."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import toy
from scene_clips import FLASH_S, beep_time_s, make

from clapboard.cli import main
from clapboard.dataset.extract import Rules
from clapboard.dataset.prepare import prepare
from clapboard.dataset.scenes import SceneRules
from clapboard.dataset.sheet import moments
from clapboard.dataset.store import Dataset
from clapboard.errors import UsageError

PROGRAM = [sys.executable, "-m", "clapboard", "prepare", "--kind", "sounds"]
REASONS = {
    "bad/broken.mp4": "cannot be read",
    "bad/mute.mp4": "no sound",
    "bad/short.mp4": "shorter than 2 s",
    "bad/silent.mp4": "silence",
    "bad/still.mp4": "the picture stands still",
}
SETTINGS = {"kind": "sounds", "min_seconds": 2.0, "picture_hz": "25/1", "sound_hz": 16000, "channels": 1}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of videos: two to keep, one of two shots, and one for every common reason against it."""
    folder = tmp_path_factory.mktemp("made") / "clips"
    make(folder / "good/one.mp4")
    make(folder / "good/two shots.mkv", Fraction(30000, 1001), seconds=4.6, cuts_s=[2.2], flash=False)
    make(folder / "bad/short.mp4", seconds=1.5)
    make(folder / "bad/mute.mp4", sound=False)
    make(folder / "bad/silent.mp4", loud=0.0)
    make(folder / "bad/still.mp4", still=True, flash=False)
    (folder / "bad/broken.mp4").write_bytes(b"this is no video" * 60)
    return folder


@pytest.fixture(scope="module")
def plain(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the data set that the program makes of them, and what it said."""
    out = tmp_path_factory.mktemp("plain") / "set"
    return out, toy.run([*PROGRAM, clips, "-o", out, "--processes", "1"])


def test_what_is_kept_and_why_not(plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the whole way: every shot that moves and sounds is there, everything else has its reason."""
    out, done = plain
    assert done.returncode == 0, done.stderr
    found = Dataset.open(out)
    kept = [(e.file, e.track, e.frames, e.face_px, e.speaker, e.group) for e in found.entries]
    assert kept == [
        ("good/one.mp4", 0, 60, 0.0, "good/one.mp4", "clips/good/one.mp4"),
        ("good/two shots.mkv", 0, 55, 0.0, "good/two shots.mkv", "clips/good/two shots.mkv"),
    ]
    assert {row.file: row.reason for row in found.dropped if row.track != 1} == REASONS
    assert [(row.file, row.reason) for row in found.dropped if row.track == 1] == [("good/two shots.mkv", "silence")]
    assert (found.view, found.settings) == ("scene-64", SETTINGS)
    assert (found.kind, found.picture_hz, found.sound_hz) == ("sounds", 25, 16_000)


def test_the_summary(plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the reader: shots, minutes, recordings, and every reason with its count."""
    out, done = plain
    lines = done.stdout.splitlines()
    assert lines[0] == f"{out}: 2 shots of 2 files, 0.1 minutes, 2 recordings, 1 corpora; 7 files are new"
    assert lines[1] == "not kept: 6 shots or whole files; nothing of 5 files was kept"
    assert {line.split(" min  ")[1] for line in lines[2:]} == set(REASONS.values())
    page = (out / "contact-sheet.html").read_text(encoding="utf-8")
    assert "2.4 s from 0:00, sound" in page
    assert "face" not in page.split("<main>")[1]


def test_the_arrays(plain: tuple[Path, object]) -> None:
    """Protects what training reads: the flash at its time, the beep with it, all from disk."""
    found = Dataset.open(plain[0])
    stored = found.stored(found.entries[0])
    assert stored.images.shape == (60, 64, 64)
    assert stored.time_s[int(stored.images.mean(axis=(1, 2)).argmax())] == pytest.approx(FLASH_S, abs=0.001)
    assert abs(beep_time_s(stored.samples, stored.start_s, 16_000) - FLASH_S) < 0.001
    assert found.entries[1].shot_end_s == pytest.approx(2.2, abs=0.04)


def test_the_same_command_goes_on(clips: Path, plain: tuple[Path, object], tmp_path: Path) -> None:
    """Protects growing collections: what is there stays, what is new is taken, what waits on disk is not done again."""
    folder, out = tmp_path / "clips", tmp_path / "set"
    shutil.copytree(clips / "good", folder / "good")
    first = prepare([folder], out, rules=SceneRules(), processes=1)
    assert (first.fresh, len(first.dataset.entries)) == (2, 2)
    make(folder / "good/three.mp4", seconds=2.2)
    second = prepare([folder], out, rules=SceneRules(), processes=1)
    assert (second.fresh, [e.file for e in second.dataset.entries][-1]) == (1, "good/three.mp4")
    other = Dataset.open(plain[0])
    for mine, theirs in zip(second.dataset.entries, other.entries, strict=False):
        np.testing.assert_array_equal(second.dataset.stored(mine).images, other.stored(theirs).images)
    with pytest.raises(UsageError, match=r"min_seconds 2.0 and not 3.0"):
        prepare([folder], out, rules=SceneRules(3.0), processes=1)
    with pytest.raises(UsageError, match=r"kind sounds and not None"):
        prepare([folder], out, rules=Rules(), view="mouth-64", processes=1)


def test_labels_and_classes(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects labels: part, class and recording; a class that there is not gets near names."""
    rows = ["good/one.mp4,train,dog bark,r1", "good/two shots.mkv,train,drums,r1", "bad/mute.mp4,test,drums,r2"]
    lines = ["file,part,class,recording", *(f"{clips}/{row}" for row in rows)]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    command = ["prepare", "--kind", "sounds", str(clips), "--labels", str(tmp_path / "labels.csv"), "--part", "train"]
    out = ["-o", str(tmp_path / "set"), "--quiet", "--processes", "1", "--corpus", "lab", "--classes"]
    assert main([*command, *out, "Drums"]) == 0
    (entry,) = Dataset.open(tmp_path / "set").entries
    assert (entry.label, entry.speaker, entry.group) == ("drums", "r1", "lab/r1")
    assert main([*command, *out, "drum"]) == 2
    assert "labels.csv has no class drum; near to it are drums\n" in capsys.readouterr().err


def test_a_list_of_segments(clips: Path, tmp_path: Path) -> None:
    """Protects AudioSet's lists: the file of a recording, its classes by name, and how many rows have no file."""
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(clips / "good/one.mp4", videos / "abc_def-123_30000_40000.mp4")
    make(videos / "xyz.mp4", seconds=6.0, flash=False, audio_start_s=0.0)
    (tmp_path / "list.csv").write_text(
        '# YTID, start_seconds, end_seconds, positive_labels\nabc_def-123, 30.000, 40.000, "/m/1,/m/2"\n'
        'xyz, 0.500, 3.000, "/m/2"\ngone, 0.000, 10.000, "/m/2"\nother, 0.000, 10.000, "/m/3"\n'
    )
    (tmp_path / "names.csv").write_text('index,mid,display_name\n0,/m/1,"Slap, smack"\n1,/m/2,Bang\n2,/m/3,Music\n')
    command = [*PROGRAM, videos, "--segments", tmp_path / "list.csv", "--class-names", tmp_path / "names.csv"]
    done = toy.run([*command, "--classes", "slap, smack,bang", "-o", tmp_path / "set", "--processes", "1"])
    assert done.returncode == 0, done.stderr
    assert f"clapboard: 1 segments of {tmp_path / 'list.csv'} have no file\n" in done.stderr
    found = Dataset.open(tmp_path / "set")
    assert [(e.file, e.speaker, e.group, e.label) for e in found.entries] == [
        ("abc_def-123_30000_40000.mp4", "abc_def-123", "videos/abc_def-123", "Slap, smack; Bang"),
        ("xyz.mp4#t=0.5,3", "xyz", "videos/xyz", "Bang"),
    ]
    cut = found.stored(found.entries[1])
    assert (cut.time_s[0], len(cut.time_s), cut.start_s, len(cut.samples)) == (
        pytest.approx(0.52),
        62,
        pytest.approx(0.5, abs=1e-4),
        40_000,
    )


def test_the_faithful_scene(clips: Path, tmp_path: Path) -> None:
    """Protects --view scene-256: what is stored says its rates, and the page can show it."""
    out = tmp_path / "set"
    assert (
        main(["prepare", "--kind", "sounds", str(clips / "good/one.mp4"), "--view", "scene-256", "-o", str(out), "-q"])
        == 0
    )
    found = Dataset.open(out)
    stored = found.stored(found.entries[0])
    assert (found.picture_hz, found.sound_hz, stored.samples.ndim) == (Fraction(30000, 1001), 21_000, 2)
    assert stored.images.shape == (72, 256, 256, 3)
    assert (np.diff(moments(stored, 21_000)) > 0).all()
    assert (out / "contact-sheet.html").exists()


BAD = {
    "per face": ("--kind sounds --per-face", "--per-face makes no sense with --kind sounds: no face is looked for", 2),
    "strict": ("--kind sounds --strict", "--per-face makes no sense", 2),
    "face px": ("--kind sounds --min-face-px 20 --min-speech 0.1", "--min-face-px and --min-speech make no sense", 2),
    "view of a face": ("--kind sounds --view mouth-64", "no scene is called mouth-64; there is scene-64, scene-224", 2),
    "scene of a face": ("--view scene-64", "no view is called scene-64", 2),
    "segments of faces": ("--segments x.csv", "--segments is a list of sounds; give --kind sounds", 2),
    "two lists": ("--kind sounds --segments x.csv --labels y.csv", "both say which files; give one of them", 2),
    "classes alone": ("--kind sounds --classes Bang", "name it with --segments or --labels", 2),
    "names alone": ("--kind sounds --class-names x.csv", "--class-names names the classes of --segments", 2),
    "part alone": ("--kind sounds --part train", "name it with --labels or --segments", 2),
    "no list": ("--kind sounds --segments none.csv", "none.csv: cannot be read", 4),
    "too short": ("--kind sounds --min-seconds 0.6", "the shortest shot can be 1 to 10 s, not 0.6 s", 2),
    "no kind": ("--kind smells", "--kind", 2),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_options(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str) -> None:
    """Protects people: one line, the right exit code, and no folder that was not there before."""
    options, words, code = BAD[bad]
    assert main(["prepare", str(clips), "-o", str(tmp_path / "set"), *options.split()]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
