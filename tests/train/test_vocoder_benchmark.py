"""The benchmark of ways from a log-mel to sound: its control is near zero, its order is right, its command runs."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.testing import render_events  # noqa: E402
from clapboard.training.foley.vocoder_export import export_vocoder  # noqa: E402
from clapboard.training.nets.istft_vocoder import IstftVocoder  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    """The script, which is no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("vocoder")


@pytest.fixture(scope="module")
def blows() -> np.ndarray:
    """Two seconds of blows."""
    return np.asarray(render_events(150003, seconds=2, dry=True).samples)


def test_the_wave_itself_is_at_no_distance(script: Any, blows: np.ndarray) -> None:
    """Protects the control: all measures of a sound against itself are 0, and all onsets are there."""
    found = script.judge([blows], lambda wave, _: wave)
    assert [found[key] for key in ("mel_db", "convergence", "log_db", "onsets_others", "late_ms")] == [0] * 5
    assert found["onsets_near"] == 1
    assert found["onsets"] > 0


def test_distances_grow_with_what_is_wrong(script: Any, blows: np.ndarray) -> None:
    """Protects the measures: 3 dB softer is 3 dB in both logarithms; silence and a delay are told."""
    softer = script.judge([blows], lambda wave, _: wave * np.float32(10 ** (-3 / 20)))
    assert softer["mel_db"] == pytest.approx(3, abs=0.3)
    assert softer["log_db"] == pytest.approx(3, abs=0.3)
    silent = script.judge([blows], lambda wave, _: 0 * wave)
    assert silent["convergence"] == pytest.approx(1)
    assert silent["onsets_near"] == 0
    row = np.random.default_rng(0).standard_normal(160).astype(np.float32)
    assert script.buzz(np.random.default_rng(1).standard_normal(16_000), np.tile(row, 100)) > 0.9
    late = script.judge([blows], lambda wave, _: np.concatenate([np.zeros(480, np.float32), wave[:-480]]))
    assert late["late_ms"] == pytest.approx(30, abs=3)
    assert late["onsets_near"] < 0.2


def test_the_command_judges_every_way(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the table of the docs: the control is near 0, rounds bring Griffin-Lim nearer, every way is there."""
    torch.manual_seed(0)
    vocoder = export_vocoder(IstftVocoder(width=8, blocks=1), tmp_path / "run")
    assert render(["-o", str(tmp_path / "blows"), "--clips", "2", "--seconds", "2", "--dry", "--processes", "1"]) == 0
    out = tmp_path / "out.json"
    assert script.main([str(vocoder), str(tmp_path / "blows"), "-o", str(out)]) == 0
    (rows,) = json.loads(out.read_text(encoding="utf-8")).values()
    assert rows["true spectrum"]["mel_db"] < 0.01
    assert rows["true spectrum"]["convergence"] < 0.001
    assert rows["mel, true phase"]["mel_db"] < rows["griffin-lim 24"]["mel_db"] < rows["random phase"]["mel_db"]
    assert len(rows) == 7
    said = capsys.readouterr().out
    assert all(f"| {way} |" in said for way in rows)
    assert script.main([str(tmp_path / "none.onnx"), str(tmp_path / "blows")]) == 5
    assert "cannot be loaded" in capsys.readouterr().out
