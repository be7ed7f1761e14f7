"""``clapboard filter`` as a program, on rendered clips: every clip once, whatever is wrong, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clapboard.batch import run as module
from clapboard.batch.clips import ClipAt, find_clips, shard_of
from clapboard.batch.run import OF_CLIP, TRACK_KEYS, filter_clips
from clapboard.batch.scorer import Scorer
from clapboard.cli import main
from clapboard.errors import ClapboardError, ModelError
from clapboard.testing import make_clip

PROGRAM = [sys.executable, "-m", "clapboard", "filter"]
SMALL: dict[str, Any] = {"duration_s": 1.4, "width_px": 160, "height_px": 120, "face_px": 80.0}
BROKEN = {"text": b"this is no video" * 60, "empty": b"", "noise": bytes(range(256)) * 40}
CLIPS, BAD = 40, 5
KEYS = {"id", "track", "faces", "speakers", "duration_s", "status", "keep", "drop_reasons", *TRACK_KEYS} | {
    f"clip_{name}" for name in OF_CLIP
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return rendered clips: in sync, with sound that is early, and with a voice of somebody else."""
    folder = tmp_path_factory.mktemp("made")
    options = {"sync": {"seed": 3}, "early": {"seed": 3, "offset_ms": 300.0}, "foreign": {"seed": 5, "voice_of": 11}}
    for name, more in options.items():
        make_clip(folder / f"{name}.mp4", **SMALL, **more)
    return {name: folder / f"{name}.mp4" for name in options}


@pytest.fixture(scope="module")
def many(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 40 clips, links to three, of which 5 are broken."""
    folder = tmp_path_factory.mktemp("many") / "clips"
    names = list(made)
    for number in range(CLIPS - BAD):
        path = folder / f"{number % 4}" / f"{number:04d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(made[names[number % 3]], path)
    kinds = list(BROKEN)
    for number in range(BAD):
        (folder / f"{number % 4}" / f"bad{number}.mp4").write_bytes(BROKEN[kinds[number % 3]])
    return folder


def rows_in(path: Path) -> list[dict[str, Any]]:
    """Return all rows, each of which is a whole line."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def packed_ids(folder: Path) -> list[str]:
    """Return the ids of all clips in the tar files of a folder; each has its video."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            names = tar.getnames()
            for name in names:
                if name.endswith(".json"):
                    file = tar.extractfile(name)
                    assert file is not None
                    found.append(json.load(file)["id"])
                    assert name.replace(".json", ".mp4") in names
    return found


def test_every_clip_has_its_row(made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the rows: one a clip and face with all keys, what is kept and why not, and the histogram of it."""
    folder = tmp_path / "clips"
    (folder / "x").mkdir(parents=True)
    for name, path in made.items():
        shutil.copy(path, folder / "x" / f"{name}.mp4")
    (folder / "text.mp4").write_bytes(BROKEN["text"])
    out = tmp_path / "out.jsonl"
    assert main(["filter", str(folder), "-o", str(out), "--preset", "latentsync", "--processes", "1"]) == 0
    rows = {row["id"]: row for row in rows_in(out)}
    assert {frozenset(row) for row in rows.values()} == {frozenset(KEYS)}
    assert {id_: row["keep"] for id_, row in rows.items()} == {
        "text.mp4": False,
        "x/early.mp4": False,
        "x/foreign.mp4": False,
        "x/sync.mp4": True,
    }
    assert rows["x/sync.mp4"]["offset_ms"] == pytest.approx(0, abs=40)
    assert rows["x/sync.mp4"]["speakers"] == rows["x/sync.mp4"]["faces"] == 1
    assert rows["x/early.mp4"]["drop_reasons"] == ["offset beyond 6 frames (240 ms)"]
    assert rows["x/early.mp4"]["offset_ms"] == pytest.approx(300, abs=40)
    assert [reason.split(":")[0] for reason in rows["x/foreign.mp4"]["drop_reasons"]] == ["undecided"]
    assert (rows["text.mp4"]["track"], rows["text.mp4"]["status"]) == (None, "error")
    assert len(rows["text.mp4"]["reasons"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{out}: 4 clips are new"
    assert said[1] == "4 clips, 3 faces; 1 clip (1 face) kept, 3 dropped, 1 of them could not be read"
    assert said[2].startswith("dropped, by reason")
    assert sorted(line.split()[0] for line in said[3:]) == ["1", "1", "1"]
    assert any("offset beyond 6 frames (240 ms)" in line for line in said)


def test_without_a_preset_clips_are_measured(made: dict[str, Path], tmp_path: Path) -> None:
    """Protects those who decide for themselves: nothing is kept or dropped; given again, nothing is done."""
    command = ["filter", str(made["sync"]), str(made["foreign"]), "-o", str(tmp_path / "out.jsonl"), "-q"]
    assert main([*command, "--processes", "2"]) == 0
    rows = rows_in(tmp_path / "out.jsonl")
    assert {row["keep"] for row in rows} == {row["clip_keep"] for row in rows} == {None}
    assert {row["id"]: row["status"] for row in rows} == {"sync.mp4": "in_sync", "foreign.mp4": "undecided"}
    before = (tmp_path / "out.jsonl").read_bytes()
    done = filter_clips([str(made["sync"]), str(made["foreign"])], tmp_path / "out.jsonl", processes=2)
    assert (done.fresh, done.tally.clips) == (0, 2)
    assert (tmp_path / "out.jsonl").read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_killed_twice_every_clip_is_there_once(many: Path, tmp_path: Path) -> None:
    """Protects long runs: 40 clips with 5 broken ones, killed without a word twice, each has its rows once."""
    out, tars = tmp_path / "out.jsonl", tmp_path / "tars"
    command = [*PROGRAM, str(many), "-o", str(out), "--preset", "relaxed", "--processes", "2"]
    command += ["--tar-out", str(tars), "--tar-clips", "5"]
    seen = 0
    for stop_after in (6, 20):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < stop_after):
            time.sleep(0.005)
        process.kill()
        printed, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, said
        assert b"clips are new\n" in printed, "it is told when the run begins"
        at = out.read_bytes().count(b"\n")
        assert seen < at < CLIPS
        seen = at
        with out.open("ab") as file:  # what a kill in the middle of a line leaves
            file.write(b'{"id": "0/0000.mp4", "fac')
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = rows_in(out)
    expected = sorted(path.relative_to(many).as_posix() for path in many.rglob("*.mp4"))
    assert sorted(row["id"] for row in rows) == expected
    assert len(rows) == CLIPS
    assert Counter(row["status"] for row in rows)["error"] == BAD
    kept = sorted(row["id"] for row in rows if row["keep"])
    assert sorted(packed_ids(tars)) == kept
    assert len(kept) > 10
    assert not list(tars.glob(".*"))
    assert "of them could not be read" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.stdout.splitlines()[0] == f"{out}: 0 clips are new"
    assert again.stdout.splitlines()[1:] == done.stdout.splitlines()[1:]
    assert rows_in(out) == rows


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_keeps_what_is_finished(many: Path, tmp_path: Path) -> None:
    """Protects the words: an interrupted run says that it can go on."""
    out = tmp_path / "out.jsonl"
    process = subprocess.Popen(
        [*PROGRAM, str(many), "-o", str(out), "--processes", "1"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and (not out.exists() or not out.read_bytes().count(b"\n")):
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert said == "clapboard: interrupted; what is finished is kept: give the same command again to go on\n"
    assert 1 <= len(rows_in(out)) < CLIPS


def test_ctrl_c_with_ray_ends_the_process_at_once(tmp_path: Path) -> None:
    """Protects the exit code: Ray, stopped in the middle, can crash the interpreter while that takes itself down."""
    code = (
        "import atexit, os, sys\nfrom clapboard.batch import run\nfrom clapboard.cli import main\n"
        "def interrupted(*given, **options):\n    print('some rows')\n    raise KeyboardInterrupt\n"
        "run.filter_clips = interrupted\natexit.register(os._exit, 139)\n"
        "sys.exit(main(['filter', '.', '-o', 'out.jsonl', *sys.argv[1:]]))"
    )
    for options, expected in ([], 139), (["--ray", "local"], 130):
        call = [sys.executable, "-c", code, *options]
        done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == expected, "without Ray the interpreter ends as usual"
    assert done.stdout == "some rows\n"
    assert done.stderr.startswith("clapboard: interrupted; what is finished is kept")


def test_shards_together_are_the_whole(many: Path, tmp_path: Path) -> None:
    """Protects Slurm arrays: three parts side by side hold every clip once, and pack under names of their own."""
    ids, tars = [], tmp_path / "tars"
    for part in range(3):
        out = tmp_path / f"{part}.jsonl"
        command = ["filter", str(many), "-o", str(out), "--shard", f"{part}/3", "--preset", "strict", "-q"]
        assert main([*command, "--tar-out", str(tars), "--processes", "1"]) == 0
        ids += [row["id"] for row in rows_in(out)]
    assert sorted(ids) == sorted(path.relative_to(many).as_posix() for path in many.rglob("*.mp4"))
    assert {path.name.rpartition("-")[0] for path in tars.iterdir()} == {f"clips-{part}of3" for part in range(3)}


def test_tar_in_and_out(made: dict[str, Path], tmp_path: Path) -> None:
    """Protects WebDataset users: members are measured as their files are, and come out byte by byte, once each."""
    given = tmp_path / "given"
    given.mkdir()
    with tarfile.open(given / "in.tar", "w") as tar:
        for name, path in made.items():
            tar.add(path, f"{name}.mp4")
            tar.add(__file__, f"{name}.txt")
    (given / "cut.tar").write_bytes((given / "in.tar").read_bytes()[:3000])
    command = ["filter", str(given), "-o", str(tmp_path / "out.jsonl"), "--preset", "relaxed", "-q"]
    command += ["--processes", "1"]
    assert main([*command, "--tar-out", str(tmp_path / "kept")]) == 0
    rows = {row["id"]: row for row in rows_in(tmp_path / "out.jsonl")}
    assert set(rows) == {"cut.tar", "cut.tar/sync.mp4", *(f"in.tar/{name}.mp4" for name in made)}
    assert {id_ for id_, row in rows.items() if row["status"] == "error"} == {"cut.tar", "cut.tar/sync.mp4"}
    kept = {id_ for id_, row in rows.items() if row["keep"]}
    assert kept == {"in.tar/sync.mp4", "in.tar/early.mp4"}
    with tarfile.open(tmp_path / "kept" / "clips-000000.tar") as tar:
        for id_ in kept:
            file = tar.extractfile(id_)
            assert file is not None
            assert file.read() == made[Path(id_).stem].read_bytes()
    # a round trip: what was packed can be filtered again
    command = ["filter", str(tmp_path / "kept"), "-o", str(tmp_path / "again.jsonl"), "-q", "--processes", "1"]
    assert main(command) == 0
    again = {row["id"]: row["offset_ms"] for row in rows_in(tmp_path / "again.jsonl")}
    assert again == {f"clips-000000.tar/{id_}": rows[id_]["offset_ms"] for id_ in kept}
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".mp4", ".part")], "nothing was unpacked"


class Unloadable(module._Task):
    """Cannot load the model; it stands for a process that has too little memory for it."""

    def __init__(self, scorer: Scorer) -> None:
        super().__init__(Scorer("nowhere.json"))


def test_a_model_that_fails_later_is_no_clips_fault(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects rows from a fault that is not theirs: the run ends, and no clip is noted as bad for ever."""
    monkeypatch.setattr(module, "_Task", Unloadable)
    with pytest.raises(ModelError, match="nowhere"):
        filter_clips([made["sync"], made["early"]], tmp_path / "out.jsonl", processes=1)
    assert (tmp_path / "out.jsonl").read_bytes() == b""


class Doomed(module._Task):
    """Measures, but some clips end the process; it stands for a decoder that crashes."""

    def __call__(self, clip: ClipAt) -> dict[str, Any] | ClapboardError:
        if "killer" in clip.id:
            os._exit(9)
        return super().__call__(clip)


def test_a_clip_that_kills_its_process(made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the others from a clip that crashes a decoder: it is a row like every bad clip."""
    for name in ("a-killer", "b", "killer"):
        shutil.copy(made["sync"], tmp_path / f"{name}.mp4")
    monkeypatch.setattr(module, "_Task", Doomed)
    filter_clips([tmp_path], tmp_path / "out.jsonl", processes=1, preset="relaxed")
    found = {row["id"]: (row["status"], row["reasons"]) for row in rows_in(tmp_path / "out.jsonl")}
    died = ("error", ["ended the process that read it: exit code 9"])
    assert found == {"a-killer.mp4": died, "b.mp4": ("in_sync", []), "killer.mp4": died}


class Stopped(module._Task):
    """Measures, but its process is told to end at some clips, as when a machine shuts down."""

    def __call__(self, clip: ClipAt) -> dict[str, Any] | ClapboardError:
        if "late" in clip.id:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().__call__(clip)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_process_that_was_told_to_end_blames_no_clip(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects clips from being noted as bad for ever where somebody ends the run's processes before the run."""
    (tmp_path / "clips").mkdir()
    for name in ("a-late", "b"):
        shutil.copy(made["sync"], tmp_path / "clips" / f"{name}.mp4")
    command = ["filter", str(tmp_path / "clips"), "-o", str(tmp_path / "out.jsonl"), "--processes", "1", "-q"]
    with monkeypatch.context() as patched:
        patched.setattr(module, "_Task", Stopped)
        assert main(command) == 4
    said = capsys.readouterr().err
    assert said == "clapboard: 1 clip has no row: its process was told to end; give the same command again\n"
    assert [row["id"] for row in rows_in(tmp_path / "out.jsonl")] == ["b.mp4"]
    assert main(command) == 0
    assert {row["id"]: row["status"] for row in rows_in(tmp_path / "out.jsonl")} == {
        "a-late.mp4": "in_sync",
        "b.mp4": "in_sync",
    }


BAD_COMMANDS = {
    "no preset": (["{clips}", "-o", "{out}", "--preset", "best"], "there is strict", 2),
    "no shard": (["{clips}", "-o", "{out}", "--shard", "3/3"], "i from 0 to n - 1", 2),
    "no input": (["{out}.nowhere", "-o", "{out}"], "no such file or folder", 2),
    "no folder": (["{clips}", "-o", "{out}/x/y.jsonl"], "there is no folder", 2),
    "an input": (["{clip}", "-o", "{clip}", "--overwrite"], "is an input", 2),
    "over a clip": (["{clips}", "-o", "{clip}", "--overwrite"], "is an input or named like one", 2),
    "tar among clips": (
        ["{clips}", "-o", "{out}", "--tar-out", "{clips}/x", "--preset", "strict"],
        "the next run would take",
        2,
    ),
    "tar without preset": (["{clips}", "-o", "{out}", "--tar-out", "{out}.d"], "name one with --preset", 2),
    "no model": (["{clips}", "-o", "{out}", "--model", "nowhere.json"], "nowhere.json", 5),
    "no time": (["{clips}", "-o", "{out}", "--timeout-s", "0"], "positive", 2),
    "no rows": (["{clips}", "-o", "{out}.csv"], "give a name that ends in .jsonl", 2),
    "compressed": (
        ["{clips}", "{packed}", "-o", "{out}"],
        "compressed tar files are not read; unpack it, or recompress it as .tar",
        2,
    ),
    "no size": (["{clips}", "-o", "{out}", "--tar-mb", "inf"], "--tar-mb", 2),
    "no number": (["{clips}", "-o", "{out}", "--tar-mb", "nan"], "--tar-mb", 2),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_bad_commands_end_in_one_line(
    made: dict[str, Path],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    """Protects from tracebacks, and from files that nobody asked for."""
    arguments, words, code = BAD_COMMANDS[case]
    before = made["sync"].read_bytes()
    packed = tmp_path_factory.mktemp("packed") / "clips.tar.gz"
    packed.write_bytes(b"x")
    names = {"clips": made["sync"].parent, "clip": made["sync"], "out": tmp_path / "out.jsonl", "packed": packed}
    assert main(["filter", *(each.format(**names) for each in arguments)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert made["sync"].read_bytes() == before


def test_compressed_tar_files_in_folders_are_counted(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects from thousands of clips that are passed over in silence; other compressed files are nobody's clips."""
    (tmp_path / "clips").mkdir()
    for name in ("a.tar.gz", "b.TGZ", "c.tar.zst", "notes.txt.gz"):
        (tmp_path / "clips" / name).write_bytes(b"x")
    command = ["filter", str(tmp_path / "clips"), "-o", str(tmp_path / "out.jsonl"), "--processes", "1"]
    assert main(command) == 2
    assert "no video or tar file with videos was found there; compressed" in capsys.readouterr().err
    shutil.copy(made["sync"], tmp_path / "clips")
    assert main(command) == 0
    said = capsys.readouterr().err
    assert said == (
        f"clapboard: 3 compressed tar files are passed over, such as {tmp_path / 'clips' / 'a.tar.gz'}: "
        "unpack, or recompress as .tar\n"
    )
    assert [row["id"] for row in rows_in(tmp_path / "out.jsonl")] == ["sync.mp4"]


def test_errors_are_tried_again(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects from editing rows by hand: clips that were mended get new rows, once, and nobody else's change."""
    clips, out = tmp_path / "clips", tmp_path / "out.jsonl"
    clips.mkdir()
    shutil.copy(made["sync"], clips / "a.mp4")
    for name in ("gone.mp4", "mended.mp4", "still.mp4"):
        (clips / name).write_bytes(BROKEN["text"])
    with tarfile.open(tmp_path / "whole.tar", "w") as tar:
        tar.add(made["early"], "x.mp4")
    (clips / "s.tar").write_bytes(b"no tar file" * 100)
    command = ["filter", str(clips), "-o", str(out), "--preset", "relaxed", "--processes", "1"]
    assert main(command) == 0
    first = {row["id"]: row for row in rows_in(out)}
    assert {id_ for id_, row in first.items() if row["status"] == "error"} == set(first) - {"a.mp4"}
    shutil.copy(made["sync"], clips / "mended.mp4")
    shutil.copy(tmp_path / "whole.tar", clips / "s.tar")
    (clips / "gone.mp4").unlink()
    capsys.readouterr()
    with monkeypatch.context() as patched:  # killed before the first clip is measured: the next run measures them
        patched.setattr(module, "_Task", Unloadable)
        assert main([*command, "--retry-errors"]) == 5
    assert {row["id"] for row in rows_in(out)} == {"a.mp4", "gone.mp4"}
    assert main(command) == 0
    assert capsys.readouterr().out.count(f"{out}: 3 clips are new\n") == 2
    rows = rows_in(out)
    assert sorted(row["id"] for row in rows) == ["a.mp4", "gone.mp4", "mended.mp4", "s.tar/x.mp4", "still.mp4"]
    found = {row["id"]: row for row in rows}
    assert (found["a.mp4"], found["gone.mp4"]) == (first["a.mp4"], first["gone.mp4"])
    assert (found["mended.mp4"]["keep"], found["s.tar/x.mp4"]["status"]) == (True, "out_of_sync")
    assert found["still.mp4"] == first["still.mp4"]


def test_a_log_says_at_once_how_much_there_is_and_how_far_it_is(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects who looks into the log of a run of days: how many clips are new, then how many of them are done."""
    monkeypatch.delenv("CLAPBOARD_PROGRESS", raising=False)
    monkeypatch.setattr("clapboard.cli.progress.LINE_AFTER_S", 0.0)
    monkeypatch.setattr("clapboard.cli.progress.LINE_EVERY_S", 0.0)
    printed: list[str] = []

    class Seen(module._Run):
        def work_off(self, *given: Any) -> None:
            super().work_off(*given)
            printed.extend(capsys.readouterr())

    monkeypatch.setattr(module, "_Run", Seen)
    given = [str(made[name]) for name in ("sync", "early", "foreign")]
    assert main(["filter", *given, "-o", str(tmp_path / "out.jsonl"), "--processes", "1"]) == 0
    out, err = printed
    assert out == f"{tmp_path / 'out.jsonl'}: 3 clips are new\n"
    assert [line.partition(" clips: measure ")[0] for line in err.splitlines()] == ["1/3", "2/3", "3/3"]
    assert err.splitlines()[2].startswith("3/3 clips: measure 100 %")


def test_nothing_readable_is_told_by_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects from a wrong folder that looks like success: all rows are errors, so the code is 4."""
    (tmp_path / "a.mp4").write_bytes(BROKEN["text"])
    assert main(["filter", str(tmp_path), "-o", str(tmp_path / "out.jsonl"), "--processes", "1"]) == 4
    assert "1 could not be read" in capsys.readouterr().out


def test_a_finished_run_is_packed_later(made: dict[str, Path], tmp_path: Path) -> None:
    """Protects those who think of tar files afterwards: nothing is measured again."""
    given, out = [made["sync"], made["foreign"]], tmp_path / "out.jsonl"
    assert filter_clips(given, out, preset="relaxed", processes=1).fresh == 2
    done = filter_clips(given, out, preset="relaxed", processes=1, tar_out=tmp_path / "kept")
    assert (done.fresh, done.not_packed) == (0, {})
    assert packed_ids(tmp_path / "kept") == ["sync.mp4"]


def test_a_kept_clip_that_is_gone_is_told(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects from tar files that are short of a clip without a word."""
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(made["sync"], tmp_path / "clips" / name)
    command = ["filter", str(tmp_path / "clips"), "-o", str(tmp_path / "out.jsonl"), "--preset", "relaxed", "-q"]
    command += ["--processes", "1"]
    assert main(command) == 0
    (tmp_path / "clips" / "a.mp4").unlink()
    assert main([*command, "--tar-out", str(tmp_path / "kept")]) == 4
    said = capsys.readouterr().err
    assert "kept, but not packed: 1 clip (a.mp4: it is not among the inputs any more)" in said
    assert packed_ids(tmp_path / "kept") == ["b.mp4"]


def test_other_options_do_not_go_on(made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects from rows of two presets in one file."""
    command = ["filter", str(made["sync"]), "-o", str(tmp_path / "out.jsonl"), "-q", "--processes", "1"]
    assert main([*command, "--preset", "strict"]) == 0
    assert main([*command, "--preset", "relaxed"]) == 2
    assert "begun with preset strict, not relaxed; give the same" in capsys.readouterr().err
    assert main([*command, "--preset", "relaxed", "--overwrite"]) == 0
    assert len(rows_in(tmp_path / "out.jsonl")) == 1


def test_tar_files_that_are_read_are_not_written(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects inputs: a second sieve over the tar files of a first one cannot replace them, by --overwrite either."""
    kept = tmp_path / "kept"
    kept.mkdir()
    with tarfile.open(kept / "clips-000000.tar", "w") as tar:
        tar.add(made["sync"], "a.mp4")
    (tmp_path / "link").symlink_to(kept)
    before = (kept / "clips-000000.tar").read_bytes()
    for given in (kept / "clips-000000.tar", tmp_path / "link" / "clips-000000.tar"):
        command = ["filter", str(given), "-o", str(tmp_path / "out.jsonl"), "--preset", "strict", "--overwrite"]
        assert main([*command, "--tar-out", str(kept)]) == 2
        assert "holds tar files that are read" in capsys.readouterr().err
    assert (kept / "clips-000000.tar").read_bytes() == before
    assert not (tmp_path / "out.jsonl").exists()


def test_samples_of_all_shards_bear_different_names(made: dict[str, Path], tmp_path: Path) -> None:
    """Protects who unpacks the tar files of all parts into one folder: a.mp4 and a.mkv are two samples in each."""
    (tmp_path / "clips").mkdir()
    for name in ("a.mp4", "a.mkv"):
        shutil.copy(made["sync"], tmp_path / "clips" / name)
    assert shard_of("a.mp4", 8) != shard_of("a.mkv", 8)
    for part in {shard_of("a.mp4", 8), shard_of("a.mkv", 8)}:
        options: dict[str, Any] = {"preset": "relaxed", "processes": 1, "tar_out": tmp_path / "kept"}
        filter_clips([tmp_path / "clips"], tmp_path / f"{part}.jsonl", shard=f"{part}/8", **options)
    names = []
    for path in (tmp_path / "kept").iterdir():
        with tarfile.open(path) as tar:
            names += tar.getnames()
    assert len(names) == len(set(names)) == 4


def test_members_beyond_the_limit_are_not_read(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects the memory: that a member is too large is known before a byte of it is read."""
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        tar.add(made["sync"], "a.mp4")
    (clip,) = find_clips([tmp_path / "in.tar"])
    monkeypatch.setattr(module, "MAX_BYTES", clip.size_bytes - 1)
    monkeypatch.setattr(ClipAt, "read", lambda self: pytest.fail("it was read"))
    row = module._Task(Scorer())(clip)
    assert isinstance(row, dict)
    assert (row["status"], row["reasons"][0].startswith(f"holds {clip.size_bytes} bytes, at most")) == ("error", True)
