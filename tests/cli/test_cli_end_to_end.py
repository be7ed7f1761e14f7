"""The commands on whole files, nothing made up: a talking face is rendered, measured, repaired, measured again."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard.cli import main
from clapboard.media.encode import write_clip
from clapboard.media.probe import probe
from clapboard.testing import make_clip

EARLY_MS = 300.0
WITHIN_MS = 40.0
"""How near the measurement of a rendered face has to come: one frame, as is promised for real ones."""


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a talking face whose sound is 300 ms early."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    make_clip(path, seed=3, duration_s=6.0, offset_ms=EARLY_MS)
    return path


@pytest.fixture(scope="session")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip with picture and sound, but no face."""
    path = tmp_path_factory.mktemp("faceless") / "bars.mp4"
    y, x = np.mgrid[:120, :160]
    frames = [((x + y + 3 * n) % 200 + 20).astype(np.uint8) for n in range(50)]
    write_clip(path, frames, 25, (0.1 * np.random.default_rng(1).standard_normal(32_000)).astype(np.float32), 16_000)
    return path


def test_found_repaired_verified(talk: Path, tmp_path: Path) -> None:
    """The three commands of the README, as separate programs: 300 ms found, repaired, verified."""
    program = [sys.executable, "-m", "clapboard"]

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, err = run("check", "--json", str(talk))
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert found["status"] == "out_of_sync"
    assert found["offset_ms"] == pytest.approx(EARLY_MS, abs=WITHIN_MS)
    assert found["offset_frames"] == pytest.approx(found["offset_ms"] * found["fps"] / 1000, abs=1e-3)
    assert found["correction"]["delay_audio_ms"] == found["offset_ms"]
    assert found["audio"] == "early"
    assert found["p_within_frame"] > 0.5

    original = talk.read_bytes()
    fixed = tmp_path / "fixed.mp4"
    code, out, err = run("fix", str(talk), "-o", str(fixed))
    assert (code, err) == (0, "")
    assert "sound delayed by" in out
    assert talk.read_bytes() == original
    assert [path.name for path in tmp_path.iterdir()] == ["fixed.mp4"]

    code, out, err = run("check", "--json", str(fixed))
    rest = json.loads(out)
    assert (code, rest["status"], rest["audio"]) == (0, "in_sync", "in_sync")
    assert rest["offset_ms"] == pytest.approx(0.0, abs=5.0)


@pytest.mark.parametrize("bake", [False, True])
def test_fix_from_python(talk: Path, tmp_path: Path, bake: bool) -> None:
    """The same from Python, by timestamps and in the samples, with mkv as the other container."""
    done = clapboard.fix(talk, tmp_path / "fixed.mkv", bake=bake)
    assert done.applied_ms == pytest.approx(EARLY_MS, abs=WITHIN_MS)
    assert abs(done.rest_ms) <= 5
    assert done.after.status == "in_sync"
    assert done.after.file == str(tmp_path / "fixed.mkv")


def test_repaired_file_needs_no_repair(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Repairing twice does not write a second copy."""
    fixed = tmp_path / "fixed.mp4"
    assert main(["fix", "-q", str(talk), "-o", str(fixed)]) == 0
    assert main(["fix", str(fixed)]) == 0
    assert "already in sync" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["fixed.mp4"]


def test_late_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other sign, in words and number, at another frame rate."""
    path = tmp_path / "late.mkv"
    make_clip(path, seed=5, duration_s=5.0, offset_ms=-200, rate=Fraction(30000, 1001))
    assert main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "ms late; advance it by" in out.splitlines()[0]
    assert "(minus: audio late)" in out


@pytest.mark.parametrize("options", [[], ["--bake"]])
def test_given_offset_on_a_file_without_a_face(
    faceless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """``--offset-ms`` works where nothing can be measured, and says that it could not be verified."""
    out = tmp_path / "out.mp4"
    assert main(["fix", str(faceless), "-o", str(out), "--offset-ms", "120", *options]) == 0
    printed = capsys.readouterr().out
    assert "sound delayed by 120 ms" in printed
    assert "cannot tell: no face" in printed
    assert probe(out).audio is not None
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_output_that_cannot_hold_the_streams(
    faceless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file that the user asked for, not a temporary one, and nothing is left."""
    out = tmp_path / "out.webm"
    code = main(["fix", str(faceless), "-o", str(out), "--offset-ms", "120"])
    err = capsys.readouterr().err
    assert code in (2, 4)
    assert str(out) in err
    assert ".clapboard" not in err
    assert list(tmp_path.iterdir()) == []


def test_output_folder_that_cannot_be_written(
    faceless: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is not there is said before the work, in one line."""
    assert main(["fix", str(faceless), "-o", str(tmp_path / "no" / "out.mp4"), "--offset-ms", "120"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
