"""Models of every view and kind of sound, through the whole flow: a known offset comes back, whatever goes in.

The models are those of `tiny_models`: no training, but their vectors follow lips and loudness.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import clapboard
from clapboard.cli import main
from clapboard.models.session import load_model
from clapboard.pipeline import _moves
from clapboard.sound.kinds import KINDS
from clapboard.testing import make_clip
from clapboard.values import Embeddings
from clapboard.vision.views import VIEWS
from tiny_models import SURE, write_tiny

EARLY_MS = 300.0
WITHIN_MS = 15.0
"""What all kinds and views agree within: a row more or less would be 10 ms, a frame 40."""


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking face whose sound is 300 ms early."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    make_clip(path, seed=3, duration_s=6.0, width_px=320, height_px=240, face_px=110, offset_ms=EARLY_MS)
    return path


@pytest.mark.parametrize(
    ("view", "sound"),
    [(view, "log-mel-40") for view in VIEWS] + [("mouth-64", kind) for kind in KINDS if kind != "log-mel-40"],
)
def test_every_input_gives_the_same_offset(talk: Path, tmp_path: Path, view: str, sound: str) -> None:
    """Protects the clocks: rows of any width and crops of any view lie where their time says."""
    report = clapboard.check(talk, model=write_tiny(tmp_path, view, sound, calibration=SURE))
    assert report.offset.offset_ms == pytest.approx(EARLY_MS, abs=WITHIN_MS)
    assert report.status == "out_of_sync"
    assert report.model.name == "tiny"


def test_a_model_of_another_view_and_kind_from_the_command_line(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the whole way: in colour, with Wav2Lip's sound, found by ``check``, repaired by ``fix``."""
    model = write_tiny(tmp_path / "model", "face-96", "mel-80", calibration=SURE)
    assert main(["check", "--json", "--model", str(model), str(talk)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["offset_ms"] == pytest.approx(EARLY_MS, abs=WITHIN_MS)
    assert found["model"]["name"] == "tiny"
    assert found["model"]["sha256"] == load_model(model).model.sha256
    fixed = tmp_path / "fixed.mp4"
    assert main(["fix", "--model", str(model), "-o", str(fixed), str(talk)]) == 0
    assert "sound delayed by" in capsys.readouterr().out
    assert main(["check", "-q", "--model", str(model), str(fixed)]) == 0


def test_without_calibration_there_is_a_best_guess_and_no_answer(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects users of models that nobody has tested: the number is shown, never trusted, and nothing is repaired."""
    model = write_tiny(tmp_path / "model", "mouth-120", "mfcc-13", calibration=None)
    report = clapboard.check(talk, model=model)
    assert report.status == "undecided"
    assert math.isnan(report.offset.p_within_frame)
    assert math.isnan(report.tracks[0].offset.p_within_frame)
    assert report.offset.offset_ms == pytest.approx(EARLY_MS, abs=WITHIN_MS)
    assert main(["check", "--json", "--model", str(model), str(talk)]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["p_within_frame"] is found["correction"] is None
    assert found["reasons"] == ["the model is not calibrated: how often what it measures is right is not known"]
    assert any("--model clapboard-s" in hint for hint in found["hints"])
    assert main(["check", "--model", str(model), str(talk)]) == 3
    out = capsys.readouterr().out
    assert "cannot tell: the model is not calibrated" in out
    assert "best guess, not trusted" in out
    assert "to be right" not in out
    before = sorted(tmp_path.iterdir())
    assert main(["fix", "--model", str(model), "-o", str(tmp_path / "fixed.mp4"), str(talk)]) == 3
    assert "is not calibrated" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_the_zero_of_a_model_is_added(talk: Path, tmp_path: Path) -> None:
    """Protects ``zero_ms``: the offset of the file and of each face are counted from Clapboard's zero."""
    report = clapboard.check(talk, model=write_tiny(tmp_path, zero_ms=-120.0, calibration=SURE))
    assert report.offset.offset_ms == pytest.approx(EARLY_MS - 120, abs=WITHIN_MS)
    assert report.tracks[0].offset.offset_ms == pytest.approx(EARLY_MS - 120, abs=WITHIN_MS)


def test_stillness_does_not_depend_on_the_length_of_vectors() -> None:
    """Protects models whose vectors are not of length 1: a still is told from a face that moves all the same."""
    rng = np.random.default_rng(0)
    time_s = np.arange(100) / 25
    still = np.repeat(rng.standard_normal((1, 8)), 100, 0) + 0.01 * rng.standard_normal((100, 8))
    moving = rng.standard_normal((100, 8))
    for length in (0.1, 1.0, 30.0):
        assert not _moves(Embeddings((length * still).astype(np.float16), time_s))
        assert _moves(Embeddings((length * moving).astype(np.float16), time_s))


def test_a_model_that_was_exported_again_is_loaded_again(talk: Path, tmp_path: Path) -> None:
    """Protects programs that keep running: a model under the same name may change on disk."""
    first = clapboard.check(talk, model=write_tiny(tmp_path, calibration=SURE))
    again = clapboard.check(talk, model=write_tiny(tmp_path, calibration=SURE, zero_ms=1000.0))
    assert again.offset.offset_ms == pytest.approx(first.offset.offset_ms + 1000, abs=0.01)
