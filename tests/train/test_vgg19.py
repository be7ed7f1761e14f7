"""VGG19's weights from the user's file: its layout, files that are none, and the whole way with them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra")

from safetensors.torch import save_file  # noqa: E402

from clapboard.errors import UsageError  # noqa: E402
from clapboard.models.foley_session import load_foley  # noqa: E402
from clapboard.testing import render_events  # noqa: E402
from clapboard.training.foley import samples  # noqa: E402
from clapboard.training.foley.samples_work import train_samples  # noqa: E402
from clapboard.training.nets import vgg19  # noqa: E402
from clapboard.training.recipe import Optimiser  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402
from clapboard.vision.scene_flow import flow_of_scene  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make VGG19 tiny: as many blocks, so that sizes come out the same way."""
    monkeypatch.setattr(vgg19, "BLOCKS", ((2, 1), (2, 1), (3, 1), (3, 1), (4, 1)))
    for module in (vgg19, samples):
        monkeypatch.setattr(module, "FC6", 12)


def test_the_layout_is_that_of_the_published_network() -> None:
    """Protects users' files: names and shapes of torchvision's VGG19 up to fc6, 20,024,384 + 102,764,544 weights."""
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in vgg19.Vgg19().state_dict().items()}
    assert len(shapes) == 2 * 16 + 2
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.10.weight"] == (256, 128, 3, 3)
    assert shapes["features.34.weight"] == (512, 512, 3, 3)
    assert shapes["classifier.0.weight"] == (4096, 25088)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 122_788_928


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_is_read_and_what_lies_beyond_is_left(tmp_path: Path, suffix: str) -> None:
    """Protects the loader: weights are those of the file, also in half precision; pictures are normalised."""
    torch.manual_seed(0)
    held = {name: tensor.half() for name, tensor in vgg19.Vgg19().state_dict().items()} | {
        "classifier.6.bias": torch.zeros(2)
    }
    path = tmp_path / f"vgg{suffix}"
    (torch.save if suffix == ".pth" else save_file)(held, path)
    net = vgg19.load_vgg19(path)
    torch.testing.assert_close(net.classifier[0].bias.data, held["classifier.0.bias"].float())
    grey = torch.full((2, 224, 224, 3), 255 * 0.485)
    assert float(((grey.permute(0, 3, 1, 2) / 255 - net.mean) / net.spread)[:, 0].abs().max()) < 1e-5
    assert net(grey).shape == (2, 12)
    assert not net.training


@pytest.mark.usefixtures("small")
def test_files_that_are_not_vgg19_are_refused_in_one_line(tmp_path: Path) -> None:
    """Protects users from tracebacks: what is wrong with the file, and which file is wanted."""
    with pytest.raises(UsageError, match=r"none\.pth cannot be read"):
        vgg19.load_vgg19(tmp_path / "none.pth")
    for suffix in (".pth", ".safetensors"):
        bad = tmp_path / f"bad{suffix}"
        bad.write_bytes(b"not weights at all")
        with pytest.raises(UsageError, match="holds no weights"):
            vgg19.load_vgg19(bad)
    held = vgg19.Vgg19().state_dict()
    held["features.0.weight"] = torch.zeros(2, 1, 3, 3)
    torch.save(held, tmp_path / "other.pth")
    with pytest.raises(UsageError, match=r"is not VGG19: it has \(2, 1, 3, 3\) as features\.0\.weight"):
        vgg19.load_vgg19(tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UsageError, match="is not VGG19: it has nothing as features"):
        vgg19.load_vgg19(tmp_path / "list.pth")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("encoder", ["frame", "flow"])
def test_training_with_vgg19_gives_a_model_that_sees_in_colour(tmp_path: Path, encoder: str) -> None:
    """Protects the whole way: fc6 of each frame, once; the model holds the network and takes pictures of 224 px."""
    data, weights = tmp_path / "data", tmp_path / "vgg.pth"
    settings = ["--clips", "2", "--seconds", "1.2", "--dry", "--processes", "1", "--view", "scene-224"]
    assert render(["-o", str(data), *settings]) == 0
    torch.manual_seed(0)
    torch.save(vgg19.Vgg19().state_dict(), weights)
    recipe = samples.SampleRecipe(
        steps=3, warm_up_steps=1, streams=2, width=8, embedding=4, features=6, encoder_width=4, encoder=encoder,
        held_out_share=0.0, precision="fp32", vgg19=str(weights), optimiser=Optimiser(weight_decay=0.0),
    )  # fmt: skip
    path = train_samples(recipe, [data], tmp_path / "run", say=lambda _: None)
    assert np.load(tmp_path / "run" / "fc6.npy").shape == (60, 12)
    model = load_foley(path)
    assert model.spec.scene == "scene-224"
    images = render_events(1, seconds=0.4, px=224, colour=True, rate=Fraction(25)).images
    flow = flow_of_scene(images) if encoder == "flow" else None
    assert model.encode(images, flow).shape == (10, 6)
    with pytest.raises(UsageError, match=r"\(T, 224, 224, 3\) uint8"):
        model.encode(images[..., 0], flow)
    with pytest.raises(UsageError, match="--view scene-224"):
        train_samples(replace(recipe, seed=1), [_narrow(tmp_path)], tmp_path / "other", say=lambda _: None)


def _narrow(folder: Path) -> Path:
    """Return a data set of small gray pictures."""
    out = folder / "narrow"
    assert render(["-o", str(out), "--clips", "1", "--seconds", "1.2", "--dry", "--processes", "1"]) == 0
    return out
