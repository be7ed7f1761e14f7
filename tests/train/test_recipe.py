"""Recipes: what is written back is what was read, and every slip of the pen is refused in one line."""

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from clapboard.cli import main  # noqa: E402
from clapboard.errors import ClapboardError, UsageError  # noqa: E402
from clapboard.training.foley.work import is_foley_recipe, trainer_of  # noqa: E402
from clapboard.training.recipe import Augmentation, Batch, HeldOut, Optimiser, Recipe  # noqa: E402
from clapboard.training.run import Place, Run  # noqa: E402
from clapboard.training.tables import task_of  # noqa: E402

RECIPES_OF_THE_PROJECT = Path(__file__).parents[2] / "recipes"
OF_LIPS = [path for path in sorted(RECIPES_OF_THE_PROJECT.glob("*.toml")) if not task_of(path)]
OF_FOLEY = [path for path in sorted(RECIPES_OF_THE_PROJECT.glob("*.toml")) if is_foley_recipe(path)]
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f\x85"), min_size=1, max_size=12)
RECIPES = st.builds(
    Recipe,
    steps=st.integers(1, 10**6),
    seed=st.integers(0, 2**31),
    corpus_offsets_ms=st.dictionaries(NAMES, st.floats(-500, 500)),
    optimiser=st.builds(Optimiser, learning_rate=st.floats(1e-6, 1), name=st.sampled_from(["adamw", "sgd"])),
    batch=st.builds(Batch, weights=st.dictionaries(NAMES, st.floats(0, 5)), chunk=st.integers(6, 99)),
    held_out=st.builds(HeldOut, speakers=st.tuples(NAMES, NAMES)),
    network_options=st.dictionaries(st.sampled_from(["width", "dropout"]), st.integers(1, 9)),
)


@given(RECIPES)
def test_what_is_written_is_what_was_read(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    """Protects the record of a run: recipe.toml in full, read again, is the recipe that ran."""
    path = tmp_path_factory.mktemp("r") / "recipe.toml"
    path.write_text(recipe.toml(), encoding="utf-8")
    assert Recipe.read(path) == recipe


def written(folder: Path, text: str) -> Path:
    """A recipe file."""
    path = folder / "r.toml"
    path.write_text(text)
    return path


def test_presets_and_changes(tmp_path: Path) -> None:
    """Protects --set and presets: a preset fills what is not said, a change goes before the file."""
    path = written(tmp_path, 'steps = 5\n[augmentation]\npreset = "paper"\nblur = 0.2\n')
    recipe = Recipe.read(path, {"seed": "7", "optimiser.name": "sgd", "held_out.speakers": '["a"]'})
    assert recipe.augmentation == dataclasses.replace(Augmentation.PRESETS["paper"], blur=0.2)
    assert (recipe.seed, recipe.optimiser.name, recipe.held_out.speakers) == (7, "sgd", ("a",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps = 0", "at least 1"),
        ("seed = 1", "steps is missing"),
        ("steps = 'x'", "must be int"),
        ("steps = true", "must be int"),
        ("steps = 5\nstepz = 1", "unknown key stepz"),
        ("steps = 5\n[optimiser]\nname = 'adam'", "one of adamw, sgd"),
        ("steps = 5\n[augmentation]\npreset = 'all'", "preset must be one of"),
        ("steps = 5\n[batch]\nchunk = 3", "too small"),
        ("steps = 5\n[held_out]\nshare = 1.5", "share is a part"),
        ("steps = 5\nseed = -1", "seed must be from 0"),
        ("steps = 5\n[batch]\nextra = 80", "extra must be from 0 to 75"),
        ("steps = 5\n[batch.chunk_frames]\na = 0", "too small"),
        ("steps = 5\n[optimiser]\nlearning_rate = nan", "learning_rate must be a finite number"),
        ("steps = 5\nbatch = 1", "batch must be a table, not 1"),
        ("steps = 5\nnetwork_options = 1", "network_options must be a table, as {dense = 1}, not 1"),
        ("steps = ", "not TOML"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """Protects against training for an hour with a misspelt key."""
    with pytest.raises(UsageError, match=says) as caught:
        Recipe.read(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_every_change_of_a_clip_can_be_switched_off() -> None:
    """Protects the preset "none": it changes nothing, whatever is added later."""
    assert set(dataclasses.asdict(Augmentation.PRESETS["none"]).values()) == {0.0}
    assert set(dataclasses.asdict(Augmentation())) == set(dataclasses.asdict(Augmentation.PRESETS["paper"]))


@pytest.mark.parametrize("path", OF_LIPS, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_can_begin(path: Path) -> None:
    """Protects recipes/: each of lips is read, its network is built, and loss and network fit together."""
    recipe = Recipe.read(path)
    small = {"fc6": 16, "channels": [4, 4, 4, 4, 4]} if recipe.network == "syncnet-2016" else recipe.network_options
    Run(dataclasses.replace(recipe, network_options=small), Place())


@pytest.mark.parametrize("path", OF_FOLEY, ids=lambda path: path.stem)
def test_every_recipe_that_makes_sound_can_be_read(path: Path, tmp_path: Path) -> None:
    """Protects recipes/: what trains by each gets beyond its recipe, to data that is not there."""
    changes = {"picture": str(tmp_path / "no-such-data")} if path.stem == "foley-textures" else {}
    with pytest.raises(ClapboardError, match="no-such-data"):
        trainer_of(path)(path, [tmp_path / "no-such-data"], tmp_path / "run", changes=changes, say=lambda _: None)


def test_losses_of_cosines_need_unit_vectors() -> None:
    """Protects against a loss that cannot work: cosines of vectors that are not normalised."""
    recipe = Recipe(steps=1, network="syncnet-2016", network_options={"fc6": 16, "channels": [4, 4, 4, 4, 4]})
    with pytest.raises(UsageError, match="unit = true"):
        Run(recipe, Place())


@pytest.mark.parametrize("task", ["any-sound", "attention-avs", "samplernn"])
def test_what_is_for_lips_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str) -> None:
    """Protects who learns any sound: refine and calibrate name the kind that they are for, in one line."""
    (tmp_path / "recipe.toml").write_text(f'task = "{task}"\nsteps = 5\n')
    out, data = str(tmp_path / "out"), ["--data", str(tmp_path)]
    assert main(["refine", str(tmp_path / "recipe.toml"), *data, "-o", out]) == 2
    assert f"refine is for lips; {tmp_path / 'recipe.toml'} is a recipe of {task}" in capsys.readouterr().err
    assert main(["models", "calibrate", str(tmp_path), *data, "-o", out]) == 2
    assert f"calibrate is for lips; {tmp_path} is a run of {task}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    for command in (["refine"], ["models", "calibrate"]):
        assert main([*command, "--help"]) == 0
        assert "of lips" in capsys.readouterr().out
