"""Models: found by name or path, weights checked before use, embeddings in the right place; nothing heavy is loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clapboard.errors import ModelError, UsageError
from clapboard.models import store
from clapboard.models.session import load_model
from clapboard.models.spec import ModelSpec
from clapboard.values import Crops


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The bundled model in a folder of its own; the path of its JSON."""
    for path in store.BUNDLED.glob("clapboard-s.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "clapboard-s.json"


def crops(frames: int, seed: int = 0, size: int = 64) -> Crops:
    images = np.random.default_rng(seed).integers(0, 256, (frames, size, size), dtype=np.uint8)
    return Crops(0, images, 3.0 + np.arange(frames) / 25)


def test_the_bundled_model_is_small_and_whole() -> None:
    """Protects the package: the weights are there, are those named, and stay far under 10 MB."""
    spec = ModelSpec.read(store.locate("clapboard-s"))
    sizes = [len(store.read_weights(store.BUNDLED, spec, stream)) for stream in ("picture", "sound")]
    assert sum(sizes) < 10_000_000
    assert "clapboard-s" in store.names()
    assert (spec.window_frames, spec.window_rows, spec.embedding) == (5, 20, 256)
    assert (spec.view, spec.sound) == ("mouth-64", "log-mel-40")


def test_every_picture_window_is_embedded_once_however_the_crops_are_cut() -> None:
    """Protects batching: long runs, processed in batches, give the vectors of the short ones; times are the middles."""
    model, long = load_model(), crops(150)
    found = model.embed_picture(long)
    assert found.values.shape == (146, 256)
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1, atol=1e-4)
    part = model.embed_picture(Crops(0, long.images[70:90], long.time_s[70:90]))
    np.testing.assert_allclose(found.values[70:86], part.values, atol=1e-4)
    np.testing.assert_allclose(found.time_s, 3.0 + (np.arange(146) + 2) / 25)


def test_sound_is_embedded_every_10_ms_and_masked_where_there_is_none() -> None:
    """Protects lags and ends: one vector a row, at the middle of its 20 rows, NaN where a row is not real."""
    rows = np.random.default_rng(0).standard_normal((60, 40)).astype(np.float32)
    valid = np.ones(60, bool)
    valid[50:] = False
    found = load_model().embed_sound(rows, valid, 1.0)
    assert found.values.shape == (41, 256)
    np.testing.assert_allclose(found.time_s[:2], [1.095, 1.105])
    assert np.isfinite(found.values[:31]).all()
    assert np.isnan(found.values[31:]).all()


def test_too_little_gives_nothing() -> None:
    """Protects short tracks: fewer than five frames are no window, and no error."""
    model = load_model()
    assert model.embed_picture(crops(4)).values.shape == (0, 256)
    assert model.embed_sound(np.zeros((19, 40), np.float32), np.ones(19, bool), 0.0).values.shape == (0, 256)


def test_crops_of_another_size_are_refused() -> None:
    """Protects against a wrong crop going in unnoticed."""
    with pytest.raises(UsageError, match=r"\(64, 64\) px"):
        load_model().embed_picture(crops(6, size=48))


def test_an_unknown_name_says_what_there_is() -> None:
    """Protects the message: it names the bundled models and the way to others."""
    with pytest.raises(ModelError, match=r"no model called nothing; bundled are clapboard-s"):
        load_model("nothing")


def test_a_path_works_as_a_name_does(copy: Path) -> None:
    """Protects users' own models: same weights, same fingerprint."""
    assert load_model(copy).model == load_model().model


@pytest.mark.parametrize("stream", ["picture", "sound"])
def test_changed_weights_are_refused(copy: Path, stream: str) -> None:
    """Protects against damaged or swapped weights: the hash is checked before they are used."""
    path = copy.with_name(f"clapboard-s.{stream}.onnx")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(copy)
    path.unlink()
    with pytest.raises(ModelError, match="are missing"):
        load_model(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, json.dumps({"name": "x", "calibration": {}})])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    """Protects against a traceback from a wrong JSON."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="not the description of a model"):
        load_model(path)


def test_inference_needs_no_torch_opencv_or_tensorflow() -> None:
    """Protects the size of an installation: a whole check path is imported without them."""
    code = (
        "import sys, clapboard.pipeline, clapboard.models.session as s; s.load_model(); "
        "print([m for m in ('torch', 'cv2', 'tensorflow', 'mtcnn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
