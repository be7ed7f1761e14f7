"""``clapboard prepare`` on rendered clips, through the real program: what is kept, why not, killed and resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import toy

from clapboard.cli import main
from clapboard.dataset.align import load
from clapboard.dataset.extract import Rules
from clapboard.dataset.prepare import prepare
from clapboard.dataset.sources import find
from clapboard.dataset.spool import Job, collect, prepare_one
from clapboard.dataset.store import Dataset
from clapboard.errors import MediaError
from clapboard.media.encode import write_clip
from clapboard.testing import make_clip

PROGRAM = [sys.executable, "-m", "clapboard", "prepare"]
SMALL = {"width_px": 240, "height_px": 180, "face_px": 80.0, "duration_s": 2.2}
KEPT = ["anna/one.mp4", "anna/twö.mp4", "ben/late.mkv"]
REASONS = {
    "ben/broken.mp4": "cannot be read",
    "ben/faceless.mp4": "no face",
    "ben/linked.mp4": "the same file as another one",
    "ben/mute.mp4": "no sound",
    "ben/pair.mp4": "more than one face in the shot",
    "ben/silent.mp4": "silence",
    "ben/still.mp4": "the picture stands still",
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of videos: three to keep, and one for every common reason against it."""
    folder = tmp_path_factory.mktemp("made") / "clips"
    (folder / "anna").mkdir(parents=True)
    (folder / "ben").mkdir()
    make_clip(folder / "anna/one.mp4", seed=1, **SMALL)
    shutil.copy(folder / "anna/one.mp4", folder / "anna/twö.mp4")
    make_clip(folder / "ben/late.mkv", seed=2, video_start_s=1.5, audio_start_s=1.3, offset_ms=-80.0, **SMALL)
    os.link(folder / "anna/one.mp4", folder / "ben/linked.mp4")
    make_clip(folder / "ben/pair.mp4", seed=3, faces=2, **SMALL | {"width_px": 360})
    make_clip(folder / "ben/silent.mp4", seed=1, silent=True, **SMALL)
    make_clip(folder / "ben/mute.mp4", seed=1, audio=False, **SMALL | {"duration_s": 0.4})
    make_clip(folder / "ben/still.mp4", seed=1, static=True, **SMALL)
    bars = [np.full((120, 160), 20 + 3 * n, np.uint8) for n in range(50)]
    write_clip(folder / "ben/faceless.mp4", bars, 25, np.zeros(32_000, np.float32), 16_000)
    (folder / "ben/broken.mp4").write_bytes(b"this is no video" * 60)
    return folder


@pytest.fixture(scope="module")
def plain(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the data set that one process makes of them, and what the program said."""
    out = tmp_path_factory.mktemp("plain") / "set"
    return out, toy.run([*PROGRAM, clips, "-o", out, "--processes", "1"])


@pytest.fixture(scope="module")
def anna(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data set of the first two files alone."""
    out = tmp_path_factory.mktemp("anna") / "set"
    prepare([clips / "anna"], out, processes=1)
    return out


def same(one: Path, two: Path) -> bool:
    """Whether two data sets hold the same rows and arrays, however they are spread over shards."""
    a, b = Dataset.open(one), Dataset.open(two)
    rows = [[{**vars_of(e), "shard": 0} for e in found.entries] for found in (a, b)]
    if rows[0] != rows[1] or a.dropped != b.dropped:
        return False
    pairs = [(a.stored(x), b.stored(y)) for x, y in zip(a.entries, b.entries, strict=True)]
    return all(
        np.array_equal(x.images, y.images)
        and np.array_equal(x.time_s, y.time_s)
        and np.array_equal(x.samples, y.samples)
        and x.start_s == y.start_s
        for x, y in pairs
    )


def vars_of(entry: object) -> dict[str, object]:
    """Return the fields of an entry."""
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}  # type: ignore[attr-defined]


def test_what_is_kept_and_why_not(clips: Path, plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the whole way: every clip that talks is there, every other one has its reason, nothing else is left."""
    out, done = plain
    found = Dataset.open(out)
    assert done.returncode == 0, done.stderr
    assert [entry.file for entry in found.entries] == KEPT
    assert {row.file: row.reason for row in found.dropped} == REASONS
    assert {entry.corpus for entry in found.entries} == {"clips"}
    assert [entry.group for entry in found.entries] == ["clips/anna", "clips/anna", "clips/ben"]
    assert sorted(path.name for path in out.iterdir()) == [
        "contact-sheet.html",
        "dataset.json",
        "dropped.jsonl",
        "manifest.jsonl",
        "shards",
    ]
    assert str(clips) not in (out / "dropped.jsonl").read_text() + (out / "manifest.jsonl").read_text()


def test_the_summary(plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the reader: what is there, and every reason with its count and minutes."""
    out, done = plain
    lines = done.stdout.splitlines()
    assert lines[0] == f"{out}: 3 tracks of 3 files, 0.1 minutes, 2 groups of speakers, 1 corpora; 9 files are new"
    assert lines[1] == "not kept: 8 tracks or whole files; nothing of 7 files was kept"
    assert {line.split(" min  ")[1] for line in lines[2:]} == set(REASONS.values())
    assert lines[2].split() == ["2", "0.1", "min", "more", "than", "one", "face", "in", "the", "shot"]


def test_sound_and_picture_belong_together(clips: Path, plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the clock: starts of streams are honoured, and the offset that was made is the one that is stored."""
    found = Dataset.open(plain[0])
    one, late = (found.stored(found.entries[number]) for number in (0, 2))
    assert one.images.shape == (55, 64, 64)
    assert (one.start_s, one.time_s[0]) == (pytest.approx(0, abs=0.001), pytest.approx(0, abs=0.001))
    assert (late.start_s, late.time_s[0]) == (pytest.approx(1.3, abs=0.001), pytest.approx(1.5, abs=0.001))
    assert len(one.samples) == pytest.approx(2.2 * 16000, abs=2048)
    from clapboard.media.probe import probe
    from clapboard.media.read import read
    from clapboard.values import Audio

    heard = np.concatenate([item.samples for item in read(probe(clips / KEPT[2])) if isinstance(item, Audio)])
    np.testing.assert_array_equal(late.samples, np.round(np.clip(heard, -1, 1) * 32767).astype(np.int16))


def test_training_sees_what_measuring_sees(clips: Path, plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the crops: those of the data set are those that a check takes, pixel by pixel."""
    from clapboard.media.probe import probe
    from clapboard.pipeline import mouths
    from clapboard.vision.mouths import MouthFinder

    found = Dataset.open(plain[0])
    parts = list(mouths(probe(clips / KEPT[0]), MouthFinder(), lambda audio: None))
    np.testing.assert_array_equal(np.concatenate([p.images for p in parts]), found.stored(found.entries[0]).images)


def test_tracks_can_be_loaded(plain: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Protects the way on to training: speech lies in the windows of the picture."""
    tracks = load(plain[0], "log-mel-40", {KEPT[2]: -80.0})
    assert [track.file for track in tracks] == KEPT
    assert all(0.3 < track.loud.mean() <= 1 for track in tracks)


def test_two_processes_make_the_same(clips: Path, plain: tuple[Path, object], tmp_path: Path) -> None:
    """Protects reproducing: the data set does not depend on who was faster, nor on how often the command was given."""
    out = tmp_path / "again"
    for _ in range(2):
        assert main(["prepare", str(clips), "-o", str(out), "--quiet", "--processes", "2"]) == 0
    assert same(out, plain[0])


def test_new_files_are_taken_in(clips: Path, plain: tuple[Path, object], tmp_path: Path) -> None:
    """Protects growing collections: the same command takes what is new, and says when an old file has changed."""
    folder, out = tmp_path / "clips", tmp_path / "set"
    shutil.copytree(clips / "anna", folder / "anna")
    first = prepare([folder], out, processes=1)
    assert (first.fresh, len(first.dataset.entries)) == (2, 2)
    (folder / "ben").mkdir()
    shutil.copy(clips / "ben/late.mkv", folder / "ben")
    with (folder / "anna/one.mp4").open("ab") as file:
        file.write(b"more")
    second = prepare([folder], out, processes=1)
    assert (second.fresh, second.changed) == (1, ("anna/one.mp4",))
    assert [entry.file for entry in second.dataset.entries] == KEPT
    kept = Dataset.open(plain[0])
    for mine, other in zip(second.dataset.entries, kept.entries, strict=True):
        np.testing.assert_array_equal(second.dataset.stored(mine).images, kept.stored(other).images)


ENDS = {"killed": (signal.SIGKILL, -9), "interrupted": (signal.SIGINT, 130), "told to end": (signal.SIGTERM, 143)}


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("how", ENDS)
def test_a_stopped_run_goes_on(clips: Path, anna: Path, tmp_path: Path, how: str) -> None:
    """Protects long runs: stopped in the middle by whatever, the same command ends with the same data set."""
    out, (number, code) = tmp_path / "set", ENDS[how]
    command = [*PROGRAM, str(clips / "anna"), "-o", str(out), "--processes", "1"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    while not list(out.glob(".work/one-*.json")) and process.poll() is None:
        time.sleep(0.01)
    if number == signal.SIGINT:  # Ctrl-C on a terminal goes to all processes at once
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == code, said
    assert len(Dataset.open(out).entries) < len(Dataset.open(anna).entries) == 2
    if how != "killed":
        assert said == "clapboard: interrupted; what is finished is kept: give the same command again to go on\n"
    done = toy.run(command)
    assert done.returncode == 0, done.stderr
    assert same(out, anna)
    assert not list(out.glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_file_that_kills_its_process(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects against damaged files that crash a decoder: noted as dropped, the others are kept."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a-killer.mp4", "b.mp4", "killer.mp4"):
        shutil.copy(clips / "anna/one.mp4", folder / name)
    monkeypatch.setattr("clapboard.dataset.prepare.prepare_one", toy.prepare_or_die)
    found = prepare([folder], tmp_path / "set", processes=1).dataset
    assert [entry.file for entry in found.entries] == ["b.mp4"]
    assert {row.file: (row.reason, row.detail) for row in found.dropped} == dict.fromkeys(
        ("a-killer.mp4", "killer.mp4"), ("its process died", "SIGKILL, perhaps out of memory")
    )


def test_what_waits_for_its_shard_is_no_open_file(clips: Path, tmp_path: Path) -> None:
    """Protects shards of a thousand short tracks: a process may have 1024 files open, and each map is one."""
    (source,) = find([clips / "anna/one.mp4"]).sources
    job = Job(source, tmp_path, "mouth-64", Rules())
    assert prepare_one(job) == ""
    process = psutil.Process()
    before = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    results = [collect(job) for _ in range(10)]
    after = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    assert [len(result.kept) for result in results] == [1] * 10
    assert after == before


def test_each_face_and_every_option(clips: Path, tmp_path: Path) -> None:
    """Protects the options: every face of a pair, labels, view, and a name for the speaker by expression."""
    rows = f"file,part,offset_ms\n{clips}/ben/pair.mp4,dev,-40\n{clips}/anna/one.mp4,train,\n"
    (tmp_path / "labels.csv").write_text(rows)
    command = ["prepare", str(clips), "-o", str(tmp_path / "set"), "--per-face", "--view", "mouth-120", "--quiet"]
    labels = ["--labels", str(tmp_path / "labels.csv"), "--part", "dev", "--corpus", "lab"]
    assert main([*command, *labels, "--speaker-from", r"(\w+)\.mp4", "--processes", "1"]) == 0
    found = Dataset.open(tmp_path / "set")
    assert [(entry.speaker, entry.corpus, entry.track, entry.offset_ms) for entry in found.entries] == [
        ("pair", "lab", 0, -40.0),
        ("pair", "lab", 1, -40.0),
    ]
    assert found.view == "mouth-120"
    assert found.stored(found.entries[0]).images.shape[1:] == (120, 120)


BAD = {
    "no such view": ("--view nose-7", "no view is called nose-7", 2),
    "too short": ("--min-seconds 0", "the shortest track can be 0.6 to 30 s, not 0 s", 2),
    "part alone": ("--part train", "name it with --labels", 2),
    "no labels": ("--labels none.csv", "none.csv: cannot be read", 4),
    "no expression": ("--speaker-from (", "is no regular expression", 2),
    "no process": ("--processes 0", "--processes", 2),
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


def test_other_settings_need_another_folder(plain: tuple[Path, object], clips: Path) -> None:
    """Protects a data set from a mixture of rules."""
    done = toy.run([*PROGRAM, clips, "-o", plain[0], "--per-face"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a data set with other settings (faces strict and not per-face); name another folder" in done.stderr


def test_nothing_to_keep(clips: Path, tmp_path: Path) -> None:
    """Protects scripts: a run that keeps nothing ends with code 4 and says the most common reason."""
    done = toy.run([*PROGRAM, clips / "ben/broken.mp4", "-o", tmp_path / "set", "--quiet"])
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"clapboard: {tmp_path / 'set'}: nothing could be kept; 1 of 1 times: cannot be read\n"


def test_a_full_disk_ends_the_run(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects against dropping good files for want of room: the run ends, and nothing of theirs is noted as bad."""
    monkeypatch.setattr("clapboard.dataset.prepare.prepare_one", toy.prepare_without_room)
    with pytest.raises(MediaError, match="cannot be written"):
        prepare([clips / "anna/one.mp4"], tmp_path / "set", processes=1)
    assert Dataset.open(tmp_path / "set").dropped == ()
