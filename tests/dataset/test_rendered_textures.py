"""Rendered textures as a data set: scenes by seed, and the activity of each texture in the truth."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Dataset  # noqa: E402
from clapboard.testing import render_texture  # noqa: E402
from clapboard.training.anysound.scenes import load_scenes  # noqa: E402
from clapboard.training.rendered_textures import FIRST_SEED, main  # noqa: E402


def test_rendered_textures_are_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects training: scenes with the sound around them, their truth, more when asked again, errors in one line."""
    out = tmp_path / "set"
    for clips in ("1", "3"):
        assert main(["-o", str(out), "--clips", clips, "--seconds", "2", "--processes", "1"]) == 0
    found = Dataset.open(out)
    assert (found.view, found.settings["kind"], found.settings["made"]) == ("scene-64", "sounds", "rendered textures")
    rows = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [entry.id for entry in found.entries]
    for number, row in enumerate(rows):
        clip = render_texture(FIRST_SEED + number, seconds=2.0)
        there = found.stored(found.entries[number])
        np.testing.assert_array_equal(there.images, clip.images)
        np.testing.assert_allclose(there.samples / 32767, clip.around, atol=1e-4)
        assert there.start_s == -2.5
        assert (row["split"], row["kind"], row["materials"]) == ("texture", clip.kind, list(clip.materials))
        assert list(row["textures"]) == list(clip.activity)
        for name, heard in row["textures"].items():
            np.testing.assert_allclose(heard, clip.activity[name], atol=0.0051)
    assert [scene.split for scene in load_scenes(out)] == ["texture"] * 3
    assert main(["-o", str(out), "--clips", "3", "--seconds", "2", "--part", "test"]) == 2
    assert main(["-o", str(tmp_path / "b"), "--view", "scene-256"]) == 2
    assert main(["-o", str(tmp_path / "b"), "--clips", "0"]) == 2
    assert not (tmp_path / "b").exists()
    assert capsys.readouterr().err.count("clapboard: ") == 3
