"""Models for any sound: described, checked, run; each kind of description is refused by the reader of the other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.errors import ModelError, UsageError
from clapboard.models import store
from clapboard.models.any_session import AnySoundModel, load_any_sound
from clapboard.models.any_spec import AnySoundSpec
from clapboard.models.library import load, read_spec
from clapboard.models.session import SyncModel, load_model
from clapboard.models.spec import ModelSpec
from clapboard.models.verify import verify
from clapboard.testing.contracts import check_any_sound_model
from clapboard.values import Crops, Seen
from tiny_any import SURE_OF_CLEAR, picture_graph, sound_graph, write_tiny_any
from tiny_models import write_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the tiny model's JSON."""
    return write_tiny_any(tmp_path_factory.mktemp("tiny"))


def pictures(frames: int, seed: int = 0, px: int = 64) -> Crops:
    images = np.random.default_rng(seed).integers(0, 256, (frames, px, px), dtype=np.uint8)
    return Crops(0, images, 3.0 + np.arange(frames) / 25)


def changed(path: Path, folder: Path, **values: Any) -> Path:
    """A copy of a model with other values in its description."""
    write_tiny_any(folder)
    copy = folder / path.name
    copy.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return copy


def test_a_description_says_what_it_is_and_reads_the_same(tiny: Path, tmp_path: Path) -> None:
    """Protects export: nothing is lost on the way through the file, and it names its kind."""
    spec = AnySoundSpec.read(tiny)
    spec.write(tmp_path / "again.json")
    assert AnySoundSpec.read(tmp_path / "again.json") == spec
    written = json.loads((tmp_path / "again.json").read_text())
    assert (written["format"], written["kind"], written["places"]) == (1, "any-sound", [4, 4])
    assert spec.calibration == SURE_OF_CLEAR


def test_each_reader_refuses_the_other_kind(tiny: Path, tmp_path: Path) -> None:
    """Protects users who mix them up: one line says what the file is and which command takes it."""
    lips = write_tiny(tmp_path)
    with pytest.raises(ModelError, match="a model for any sound, not for lips; clapboard check --any-sound") as error:
        ModelSpec.read(tiny)
    assert str(tiny) in str(error.value)
    with pytest.raises(ModelError, match=r"a model for lips; .*without --any-sound") as error:
        AnySoundSpec.read(lips)
    assert str(lips) in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="for any sound"):
        load_model(tiny)
    with pytest.raises(ModelError, match="for lips"):
        load_any_sound("clapboard-s")


def test_the_library_tells_them_apart(tiny: Path, tmp_path: Path) -> None:
    """Protects the commands that take both."""
    lips = write_tiny(tmp_path)
    assert isinstance(read_spec(lips), ModelSpec)
    assert isinstance(read_spec(tiny), AnySoundSpec)
    assert isinstance(load(lips), SyncModel)
    assert isinstance(load(tiny), AnySoundModel)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"kind": "smell"}, "of the kind 'smell', unknown to this version; update Clapboard"),
        ({"scene": "scene-9"}, "its scene scene-9 is unknown .*there is scene-64"),
        ({"scene": "scene-256"}, "its scene scene-256 is unknown"),
        ({"sound": "mfcc-99"}, "its sound mfcc-99 is unknown"),
        ({"places": [4]}, "places are not two whole numbers"),
        ({"places": "4x4"}, "places are not two whole numbers"),
        ({"places": [4, 0]}, "places are not two whole numbers"),
        ({"view": "mouth-64"}, "holds view, unknown to this version"),
        ({"format": 2}, "newer version"),
        ({"zero_ms": None}, "zero_ms is not a number"),
        ({"calibration": {"bias": 1.0}}, "calibration is not a bias and weights"),
        ({"calibration": {"bias": 1.0, "weights": {"least": 2.0}}}, "weighs least, unknown"),
        (
            {"calibration": {"bias": 1.0, "weights": {}, "synchronisable": {"bias": 0.0}}},
            "for what is synchronisable is not a bias and weights",
        ),
        (
            {"calibration": {"bias": 1.0, "weights": {}, "synchronisable": {"bias": 0.0, "weights": {"x": 1}}}},
            "for what is synchronisable weighs x, unknown",
        ),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(
    tiny: Path, tmp_path: Path, values: dict[str, Any], what: str
) -> None:
    """Protects users of others' models: one line names the file and what is wrong."""
    path = changed(tiny, tmp_path, **values)
    with pytest.raises(ModelError, match=what) as error:
        AnySoundSpec.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"embedding": 3}, r"tiny-any.picture.onnx .* gives .*1\], not \(any, 3\)"),
        ({"places": [8, 8]}, r"tiny-any.picture.onnx .*, not \(any, 8, 8\)"),
        ({"sound": "mel-80"}, r"tiny-any.sound.onnx .* kind of sound mel-80"),
    ],
)
def test_networks_that_give_something_else_are_refused(
    tiny: Path, tmp_path: Path, values: dict[str, Any], what: str
) -> None:
    """Protects against networks that do not belong to their description: told when they are loaded."""
    with pytest.raises(ModelError, match=what):
        AnySoundModel(changed(tiny, tmp_path, **values))


def test_a_picture_network_without_attention_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Protects against an export of the wrong part: vectors alone are not enough."""
    files = {"picture": sound_graph(tmp_path / "a.onnx"), "sound": sound_graph(tmp_path / "b.onnx")}
    with pytest.raises(ModelError, match="it takes"):
        AnySoundModel(changed(tiny, tmp_path, files=files))
    spec = AnySoundSpec.read(tiny)
    lips = write_tiny(tmp_path / "lips", window_frames=5)
    picture = json.loads(lips.read_text())["files"]["picture"]
    (tmp_path / picture["name"]).write_bytes((lips.parent / picture["name"]).read_bytes())
    with pytest.raises(ModelError, match="it gives 1 arrays, not 2"):
        AnySoundModel(changed(tiny, tmp_path, files={"picture": picture, "sound": files["sound"]}))
    assert spec.embedding == 1


def test_what_is_seen_has_the_windows_times_and_batches(tiny: Path) -> None:
    """Protects the clock: long runs, processed in batches, give the windows of short ones, at their middles."""
    model, long = load_any_sound(tiny), pictures(150)
    found = model.look(long)
    assert found.values.shape == (149, 1)
    assert found.places.shape == (149, 4, 4)
    np.testing.assert_allclose(found.time_s, 3.0 + (np.arange(149) + 0.5) / 25)
    np.testing.assert_allclose(found.values[:, 0], found.places.sum((1, 2)), rtol=1e-5)
    part = model.look(Crops(0, long.images[60:80], long.time_s[60:80]))
    np.testing.assert_allclose(found.places[60:79], part.places, rtol=1e-5)
    assert model.look(pictures(1)).values.shape == (0, 1)
    with pytest.raises(UsageError, match=r"pictures of \(64, 64\) px \(the scene scene-64\), not \(32, 32\)"):
        model.look(pictures(4, px=32))


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """Protects against damaged or swapped weights."""
    path = write_tiny_any(tmp_path)
    picture_graph(tmp_path / "tiny-any.picture.onnx", places="elsewhere")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_any_sound(path)


class Negative(AnySoundModel):
    """Attention that is below zero."""

    def _arrays(self, stream: str, array: np.ndarray, window: int) -> list[np.ndarray]:
        found = super()._arrays(stream, array, window)
        return [found[0], -found[1]] if stream == "picture" else found


class Unknown(AnySoundModel):
    """Attention that is no number in one place."""

    array, value = 1, np.nan

    def _arrays(self, stream: str, array: np.ndarray, window: int) -> list[np.ndarray]:
        found = super()._arrays(stream, array, window)
        if stream == "picture":
            found[self.array] = found[self.array].copy()
            found[self.array].flat[0] = self.value
        return found


class Endless(Unknown):
    """A vector that overflows."""

    array, value = 0, np.inf


class Leaking(AnySoundModel):
    """Attention that knows how many frames there were."""

    def look(self, pictures: Crops) -> Seen:
        seen = super().look(pictures)
        return Seen(seen.values, seen.places * np.float32(len(seen.places)), seen.time_s)


@pytest.mark.parametrize(
    ("spoilt", "what"),
    [
        (Negative, "gives negative attention"),
        (Unknown, "gives numbers that are not finite"),
        (Endless, "gives numbers that are not finite"),
        (Leaking, "depends on what lies outside"),
    ],
)
def test_verification_finds_what_is_wrong(tiny: Path, spoilt: type[AnySoundModel], what: str) -> None:
    """Protects ``models verify``: each promise is looked at."""
    with pytest.raises(ModelError, match=what):
        verify(spoilt(tiny))


@pytest.mark.parametrize("spoilt", [Unknown, Endless])
def test_what_is_no_number_is_never_measured_with(tiny: Path, spoilt: type[AnySoundModel]) -> None:
    """Protects answers: a network that fails on some picture is an error, not a clip without a match."""
    with pytest.raises(ModelError, match="gives numbers that are not finite"):
        spoilt(tiny).look(pictures(4))


def test_models_keep_their_contract(tiny: Path) -> None:
    """Protects measuring: the tiny model, and every bundled one, do what callers rely on."""
    check_any_sound_model(load_any_sound(tiny))
    for name in store.names():
        if isinstance(model := load(name), AnySoundModel):
            check_any_sound_model(model)


def test_the_contract_finds_what_breaks_it(tiny: Path) -> None:
    """Protects the contract itself."""
    with pytest.raises(AssertionError, match="same windows"):
        check_any_sound_model(Leaking(tiny))
