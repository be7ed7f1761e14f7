"""``clapboard speakers`` on rendered scenes whose turns are known: who is named when, and what other programs read."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard import speaking
from clapboard.cli import main
from clapboard.media.probe import probe
from clapboard.media.read import read_frames
from clapboard.testing import SceneTruth, make_clip, render_scene
from clapboard.values import FaceSpeech, Report, Speakers, Turn

STEP_S = 0.04
NAMES = ("panel.mp4", "four.mkv")


@dataclass(frozen=True)
class Found:
    """What one call printed and wrote for some scenes."""

    truths: dict[str, SceneTruth]
    answers: dict[str, dict[str, Any]]
    out: Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def truths(folder: Path) -> dict[str, SceneTruth]:
    """Two who take turns with somebody unseen, 160 ms early; four of whom the listeners talk silently, at 30 fps."""
    panel = render_scene(
        folder / "panel.mp4",
        cast=(12, 13),
        turns=[(0.2, 2.4, 0), (2.8, 5.0, 1), (5.5, 7.5, None)],
        duration_s=8.0,
        sound_early_ms=160,
    )
    four = render_scene(
        folder / "four.mkv",
        cast=(13, 14, 15, 16),
        turns=[(0.3, 2.6, 2), (3.1, 5.6, 0)],
        listeners="talking",
        rate=30,
        sound_early_ms=-80,
    )
    return {"panel.mp4": panel, "four.mkv": four}


@pytest.fixture(scope="module")
def found(folder: Path, truths: dict[str, SceneTruth], tmp_path_factory: pytest.TempPathFactory) -> Found:
    """One call for both scenes and a file that is no video, with every text format."""
    out = tmp_path_factory.mktemp("out")
    bad = folder / "bad.mp4"
    bad.write_text("this is no video\n" * 100)
    files = [str(folder / NAMES[0]), str(bad), str(folder / NAMES[1])]
    call = [sys.executable, "-m", "clapboard", "speakers", *files, "--json"]
    call += ["--rttm", str(out / "rttm"), "--ava", str(out / "ava")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.startswith(f"clapboard: {bad}: ")
    assert done.stderr.count("\n") == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == files
    assert (lines[1]["status"], lines[1]["turns"]) == ("error", [])
    return Found(truths, {NAMES[0]: lines[0], NAMES[1]: lines[2]}, out)


def agreement(truth: SceneTruth, spoken: list[tuple[float, float, int | None]]) -> float:
    """Share of 40 ms steps in which all that is said is right; 0.2 s about the edges of turns are left out."""
    times_s = np.arange(0, truth.times_s[-1], STEP_S) + STEP_S / 2
    right = np.ones(len(times_s), bool)
    edge = np.zeros(len(times_s), bool)
    for turn in truth.turns:
        for at_s in (turn.start_s, turn.end_s):
            edge |= np.abs(times_s - at_s) < 0.2
    for seat in [*(seat.number for seat in truth.seats), None]:
        said = np.zeros(len(times_s), bool)
        for start_s, end_s, who in spoken:
            if who == seat:
                said |= (times_s >= start_s) & (times_s < end_s)
        right &= said == truth.speaking(seat, times_s)
    return float(right[~edge].mean())


def seats_of(answer: dict[str, Any], truth: SceneTruth) -> dict[int | None, int | None]:
    """Return the seat of every face found; nobody is nobody."""
    seats: dict[int | None, int | None] = {None: None}
    for face in answer["faces"]:
        middle = len(face["frames"]["time_s"]) // 2
        seats[face["number"]] = truth.seat_of(face["frames"]["time_s"][middle], face["frames"]["box_px"][middle])
    return seats


@pytest.mark.parametrize("name", NAMES)
def test_the_right_face_is_named_at_the_right_time(found: Found, name: str) -> None:
    """The point of the command: every turn to its face or to nobody on screen, at the file's own offset."""
    truth, answer = found.truths[name], found.answers[name]
    seats = seats_of(answer, truth)
    assert sorted(seat for seat in seats.values() if seat is not None) == [seat.number for seat in truth.seats]
    assert answer["offset_ms"] == pytest.approx(truth.offset_ms, abs=40)
    assert answer["status"] == "done"
    assert answer["offset_from"] in ("file", "likely")
    spoken = [(turn["start_s"], turn["end_s"], seats[turn["face"]]) for turn in answer["turns"]]
    assert agreement(truth, spoken) > 0.9
    for turn in truth.turns:
        overlaps = [
            min(turn.end_s, end_s) - max(turn.start_s, start_s) for start_s, end_s, who in spoken if who == turn.face
        ]
        assert max(overlaps) > 0.7 * (turn.end_s - turn.start_s)


def test_frames_of_json_fit_their_turns(found: Found) -> None:
    """Scores are high where a face was decided to speak, and every list is as long as the times."""
    for answer in found.answers.values():
        for face in answer["faces"]:
            frames = {key: np.array(values, float) for key, values in face["frames"].items()}
            assert {len(values) for values in frames.values()} == {len(frames["time_s"])}
            assert np.diff(frames["time_s"]).mean() == pytest.approx(STEP_S, abs=1e-3)
            said = frames["speaking"] > 0
            lengths_s = [turn["end_s"] - turn["start_s"] for turn in answer["turns"] if turn["face"] == face["number"]]
            assert face["speaking_s"] == pytest.approx(sum(lengths_s), abs=1e-3)
            if said.any():
                assert frames["score"][said].mean() > frames["score"][~said].mean() + 0.4
                assert np.nanmean(frames["distance"][said]) < np.nanmean(frames["distance"][~said])


@pytest.mark.parametrize("name", NAMES)
def test_rttm_is_read_by_a_parser_of_its_own(found: Found, name: str) -> None:
    """Onsets are those of the sound: in it, turns come earlier than in the picture by the offset."""
    truth, answer = found.truths[name], found.answers[name]
    numbers = {"offscreen": None, **{f"face-{face['number']}": face["number"] for face in answer["faces"]}}
    seats, spoken = seats_of(answer, truth), []
    for line in (found.out / "rttm" / f"{name}.rttm").read_text().splitlines():
        kind, file, channel, onset, length, *rest = line.split(" ")
        assert (kind, file, channel) == ("SPEAKER", Path(name).stem, "1")
        assert [rest[at] for at in (0, 1, 4)] == ["<NA>"] * 3
        assert 0 <= float(rest[3]) <= 1
        start_s = float(onset) + truth.offset_ms / 1000
        spoken.append((start_s, start_s + float(length), seats[numbers[rest[2]]]))
    assert len(spoken) == len(answer["turns"])
    assert agreement(truth, spoken) > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_the_csv_says_the_same_of_the_same_boxes(found: Found, name: str) -> None:
    """Normalised boxes lie on the faces, labels are right for most rows, time and entity are never twice the same."""
    truth = found.truths[name]
    with (found.out / "ava" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right, keys = [], set()
    for row in rows:
        time_s = float(row["frame_timestamp"])
        box = [float(row[f"entity_box_{corner}"]) for corner in ("x1", "y1", "x2", "y2")]
        assert all(0 <= part <= 1 for part in box)
        seat = truth.seat_of(time_s, np.array(box) * np.tile(truth.size_px, 2))
        if seat is not None:
            right.append((row["label"] == "SPEAKING_AUDIBLE") == truth.speaking(seat, [time_s])[0])
        keys.add((row["frame_timestamp"], row["entity_id"]))
    assert len(right) > 0.9 * len(rows)
    assert np.mean(right) > 0.9
    assert len(keys) == len(rows)


def test_text_names_times_faces_and_the_offset(
    folder: Path, truths: dict[str, SceneTruth], capsys: pytest.CaptureFixture[str]
) -> None:
    """What people see: the sentence, the offset as it was given, a row for each turn and face."""
    call = ["speakers", str(folder / "panel.mp4"), "--offset-ms", "160"]
    assert main([*call, "--method", "window", "--window-frames", "30", "-v"]) == 0
    assert "method      window of 30 frames: mean over a sliding window\n" in capsys.readouterr().out
    assert main(call) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{folder / 'panel.mp4'}: face ")
    assert "offset      +160 ms, as given (plus: audio early)" in out
    assert "a voice off screen   " in out
    assert out.count(" face ") >= 4


def test_a_wrong_offset_finds_less(folder: Path, truths: dict[str, SceneTruth]) -> None:
    """Lips are held against the sound at the offset, not at zero: 400 ms off, no face fits for long."""

    def spoken_s(*more: str) -> float:
        call = [sys.executable, "-m", "clapboard", "speakers", str(folder / "panel.mp4"), "--json", *more]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        return float(sum(face["speaking_s"] for face in json.loads(done.stdout)["faces"]))

    assert spoken_s("--offset-ms", "-240") < 0.6 * spoken_s()


def test_overlay_and_crops_come_through_the_command(
    folder: Path, truths: dict[str, SceneTruth], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture keeps its times, each face that speaks becomes a clip; a second call overwrites nothing."""
    overlay, crops = tmp_path / "seen.mkv", tmp_path / "crops"
    call = ["speakers", str(folder / "panel.mp4"), "--overlay", str(overlay), "--crops", str(crops), "--correct-offset"]
    assert main(call) == 0
    out = capsys.readouterr().out
    assert f"{overlay}: written" in out
    assert f"{crops}: 2 clips written" in out
    times_s = np.array([frame.time_s for frame in read_frames(probe(overlay))])
    np.testing.assert_allclose(times_s - times_s[0], truths["panel.mp4"].times_s, atol=2e-3)
    rows = [json.loads(line) for line in (crops / "crops.jsonl").read_text().splitlines()]
    assert [row["corrected"] for row in rows] == [True, True]
    assert sorted(path.suffix for path in crops.iterdir()) == [".jsonl", ".mp4", ".mp4"]
    before = overlay.read_bytes()
    assert main(call) == 2
    assert f"{overlay}: exists already; give --overwrite or another --overlay" in capsys.readouterr().err
    assert overlay.read_bytes() == before


def test_nothing_to_compare_is_said_and_has_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No face, or no sound: 3, and the reason; a voice without a face is still told, with its RTTM."""
    faceless = tmp_path / "radio.mp4"
    render_scene(faceless, layout=[(0, ())], turns=[(0.2, 2.5, None)], duration_s=3.0)
    assert main(["speakers", str(faceless), "--rttm", str(tmp_path / "radio.rttm")]) == 3
    out = capsys.readouterr().out
    assert f"{faceless}: cannot tell: no face was found; a voice off screen for 2." in out
    assert "assumed, since the offset of the file is not trusted: no face was found" in out
    assert " offscreen " in (tmp_path / "radio.rttm").read_text()
    mute = tmp_path / "mute.mp4"
    make_clip(mute, audio=False, duration_s=1.0, width_px=96, height_px=64, face_px=40)
    assert main(["speakers", "--json", str(mute), "--rttm", str(tmp_path / "mute.rttm")]) == 3
    captured = capsys.readouterr()
    assert "has no sound" in captured.err
    answer = json.loads(captured.out)
    assert (answer["status"], answer["error"]) == ("error", "has no sound")  # as docs/json.md says
    assert not (tmp_path / "mute.rttm").exists()


Make = Callable[..., Report]


@pytest.fixture
def asked(make_report: Make, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Answer at once with one face that speaks, and return what was asked for."""
    calls: list[dict[str, Any]] = []

    def who_speaks(path: Path, **options: Any) -> Speakers:
        calls.append({"path": path, **options})
        boxes = np.tile(np.array([10, 10, 50, 60], np.float32), (25, 1))
        one = np.ones(25, np.float32)
        face = FaceSpeech(0, np.arange(25) / 25, boxes, one, one, one > 0)
        return Speakers(make_report(str(path), 40.0), 40.0, "file", (face,), (Turn(0, 1, 0, 1.0),), "states")

    monkeypatch.setattr("clapboard.speaking.who_speaks", who_speaks)
    monkeypatch.setattr("clapboard.media.picture.upright_size", lambda clip: (100, 100))
    return calls


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"not looked into")
    return path


def test_options_reach_the_measurement(asked: list[dict[str, Any]], video: Path) -> None:
    """Every option is passed on with its unit and type."""
    options = "--method window --window-frames 50 --offset-ms -40 --max-offset-ms 2500 --audio-track 1 --threads 2 -q"
    assert main(["speakers", str(video), *options.split()]) == 0
    (call,) = asked
    assert call.pop("hook") is None
    assert call == {
        "path": video, "offset_ms": -40.0, "method": "window", "window_frames": 50, "max_offset_ms": 2500.0,
        "audio_track": 1, "model": "clapboard-s", "threads": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method magic", "no method is called magic"),
        ("--window-frames 50", "--window-frames is for --method window"),
        ("--offset-ms nan", "--offset-ms must be a number of milliseconds, not nan"),
        ("--ava x.csv --ava-as truth", "--ava-as must be labels or predictions"),
        ("--ava-as predictions", "--ava-as is for --ava; give it too"),
        ("--correct-offset", "--correct-offset is for --crops; give it too"),
        ("--rttm x.txt", "neither a folder nor a name that ends in .rttm"),
        ("--overlay x.avi", "neither a folder nor a name that ends in .mp4"),
        ("--crops a.mp4", "a.mp4: is a file; give a folder to --crops"),
        ("--rttm none/x.rttm", "there is no folder none; make it first"),
        ("--overlay a.mp4", "is an input, which is never overwritten"),
        ("--rttm there.rttm", "exists already; give --overwrite or another --rttm"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_waits(
    asked: list[dict[str, Any]],
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    options: str,
    message: str,
) -> None:
    """One line that says what to do, nothing measured, nothing touched."""
    monkeypatch.chdir(video.parent)
    Path("there.rttm").write_text("mine")
    before = sorted(path.name for path in video.parent.iterdir())
    assert main(["speakers", "a.mp4", *options.split()]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert asked == []
    assert sorted(path.name for path in video.parent.iterdir()) == before
    assert Path("there.rttm").read_text() == "mine"


def test_several_files_write_into_folders(
    asked: list[dict[str, Any]], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file has its own output under its own name; names that collide, or one file for all, are refused."""
    other = tmp_path / "b.mp4"
    other.write_bytes(b"x")
    files = [str(video), str(other)]
    assert main(["speakers", *files, "--rttm", str(tmp_path / "all.rttm")]) == 2
    assert "one file cannot hold what 2 give; give a folder to --rttm" in capsys.readouterr().err
    out = tmp_path / "out"
    assert main(["speakers", "-q", *files, "--rttm", str(out), "--ava", str(out), "--ava-as", "predictions"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4.csv", "a.mp4.rttm", "b.mp4.csv", "b.mp4.rttm"]
    first = (out / "a.mp4.csv").read_text().splitlines()[0]
    assert first == "a,0.000,0.100000,0.100000,0.500000,0.600000,SPEAKING_AUDIBLE,a:0,1.0000"
    (tmp_path / "sub").mkdir()
    twin = tmp_path / "sub" / "a.mp4"
    twin.write_bytes(b"x")
    assert main(["speakers", str(video), str(twin), "--rttm", str(out)]) == 2
    assert "a.mp4 would be written twice" in capsys.readouterr().err


def test_a_slash_at_the_end_means_a_folder(
    asked: list[dict[str, Any]], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For one file as for several: what it is given must not depend on whether the folder is there."""
    assert main(["speakers", "-q", str(video), "--rttm", f"{tmp_path}/new/", "--ava", f"{tmp_path}/x.csv/"]) == 0
    assert (tmp_path / "new" / "a.mp4.rttm").is_file()
    assert (tmp_path / "x.csv" / "a.mp4.csv").is_file()
    assert main(["speakers", str(video), "--rttm", f"{tmp_path}/x.csv/a.mp4.csv/"]) == 2
    assert "a.mp4.csv: is a file" in capsys.readouterr().err


def test_files_of_one_stem_are_told_apart_in_tables(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Joined, tables of c.mp4 and c.mkv would be one video; the others keep their short names."""
    files = [tmp_path / name for name in ("c.mp4", "c.mkv", "d.mp4", "c.mp4.mov", "e f.mp4", "e_f.mkv")]
    for file in files:
        file.write_bytes(b"x")
    out = tmp_path / "out"
    assert main(["speakers", "-q", *map(str, files), "--rttm", str(out), "--ava", str(out)]) == 0
    ids = ["c.mp4", "c.mkv", "d", "c.mp4.mov", "e f.mp4", "e_f.mkv"]
    for file, name in zip(files, ids, strict=True):
        assert (out / f"{file.name}.rttm").read_text().split()[1] == name.replace(" ", "_")
        assert (out / f"{file.name}.csv").read_text().splitlines()[1].startswith(f"{name},0.000,")


def test_crops_are_not_shifted_by_an_assumed_offset(
    asked: list[dict[str, Any]],
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who asks for it has to learn that it was not done, in one line, and what to do."""
    measured = speaking.who_speaks
    monkeypatch.setattr("clapboard.footage.write_crops", lambda *given, **options: [tmp_path / "x"])
    call = ["speakers", str(video), "--crops", str(tmp_path / "crops")]
    assert main([*call, "--correct-offset"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(
        speaking, "who_speaks", lambda path, **options: replace(measured(path, **options), offset_from="assumed")
    )
    assert main(call) == 0
    assert capsys.readouterr().err == ""
    assert main([*call, "--correct-offset"]) == 0
    assert capsys.readouterr().err == (
        f"clapboard: {video}: the sound of its clips is not shifted, for the offset is only assumed; give --offset-ms\n"
    )


def test_crops_that_are_there_are_refused_before_anybody_waits(
    asked: list[dict[str, Any]], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measuring takes minutes: what cannot be written is told at once."""
    crops = tmp_path / "crops"
    crops.mkdir()
    (crops / "a.face-0.00000.00-00001.00.mp4").write_bytes(b"x")
    row = {"file": "a.face-0.00000.00-00001.00.mp4", "source": str(video)}
    (crops / "crops.jsonl").write_text(f"{json.dumps(row)}\n")
    assert main(["speakers", str(video), "--crops", str(crops)]) == 2
    assert "exists already; give --overwrite or another --crops" in capsys.readouterr().err
    assert asked == []


def test_an_interruption_names_what_stays(
    asked: list[dict[str, Any]],
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C after the first output: it is whole and kept, and the line says so and how to repeat the command."""

    def stop(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clapboard.footage.write_overlay", stop)
    rttm, overlay = tmp_path / "x.rttm", tmp_path / "x.mkv"
    assert main(["speakers", str(video), "--overlay", str(overlay)]) == 130
    assert capsys.readouterr().err == "clapboard: interrupted; nothing was left behind\n"
    assert main(["speakers", str(video), "--rttm", str(rttm), "--overlay", str(overlay)]) == 130
    assert capsys.readouterr().err == (
        f"clapboard: interrupted; {rttm} finished before and kept; to begin again give --overwrite\n"
    )
    assert rttm.read_text().startswith("SPEAKER a 1 ")


def test_crops_of_two_files_never_share_a_name(
    asked: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names of crops are made safe and cut short: files that become alike would replace each other's."""
    for one, other in (("a b.mp4", "a_b.mp4"), (f"{'x' * 130}1.mp4", f"{'x' * 130}2.mp4"), ("t.mp4", "t.mkv")):
        files = [tmp_path / one, tmp_path / other]
        for file in files:
            file.write_bytes(b"x")
        options = ["--rttm", str(tmp_path / "rttm"), "--crops", str(tmp_path / "crops"), "--overwrite"]
        assert main(["speakers", *map(str, files), *options]) == 2
        assert "would be written twice" in capsys.readouterr().err
        assert not (tmp_path / "rttm").exists()
    assert asked == []


def test_quiet_prints_nothing_and_json_only_json(
    asked: list[dict[str, Any]], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts get what they asked for: with -q the exit code, with --json one line, whatever else is written."""
    out = str(tmp_path / "x.rttm")
    assert main(["speakers", "-q", str(video), "--rttm", out]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["speakers", "--json", str(video), "--rttm", out, "--overwrite"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed)["turns"][0]["speaker"] == "face-0"
    assert main(["speakers", str(video), "--rttm", out, "--overwrite"]) == 0
    assert capsys.readouterr().out.endswith(f"{out}: written, 1 turn\n")


def test_outputs_are_there_though_nobody_reads_to_the_end(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    """Piped into ``head``, the answer may find its reader gone: what was asked for is written before it is printed."""
    path, out = tmp_path / "a.mp4", tmp_path / "x.rttm"
    path.write_bytes(b"x")

    class Gone(io.TextIOWrapper):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", Gone(io.BytesIO()))
        assert main(["speakers", str(path), "--rttm", str(out)]) == 141
    assert out.read_text().startswith("SPEAKER a 1 ")


def test_the_same_name_for_two_outputs_is_refused(
    asked: list[dict[str, Any]], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither would survive."""
    link = tmp_path / "x.csv"
    target = tmp_path / "y.rttm"
    target.symlink_to(link)
    assert main(["speakers", str(video), "--ava", str(link), "--rttm", str(target)]) == 2
    assert "give them different names" in capsys.readouterr().err


def test_the_example_renders_what_the_page_says(tmp_path: Path) -> None:
    """Protects docs/speakers.md: the scene that it begins with is the one that the example makes."""
    root = Path(__file__).parents[2]
    call = [sys.executable, str(root / "examples" / "panel.py"), "panel.mp4", "--faces", "3", "--sound-early-ms", "120"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.count("\n") == 5
    assert done.stdout in (root / "docs" / "speakers.md").read_text(encoding="utf-8")
    assert probe(tmp_path / "panel.mp4").duration_s == pytest.approx(11.1, abs=0.1)
