"""The benchmark of any sound: what it cuts, what it counts, and that its controls are at chance."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.store import Entry, Stored, Writer  # noqa: E402
from clapboard.training.anysound.scenes import Scene, make_scene  # noqa: E402
from tiny_any import write_tiny_any  # noqa: E402

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FRAMES = 150


def clicking(
    seed: int, late_ms: float = 0.0, seconds: float = FRAMES / 25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A square changes at random frames, and bursts of noise begin then: images, times, samples from 0 s on."""
    rng = np.random.default_rng(seed)
    frames = round(25 * seconds)
    images = np.full((frames, 64, 64), 90, np.uint8)
    samples = rng.normal(0, 1e-3, round(16000 * seconds))
    burst = rng.normal(0, 0.2, 1600) * np.exp(-np.arange(1600) / 300)
    level = 40
    for frame in np.flatnonzero(rng.random(frames) < 0.12):
        if frame:
            level = 230 - level
            images[frame:, 8:40, 20:56] = level
            # Between the two frames, so half a frame before the second.
            at = round(16 * (40 * (frame - 0.5) + late_ms))
            samples[at : at + 1600] += burst[: max(0, len(samples) - at)]
    return images, np.arange(frames) / 25, np.clip(samples, -1, 1).astype(np.float32)


def scene(seed: int, late_ms: float = 0.0, seconds: float = FRAMES / 25, group: str = "") -> Scene:
    return make_scene(*clicking(seed, late_ms, seconds), 0.0, id=f"id{seed}", group=group or f"clip{seed}")


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """Return a function that imports one of the scripts, which are no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


def pair_rows(scripts: Any, scenes: list[Scene], scorers: Any, range_name: str, count: int) -> list[dict[str, Any]]:
    """Rows of all recordings."""
    judged = scripts("sounds").judge_all(scenes, scorers, [range_name], count)
    return scripts("sounds").pair_rows(judged, {scene.group for scene in scenes}, tables=1)


def offset_rows(scripts: Any, scenes: list[Scene], scorers: Any, *, zero_known: bool) -> list[dict[str, Any]]:
    """Rows of all recordings."""
    measured = scripts("sound_offsets").measure_all(scenes, scorers, zero_known=zero_known)
    return scripts("sound_offsets").offset_rows(measured, {scene.group for scene in scenes})


def test_recordings_give_equally_many_pairs_and_always_the_same(scripts: Any) -> None:
    """Protects the counts: shots share what their recording gives, shots without room give none, nothing is random."""
    sounds = scripts("sounds")
    scenes = [scene(1), scene(2, group="two"), scene(3, group="two"), scene(4, seconds=2.2, group="two"),
              scene(5, seconds=2.2)]  # fmt: skip
    found = list(sounds.cuts(scenes, "near", 5))
    assert [cut.clip for cut in found] == ["clip1"] * 5 + ["two"] * 5, "clip5 has no room for a shift"
    for cut in found:
        assert 0.3 <= abs(cut.shift_s) <= 1.0
        assert len(cut.true) == len(cut.wrong) == 4 * len(cut.images)
        assert not np.array_equal(cut.true, cut.wrong)
    again = list(sounds.cuts(scenes, "near", 5))
    assert [cut.shift_s for cut in again] == [cut.shift_s for cut in found]
    np.testing.assert_array_equal(again[-1].images, found[-1].images)


def test_baselines_tell_and_controls_do_not(scripts: Any) -> None:
    """Protects the table: motion energy wins in easy scenes, a frozen picture ties, foreign sound is chance."""
    scorers = scripts("sound_scorers")
    scenes = [scene(seed) for seed in range(6)]
    motion = scorers.baselines()[:1]
    rows = pair_rows(scripts, scenes, scorers.unique(motion), "near", 2)
    assert rows[0]["accuracy"] > 0.95
    assert rows[0]["frozen picture"] == 0.5
    assert 0.2 < rows[0]["another's sound"] < 0.8
    assert rows[0]["evidence"] == "evidence on real clips"
    assert set(rows[0]["won_by_clip"]) == {f"clip{seed}" for seed in range(6)}
    twice = pair_rows(scripts, scenes, scorers.unique(motion * 2), "near", 1)
    assert {row["evidence"] for row in twice} == {"no evidence on real clips"}, (
        "one of two tests needs more than 6 clips"
    )


def test_every_row_of_every_table_is_a_test(scripts: Any) -> None:
    """Protects the words: six clips are enough for one test, and not where the same row stands in three tables."""
    won = scripts("sounds").Judged([1.0] * 6, [0.0] * 6, [f"clip{n}" for n in range(6)])
    judged = {("near", "motion energy"): (won, won, won)}
    rows_of = scripts("sounds").pair_rows
    assert rows_of(judged, set(won.clips), tables=1)[0]["evidence"] == "evidence on real clips"
    assert rows_of(judged, set(won.clips), tables=3)[0]["evidence"] == "no evidence on real clips"


def test_foreign_sound_is_of_another_recording(scripts: Any) -> None:
    """Protects the control: its two sounds are from a recording that is not the picture's, at a shift of the range."""
    sounds = scripts("sounds")
    scenes = [scene(seed, group="one" if seed < 2 else f"clip{seed}") for seed in range(4)]
    own = {row.tobytes() for s in scenes[:2] for row in scripts("sound_offsets").rows_of(s)}
    found = [cut for cut in sounds.strange_cuts(scenes, "near", 4) if cut.clip == "one"]
    assert len(found) == 4
    for cut in found:
        assert not any(row.tobytes() in own for row in cut.true)
        assert 0.3 <= abs(cut.shift_s) <= 1.0


def test_offsets_of_clips_that_are_out_of_sync_themselves(scripts: Any) -> None:
    """Protects the two truths: 160 ms of a clip's own are an error against zero, and none against its other windows."""
    offsets, scorers = scripts("sound_offsets"), scripts("sound_scorers")
    scenes = [scene(seed, late_ms=160) for seed in range(3)]
    motion = scorers.unique(scorers.baselines()[:1])
    (own, strange) = offset_rows(scripts, scenes, motion, zero_known=False)
    assert (own["clips"], own["number"], own["within_80_ms"]) == (3, 6, 1.0)
    assert strange["within_200_ms"] < 0.7
    (own, _) = offset_rows(scripts, scenes, motion, zero_known=True)
    assert own["within_80_ms"] == 0.0
    assert own["mae_ms"] == pytest.approx(160, abs=20)
    assert np.median(offsets.answers(motion["motion energy"], scenes[0], scenes[0])) == pytest.approx(-160, abs=20)


def test_a_window_has_no_part_in_its_own_truth(scripts: Any) -> None:
    """Protects the truth of real clips: the median of the others, so a single window has none."""
    offsets = scripts("sound_offsets")
    np.testing.assert_array_equal(offsets.against_others(np.array([10.0, 20.0, 90.0])), [-45, -30, 75])
    assert np.isnan(offsets.against_others(np.array([np.nan, 5.0]))).all()
    assert len(offsets.against_others(np.array([5.0]))) == 0


def test_runs_of_one_kind_are_compared(scripts: Any) -> None:
    """Protects "A above B": runs NAME-0, NAME-1 are pooled, and the error counts clips and runs."""
    rows = [
        {"scorer": f"{kind}-{seed}", "range": "far", "won_by_clip": {"a": won, "b": won + 0.1 * seed}}
        for kind, won in (("mean", 0.5), ("temporal", 0.8))
        for seed in (0, 1)
    ]
    lines = list(scripts("sounds").difference_lines([*rows, {"scorer": "motion energy", "range": "far"}]))
    assert lines[2:] == ["| far | mean | temporal | -30.0 | 0.0 | 2 | 2 |"]


def test_models_are_asked_on_the_same_clock(scripts: Any, tmp_path: Path) -> None:
    """Protects the scores and offsets of networks: the tiny one, which is exact on clicks, wins all and is exact."""
    scorers = scripts("sound_scorers").unique(scripts("sound_scorers").model_scorers(write_tiny_any(tmp_path)))
    assert list(scorers) == ["tiny-any", "tiny-any, slack"]
    rows = pair_rows(scripts, [scene(seed) for seed in range(3)], scorers, "near", 3)
    assert [row["accuracy"] for row in rows] == [1.0, 1.0]
    late = [scene(seed, late_ms=120) for seed in range(3)]
    strict, loose = pair_rows(scripts, late, scorers, "close", 4)
    assert loose["accuracy"] > strict["accuracy"], "sound that is 120 ms late is forgiven by the second"
    (own, strange) = offset_rows(scripts, late, scorers, zero_known=True)
    assert own["scorer"] == strange["scorer"] == "tiny-any", "only one of the two gives offsets"
    assert own["mae_ms"] == pytest.approx(120, abs=10)


def write(folder: Path, seeds: range) -> None:
    """A data set of scenes."""
    with Writer(folder, "scene-64", {"kind": "sounds"}) as writer:
        for seed in seeds:
            images, time_s, samples = clicking(seed)
            name = f"clip{seed}"
            entry = Entry(name, f"test/{name}.mp4", "real", name, f"real/{name}", 0, 0, 0.0, 6.0, FRAMES, 0.0, 1.0)
            writer.add(entry, Stored(images, time_s, np.round(samples * 32767).astype(np.int16), 0.0))
            writer.finished()


def test_the_whole_command(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the run on real clips: a table for each grade with the words, and all numbers in the JSON."""
    write(tmp_path / "set", range(3))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,grade\ntest/clip0.mp4,A\ntest/clip1.mp4,B\ntest/clip2.mp4,A\n")
    out = tmp_path / "out.json"
    arguments = ["sounds.py", str(tmp_path / "set"), "--manifest", str(manifest), "--ranges", "near", "--pairs", "2"]
    monkeypatch.setattr("sys.argv", [*arguments, "--without", "clip2", "-o", str(out)])
    assert scripts("sounds").main() == 0
    printed = capsys.readouterr().out
    assert "grade A, events: 1 recordings, 1 scenes" in printed
    assert "| near 0.3-1 s | motion energy | 1 | 2 |" in printed
    assert "no evidence on real clips" in printed
    found = json.loads(out.read_text())
    assert set(found) == {"grade A, events", "grade B, sustained sound", "grades A and B"}
    assert found["grades A and B"]["pairs"][0]["clips"] == 2
    monkeypatch.setattr("sys.argv", ["sounds.py", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as stopped:
        scripts("sounds").main()
    assert stopped.value.code == 4
