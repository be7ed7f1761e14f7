"""Export: every network as ONNX gives torch's numbers, models that load, and weights for other programs."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import MediaError, ModelError, UsageError  # noqa: E402
from clapboard.models.session import load_model  # noqa: E402
from clapboard.models.spec import Calibration, ModelSpec  # noqa: E402
from clapboard.sound.kinds import KINDS  # noqa: E402
from clapboard.training import export as exporting  # noqa: E402
from clapboard.training import from_pretrained  # noqa: E402
from clapboard.training.export import MAX_DIFFERENCE, PictureGraph, difference, examples, export, write_graph  # noqa: E402
from clapboard.training.nets import build  # noqa: E402
from clapboard.training.nets.clapboard_s import ClapboardS  # noqa: E402
from clapboard.training.recipe import Recipe  # noqa: E402
from clapboard.values import Crops  # noqa: E402

NETS = {
    "clapboard-s": {"width": 4, "sound_width": 4},
    "syncnet-2016": {"channels": (4, 6, 8, 8, 8), "fc6": 16, "fc7": 12},
    "syncnet-v2": {"embedding": 24},
    "wav2lip-expert": {"width": 2},
}
LONGER = NETS["clapboard-s"] | {"context_frames": 20, "input_px": 64}
CASES = [*(pytest.param(name, options, id=name) for name, options in NETS.items())]
CASES.append(pytest.param("clapboard-s", LONGER, id="clapboard-s longer"))


def small(seed: int = 0) -> ClapboardS:
    torch.manual_seed(seed)
    return build("clapboard-s", NETS["clapboard-s"]).eval()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_an_exported_model_gives_the_numbers_of_torch(name: str, options, tmp_path: Path) -> None:
    """Protects the graphs: crops and rows of any length, as they are stored, give what torch gives."""
    torch.manual_seed(0)
    net = build(name, options)
    with torch.no_grad():  # statistics of batches that are no longer 0 and 1
        net(net.see(torch.randint(0, 256, (1, net.inputs.window_frames + 2, net.inputs.channels,
                                           net.inputs.crop_px, net.inputs.crop_px))),
            torch.randn(1, net.inputs.window_rows + 8, KINDS[net.inputs.sound].features))  # fmt: skip
    model = load_model(export(net, tmp_path, "mine"))
    assert model.spec.calibration is None
    assert (model.spec.view, model.spec.sound) == (net.inputs.view, net.inputs.sound)
    rng = np.random.default_rng(1)
    frames, size = net.inputs.window_frames + 11, net.inputs.crop_px
    images = rng.integers(0, 256, (frames, size, size, *((3,) if net.inputs.channels == 3 else ())), dtype=np.uint8)
    rows = rng.normal(0, 2, (net.inputs.window_rows + 37, KINDS[net.inputs.sound].features)).astype(np.float32)
    planes = torch.from_numpy(images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2))
    with torch.no_grad():
        picture = net.picture(net.see(planes[None]))[0].numpy()
        sound = net.hear(torch.from_numpy(rows)[None], dense=True)[0].numpy()
    assert len(picture) == 12
    assert len(sound) == 38
    found = model.embed_picture(Crops(0, images, np.arange(frames) / 25)).values
    np.testing.assert_allclose(found, picture, atol=MAX_DIFFERENCE * np.linalg.norm(picture, axis=1).max(), rtol=0)
    found = model.embed_sound(rows, np.ones(len(rows), bool), 0.0).values
    np.testing.assert_allclose(found, sound, atol=MAX_DIFFERENCE * np.linalg.norm(sound, axis=1).max(), rtol=0)


def test_the_bound_is_by_the_length_of_the_embeddings(tmp_path: Path) -> None:
    """Protects networks whose vectors are not of length 1: the same relative error counts the same at any length."""
    torch.manual_seed(0)
    net = build("syncnet-2016", NETS["syncnet-2016"]).eval()
    example = examples(net)["picture"]
    write_graph(PictureGraph(net), example, "frames", tmp_path / "a.onnx")
    wrong = []
    for times in (1.0, 1000.0):
        with torch.no_grad():
            net.lips[-1].weight *= times
            net.lips[-1].bias *= times
        write_graph(PictureGraph(net), example, "frames", tmp_path / "a.onnx")
        with torch.no_grad():
            net.lips[-1].weight *= 1.01
            net.lips[-1].bias *= 1.01
        wrong.append(difference(PictureGraph(net), tmp_path / "a.onnx", example))
    assert wrong[0] > 1e-3
    assert wrong[1] == pytest.approx(wrong[0], rel=0.1)


def test_other_numbers_than_torch_are_never_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the bound: a graph that differs is an error, and no file appears, nor does one that was there change."""
    old = export(small(), tmp_path, "mine").read_bytes()
    before = sorted(path.name for path in tmp_path.iterdir())
    written = exporting.write_graph

    def spoil(graph, *others) -> None:
        written(graph, *others)
        for weights in graph.parameters():
            weights.data *= 1.02

    monkeypatch.setattr(exporting, "write_graph", spoil)
    with pytest.raises(RuntimeError, match="by ONNX Runtime and torch differ"):
        export(small(1), tmp_path, "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "mine.json").read_bytes() == old


def test_a_description_says_what_was_given_and_found(tmp_path: Path) -> None:
    """Protects model files: calibration, zero and words go in; the bound and the differences are added."""
    calibration = Calibration(0.5, {"gap": 1.5})
    path = export(small(), tmp_path, "mine", calibration=calibration, zero_ms=-3.0, about={"licence": "mine alone"})
    spec = ModelSpec.read(path)
    assert (spec.calibration, spec.zero_ms, spec.about["licence"]) == (calibration, -3.0, "mine alone")
    parity = spec.about["parity"]
    assert parity["bound"] == MAX_DIFFERENCE
    assert 0 <= max(parity["picture"], parity["sound"]) <= MAX_DIFFERENCE
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.json", "mine.picture.onnx", "mine.sound.onnx"]


@pytest.mark.parametrize("name", ["", "a/b", "../x"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Protects other folders: the name becomes part of file names."""
    with pytest.raises(UsageError, match="is no name for a model"):
        export(small(), tmp_path / "here", name)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Protects the message: a file in the way of the folder is one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="cannot be written"):
        export(small(), tmp_path / "file" / "models", "mine")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A small network exported with its weights for torch; the path of its JSON."""
    return export(small(7), tmp_path / "models", "mine", with_torch=True)


def rows_of(count: int = 30):
    return torch.randn(1, count, 40, generator=torch.Generator().manual_seed(0))


def test_weights_travel_to_other_programs(kept: Path) -> None:
    """Protects `from_pretrained`: folder, JSON and safetensors all give the network that was exported."""
    expected = small(7).hear(rows_of())
    for where in (kept.parent, kept, str(kept), kept.with_suffix(".safetensors")):
        net = from_pretrained(where)
        assert not net.training
        assert net.built_as == ("clapboard-s", NETS["clapboard-s"])
        torch.testing.assert_close(net.hear(rows_of()), expected)


def test_a_run_is_loaded_from_its_folder(tmp_path: Path) -> None:
    """Protects `from_pretrained` on runs: recipe and weights together; a run that is not finished is told."""
    recipe = Recipe(1, network_options=NETS["clapboard-s"])
    (tmp_path / "recipe.toml").write_text(recipe.toml())
    with pytest.raises(ModelError, match="the run is not finished"):
        from_pretrained(tmp_path)
    torch.save(small(7).state_dict(), tmp_path / "weights.pt")
    torch.testing.assert_close(from_pretrained(tmp_path).hear(rows_of()), small(7).hear(rows_of()))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """Protects runs: a recipe that was changed after training does not fit its weights, which is one line."""
    (tmp_path / "recipe.toml").write_text(Recipe(1, network_options={"width": 8, "sound_width": 4}).toml())
    torch.save(small().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="do not fit clapboard-s") as found:
        from_pretrained(tmp_path)
    assert "\n" not in str(found.value)


def test_what_is_no_network_for_torch_is_told(kept: Path, tmp_path: Path) -> None:
    """Protects messages: nothing there, nothing for torch, changed weights, and another kind of file."""
    with pytest.raises(ModelError, match="no network at"):
        from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="holds no model"):
        from_pretrained(tmp_path)
    weights = kept.with_suffix(".safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="not what was exported"):
        from_pretrained(kept)
    weights.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="holds no network of Clapboard"):
        from_pretrained(weights)
    export(small(), kept.parent, "other")
    with pytest.raises(ModelError, match="holds 2 models"):
        from_pretrained(kept.parent)
    with pytest.raises(ModelError, match="without weights for torch"):
        from_pretrained(kept.parent / "other.json")


def test_a_network_that_nobody_can_build_again_is_not_kept(tmp_path: Path) -> None:
    """Protects the header: weights for torch need the network's name and options."""
    with pytest.raises(UsageError, match="only a network from"):
        export(ClapboardS(4, 4), tmp_path, "mine", with_torch=True)
    assert list(tmp_path.iterdir()) == []


def test_options_survive_the_header(tmp_path: Path) -> None:
    """Protects options that are lists: they come back as what builds the same network."""
    net = build("syncnet-2016", NETS["syncnet-2016"])
    again = from_pretrained(export(net, tmp_path, "paper", with_torch=True))
    assert json.dumps(again.built_as) == json.dumps(net.built_as)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)
