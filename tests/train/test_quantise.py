"""Models in 8 bits: a quarter of the size, nearly the same embeddings, and refused where they would not be."""

from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.models.session import load_model  # noqa: E402
from clapboard.models.spec import Calibration  # noqa: E402
from clapboard.sound.kinds import KINDS  # noqa: E402
from clapboard.training import quantise as quantising  # noqa: E402
from clapboard.training.export import export  # noqa: E402
from clapboard.training.nets import build  # noqa: E402
from clapboard.training.quantise import quantise  # noqa: E402
from clapboard.values import Crops, Features  # noqa: E402


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose batch statistics fit noise, in float32."""
    torch.manual_seed(0)
    net = build("clapboard-s", {"width": 8, "sound_width": 16})
    with torch.no_grad():
        for _ in range(20):
            net(net.see(torch.randint(0, 256, (1, 30, 1, 64, 64))), torch.randn(1, 200, 40))
    folder = tmp_path_factory.mktemp("models")
    return export(net, folder, "mine", calibration=Calibration(0.5, {"gap": 1.0}), zero_ms=4.0, about={"who": "me"})


def test_eight_bits_keep_the_embeddings(whole: Path, tmp_path: Path, toy_clips) -> None:
    """Protects the point of it: weights are bytes, files shrink, and vectors of clips not used for the ranges stay."""
    clips = toy_clips(8)
    path = quantise(whole, tmp_path, clips[:4])
    small, large = load_model(path), load_model(whole)
    assert (small.spec.name, path.name) == ("mine-int8", "mine-int8.json")
    clip = clips[6]
    rows = KINDS["log-mel-40"].finish(Features(clip.bands, clip.valid, 0.0), 300, 450)
    crops = Crops(0, np.array(clip.images), np.arange(len(clip.images)) / 25)
    for one, other in (
        (small.embed_picture(crops).values, large.embed_picture(crops).values),
        (
            small.embed_sound(rows, np.ones(150, bool), 0.0).values,
            large.embed_sound(rows, np.ones(150, bool), 0.0).values,
        ),
    ):
        assert one.shape == other.shape
        cosine = (one * other).sum(1)
        assert 0.97 < cosine.mean() < 0.99999, "near, but not the same: something was rounded"
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-4)
    for stream in ("picture", "sound"):
        graph = onnx.load(str(tmp_path / f"mine-int8.{stream}.onnx")).graph
        weights = [t for t in graph.initializer if len(t.dims) == 4]
        assert weights
        assert all(t.data_type == onnx.TensorProto.INT8 for t in weights)
        assert len((tmp_path / f"mine-int8.{stream}.onnx").read_bytes()) < 0.7 * len(
            (whole.parent / f"mine.{stream}.onnx").read_bytes()
        )


def test_what_is_known_of_the_model_stays(whole: Path, tmp_path: Path, toy_clips) -> None:
    """Protects answers: calibration and zero are taken over; the description says what was done."""
    spec, old = load_model(quantise(whole, tmp_path, toy_clips(2), "tiny")).spec, load_model(whole).spec
    assert (spec.calibration, spec.zero_ms, spec.about["who"]) == (old.calibration, 4.0, "me")
    assert spec.about["int8"]["of"] == "mine"
    assert spec.about["int8"]["clips"] == 2
    assert min(spec.about["int8"]["likeness"].values()) > 0.97
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.json", "tiny.picture.onnx", "tiny.sound.onnx"]


def test_a_network_that_suffers_is_refused(
    whole: Path, tmp_path: Path, toy_clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects accuracy: embeddings that differ too much end in one line, and nothing is left behind."""
    monkeypatch.setattr(quantising, "LEAST_LIKENESS", 1.01)
    with pytest.raises(UsageError, match="mine does not bear 8 bits: its picture embeddings keep a cosine of"):
        quantise(whole, tmp_path / "new", toy_clips(2))
    assert list((tmp_path / "new").iterdir()) == []


def test_clips_that_do_not_fit_are_refused(whole: Path, tmp_path: Path, toy_clips) -> None:
    """Protects the ranges: no clip is long enough, or none is given."""
    for clips in ([], toy_clips(2, seconds=0.8)):
        with pytest.raises(UsageError, match="no clip has 24 frames"):
            quantise(whole, tmp_path, clips)


def test_another_view_is_refused(tmp_path: Path, toy_clips) -> None:
    """Protects the ranges: clips of mouths do not show what a network of faces sees."""
    torch.manual_seed(0)
    path = export(build("wav2lip-expert", {"width": 2}), tmp_path, "expert")
    with pytest.raises(UsageError, match="takes the view face-96 and the sound mel-80"):
        quantise(path, tmp_path, toy_clips(1))
