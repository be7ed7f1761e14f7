"""The scenes that who speaks is judged on: offsets taken out and put in, the truth at its frames, and the counts."""

import csv
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import clapboard
from clapboard.media.probe import probe
from clapboard.testing import make_clip

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def scripts() -> Any:
    """Return a function that imports one of the scripts, which are no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module


@pytest.fixture(scope="module")
def takes(scripts: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Three rendered people whose clips have offsets of their own, which the table tells, and a pause each."""
    folder, rows = tmp_path_factory.mktemp("talking"), []
    for seed, offset_ms in ((3, 120), (7, -90), (25, 40)):
        name = f"clip{seed}.mp4"
        make_clip(
            folder / name, seed=seed, duration_s=4.4, offset_ms=offset_ms, width_px=320, height_px=240,
            quiet=[(1.9, 2.7)],
        )  # fmt: skip
        rows.append({"file": name, "part": "dev", "corpus": "rendered", "speaker": f"p{seed}", "duration_s": "4.4"})
        rows[-1] |= {"offset_ms": str(offset_ms), "usable": "yes"}
    for table in ("manifest.csv", "dev_reference.csv"):
        with (folder / table).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    pictures = tmp_path_factory.mktemp("pictures")
    return list(scripts("takes").load_takes(folder, "dev", pictures))


def test_a_take_rests_where_its_person_is_silent(takes: list[Any]) -> None:
    """Protects the material of listeners: a face in its rest must not be one that talks."""
    assert [take.person for take in takes] == ["p3", "p7", "p25"]
    for take in takes:
        long = max(take.rests, key=lambda rest: rest[1] - rest[0])
        begin_s, end_s = (take.start_s + edge / 25 for edge in long)
        assert begin_s < 2.2
        assert end_s > 2.5
        assert not take.speaks[slice(*long)].any()
        assert take.speaks.mean() > 0.5


@pytest.mark.parametrize("offset_ms", [-150, 170])
def test_a_scene_has_one_clock_and_the_offset_that_was_asked_for(
    scripts: Any, takes: list[Any], tmp_path: Path, offset_ms: int
) -> None:
    """Protects the truth: the clips' own offsets of -90 to 120 ms are gone, and the scene's own is there."""
    scenes = scripts("scenes")
    scene = scenes.Director(takes, np.random.default_rng(4)).one_speaks(2, "quiet")
    first = scenes.write_scene(scene, tmp_path / "scene.mkv", offset_ms)
    clip = probe(tmp_path / "scene.mkv")
    assert clip.video is not None
    assert clip.audio is not None
    assert clip.video.start_s == pytest.approx(first / 25, abs=1e-3)
    # the sound begins half a frame before the picture it belongs to
    assert clip.video.start_s - clip.audio.start_s == pytest.approx(0.02 + offset_ms / 1000, abs=1.5e-3)
    assert clapboard.check(tmp_path / "scene.mkv").offset.offset_ms == pytest.approx(offset_ms, abs=40)


def test_speakers_take_turns_and_the_truth_follows(scripts: Any, takes: list[Any]) -> None:
    """Protects alternating and mixed scenes: as many frames of every face, of the sound and of the truth."""
    scenes = scripts("scenes")
    director = scenes.Director(takes, np.random.default_rng(1))
    turns, mixed = director.alternating(), director.mixed(2)
    for scene in (turns, mixed):
        frames = len(scene.truth)
        assert [len(face) for face in scene.faces] == [frames] * 2
        assert len(scene.samples) == frames * 640
    assert set(turns.truth) == {-1, 0, 1}
    heard = mixed.truth[mixed.truth != -1]
    assert heard[0] in (0, 1)
    assert heard[-1] == -2
    assert np.count_nonzero(np.diff(heard)) == 1
    assert len({face[0][0].person for face in mixed.faces} | {take.person for take in mixed.voices}) == 3


def _scene(truth: list[int], faces: int = 2) -> dict[str, Any]:
    tiles = [{"left_px": 320 * i, "right_px": 320 * (i + 1)} for i in range(faces)]
    return {"faces": tiles, "truth": truth, "first_frame": 0, "kind": "quiet", "voices": [{"person": "a"}]}


def test_counts_are_those_made_by_hand(scripts: Any) -> None:
    """Protects every figure of the benchmark: what is right, missed, wrongly said, and named as off screen."""
    speakers: ModuleType = scripts("speakers")
    said = np.array([[True, True, False, False, False], [False, True, False, True, False]])
    nobody = np.array([False, False, True, False, True])
    found = speakers.count(said, nobody, _scene([0, 1, 1, -2, -2]))
    assert (found.tp, found.fp, found.fn, found.tn) == (2, 2, 1, 5)
    assert (found.hidden, found.named, found.shown, found.denied) == (2, 1, 3, 1)
    guess, always = speakers.chance(_scene([0, 1, -1, 1])).values()
    assert 2 * guess.tp / (2 * guess.tp + guess.fp + guess.fn) == pytest.approx(0.5)
    assert (always.tp, always.fp) == (3, 5)
