"""Learning of the flow of textures: what it depends on, that it learns a law and not its mean, what is exported."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.cli.app import run as command  # noqa: E402
from clapboard.errors import ModelError, UsageError  # noqa: E402
from clapboard.metrics.textures import spread  # noqa: E402
from clapboard.models.foley_spec import TextureUse  # noqa: E402
from clapboard.runtime import onnx_runtime  # noqa: E402
from clapboard.synthesis.cues import MATERIALS, TEXTURES, Cues  # noqa: E402
from clapboard.synthesis.mel import FLOOR, MEL_BINS  # noqa: E402
from clapboard.synthesis.texture import FEATURES, draw  # noqa: E402
from clapboard.training.foley.bundling import bundle  # noqa: E402
from clapboard.training.foley.exporting import export_picture  # noqa: E402
from clapboard.training.foley.sets import load_takes  # noqa: E402
from clapboard.training.foley.texture import (  # noqa: E402
    TextureTask,
    Told,
    choose_guidance,
    normals,
    told_of,
)
from clapboard.training.foley.texture_export import examples, export_texture, read_texture, velocity_of  # noqa: E402
from clapboard.training.foley.texture_recipe import TextureRecipe, Windows  # noqa: E402
from clapboard.training.nets.foley_picture import FoleyPicture  # noqa: E402
from clapboard.training.nets.texture_flow import DILATIONS, TextureFlow  # noqa: E402
from clapboard.training.recipe import Optimiser  # noqa: E402
from clapboard.training.rendered_textures import main as render  # noqa: E402
from clapboard.training.task_loop import Loop  # noqa: E402

pytestmark = pytest.mark.train
SMALL = {"width": 24, "dilations": [1, 2]}
RECIPE = TextureRecipe(
    150,
    picture="toy",
    precision="fp32",
    network_options=SMALL,
    optimiser=Optimiser(learning_rate=1e-2, average=0.98),
    batch=Windows(pieces=8, rows=32),
)
NOISE = 1.5
"""Standard deviation of the toy's fine structure."""


def toy(seed: int, rows: int = 200) -> Told:
    """Water that is told to be louder and softer, and is heard with fine structure that nobody tells."""
    rng = np.random.default_rng(seed)
    level = np.interp(np.arange(rows), np.arange(0, rows + 50, 50), rng.uniform(-10, -4, rows // 50 + 1))
    told = np.repeat(level[:, None], MEL_BINS, 1).astype(np.float32)
    mel = told + NOISE * rng.standard_normal((rows, MEL_BINS))
    materials = np.zeros((rows, len(MATERIALS)), np.float32)
    materials[:, MATERIALS.index("water")] = 1
    cues = Cues(np.zeros(rows, np.float32), (told[:, 0] + np.log(80)).astype(np.float32), materials, told)
    every = np.ones(rows, bool)
    return Told(mel.astype(np.float16), cues, np.zeros(0), every, None, every)


def test_a_law_is_learned_and_not_its_mean(tmp_path: Path) -> None:
    """Protects the whole: draws follow the cues, with fine structure of the right size that is another in each draw."""
    learn = [toy(seed) for seed in range(12)]
    task = TextureTask(RECIPE, learn, np.full(12, 1 / 12))
    net = Loop(RECIPE, task, tmp_path, say=lambda _: None)()
    assert isinstance(net, TextureFlow)
    velocity = velocity_of(net)
    for seed in range(20, 23):
        one = toy(seed)
        drawn = [
            draw(velocity, one.cues, mean=task.mean, scale=task.scale, guidance=1.0, seed=chance) for chance in (0, 1)
        ]
        away = drawn[0] - one.cues.mel
        assert abs(away.mean()) < 0.4
        assert 0.7 < spread(drawn[0], one.usable) / spread(one.mel.astype(np.float32), one.usable) < 1.2
        between = np.corrcoef((drawn[0] - one.cues.mel).ravel(), (drawn[1] - one.cues.mel).ravel())[0, 1]
        assert abs(between) < 0.2
        assert np.corrcoef(drawn[0].mean(1), one.cues.mel[:, 0])[0, 1] > 0.9
    guidance, scores = choose_guidance(net, [toy(30), toy(31)], task.mean, task.scale)
    assert scores[f"{guidance:g}"] == min(scores.values())
    assert guidance < 2  # the cues tell the whole mean: to exaggerate them is wrong


def test_rows_of_blows_weigh_nothing() -> None:
    """Protects textures from the blows beside them: what is heard in rows that do not count changes no gradient."""
    usable = np.ones(200, bool)
    usable[40:120] = False
    one = replace(toy(0), usable=usable)
    loud = one.mel.copy()
    loud[~usable] += 8
    losses = []
    for told in (one, replace(one, mel=loud)):
        task = TextureTask(RECIPE, [told], np.ones(1))
        task.mean, task.scale = np.full(MEL_BINS, -7, np.float32), np.full(MEL_BINS, 2, np.float32)
        drawn = [task.loss(task.net, np.random.default_rng(n), 0.0, "cpu")[0] for n in range(3)]
        losses.append([float(value.detach()) for value in drawn])
    assert losses[0] == losses[1]
    mean, _ = normals([replace(one, mel=loud)])
    np.testing.assert_allclose(mean, normals([one])[0])


def test_a_row_depends_on_what_is_near(tmp_path: Path) -> None:
    """Protects long stretches cut into pieces: nothing further than 0.62 s away has a say."""
    torch.manual_seed(0)
    net = TextureFlow(width=16).eval()
    reach = 2 * sum(DILATIONS) + 1
    noisy, time, cues = (one[None] if name != "time" else one for name, one in examples(400).items())
    with torch.no_grad():
        before = net(noisy, time, cues)
        cues[0, 200] += 5
        moved = (net(noisy, time, cues) - before).abs()[0].amax(1).nonzero()[:, 0]
    assert 200 - reach <= int(moved.min()) < 150
    assert 250 < int(moved.max()) <= 200 + reach
    assert reach == 63


def test_time_and_cues_are_heeded() -> None:
    """Protects the network: both change what it gives, and each row gets a velocity."""
    torch.manual_seed(0)
    net = TextureFlow(width=16).eval()
    given = {name: one[None] if name != "time" else one for name, one in examples(10).items()}
    with torch.no_grad():
        plain = net(**given)
        assert plain.shape == (1, 10, MEL_BINS)
        assert float((net(**{**given, "time": given["time"] / 2}) - plain).abs().max()) > 1e-4
        assert float((net(**{**given, "cues": given["cues"] * 0}) - plain).abs().max()) > 1e-4


def test_the_graph_gives_what_torch_gives(tmp_path: Path) -> None:
    """Protects users without torch: the same numbers for any even number of rows, and the use beside them."""
    torch.manual_seed(1)
    net = TextureFlow(width=16)
    use = TextureUse((-7.0,) * MEL_BINS, (2.0,) * MEL_BINS, FEATURES, 6, 1.5)
    path = export_texture(net, tmp_path, use, about={"licence": "none"})
    found, graph, about = read_texture(path)
    assert (found, about["licence"]) == (use, "none")
    session = onnx_runtime().InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    for rows in (2, 54, 800):
        given = {name: one.numpy() for name, one in examples(rows).items()}
        (made,) = session.run(["velocity"], given)
        wanted = velocity_of(net)(given["noisy"], float(given["time"][0]), given["cues"])
        np.testing.assert_allclose(made, wanted, atol=2e-5 * np.abs(wanted).max())
    with pytest.raises(ModelError, match="is no flow of textures"):
        read_texture(tmp_path / "none.json")


def test_training_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects clapboard train: from a rendered set and a picture network to a graph; begun from another; refusals."""
    data = tmp_path / "set"
    assert render(["-o", str(data), "--clips", "4", "--seconds", "2", "--processes", "1"]) == 0
    torch.manual_seed(0)
    picture = export_picture(FoleyPicture(width=2, features=8, row_features=8), tmp_path / "picture", "tiny")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(replace(RECIPE, steps=2, picture=str(picture), held_out_share=0.25, seed=5).toml())
    line = ["train", str(recipe), "--data", str(data), "--device", "cpu"]
    assert command([*line, "-o", str(tmp_path / "run")]) == 0
    use, graph, about = read_texture(tmp_path / "run" / "texture.json")
    assert (use.features, about["picture"], graph.exists()) == (FEATURES, "tiny", True)
    assert use.guidance in {float(key) for key in about["energy_scores"]}
    assert min(use.scale) > 0
    again = [*line, "-o", str(tmp_path / "more"), "--set", f"begin_from={json.dumps(str(tmp_path / 'run'))}"]
    assert command([*again, "--set", "held_out_share=0.0"]) == 0
    assert "the guidance stays 1" in capsys.readouterr().out
    assert read_texture(tmp_path / "more" / "texture.json")[0].guidance == 1
    capsys.readouterr()
    wrong = {
        "picture=''": "picture must name the model",
        "batch.rows=33": "batch.rows must be a multiple of 2",
        "batch.rows=900": "no shot has 900 rows",
        "network_options={depth=3}": "network_options do not fit",
        "begin_from='nowhere'": "begin_from",
        "picture='nowhere.json'": "nowhere.json",
    }
    for change, words in wrong.items():
        assert command([*line, "-o", str(tmp_path / "no"), "--set", change]) in (2, 5)
        said = capsys.readouterr().err
        assert words in said
        assert "Traceback" not in said


def test_what_is_told_of_rendered_takes(tmp_path: Path) -> None:
    """Protects what is learned from: rows of blows, told or true, do not count; those of textures that sound do."""
    data = tmp_path / "set"
    assert render(["-o", str(data), "--clips", "8", "--seconds", "3", "--processes", "1"]) == 0
    struck = sounding = 0
    for take in load_takes([data]):
        kinds = {name for name, levels in zip(TEXTURES, take.activity.T, strict=True) if levels.any()}
        onset = np.zeros(take.rows, np.float32)
        onset[150] = 0.9
        materials = np.full((take.rows, len(MATERIALS)), 1 / len(MATERIALS), np.float32)
        flat = np.full((take.rows, MEL_BINS), np.log(FLOOR), np.float32)
        told = told_of(take, Cues(onset, flat[:, 0].copy(), materials, flat), 0.5)
        assert not told.usable[150:160].any()
        assert told.known is not None
        assert {name for name, there in zip(TEXTURES, told.known[7], strict=True) if there} == kinds
        for row in take.seen_rows().astype(int).tolist():
            assert not told.usable[row : row + 10].any()
            struck += 1
        assert set(take.materials[told.sounding]) <= {MATERIALS.index(name) for name in TEXTURES}
        sounding += int(told.sounding.sum())
        # of filmed clips nobody knows what sounds: what is heard counts
        filmed = told_of(replace(take, told=False, activity=take.activity * 0), told.cues, 0.5)
        assert filmed.known is None
        assert not (told.sounding & ~filmed.sounding).any()
        assert not filmed.sounding[told.mel.max(1) < np.log(FLOOR)].any()
    assert struck > 5
    assert sounding > 500


def test_the_benchmark_judges_a_model_with_textures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the table in the docs: every row is there, the picture's own log-mel among them; errors are one line."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    main = importlib.import_module("textures").main
    data = tmp_path / "set"
    assert render(["-o", str(data), "--clips", "3", "--seconds", "2", "--processes", "1"]) == 0
    torch.manual_seed(0)
    picture = export_picture(FoleyPicture(width=2, features=8, row_features=8), tmp_path / "picture", "tiny")
    use = TextureUse((-9.0,) * MEL_BINS, (2.0,) * MEL_BINS, FEATURES, 2, 1.0)
    texture = export_texture(TextureFlow(width=8, dilations=[1]), tmp_path, use)
    whole = bundle(picture, tmp_path / "whole", "whole", texture=texture)
    capsys.readouterr()
    assert main([str(data), str(whole), "--steps", "1", "2", "-o", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(found) >= 4
    assert {"told", "steps 1", "steps 2"} < set(found)
    # an untrained picture network tells nothing fine, and noise that nobody shaped is far too lively or too tame
    assert found["told"]["lively"] < 0.1
    assert found["steps 2"]["cpu_ms"] > 0
    assert all(-1 <= one["follows"] <= 1 for one in found.values())
    assert main([str(data), str(picture)]) == 2
    assert "has no texture stage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"without_cues": 1.0}, "without_cues"),
        ({"cue_noise": -0.1}, "cue_noise"),
        ({"held_out_share": 1.0}, "held_out_share"),
        ({"batch": Windows(pieces=0)}, "pieces"),
        ({"optimiser": Optimiser(name="sgd")}, "adamw"),
    ],
)
def test_recipes_that_cannot_be_run(change: dict[str, object], words: str) -> None:
    """Protects users: what is wrong is named before anything is begun."""
    with pytest.raises(UsageError, match=words):
        replace(RECIPE, **change).check()  # type: ignore[arg-type]


def test_the_recipe_in_the_repository_is_one() -> None:
    """Protects recipes/foley-textures.toml: read, and written back equal but for the picture network it needs."""
    path = Path(__file__).parents[2] / "recipes" / "foley-textures.toml"
    with pytest.raises(UsageError, match="--set picture"):
        TextureRecipe.read(path)
    assert TextureRecipe.read(path, {"picture": '"x"'}).steps >= 500
