"""The three figures of attention: what is drawn is what networks gave, on rendered clips, to scale, and never half."""

import importlib
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.report.blocks import BAR_PX  # noqa: E402
from clapboard.training.anysound.avs import make_net  # noqa: E402
from clapboard.training.anysound.recipe import SoundRecipe  # noqa: E402
from clapboard.training.tables import keep_recipe  # noqa: E402
from tiny_any import write_tiny_any  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
SECONDS = 3.0


@pytest.fixture(scope="module")
def script() -> Any:
    """The script, which is no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        found = importlib.import_module("sounds_figures")
        patch.setattr(found, "LOOK_PX", 96)  # quicker to render
        yield found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished runs, one of each head, that have learned nothing."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, head in enumerate(("mean", "temporal", "spatio-temporal")):
        recipe = SoundRecipe("attention-avs", 1, seed=seed, head=head, network_options={"width": 2})
        keep_recipe(recipe, folder / head)
        net = make_net(recipe)
        for parameter in net.parameters():  # confidences that differ from block to block
            with torch.no_grad():
                parameter.mul_(3)
        torch.save(net.state_dict(), folder / head / "weights.pt")
    return folder


def numbers(svg: str, tag: str, name: str) -> list[float]:
    """One attribute of all tags within panels, in the order of the file."""
    return [
        float(one.attrib[name])
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        for one in group.iter(SVG + tag)
    ]


def titles(svg: str) -> list[str]:
    """The lines above the panels."""
    return [one.text or "" for one in ElementTree.fromstring(svg).findall(f"{SVG}text")]


def test_bars_are_the_weights_that_heads_give(script: Any, runs: Path) -> None:
    """Protects the figure: block by block the bar is the head's weight; plain means weigh nothing and are left out."""
    clip, scene = script.shown_and_seen(2, "sparse", "test", SECONDS)
    found = script.lookers([runs], [])
    assert list(found) == ["spatio-temporal", "temporal"]
    svg = script.weights_figure(clip, scene, found)
    expected: list[float] = []
    for look in found.values():
        looked = look(scene)
        assert looked.weights.sum() == pytest.approx(1)
        assert looked.maps.sum((1, 2)) == pytest.approx(looked.weights)
        assert len(np.unique(looked.weights.round(6))) > 1
        expected += [BAR_PX * weight / looked.weights.max() for weight in looked.weights.tolist()]
    assert numbers(svg, "rect", "height") == pytest.approx(expected, abs=0.01)
    assert [line.split(":")[0] for line in titles(svg)] == list(found)


def test_blocks_lie_where_the_head_cut_them(script: Any, runs: Path) -> None:
    """The head's blocks are 25 frames from the first frame that has sound: their times are those of these frames."""
    clip, scene = script.shown_and_seen(2, "sparse", "test", SECONDS)
    first, end, rows = script.rows_of(scene)
    assert len(rows) == 4 * (end - first)
    looked = script.head_looker(runs / "temporal")(scene)
    assert len(looked.weights) == (end - first) // 25
    assert looked.blocks_s[:, 0] == pytest.approx(clip.time_s[first::25][: len(looked.weights)] - 0.02)
    assert np.diff(looked.blocks_s, axis=1) == pytest.approx(1.0)


def test_a_model_is_looked_at_as_a_check_does(script: Any, tmp_path: Path) -> None:
    """Weights and places of a model for any sound: shares of one, blocks of a second on the clock of the clip."""
    path = write_tiny_any(tmp_path)
    found = script.lookers([], [str(path)])
    assert list(found) == ["tiny-any"]
    clip, scene = script.shown_and_seen(2, "sparse", "test", SECONDS)
    looked = found["tiny-any"](scene)
    assert looked.weights.sum() == pytest.approx(1)
    assert looked.maps.sum((1, 2)) == pytest.approx(looked.weights, abs=1e-6)
    assert looked.blocks_s[0, 0] == pytest.approx(0, abs=0.05)
    assert np.diff(looked.blocks_s[:, 0]) == pytest.approx(1.0)
    # this one weighs what changes in the picture
    change = np.abs(np.diff(scene.images.astype(np.float64), axis=0)).mean((1, 2))
    by_second = [change[clip.time_s[1:].astype(int) == second].sum() for second in range(int(SECONDS))]
    heaviest = int(np.argmax(looked.weights))
    assert by_second[heaviest] >= 0.9 * max(by_second)


def test_a_block_is_shown_at_its_event(script: Any) -> None:
    """Under the bar of a block with an event stands the picture of that moment, else that of its middle."""
    spans = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    assert script.moments(spans, np.array([1.75, 1.9, 3.0])) == [0.5, 1.75, 2.5]
    clip, _ = script.shown_and_seen(2, "sparse", "test", SECONDS)
    index, image = script.picture_at(clip, 1.75)
    assert index == 44
    assert (image == clip.images[index]).all()


def test_the_brightest_place_is_the_heaviest_and_the_source_is_framed(script: Any) -> None:
    """A planted place: the picture is brightest there, its frame lies on the box, and the number is its share."""
    clip, scene = script.shown_and_seen(2, "sparse", "test", SECONDS)
    at = script.picture_at(clip, script.on_screen_s(clip)[0])[0]
    box = clip.boxes[0, at]
    x, y = (int(8 * np.clip(box[side::2].mean(), 0, script.LOOK_PX - 1) / script.LOOK_PX) for side in (0, 1))

    def look(_: Any) -> Any:
        maps = np.full((4, 8, 8), 1e-4)
        maps[:, y, x] = 1
        maps /= maps.sum()
        return script.Looked(np.stack([np.arange(4), np.arange(4) + 1], 1), maps.sum((1, 2)), maps)

    svg = script.places_figure([(clip, scene)] * 2, {"planted": look})
    *named, last = titles(svg)
    assert last == "weight of a place"
    assert len(named) == 2
    assert named[0].startswith("planted: ")
    assert float(named[0].split()[1]) > 2
    framed = script.framed(
        np.zeros((64, 64, 3), np.uint8), np.array([[10, 20, 30, 50], [np.nan] * 4, [50, 50, 90, 90]])
    )
    lit = framed[..., 0] > 0
    assert lit[20, 10:30].all()
    assert lit[20:50, 10].all()
    assert not lit[23:47, 13:27].any()
    assert lit[50, 50:64].all()
    assert lit.sum() < 400


def test_figures_come_whole_from_the_command(
    script: Any, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From arguments to files: valid SVG of rendered pictures, nothing half, one line where nothing can be drawn."""
    seen = ["--runs", str(runs), "--seconds", str(SECONDS)]
    assert script.main(["weights", *seen, "--seed", "2", "-o", str(tmp_path / "weights.svg")]) == 0
    assert script.main(["places", *seen, "--seeds", "2", "3", "-o", str(tmp_path / "places.svg")]) == 0
    for name, panels in (("weights", 2), ("places", 3)):
        text = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert len(titles(text)) == panels
        assert text.count("data:image/jpeg;base64,") >= panels
    with pytest.raises(SystemExit, match="2"):
        script.main(["weights", "--runs", str(tmp_path), "-o", str(tmp_path / "none.svg")])
    assert "there is nothing that weighs blocks; give --runs" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"weights.svg", "places.svg"}


def test_scores_are_drawn_from_their_file(script: Any, tmp_path: Path) -> None:
    """Known scores: how many pairs are won and what the histograms share stand above each, heights to one scale."""
    scores = {
        "mean": {"aligned": [0.0, 1.0, 0.0, 1.0], "shifted": [0.0, 1.0, 1.0, 0.0]},
        "temporal": {"aligned": [4.0, 5.0, 6.0, 7.0], "shifted": [1.0, 1.0, 1.0, 7.5]},
    }
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    out = tmp_path / "scores.svg"
    assert script.main(["scores", "--scores", str(tmp_path / "scores.json"), "-o", str(out)]) == 0
    svg = out.read_text(encoding="utf-8")
    assert titles(svg) == ["mean: 50 % of pairs won, 100 % in common", "temporal: 75 % of pairs won, 0 % in common"]
    heights = [height for height in numbers(svg, "rect", "height") if height]
    highest = max(heights)  # three quarters of the shifted clips are in one bin
    assert heights[:4] == pytest.approx([highest * 2 / 3] * 4, abs=0.2)
    assert sorted(heights[4:]) == pytest.approx([highest / 3] * 5 + [highest], abs=0.2)


def test_a_setting_of_the_benchmark_is_drawn(script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Heads in their order, each the run of its least seed; a setting that is not there is told."""
    one = {"aligned": [1.0, 2.0], "shifted": [0.0, 0.5]}
    other = {"aligned": [0.0, 0.0], "shifted": [1.0, 1.0]}
    runs = {"10": {"sparse": {"scores": other}, "frozen-picture": {"pairs": 3}}, "2": {"sparse": {"scores": one}}}
    path = tmp_path / "judged.json"
    path.write_text(json.dumps({"spatio-temporal": runs, "mean": {"1": {"sparse": {"scores": other}}}}))
    call = ["scores", "--scores", str(path), "-o", str(tmp_path / "out.svg"), "--setting"]
    assert script.main([*call, "sparse"]) == 0
    found = titles((tmp_path / "out.svg").read_text(encoding="utf-8"))
    assert found == ["mean: 0 % of pairs won, 0 % in common", "spatio-temporal: 100 % of pairs won, 0 % in common"]
    with pytest.raises(SystemExit, match="2"):
        script.main([*call, "dense"])
    assert 'there is no setting "dense"; there is sparse' in capsys.readouterr().err


def test_scores_are_made_where_there_are_scenes(script: Any, tmp_path: Path) -> None:
    """True and shifted sound of the same pairs, by every scorer; no pairs, no figure."""
    scenes = [script.shown_and_seen(seed, "dense", "test", 8.0)[1] for seed in (2, 3)]
    scorers = {"sums": script.Scorer("sums", lambda _, rows: float(rows.sum()))}
    found = script.score(scenes, scorers, "near", 3)
    assert set(found) == {"sums"}
    assert len(found["sums"]["aligned"]) == len(found["sums"]["shifted"]) == 6
    assert found["sums"]["aligned"] != found["sums"]["shifted"]
    heard = script.score(scenes, {"tiny": script.model_scorer(write_tiny_any(tmp_path))}, "near", 1)["tiny"]
    assert np.isfinite([*heard["aligned"], *heard["shifted"]]).all()
    with pytest.raises(UsageError, match="no scene has room"):
        script.score(scenes[:0], {}, "near", 3)


@pytest.mark.parametrize("text", ["{", "[1]", '{"mean": 3}', '{"mean": {"aligned": [1]}}', "{}"])
def test_files_that_are_no_scores_end_in_one_line(
    script: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """No traceback and no figure."""
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        script.main(["scores", "--scores", str(tmp_path / "scores.json"), "-o", str(tmp_path / "out.svg")])
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out.svg").exists()
