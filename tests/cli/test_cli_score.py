"""``clapboard score`` as users call it: rows, means, originals beside them, JSON and CSV, and what goes wrong."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clapboard.cli import main
from clapboard.errors import MediaError
from clapboard.models.spec import PUBLISHED
from clapboard.scoring import Score, TrackScore
from clapboard.testing import make_clip
from tiny_models import write_tiny

NAN = float("nan")
FACE = TrackScore(0, 0.0, 4.0, 90.0, 96, 1.0, 0.3, 5.0, counts=True)
KNOWN = {
    "a.mp4": (1.0, 0.3, "scored", ()),
    "b.mp4": (1.2, 0.1, "undecided", ("lips and sound do not match clearly",)),
    "mute.mp4": (NAN, NAN, "not_scored", ("the file has no sound",)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of files, the scores of which are known by their names; those of originals are 0.1 better."""
    for where in ("made", "real"):
        (tmp_path / where).mkdir()
        for name in KNOWN:
            (tmp_path / where / name).write_bytes(b"x")

    def score(path: Path, **_: object) -> Score:
        if path.name not in KNOWN:
            raise MediaError(f"{path}: the index is missing; get a complete copy")
        lse_d, lse_c, status, reasons = KNOWN[path.name]
        better = 0.1 if path.parent.name == "real" else 0.0
        code = 4 if status == "not_scored" else 0
        offset_ms = 5.0 if code == 0 else NAN
        return Score(str(path), status, lse_d - better, lse_c + better, offset_ms, 96, reasons, (FACE,), code)

    monkeypatch.setattr("clapboard.scoring.score", score)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a file, the mean of those with numbers, who has none and why; the exit code is the highest."""
    assert main(["score", "made"]) == 4
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["file", "LSE-D", "LSE-C", "offset"]
    assert lines[1].split() == ["made/a.mp4", "1.000", "0.300", "+5", "ms"]
    assert lines[2].endswith("+5 ms  undecided: lips and sound do not match clearly")
    assert lines[3].endswith("not scored: the file has no sound")
    assert "scored 2 of 3 files, 1 of them undecided" in lines
    assert any(
        line.startswith("mean of 2: LSE-D 1.100 (1.000 to 1.200), LSE-C 0.200 (0.100 to 0.300)") for line in lines
    )
    assert "numbers of another network or mode cannot be compared" in lines[-1]
    assert err == "clapboard: made/mute.mp4: the file has no sound\n"


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything, numbers that are not known as null, every face."""
    assert main(["score", "made", "--json"]) == 4
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["schema"], found["mode"], found["model"]["name"]) == (1, "better", "clapboard-s")
    assert [row["file"] for row in found["files"]] == ["made/a.mp4", "made/b.mp4", "made/mute.mp4"]
    assert found["files"][2]["lse_d"] is None
    assert found["files"][0]["tracks"][0]["face_px"] == 90
    whole = found["summary"]
    assert (whole["files"], whole["scored"], whole["undecided"], whole["not_scored"]) == (3, 2, 1, 1)
    assert whole["lse_d"]["mean"] == pytest.approx(1.1)
    assert whole["difference"] is None


def test_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a file that any reader of CSV takes, odd names included; the means are told beside it."""
    odd = folder / "made" / 'a "b", c\nd.mp4'
    odd.write_bytes(b"x")
    assert main(["score", "made", "--csv"]) == 4
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["file"] for row in rows] == ['made/a "b", c\\nd.mp4', "made/a.mp4", "made/b.mp4", "made/mute.mp4"]
    assert rows[1] == {
        "file": "made/a.mp4", "status": "scored", "lse_d": "1.0000", "lse_c": "0.3000", "offset_ms": "5.0000",
        "windows": "96", "reasons": "",
    }  # fmt: skip
    assert (rows[3]["lse_d"], rows[3]["reasons"]) == ("", "the file has no sound")
    assert "mean of 2: LSE-D 1.100" in err


def test_originals_beside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pairs by name, whatever the ending; what has no original is told; the mean difference with its interval."""
    (folder / "real" / "a.mp4").rename(folder / "real" / "a.mkv")
    (folder / "real" / "b.mp4").rename(folder / "real" / "c.mp4")
    assert main(["score", "made/b.mp4", "made", "--reference", "real", "--json"]) == 4
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [row["file"] for row in found["files"]] == ["made/a.mp4", "made/b.mp4", "made/mute.mp4"]
    assert "made/b.mp4: has no original of that name in real; it is scored alone" in err
    a, b, mute = found["files"]
    assert a["reference"]["file"] == "real/a.mkv"
    assert a["reference"]["status"] == "not_scored"  # of another name than those that are known here
    assert (a["difference"], b["reference"], mute["difference"]) == (None, None, None)
    assert found["summary"]["difference"]["pairs"] == 0


def test_difference_and_its_notes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Worse than the originals by 0.1: no note; better than them: a sign of gaming."""
    assert main(["score", "made/a.mp4", "made/b.mp4", "--reference", "real"]) == 0
    out = capsys.readouterr().out
    assert "difference of 2: LSE-D +0.100 (+0.100 to +0.100), LSE-C -0.100 (-0.100 to -0.100)" in out
    assert "trained to please" not in out
    assert main(["score", "real/a.mp4", "real/b.mp4", "--reference", "made"]) == 0
    out = capsys.readouterr().out
    assert "difference of 2: LSE-D -0.100" in out
    assert "note: the files score better than their originals: a sign of a generator that was trained to please" in out


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_written_whole(folder: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    """-o writes by its ending, prints the text, never replaces what exists unasked, and never an input."""
    out = folder / f"scores.{ending}"
    assert main(["score", "made/a.mp4", "-o", str(out)]) == 0
    assert capsys.readouterr().out.startswith("file")
    written = out.read_text()
    assert written.startswith("{" if ending == "json" else "file,status,lse_d")
    assert main(["score", "made/a.mp4", "-o", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["score", "made/a.mp4", "-o", str(out), "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert out.read_text() == written
    assert main(["score", "made/a.mp4", "-o", "made/a.mp4", "--csv", "--overwrite"]) == 2
    assert "never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 2, "there is no such file or folder"),
        (["empty"], 2, "holds no video"),
        (["made", "--json", "--csv"], 2, "give one of them"),
        (["made", "-o", "scores.txt"], 2, "name it .json or .csv"),
        (["made", "--mode", "best"], 2, "there is better and compatible"),
        (["made", "--reference", "nowhere"], 2, "is no folder"),
        (["made", "--reference", "empty"], 2, "holds no original"),
        (["made", "--mode", "compatible"], 5, "clapboard models import syncnet_v2.model -o FOLDER"),
        (["made", "--mode", "compatible", "--model", "clapboard-s"], 5, "is not the published SyncNet"),
        (["made", "--model", "nothing-of-that-name"], 5, "nothing-of-that-name"),
    ],
)
def test_what_makes_no_sense(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    """One line that says what to do, before any file is opened, and nothing on stdout."""
    (folder / "empty").mkdir()
    assert main(["score", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_defect_costs_one_row(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """What nobody foresaw in one file leaves the rows of the others."""
    from clapboard import scoring

    known = scoring.score

    def score(path: Path, **options: Any) -> Score:
        if path.name == "a.mp4":
            raise ZeroDivisionError("oh")
        return known(path, **options)

    monkeypatch.setattr(scoring, "score", score)
    assert main(["score", "made/a.mp4", "made/b.mp4"]) == 70
    out, err = capsys.readouterr()
    assert "made/b.mp4" in out
    assert "a defect of Clapboard" in err


def test_the_real_program(tmp_path: Path) -> None:
    """Both modes from the shell on rendered clips: own sound, foreign sound, a broken file; a pair to compare with."""
    for name in ("made", "real"):
        (tmp_path / name).mkdir()
    make_clip(tmp_path / "real" / "a.mp4", seed=3, duration_s=3.0, grain=0.0)
    make_clip(tmp_path / "made" / "a.mp4", seed=3, duration_s=3.0, grain=0.0, voice_of=3 + 7919)
    (tmp_path / "made" / "broken.mp4").write_bytes(b"nonsense")
    model = write_tiny(tmp_path / "m", "face-224", "mfcc-13", zero_ms=27.5, length=10.0, about={"network": PUBLISHED})
    for more in ([], ["--mode", "compatible", "--model", str(model)]):
        call = [sys.executable, "-m", "clapboard", "score", "made", "--reference", "real", "--json", *more]
        done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 4
        assert done.stderr.count("made/broken.mp4: ") == 2  # it has no original either
        found = json.loads(done.stdout)
        (scored, broken) = found["files"]
        assert broken["status"] == "not_scored"
        assert scored["difference"]["lse_d"] > 0
        assert scored["difference"]["lse_c"] < 0
        assert found["summary"]["difference"]["pairs"] == 1
        assert found["summary"]["not_scored"] == 1
