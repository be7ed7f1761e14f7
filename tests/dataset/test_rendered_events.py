"""Rendered events as a data set: scenes by seed, the truth beside them, gone on with where it stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Dataset  # noqa: E402
from clapboard.testing import render_events  # noqa: E402
from clapboard.training.rendered_events import FIRST_SEED, Rendering, main, render_clip, truth_row  # noqa: E402

SHORT = ["--seconds", "3", "--split", "sparse", "--processes", "1"]


def _truth(folder: Path) -> list[dict[str, object]]:
    """Return the rows of the truth."""
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]


def test_rendered_events_are_a_data_set(tmp_path: Path) -> None:
    """Protects training: scenes in the order of their seeds, each with its truth, and more of them when asked again."""
    out = tmp_path / "set"
    for clips in ("1", "3"):
        assert main(["-o", str(out), "--clips", clips, *SHORT]) == 0
    found = Dataset.open(out)
    assert found.view == "scene-64"
    assert found.settings["kind"] == "sounds"
    assert (found.settings["picture_hz"], found.settings["sound_hz"], found.settings["channels"]) == ("25/1", 16_000, 1)
    entry, stored, row = render_clip(Rendering(FIRST_SEED + 2, 3.0, "sparse", "train", "scene-64"))
    assert found.entries[2] == replace(entry, shard=1)
    assert len({entry.group for entry in found.entries}) == 3
    there = found.stored(found.entries[2])
    np.testing.assert_array_equal(there.images, stored.images)
    np.testing.assert_array_equal(there.samples, stored.samples)
    clip = render_events(FIRST_SEED + 2, seconds=3.0, split="sparse")
    np.testing.assert_array_equal(there.images, clip.images)
    lead = round(-there.start_s * 16_000)  # sound from around the clip, so that it can be moved without an edge
    assert (lead, there.samples.shape) == (40_000, (128_000,))
    np.testing.assert_allclose(there.samples[lead:-lead] / 32767, clip.samples, atol=1e-4)
    assert [said["id"] for said in _truth(out)] == [entry.id for entry in found.entries]
    assert _truth(out)[2] == json.loads(row)


def test_truth_says_what_is_in_the_clip() -> None:
    """Protects figures on rendered sets: times, sources and boxes are those of the clip, null where nothing is seen."""
    clip = render_events(3, kinds=("firework",), split="sparse", seconds=3.0)
    row = json.loads(truth_row("x", clip))
    assert [(time_s, source) for time_s, source, _ in row["events"]] == [
        (round(event.time_s, 6), event.source) for event in clip.events
    ]
    boxes = np.array([[np.nan] * 4 if box is None else box for box in row["boxes"][0]])
    np.testing.assert_allclose(boxes, clip.boxes[0], atol=0.051)
    assert 0 < np.isnan(boxes[:, 0]).sum() < len(boxes)
    assert (row["kind"], row["split"], row["seed"], row["period_s"]) == ("firework", "sparse", 3, None)
    assert row["materials"] == ["powder"]


def test_what_a_killed_process_leaves_is_mended(tmp_path: Path) -> None:
    """Protects sets from interruptions: rows of clips that do not count, and half rows, are gone after the next run."""
    out = tmp_path / "set"
    assert main(["-o", str(out), "--clips", "1", *SHORT]) == 0
    whole = (out / "truth.jsonl").read_text()
    (out / "truth.jsonl").write_text(whole + whole.replace("_100000", "_100001") + "{}\n3\n" + whole[:40])
    assert main(["-o", str(out), "--clips", "2", *SHORT]) == 0
    assert [row["seed"] for row in _truth(out)] == [FIRST_SEED, FIRST_SEED + 1]
    assert (out / "truth.jsonl").read_text().startswith(whole)


def test_clean_sets_are_sets_of_their_own(tmp_path: Path) -> None:
    """Protects comparisons of with and without what disturbs: clean clips hold seen events only, and do not mix."""
    out = tmp_path / "set"
    assert main(["-o", str(out), "--clips", "1", "--clean", *SHORT]) == 0
    (row,) = _truth(out)
    assert {source for _, source, _ in row["events"]} == {0}  # type: ignore[attr-defined]
    assert main(["-o", str(out), "--clips", "2", *SHORT]) == 2
    assert main(["-o", str(out), "--clips", "1", "--dry", *SHORT]) == 2


def test_wrong_arguments_and_other_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects files and users: one line and code 2 for another folder, other settings, and what cannot be made."""
    (tmp_path / "x").touch()
    assert main(["-o", str(tmp_path), "--clips", "1"]) == 2
    assert main(["-o", str(tmp_path / "a"), "--clips", "0"]) == 2
    assert main(["-o", str(tmp_path / "a"), "--view", "mouth-64"]) == 2
    assert main(["-o", str(tmp_path / "a"), "--split", "sparse", "--seconds", "1"]) == 2
    assert not (tmp_path / "a").exists()
    assert main(["-o", str(tmp_path / "b"), "--clips", "1", *SHORT]) == 0
    assert main(["-o", str(tmp_path / "b"), "--clips", "1", "--seconds", "3", "--part", "test"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 6
    assert "is a data set with other settings (part train and not test" in lines[-1]
