"""Rendered clips as a data set: what training will learn from, made by seed alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Dataset  # noqa: E402
from clapboard.training.rendered import FIRST_SEED, Rendering, main, render_clip  # noqa: E402


def test_rendered_clips_are_a_data_set(tmp_path: Path) -> None:
    """Protects the share of rendered faces: by seed, in order, the same whoever is faster, gone on with when asked."""
    out = tmp_path / "set"
    for clips in ("1", "3"):
        assert main(["-o", str(out), "--clips", clips, "--seconds", "2", "--processes", "2"]) == 0
    found = Dataset.open(out)
    assert [entry.speaker for entry in found.entries] == [str(FIRST_SEED + n) for n in range(3)]
    assert {(entry.corpus, entry.frames, entry.offset_ms) for entry in found.entries} == {("rendered", 50, None)}
    made = render_clip(Rendering(FIRST_SEED + 2, 2.0))
    assert made is not None
    entry, stored = made
    assert found.entries[2] == replace(entry, shard=1)
    np.testing.assert_array_equal(found.stored(found.entries[2]).images, stored.images)
    np.testing.assert_array_equal(found.stored(found.entries[2]).samples, stored.samples)
    assert len(stored.samples) == 32000
    assert np.abs(stored.samples).max() > 1000


def test_other_folders_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects files: one line and code 2 where something else lies."""
    (tmp_path / "x").touch()
    assert main(["-o", str(tmp_path), "--clips", "1"]) == 2
    assert capsys.readouterr().err.startswith(f"clapboard: {tmp_path}: exists and is no data set")
