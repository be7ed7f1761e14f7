"""Beginning a study, and its other commands, through the real entry point."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from studies import SECONDS, without_media, write_folders

from clapboard.cli import main
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.media.read import read_audio, read_frames
from clapboard.study import taking
from clapboard.study.sounds import LEVEL, PEAK, levelled, placed
from clapboard.study.store import Study
from clapboard.values import Audio


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with clips, and the study ``st`` that was made of them."""
    folder = tmp_path_factory.mktemp("made")
    write_folders(folder)
    assert main(["study", "begin", str(folder / "st"), *options(folder), "--quiet"]) == 0
    return folder


def options(folder: Path) -> list[str]:
    """Return the folders as options."""
    given = ["--original", str(folder / "real")]
    return [*given, *(word for name in ("noisy", "late") for word in ("--variant", f"{name}={folder / name}"))]


def files(study: Study, clip: int) -> list[Path]:
    """Return the files of a clip, the original first."""
    with study.database.read() as db:
        rows = db.execute("SELECT name FROM file WHERE clip = ? ORDER BY source", (clip,))
        return [study.clips / str(row["name"]) for row in rows]


def test_files_of_a_clip_are_alike_but_for_the_sound(made: Path) -> None:
    """Protects blindness: one size, length, codec and date of picture and sound, names that tell nothing."""
    for clip in range(2):
        found = files(Study(made / "st"), clip)
        assert len(found) == 3
        assert len({file.stat().st_size for file in found}) == 1
        told = [probe(file) for file in found]
        assert {(one.video.codec, one.audio.codec, one.audio.rate_hz, one.audio.channels) for one in told} == {
            ("h264", "aac", 48_000, 1)
        }
        assert len({(one.duration_s, one.video.duration_s, one.audio.duration_s) for one in told}) == 1
        pictures = [np.array([frame.image for frame in read_frames(one)]) for one in told]
        assert pictures[0].shape == (round(25 * SECONDS), 64, 64)
        assert all((picture == pictures[0]).all() for picture in pictures)


def test_sounds_are_those_of_their_variants(made: Path) -> None:
    """Protects what is judged: each file has the sound of its source, at its place, all at one level."""
    for source, name in enumerate(("real", "noisy", "late")):
        kept = read_audio(probe(files(Study(made / "st"), 0)[source]))[0]
        given = read_audio(probe(made / name / "clip-0.mp4"))[0]
        length = min(len(kept.samples), len(given.samples))
        assert abs(kept.start_s - given.start_s) < 1e-4
        fits = [
            np.corrcoef(kept.samples[100 + lag : length - 100 + lag], given.samples[100 : length - 100])[0, 1]
            for lag in range(-16, 17)
        ]
        assert np.argmax(fits) == 16, "to the sample of 16 kHz"
        assert max(fits) > 0.95
    levels = [np.std(read_audio(probe(file))[0].samples) for file in files(Study(made / "st"), 0)]
    assert max(levels) < 1.1 * min(levels)


def test_levels_are_one_and_nothing_is_cut() -> None:
    """Protects against louder is better: one root mean square, peaks below full scale, silence stays silence."""
    rng = np.random.default_rng(0)
    loud, soft = rng.normal(0, 0.3, 16_000), rng.normal(0, 0.01, 16_000)
    click = np.zeros(16_000)
    click[::4000] = 0.5
    found = levelled([wave.astype(np.float32) for wave in (loud, soft, click, np.zeros(16_000))])
    levels = [float(np.sqrt(np.mean(wave**2))) for wave in found]
    assert levels[:3] == pytest.approx([levels[0]] * 3, rel=1e-4)
    assert levels[0] <= LEVEL
    assert levels[3] == 0
    assert max(np.abs(wave).max() for wave in found) == pytest.approx(PEAK, rel=1e-4)
    two = levelled([wave.astype(np.float32) for wave in (loud, soft)])
    assert np.sqrt(np.mean(two[1] ** 2)) == pytest.approx(LEVEL, rel=1e-4)


def test_sound_keeps_its_place_beside_the_picture() -> None:
    """Protects timing, which is asked for: gaps stay silent, what lies outside the picture is left out."""
    ones = np.ones(100, np.float32)
    wave = placed([Audio(ones, 1000, 4.95), Audio(2 * ones, 1000, 5.2), Audio(ones, 1000, 9.0)], 5.0, 400, 1000)
    expected = np.zeros(400)
    expected[:50], expected[200:300] = 1, 2
    np.testing.assert_array_equal(wave, expected)


def test_nothing_is_left_of_what_fails(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects folders: a study is there whole or not at all, inputs stay, and each mistake is one line."""
    short, other, still = (tmp_path / name for name in ("short", "other", "silent"))
    for folder, source in ((short, "noisy"), (other, "noisy"), (still, "noisy")):
        shutil.copytree(made / source, folder)
    frames = [np.full((64, 64), 30 + 8 * (n % 20), np.uint8) for n in range(round(25 * SECONDS))]
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    write_clip(short / "clip-1.mp4", frames[:20], 25, noise, 16_000, overwrite=True)
    wrong = [np.tile(np.uint8(235) - frame, 1) for frame in frames]
    write_clip(other / "clip-1.mp4", wrong, 25, noise, 16_000, overwrite=True)
    write_clip(still / "clip-1.mp4", frames, 25, overwrite=True)
    missing = tmp_path / "missing"
    shutil.copytree(made / "late", missing)
    (missing / "clip-0.mp4").unlink()
    real = ["--original", str(made / "real")]
    cases = [
        ([*real, "--variant", f"a={short}"], 2, "its picture lasts 0.80 s, that of"),
        ([*real, "--variant", f"a={other}"], 2, "shows something else than"),
        ([*real, "--variant", f"a={still}"], 4, "has no sound; a study compares sounds"),
        ([*real, "--variant", f"a={missing}"], 2, "missing: has no clip-0; each clip needs a file in every folder"),
        ([*real, "--variant", f"a={tmp_path / 'nowhere'}"], 2, "there is no such folder"),
        ([*real, "--variant", "noisy"], 2, "give NAME=FOLDER, each name once"),
        ([*real, "--variant", f"original={short}"], 2, "none of them called original"),
        ([*options(made), "--sound-hz", "7999"], 2, "8000 to 48000 Hz, not 7999"),
    ]
    for given, code, said in cases:
        assert main(["study", "begin", str(tmp_path / "st"), *given, "-q"]) == code
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["missing", "other", "short", "silent"]
    assert main(["study", "begin", str(made / "st"), *options(made)]) == 2
    assert "exists already, and a study is never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "report"])
def test_no_study_is_one_line(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects other folders, and databases of others: exit code 4, and nothing is made there."""
    if command == "serve":
        pytest.importorskip("uvicorn")
    assert main(["study", command, str(tmp_path)]) == 4
    assert "no such file; is this the folder of a study?" in capsys.readouterr().err
    (tmp_path / "study.sqlite").write_bytes(b"something else")
    assert main(["study", command, str(tmp_path)]) == 4
    assert "no study of Clapboard" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["study.sqlite"]


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the command: text, JSON and page tell the same answers."""
    study = without_media(tmp_path / "st", clips=4, variants=1)
    asked = taking.current(study, "Ada")
    while not asked["over"]:
        with study.database.read() as db:
            row = db.execute("SELECT left_source FROM round WHERE id = ?", (asked["round"],)).fetchone()
        fake, true = ("left", "right") if row["left_source"] else ("right", "left")
        for side in ("left", "right"):
            taking.played(study, "Ada", asked["round"], side)
        chosen = true if asked["done"] else fake
        asked = taking.answer(study, "Ada", asked["round"], "original", chosen=chosen, after_ms=1)
    assert main(["study", "report", str(study.folder)]) == 0
    said = capsys.readouterr().out
    assert "1 participant, 1 of them with all rounds; 4 answers" in said
    assert next(line for line in said.splitlines() if line.startswith("v1")).split()[1:5] == ["1", "4", "25", "%"]
    page = tmp_path / "st.html"
    assert main(["study", "report", str(study.folder), "--json", "--html", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["real_or_fake"][0]["hits"], told["real_or_fake"][0]["answers"]) == (1, 4)
    assert told["real_or_fake"][0]["low"] == pytest.approx(0.0456, abs=1e-4)
    assert "v1: 1 of 4" in page.read_text(encoding="utf-8")
    assert main(["study", "report", str(study.folder), "--html", str(page)]) == 2
    assert "exists already; give --overwrite or another --html" in capsys.readouterr().err


@pytest.mark.serve
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_serving_ends_cleanly(number: int, code: int, tmp_path: Path) -> None:
    """Protects the regular end: Ctrl-C is no mistake, other signals are told, and no second server takes the port."""
    pytest.importorskip("uvicorn")
    study = without_media(tmp_path / "st")
    call = [sys.executable, "-m", "clapboard", "study", "serve", str(study.folder), "--port", "0"]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    with subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as running:
        assert running.stdout is not None
        first, second_line = running.stdout.readline(), running.stdout.readline()
        assert second_line == "Ctrl-C ends it; what was answered is kept\n"
        address = first.removeprefix("Listening: http://").strip().rstrip("/")
        host, port = address.split(":")
        assert host == "127.0.0.1"
        with socket.create_connection((host, int(port)), timeout=30):  # an open connection does not keep it
            second = subprocess.run([*call[:-1], port], capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert second.stderr.count("\n") == 1
            assert "give another --port" in second.stderr
            running.send_signal(number)
            _, told = running.communicate(timeout=60)
        assert running.returncode == code
        assert told == ("" if number == signal.SIGINT else "clapboard: interrupted; what was answered is kept\n")


def test_without_the_extra(tmp_path: Path) -> None:
    """Protects people without it: serving says what to install with exit code 5, a report needs nothing."""
    study = without_media(tmp_path / "st")
    code = (
        "import sys; sys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
        "from clapboard.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for command, expected in (("serve", 5), ("report", 0)):
        call = [sys.executable, "-c", code, "study", command, str(study.folder)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == expected
        assert ("pip install 'clapboard[serve]'" in done.stderr) == (expected == 5)
        assert "Traceback" not in done.stderr
