"""The commands on whole files, without a browser: taken in, judged by a table, cut, and measured again."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pieces import chirp, everybody_says, names_of, small_project, write_flashes

from clapboard.cli import main
from clapboard.curation.begin import Item, begin, of_folders
from clapboard.curation.clips import write_clips
from clapboard.curation.plan import Extent
from clapboard.curation.project import Project
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.values import Audio, Frame

Run = Callable[..., tuple[int, str, str]]
VOTERS = ("anna", "ben", "cleo")
AUDIOSET = """# Segments csv created Sun Mar  5 10:54:25 2017
# YTID, start_seconds, end_seconds, positive_labels
-dog_and_drum, 30.000, 36.000, "/m/0bt9lr,/m/026t6"
whole123456, 2.000, 6.000, "/m/0bt9lr"
speech12345, 0.000, 4.000, "/m/09x0r"
gone1234567, 0.000, 10.000, "/m/0g6b5"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command and gives exit code, output and errors."""

    def once(*arguments: object) -> tuple[int, str, str]:
        code = main(["curate", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return once


def vote(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> Path:
    """Write a table of votes."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("segment", "question", "voter", "answer"))
        table.writerows(rows)
    return path


def flashes_and_beeps(path: Path, expected: int) -> list[tuple[float, float]]:
    """When the white pictures and the beeps of a clip are, s, as decoded."""
    white: list[float] = []
    blocks = []
    for value in read(probe(path)):
        if isinstance(value, Frame):
            if float(value.image.mean()) > 120:
                white.append(value.time_s)
        else:
            assert isinstance(value, Audio)
            blocks.append(value)
    samples = np.concatenate([block.samples for block in blocks])
    match = np.correlate(samples, chirp(np.arange(1280) / 16_000), "valid")
    beeps = []
    for _ in range(expected):
        peak = int(np.argmax(match))
        beeps.append(blocks[0].start_s + peak / 16_000)
        match[max(0, peak - 8000) : peak + 8000] = 0
    assert len(white) == expected
    return list(zip(white, sorted(beeps), strict=True))


def test_from_folders_to_clips(tmp_path: Path, run: Run) -> None:
    """All of it: what is kept, merged, named, in sync and counted is what the votes say."""
    write_flashes(tmp_path / "clips/flash/whole.mp4", 6.0)
    write_flashes(tmp_path / "clips/flash/hole.mkv", 6.0)
    write_flashes(tmp_path / "clips/bang/short.mp4", 4.96)
    project, out = tmp_path / "project", tmp_path / "out"
    code, said, err = run("begin", project, tmp_path / "clips", "-q")
    assert (code, said, err) == (0, "", "")

    code, said, _ = run("status", project, "--segments", tmp_path / "list.csv")
    assert code == 3
    segments = [row["segment"] for row in csv.DictReader((tmp_path / "list.csv").read_text().splitlines())]
    assert segments[:3] == [f"bang/bang/short.mp4#t={times}" for times in ("0,2", "2,4")] + [
        "flash/flash/hole.mkv#t=0,2"
    ]
    # nobody but ben sees the middle of hole.mkv, all hear it; the rest is seen and heard by two of three
    rows = [
        (
            segment,
            question,
            voter,
            "yes"
            if (voter == "ben" if segment.endswith("hole.mkv#t=2,4") and question == "seen" else voter != "cleo")
            else "no",
        )
        for segment in segments
        for question in ("seen", "heard")
        for voter in VOTERS
    ]
    code, said, _ = run("votes", project, vote(tmp_path / "votes.csv", rows))
    assert (code, said) == (0, f"{tmp_path / 'votes.csv'}: 48 votes added, 0 known already\n")

    code, said, err = run("cut", project, "-o", out)
    assert (code, err) == (0, "")
    names = ["bang/short_000000_004000.mp4", "flash/hole_000000_002000.mp4", "flash/hole_004000_006000.mp4"]
    names.append("flash/whole_000000_006000.mp4")
    rows_out = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [row["clip"] for row in rows_out] == names
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.mp4")) == names
    assert rows_out[3]["segments"] == segments[-3:]
    assert (rows_out[2]["start_s"], rows_out[2]["end_s"], rows_out[2]["sound_hz"]) == (4.0, 6.0, 16_000)
    for row in rows_out:
        count = round(row["seconds"] / 2)
        for number, (flash_s, beep_s) in enumerate(flashes_and_beeps(out / row["clip"], count)):
            assert flash_s == pytest.approx(1 + 2 * number, abs=1e-3)
            assert beep_s == pytest.approx(1 + 2 * number, abs=1e-3)

    found = [json.loads(line) for line in (out / "statistics.jsonl").read_text().splitlines()]
    assert [row["class"] for row in found] == ["bang", "flash", None]
    assert {name: found[1][name] for name in ("videos", "segments", "kept", "removed", "undecided", "clips")} == {
        "videos": 2, "segments": 6, "kept": 5, "removed": 1, "undecided": 0, "clips": 3,
    }  # fmt: skip
    assert (found[1]["mean_s"], found[1]["median_s"]) == (pytest.approx(10 / 3, abs=1e-3), 2.0)
    assert (found[1]["shortest_s"], found[1]["longest_s"]) == (2.0, 6.0)
    assert found[2]["hours"] == pytest.approx(14 / 3600, abs=1e-6)
    assert found[2]["heard"] == {"items": 8, "observed": pytest.approx(1 / 3, abs=1e-4), "kappa": -0.5}
    assert "4 clips, 4 of them new, 14.0 s; 1 of 8 segments removed" in said


def test_a_run_goes_on_and_writes_nothing_over(tmp_path: Path, run: Run) -> None:
    """Clips that are there stay as they are, other people's files are never touched, and what is stale is told."""
    project = small_project(tmp_path, {"dog/a": 4.0, "dog/b": 4.0})
    truth = dict.fromkeys(names_of(project), (True, True))
    everybody_says(project, truth, VOTERS)
    out = tmp_path / "out"
    assert run("cut", project.folder, "-o", out)[0] == 0
    first, second = out / "dog/a_000000_004000.mp4", out / "dog/b_000000_004000.mp4"
    before = first.stat().st_mtime_ns
    second.unlink()
    code, said, err = run("cut", project.folder, "-o", out)
    assert (code, err) == (0, "")
    assert "2 clips, 1 of them new" in said
    assert first.stat().st_mtime_ns == before
    assert second.is_file()

    second.write_bytes(b"my holiday")
    code, _, err = run("cut", project.folder, "-o", out)
    assert code == 4  # no film at all: told for this clip, the others are cut
    assert "not a video file that can be read" in err
    assert second.read_bytes() == b"my holiday"
    second.write_bytes(write_flashes(tmp_path / "long.mp4", 6.0).read_bytes())
    code, _, err = run("cut", project.folder, "-o", out)
    assert code == 2
    assert "b_000000_004000.mp4: is in the way and not the clip that belongs there" in err
    second.unlink()

    (tmp_path / "other").mkdir()
    (tmp_path / "other/manifest.jsonl").write_text("my shopping\n")
    code, _, err = run("cut", project.folder, "-o", tmp_path / "other")
    assert (code, "in the way" in err) == (2, True)
    assert (tmp_path / "other/manifest.jsonl").read_text() == "my shopping\n"

    everything = names_of(project)
    with project.writing() as db:  # two people have changed their minds
        db.execute("UPDATE questions SET yes = 1, no = 2 WHERE segment = ?", (everything["dog/dog/a.mkv#t=2,4"],))
    code, said, err = run("cut", project.folder, "-o", out)
    assert code == 0
    assert err == f"clapboard: {out}: no longer what the votes say, and left there: 1 (dog/a_000000_004000.mp4)\n"
    assert first.is_file()
    assert (out / "dog/a_000000_002000.mp4").is_file()


def test_lists_of_audioset(tmp_path: Path, run: Run) -> None:
    """The ten classes by name, rows of two of them, parts of whole recordings, times of the recording in names."""
    (tmp_path / "list.csv").write_text(AUDIOSET)
    write_flashes(tmp_path / "videos/-dog_and_drum_30000_36000.mp4", 6.0)
    write_flashes(tmp_path / "videos/whole123456.mkv", 8.0)
    write_flashes(tmp_path / "videos/speech12345.mp4", 4.0)
    code, said, err = run(
        "begin", tmp_path / "p", tmp_path / "videos", "--list", tmp_path / "list.csv", "--classes", "vegas"
    )
    assert code == 0
    assert err == f"clapboard: 1 row of {tmp_path / 'list.csv'}: there is no file\n"
    assert said == f"{tmp_path / 'p'}: 3 videos of 2 files taken in, 8 segments of 2 s; 6 votes each\n"
    project = Project(tmp_path / "p")
    everybody_says(project, dict.fromkeys(names_of(project), (True, True)), VOTERS)
    assert run("cut", tmp_path / "p", "-o", tmp_path / "out", "-q") == (0, "", "")
    rows = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert [(row["clip"], row["start_s"], row["recording_start_s"]) for row in rows] == [
        ("dog/-dog_and_drum_30000_36000_030000_036000.mp4", 0.0, 30.0),
        ("dog/whole123456_002000_006000.mp4", 2.0, 2.0),
        ("drum/-dog_and_drum_30000_36000_030000_036000.mp4", 0.0, 30.0),
    ]
    assert [round(flash_s, 3) for flash_s, _ in flashes_and_beeps(tmp_path / "out" / rows[1]["clip"], 2)] == [1, 3]


def test_more_can_be_added_and_nothing_is_taken_twice(tmp_path: Path, run: Run) -> None:
    """The same command again changes nothing; new files come in beside the votes; moved files are found again."""
    project = small_project(tmp_path, {"dog/a": 4.0})
    everybody_says(project, dict.fromkeys(names_of(project), (True, False)), ("anna",))
    numbers = names_of(project)
    code, said, _ = run("begin", project.folder, tmp_path / "clips")
    assert (code, "0 videos of 0 files taken in" in said, "1 video known already" in said) == (0, True, True)
    write_flashes(tmp_path / "clips/dog/new.mp4", 2.0)
    run("begin", project.folder, tmp_path / "clips")
    assert names_of(project) == {**numbers, "dog/dog/new.mp4#t=0,2": 3}
    (tmp_path / "clips").rename(tmp_path / "elsewhere")
    code, _, err = run("begin", project.folder, tmp_path / "elsewhere")
    assert (code, err) == (0, "")
    assert len(names_of(project)) == 3
    piece = project.piece(1)
    assert piece is not None
    piece.require_same()

    run("begin", project.folder, tmp_path / "elsewhere/dog/a.mkv")  # the same file, however it is given
    assert len(names_of(project)) == 3

    write_flashes(tmp_path / "elsewhere/dog/new.mkv", 2.0).replace(tmp_path / "elsewhere/dog/new.mp4")
    code, _, err = run("begin", project.folder, tmp_path / "elsewhere")
    assert err == "clapboard: changed since they were taken in, and left as they were: 1 (dog/new.mp4)\n"


def test_files_that_cannot_be_used_stop_nothing(tmp_path: Path, run: Run) -> None:
    """What is damaged, silent or too short is told with its reason, and the rest is taken in."""
    write_flashes(tmp_path / "clips/dog/good.mp4", 2.0)
    write_flashes(tmp_path / "clips/dog/short.mp4", 0.6, at_s=0.2)
    (tmp_path / "clips/dog/broken.mp4").write_bytes(b"no film" * 100)
    (tmp_path / "clips/dog/empty.mkv").write_bytes(b"")
    code, said, err = run("begin", tmp_path / "p", tmp_path / "clips")
    assert (code, err) == (0, "")
    assert "left out: 3 files" in said
    assert "shorter than half a segment" in said
    code, _, err = run("begin", tmp_path / "q", tmp_path / "clips/dog/broken.mp4")
    assert code == 4


def test_a_source_that_is_gone_costs_only_its_clips(tmp_path: Path, run: Run) -> None:
    """Files that have been moved or changed since are told by name; all others are cut."""
    project = small_project(tmp_path, {"dog/a": 2.0, "dog/b": 2.0, "dog/c": 2.0})
    everybody_says(project, dict.fromkeys(names_of(project), (True, True)), VOTERS)
    (tmp_path / "clips/dog/a.mkv").unlink()
    (tmp_path / "clips/dog/c.mkv").unlink()
    write_flashes(tmp_path / "clips/dog/c.mkv", 2.0)
    code, _, err = run("cut", project.folder, "-o", tmp_path / "out")
    assert code == 4
    assert "a_000000_002000.mp4: not cut" in err
    assert "has changed since it was taken in" in err
    assert [path.name for path in (tmp_path / "out/dog").iterdir()] == ["b_000000_002000.mp4"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("dog/dog/a.mkv#t=0,2,seen,ben,maybe", "line 3: the answer is maybe; give yes or no"),
        ("dog/dog/a.mkv#t=0,2,felt,ben,yes", "line 3: the question is felt; give seen or heard"),
        (
            '"dog/dog/z.mkv#t=0,2",seen,ben,yes',
            "line 3: there is no segment dog/dog/z.mkv#t=0,2; clapboard curate status",
        ),
        ('"dog/dog/a.mkv#t=0,2",seen,,yes', "line 3: a voter has a name of 1 to 40 characters"),
        ('"dog/dog/a.mkv#t=0,2",seen,ANNA,no', "line 3: ANNA has said yes of this before; leave one of the two out"),
    ],
)
def test_tables_that_make_no_sense(tmp_path: Path, run: Run, row: str, words: str) -> None:
    """The row is named, and nothing of the table counts, not even what comes before it."""
    project = small_project(tmp_path, {"dog/a": 2.0})
    if not row.startswith('"'):
        row = row.replace("dog/dog/a.mkv#t=0,2", '"dog/dog/a.mkv#t=0,2"')
    table = tmp_path / "votes.csv"
    table.write_text(f'segment,question,voter,answer\n"dog/dog/a.mkv#t=0,2",seen,anna,yes\n{row}\n')
    code, _, err = run("votes", project.folder, table)
    assert (code, words in err) == (2, True), err
    with project.reading() as db:
        assert db.execute("SELECT COUNT(*) FROM votes").fetchone()[0] == 0


def test_votes_in_and_out_again(tmp_path: Path, run: Run) -> None:
    """What is written is read, in a new project too; the same table twice adds nothing, a fourth voter is too many."""
    project = small_project(tmp_path, {"dog/a": 2.0})
    segment = next(iter(names_of(project)))
    rows = [(segment, question, voter, "Yes") for question in ("seen", "heard") for voter in VOTERS]
    table = vote(tmp_path / "votes.csv", rows)
    assert run("votes", project.folder, table)[0] == 0
    assert "0 votes added, 6 known already" in run("votes", project.folder, table)[1]
    code, _, err = run("votes", project.folder, vote(tmp_path / "more.csv", [(segment, "seen", "dora", "no")]))
    assert (code, "has its 3 votes already" in err) == (2, True)

    assert run("votes", project.folder, "--export", tmp_path / "out.csv")[0] == 0
    assert run("votes", project.folder, "--export", tmp_path / "out.csv")[0] == 2
    other = tmp_path / "other"
    assert run("begin", other, tmp_path / "clips", "-q")[0] == 0
    assert "6 votes added" in run("votes", other, tmp_path / "out.csv")[1]
    assert run("status", other)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["begin", "p", "nowhere"], (2, "there is no such file or folder")),
        (["begin", "p", "clips", "--voters", "2"], (2, "give an odd number up to 15")),
        (["begin", "p", "clips", "--segment-s", "0.1"], (2, "segments last from 0.5 to 60 s")),
        (["begin", "project", "clips", "--segment-s", "3"], (2, "was begun with segments of 2 s")),
        (["begin", "project", "clips", "--voters", "5"], (2, "was begun with 3 voters")),
        (["begin", "p", "clips", "--classes", "cat"], (2, "has no class cat")),
        (["begin", "p", "clips", "--class", "a/b"], (2, "a class has a folder of its name")),
        (["begin", "p", "clips", "--class", ".."], (2, "a class has a folder of its name")),
        (["begin", "p", "clips", "--class", "x", "--classes", "vegas"], (2, "give it without --classes")),
        (["begin", "p", "clips", "--part", "train"], (2, "give it with --list")),
        (["begin", "p", "clips", "--list", "nowhere.csv", "--classes", "vegas"], (4, "cannot be read")),
        (["begin", "clips/dog/a.mkv", "clips"], (4, "cannot be written")),
        (["serve", "p"], (2, "no curation was begun there")),
        (["status", "clips"], (2, "no curation was begun there")),
        (["cut", "clips", "-o", "out"], (2, "no curation was begun there")),
        (["cut", "project", "-o", "clips/dog/a.mkv"], (4, "cannot be written to")),
        (["votes", "project"], (2, "give a table of votes to add, or --export")),
        (["votes", "project", "nowhere.csv"], (4, "cannot be read")),
        (["votes", "project", "clips/dog/a.mkv"], (4, "is no table of text")),
        (["status", "damaged"], (4, "is damaged or no curation project")),
    ],
)
def test_wrong_arguments_end_in_one_line(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: tuple[int, str]
) -> None:
    """No traceback, nothing left behind: what was wrong, and what to do."""
    small_project(tmp_path, {"dog/a": 2.0})
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/curate.sqlite").write_bytes(b"no database at all" * 100)
    monkeypatch.chdir(tmp_path)
    before = sorted(str(path) for path in Path().rglob("*") if path.parent.name != "project")
    code, said, err = run(*arguments)
    assert (code, said, err.count("\n")) == (expected[0], "", 1), err
    assert expected[1] in err
    assert sorted(str(path) for path in Path().rglob("*") if path.parent.name != "project") == before


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    """After a kill in the middle of cutting the same command finishes, and no clip is cut twice."""
    write_flashes(tmp_path / "clips/flash/a.mp4", 4.0)
    project = small_project(tmp_path, {f"flash/{number}": 2.0 for number in range(3)})
    begin(project, of_folders([tmp_path / "clips"]))
    everybody_says(project, dict.fromkeys(names_of(project), (True, True)), VOTERS)
    out = tmp_path / "out"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom clapboard.curation import clips\n"
        "from clapboard.curation.project import Project\n"
        "def hook(step, done, total):\n    if done == 2: os._exit(9)\n"
        "clips.write_clips(Project(sys.argv[1]), sys.argv[2], hook=hook)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(project.folder), str(out)], check=False)
    assert done.returncode == 9
    assert len(list(out.rglob("*.mp4"))) == 2
    written = write_clips(project, out)
    assert (written.fresh, written.there, written.failed) == (2, 2, {})


def test_times_are_told_to_the_millisecond(tmp_path: Path, run: Run) -> None:
    """The clock of a broadcast says eleven hours: its segments are named and listed by their true times."""
    project = small_project(tmp_path, {"dog/a": 2.0})
    path = write_flashes(tmp_path / "late/dog/late.mp4", 4.0)
    item = Item(path, "dog/late.mp4", "dog")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clapboard.curation.begin._extent", lambda clip: Extent(40_000_123, 40_004_123))
        begin(project, [item])
    assert "dog/dog/late.mp4#t=40000.123,40002.123" in names_of(project)
    assert run("status", project.folder, "--segments", tmp_path / "all.csv")[0] == 3
    assert "dog,40000.123,40002.123," in (tmp_path / "all.csv").read_text()


def test_known_votes_pass_though_the_segment_broke_since(tmp_path: Path, run: Run) -> None:
    """A table that was exported is read again, also where a segment broke since; new votes on it are refused."""
    project = small_project(tmp_path, {"dog/a": 2.0})
    name, number = next(iter(names_of(project).items()))
    table = vote(tmp_path / "votes.csv", [(name, "heard", "anna", "yes")])
    assert run("votes", project.folder, table)[0] == 0
    project.mark_broken(number, "nothing can be decoded")
    assert "0 votes added, 1 known already" in run("votes", project.folder, table)[1]
    code, _, err = run("votes", project.folder, vote(tmp_path / "new.csv", [(name, "heard", "ben", "yes")]))
    assert (code, "cannot be shown" in err) == (2, True)


def test_stale_clips_are_told_each_time(tmp_path: Path, run: Run) -> None:
    """Clips that the votes no longer want are told by every run, also those of one that was killed before its table."""
    project = small_project(tmp_path, {"dog/a": 4.0})
    everybody_says(project, dict.fromkeys(names_of(project), (True, True)), VOTERS)
    out = tmp_path / "out"
    assert run("cut", project.folder, "-o", out)[0] == 0
    (out / "manifest.jsonl").unlink()
    write_flashes(out / "dog/my own.mp4", 2.0)
    with project.writing() as db:
        db.execute("UPDATE questions SET yes = 1, no = 2 WHERE segment = ?", (min(names_of(project).values()),))
    for _ in range(2):
        code, _, err = run("cut", project.folder, "-o", out)
        assert (code, "left there: 1 (dog/a_000000_004000.mp4)" in err) == (0, True)
