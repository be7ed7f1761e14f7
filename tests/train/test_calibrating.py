"""Calibration of a model that learned from everybody, through the real command."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.cli import main  # noqa: E402
from clapboard.dataset.align import Aligned  # noqa: E402
from clapboard.sync.trust import TERMS  # noqa: E402
from clapboard.training import calibrating  # noqa: E402
from clapboard.training.loop import fit  # noqa: E402
from clapboard.training.recipe import Batch, HeldOut, Recipe  # noqa: E402
from clapboard.training.run import Place  # noqa: E402

SMALL = Recipe(steps=40, network_options={"width": 8, "sound_width": 8}, batch=Batch(frames=192))


def test_runs_that_held_people_out_calibrate(
    tmp_path: Path,
    toy_clips: Callable[..., list[Aligned]],
    toy_dataset: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Protects `models calibrate`: two halves give one calibration; a run that held nobody out is refused."""
    data, clips, runs = toy_dataset(tmp_path / "data", 6), toy_clips(6), list[str]()
    for speaker in ("0", "1"):
        recipe = dataclasses.replace(SMALL, held_out=HeldOut(speakers=(speaker,)))
        fit(recipe, clips, tmp_path / speaker, place=Place(), say=lambda line: None)
        runs.append(str(tmp_path / speaker))
    out = tmp_path / "calibration.json"
    assert main(["models", "calibrate", *runs, "--data", str(data), "-o", str(out)]) == 0
    written = json.loads(out.read_text())
    assert set(written["weights"]) == set(TERMS)
    assert set(written) == {"bias", "weights", "speaking"}
    assert "wrong voice answered" in capsys.readouterr().out
    known = tmp_path / "known.csv"
    known.write_text("file,offset_ms,usable\nnobody.mp4,0,yes\n")
    more = ["--data", str(data), "--known", str(known), "-o", str(tmp_path / "other.json")]
    assert main(["models", "calibrate", *runs, *more]) == 2
    assert "held nobody out whose offset is known" in capsys.readouterr().err


def test_only_who_was_held_out_then_calibrates_now(
    tmp_path: Path,
    toy_clips: Callable[..., list[Aligned]],
    toy_dataset: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Protects the probability: of other data a share of the speakers are others, whom it may have learned from."""
    recipe = dataclasses.replace(SMALL, steps=1, held_out=HeldOut(share=0.3))
    loop = fit(recipe, toy_clips(6), tmp_path / "run", place=Place(), say=lambda line: None)
    other = dataclasses.replace(recipe, held_out=HeldOut(share=0.6))
    (tmp_path / "run" / "recipe.toml").write_text(other.toml())  # stands for data with more speakers: more are drawn
    seen = list[str]()

    def stop(embedder: object, clips: list[Aligned], *rest: object) -> None:
        seen.extend(c.file for c in clips)
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrating, "own_and_foreign", stop)
    with pytest.raises(KeyboardInterrupt):
        calibrating.calibrate_runs([tmp_path / "run"], [toy_dataset(tmp_path / "data", 6)], None)
    assert sorted(seen) == sorted(c.file for c in loop.held)
