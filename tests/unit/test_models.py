"""Models: found by name or path, weights checked before use, embeddings in the right place; nothing heavy is loaded."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.errors import ModelError, UsageError
from clapboard.models import store
from clapboard.models.library import load
from clapboard.models.session import SyncModel, load_model
from clapboard.models.spec import ModelSpec
from clapboard.models.verify import verify
from clapboard.sound.kinds import KINDS
from clapboard.values import Crops
from clapboard.vision.views import VIEWS
from tiny_models import SURE, write_tiny


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
    assert spec.calibration is not None
    assert spec.calibration.speaking is not None


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
    with pytest.raises(ModelError, match=r"no model called nothing; bundled are .*clapboard-s"):
        load_model("nothing")
    with pytest.raises(ModelError, match=r"no model at nothing.json; give a bundled name \(.*clapboard-s.*\)"):
        load_model("nothing.json")
    with pytest.raises(ModelError, match="no model at xxx"):
        load_model("x" * 5000 + ".json")
    with pytest.raises(ModelError, match="no model called"):
        load_model("a\0b")


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


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", "[" * 100_000, "\udce9", json.dumps({"name": "x"})])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    """Protects against a traceback from a wrong JSON."""
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ModelError, match="not the description of a model") as error:
        load_model(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"view": "nose-12"}, r"its view nose-12 is unknown .*there is mouth-64, .*update Clapboard"),
        ({"sound": "mfcc-99"}, r"its sound mfcc-99 is unknown .*there is log-mel-40, .*update Clapboard"),
        ({"format": 99}, r"newer version \(format 99, this one reads up to 1\); update Clapboard"),
        ({"format": "1"}, "newer version"),
        ({"teeth": 32}, "holds teeth, unknown to this version"),
        ({"embedding": 0}, "embedding is not a whole number"),
        ({"window_rows": 19.5}, "window_rows is not a whole number"),
        ({"window_frames": True}, "window_frames is not a whole number"),
        ({"zero_ms": "0"}, "zero_ms is not a number"),
        ({"zero_ms": float("nan")}, "zero_ms is not a number"),
        ({"name": ""}, "name is not a word"),
        ({"files": {"picture": {}}}, "files are not"),
        ({"files": {"picture": {}, "sound": {}}}, "has no plain name"),
        ({"about": "mine"}, "about is no table"),
        ({"calibration": {"bias": 1.0}}, "calibration is not a bias and weights"),
        ({"calibration": {"bias": 1.0, "weights": {"charm": 2.0}}}, "weighs charm, unknown to this version"),
        ({"calibration": {"bias": None, "weights": {}}}, "calibration is not a bias and weights"),
        ({"calibration": {"bias": 1.0, "weights": {}, "speaking": {"slope": 1.0}}}, "does not hold bias, slope, stay"),
        (
            {"calibration": {"bias": 1.0, "weights": {}, "speaking": {"slope": 1.0, "bias": 0.0, "stay": 1.0}}},
            "for speakers is not a slope, a bias, and a probability",
        ),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path: Path, changed: dict[str, Any], what: str) -> None:
    """Protects users of others' models: one line names the file, what is wrong and what to do; exit code 5."""
    path = write_tiny(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ModelError, match=what) as error:
        load_model(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 5


@pytest.mark.parametrize("name", ["../x.onnx", "/etc/passwd", "a/b.onnx", "a\\b.onnx", "", "..", "a\0b"])
def test_networks_lie_beside_their_description(tmp_path: Path, name: str) -> None:
    """Protects against a description that names files elsewhere."""
    path = write_tiny(tmp_path)
    values = json.loads(path.read_text())
    values["files"]["sound"]["name"] = name
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="of the sound has no plain name"):
        load_model(path)


def test_a_written_description_reads_the_same(tmp_path: Path) -> None:
    """Protects export and import of models: nothing is lost on the way through the file."""
    spec = ModelSpec.read(write_tiny(tmp_path, "face-224", "mfcc-13", calibration=SURE, about={"licence": "CC0"}))
    spec.write(tmp_path / "again.json")
    assert ModelSpec.read(tmp_path / "again.json") == spec
    assert json.loads((tmp_path / "again.json").read_text())["format"] == 1


@pytest.mark.parametrize(
    ("view", "sound", "changed", "what"),
    [
        (
            "mouth-64",
            "log-mel-40",
            {"view": "mouth-120"},
            r"tiny.picture.onnx .* view mouth-120 is \(any, \(120, 120\)\)",
        ),
        ("face-96", "log-mel-40", {"view": "face-224"}, r"view face-224 is \(any, \(224, 224, 3\)\)"),
        ("mouth-64", "mfcc-13", {"sound": "mel-80"}, r"tiny.sound.onnx .* kind of sound mel-80 is \(any, \(320,\)\)"),
        ("mouth-64", "log-mel-40", {"embedding": 256}, r"gives .*5\], not \(any, 256\)"),
    ],
)
def test_networks_that_take_something_else_are_refused(
    tmp_path: Path, view: str, sound: str, changed: dict[str, Any], what: str
) -> None:
    """Protects against networks that do not belong to their description: told when they are loaded, not when run."""
    path = write_tiny(tmp_path, view, sound)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ModelError, match=what) as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_networks_with_other_windows_are_refused_when_they_run(tmp_path: Path) -> None:
    """Protects the clock: vectors of windows of another length would be put at the wrong times."""
    model = load_model(write_tiny(tmp_path, window_frames=4, window_rows=17))
    with pytest.raises(ModelError, match=r"tiny.picture.onnx .* of 10 it makes vectors \(6, 5\), not \(7, 5\)"):
        model.embed_picture(crops(10))
    with pytest.raises(ModelError, match=r"tiny.sound.onnx .* of 30 it makes vectors \(11, 5\), not \(14, 5\)"):
        model.embed_sound(np.zeros((30, 40), np.float32), np.ones(30, bool), 0.0)


def test_weights_that_are_no_network_are_refused(tmp_path: Path) -> None:
    """Protects against files that are named and hashed, but are no ONNX."""
    path = write_tiny(tmp_path)
    (tmp_path / "tiny.sound.onnx").write_bytes(b"not a network")
    values = json.loads(path.read_text())
    values["files"]["sound"]["sha256"] = hashlib.sha256(b"not a network").hexdigest()
    path.write_text(json.dumps(values))
    with pytest.raises(
        ModelError, match=r"tiny.sound.onnx of tiny cannot be used: ONNX Runtime cannot load it"
    ) as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_crops_and_rows_of_another_kind_are_refused(tmp_path: Path) -> None:
    """Protects each input of a model in colour: size, colours, numbers of a row."""
    model = load_model(write_tiny(tmp_path, "face-96", "mfcc-13"))
    gray = np.zeros((6, 96, 96), np.uint8)
    with pytest.raises(UsageError, match=r"crops of \(96, 96, 3\) px \(the view face-96\), not \(96, 96\)"):
        model.embed_picture(Crops(0, gray, np.arange(6) / 25))
    with pytest.raises(UsageError, match=r"rows of 13 numbers \(mfcc-13\), not \(40,\)"):
        model.embed_sound(np.zeros((30, 40), np.float32), np.ones(30, bool), 0.0)
    found = model.embed_picture(Crops(0, np.zeros((6, 96, 96, 3), np.uint8), np.arange(6) / 25))
    assert found.values.shape == (2, 5)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("sound", KINDS)
def test_whole_models_are_verified(tmp_path: Path, view: str, sound: str) -> None:
    """Protects ``models verify`` from false alarms: a good model of any view and kind passes."""
    verify(load_model(write_tiny(tmp_path, view, sound)))


def test_the_bundled_models_are_whole() -> None:
    """Protects the package: every model in it runs."""
    for name in store.names():
        verify(load(name))


class Leaking(SyncModel):
    """Vectors that know how many frames there were."""

    def _run(self, stream: str, array: np.ndarray, window: int) -> np.ndarray:
        return super()._run(stream, array, window) + np.float32(0.1 * len(array))


class Deaf(SyncModel):
    """Vectors that are always the same."""

    def _run(self, stream: str, array: np.ndarray, window: int) -> np.ndarray:
        return 0 * super()._run(stream, array, window) + 1


class Broken(SyncModel):
    """Vectors that are no numbers."""

    def _run(self, stream: str, array: np.ndarray, window: int) -> np.ndarray:
        return np.nan * super()._run(stream, array, window)


@pytest.mark.parametrize(
    ("spoilt", "what"), [(Leaking, "depends on what lies outside"), (Deaf, "the same whatever"), (Broken, "not finite")]
)
def test_verification_finds_what_is_wrong(spoilt: type[SyncModel], what: str) -> None:
    """Protects ``models verify``: each promise is looked at."""
    with pytest.raises(ModelError, match=what):
        verify(spoilt())


def test_inference_needs_no_torch_opencv_or_tensorflow() -> None:
    """Protects the size of an installation: a whole check path is imported without them."""
    code = (
        "import sys, clapboard.pipeline, clapboard.models.session as s; s.load_model(); "
        "print([m for m in ('torch', 'cv2', 'tensorflow', 'mtcnn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_names_the_model_in_it(tmp_path: Path) -> None:
    """Protects who gives the folder of a run: the line says which file is meant, where there is one."""
    (tmp_path / "run" / "model").mkdir(parents=True)
    with pytest.raises(ModelError, match="no model called"):
        store.locate(tmp_path / "run")
    (tmp_path / "run" / "model" / "model.json").write_text("{}")
    for folder in (tmp_path / "run", tmp_path / "run" / "model"):
        with pytest.raises(ModelError, match=r"is a folder; give the \.json in it: ") as caught:
            store.locate(folder)
        assert str(caught.value).endswith(str(tmp_path / "run" / "model" / "model.json"))
