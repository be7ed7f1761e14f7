"""The benchmarks of attention and of offsets: what they count is true of a network whose answers are known."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.cli import main  # noqa: E402
from clapboard.models.any_session import AnySoundModel  # noqa: E402
from clapboard.training.anysound.avs import PairTask  # noqa: E402
from clapboard.training.anysound.clips import Scene, load_scenes  # noqa: E402
from clapboard.training.anysound.recipe import Clips, SoundRecipe  # noqa: E402
from clapboard.training.anysound.sets import Sets  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402
from clapboard.training.task_loop import Loop  # noqa: E402
from tiny_any import write_tiny_any  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The two programs as modules."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import any_sound
    import attention

    yield {"attention": attention, "any_sound": any_sound}
    for name in ("attention", "any_sound"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    """Undisturbed rendered events, 8 s each."""
    folder = tmp_path_factory.mktemp("data") / "clean"
    assert render(["-o", str(folder), "--clean", "--clips", "6", "--part", "test", "--processes", "1"]) == 0
    return load_scenes(folder)


def test_attention_of_known_weights_is_told(benchmark: dict[str, ModuleType], scenes: list[Scene]) -> None:
    """All weight inside the source and in blocks with an event gives the largest figures; even weights give 1."""
    program = benchmark["attention"]
    cut = program.drawn(scenes, "far", 4)
    even = [np.full((4, 2, 8, 8), 1 / 512, np.float32)] * len(cut.images)
    assert program.looks(cut, even)["weight inside the source over its area"] == pytest.approx(1, abs=0.01)
    sharp = []
    for boxes in cut.boxes:
        weight = np.zeros((4, 2, 8, 8), np.float32)
        x, y = np.nanmean(boxes[0, :, 0::2]), np.nanmean(boxes[0, :, 1::2])
        weight[:, :, int(y // 8), int(x // 8)] = 1
        sharp.append(weight)
    assert program.looks(cut, sharp)["weight inside the source over its area"] > 2


def test_runs_are_judged_and_compared(
    benchmark: dict[str, ModuleType], scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of a finished run, kept beside it; the difference of heads is paired over seeds."""
    program = benchmark["attention"]
    monkeypatch.setattr(program, "SETTINGS", {"dense, 1 to 4 s": ("dense", "far", 2)})
    recipe = SoundRecipe(
        "attention-avs", 1, head="temporal", batch=Clips(clips=2, blocks=1), network_options={"width": 2}
    )
    sets = Sets({"clean": scenes}, {"clean": 1.0})
    Loop(recipe, PairTask(recipe, sets), tmp_path / "temporal-0", say=lambda _: None)()
    given = argparse.Namespace(dense="d", sparse="s", limit=None)
    found = program.kept(tmp_path / "temporal-0", {"dense": scenes}, given)
    again = json.loads((tmp_path / "temporal-0" / "attention.json").read_text())["found"]
    with monkeypatch.context() as patch:
        patch.setattr(program, "judge", lambda avs, sets: pytest.fail("measured again"))
        assert program.kept(tmp_path / "temporal-0", {"dense": scenes}, given) == again
    assert program.kept(tmp_path / "temporal-0", {"dense": scenes[:4]}, given)["dense, 1 to 4 s"]["pairs"] == 4
    one = found["dense, 1 to 4 s"]
    assert one["pairs"] == len(scenes)
    assert one["accuracy"] == np.mean(one["won"])
    assert found["frozen-picture"]["pairs"] == len(scenes)
    better = {"dense, 1 to 4 s": {**one, "won": [1.0] * len(scenes)}}
    worse = {"dense, 1 to 4 s": {**one, "won": [0.0] * (len(scenes) - 1) + [1.0]}}
    lines = program.differences({"temporal": {0: better, 1: better}, "mean": {0: worse, 1: worse}})
    assert "temporal over mean +83.3 points" in lines[0]
    assert any("pairs won" in line for line in program.table({"temporal": {0: found}}))


def test_offsets_of_a_network_that_follows_changes_are_right(
    benchmark: dict[str, ModuleType], scenes: list[Scene], tmp_path: Path
) -> None:
    """The hand-made network finds flashes and clicks; what is counted agrees with that, and controls are at chance."""
    program = benchmark["any_sound"]
    model = AnySoundModel(write_tiny_any(tmp_path))
    found = program.offsets(model, scenes, 6.0)
    assert found["pieces"] + sum(s.period_s is not None for s in scenes) == len(scenes)
    assert found["within 80 ms"] >= found["within 40 ms"]
    assert found["frozen picture within 80 ms"] <= 0.5
    looks = program.looks(model, scenes)
    assert looks["weight inside the source over its area"] > 1.5
    far = [abs(looks[name]) for name in looks if name.startswith("px")]
    assert len(far) == 2
    assert max(far) < 16  # a network that follows what changes looks at the source, within a cell of 16 px
    assert program.cell("within 80 ms", [0.5, 1.0]) == "75.0% (50.0%, 100.0%)"
    assert program.cell("median error, ms", [2.0, 4.0]) == "3 (2, 4)"


def test_models_export_takes_a_run_of_any_sound(
    tmp_path: Path, scenes: list[Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run becomes a named model; one of attention-avs is refused in one line."""
    from clapboard.training.anysound.offsets import OffsetTask

    sets = Sets({"clean": scenes}, {"clean": 1.0})
    options = {"width": 2, "sound_width": 4, "embedding": 8}
    recipe = SoundRecipe("any-sound", 1, batch=Clips(clips=2, frames=25), network_options=options)
    Loop(recipe, OffsetTask(recipe, sets), tmp_path / "run", say=lambda _: None)()

    def export(*words: str) -> int:
        return main(["models", "export", str(tmp_path / "run"), "-o", str(tmp_path / "out"), *words])

    assert export("--name", "mine") == 0
    assert AnySoundModel(tmp_path / "out" / "mine.json").spec.name == "mine"
    assert export("--name", "mine") == 2
    assert "exists already" in capsys.readouterr().err
    assert export("--name", "other", "--with-torch") == 2
    assert "are for models of lips" in capsys.readouterr().err
    (tmp_path / "run" / "weights.pt").unlink()
    assert export("--name", "third") == 5
    assert "is not finished" in capsys.readouterr().err
