"""Models that make sound: described, checked, run; each kind of description is refused by the readers of the others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clapboard.errors import ModelError, UsageError
from clapboard.models import foley_session
from clapboard.models.any_session import load_any_sound
from clapboard.models.foley_session import FoleyModel, load_foley
from clapboard.models.foley_spec import FoleySpec
from clapboard.models.library import load, read_spec
from clapboard.models.verify import verify
from clapboard.synthesis.cues import (
    BLOWS,
    MATERIALS,
    SAMPLES_PER_FRAME,
    TEXTURES,
    Cues,
    rows_in,
    rows_of,
    samples_of,
    times_of,
)
from tiny_any import write_tiny_any
from tiny_foley import (
    FEATURES,
    MARGIN,
    appearing,
    picture_graph,
    texture_graph,
    vocoder_graph,
    write_tiny_foley,
    write_tiny_samplernn,
)
from tiny_models import write_tiny

ALL = ("texture", "vocoder")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the tiny model's JSON, all stages there."""
    return write_tiny_foley(tmp_path_factory.mktemp("tiny"), stages=ALL)


def changed(folder: Path, **values: Any) -> Path:
    """A model with other values in its description."""
    path = write_tiny_foley(folder, stages=ALL)
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return path


def test_a_description_says_what_it_is_and_reads_the_same(tiny: Path, tmp_path: Path) -> None:
    """Protects export: nothing is lost on the way through the file, and it names its kind."""
    spec = FoleySpec.read(tiny)
    spec.write(tmp_path / "again.json")
    assert FoleySpec.read(tmp_path / "again.json") == spec
    written = json.loads((tmp_path / "again.json").read_text())
    assert (written["format"], written["kind"], written["method"]) == (1, "foley", "cues")
    for kind in ("frame", "seq", "flow"):
        path = write_tiny_samplernn(tmp_path, kind)
        spec = FoleySpec.read(path)
        spec.write(tmp_path / "again.json")
        assert FoleySpec.read(tmp_path / "again.json") == spec


def test_each_reader_refuses_the_other_kinds(tiny: Path, tmp_path: Path) -> None:
    """Protects users who mix them up: one line says what the file is and which command takes it."""
    with pytest.raises(ModelError, match="makes sound from silent picture; clapboard foley takes it") as error:
        load_any_sound(tiny)
    assert str(tiny) in str(error.value)
    for other in (write_tiny(tmp_path), write_tiny_any(tmp_path)):
        with pytest.raises(ModelError, match="clapboard check") as error:
            load_foley(other)
        assert str(other) in str(error.value)
        assert "\n" not in str(error.value)


def test_the_library_knows_them(tiny: Path) -> None:
    """Protects clapboard models, which takes all kinds."""
    assert isinstance(read_spec(tiny), FoleySpec)
    assert isinstance(load(tiny), FoleyModel)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"kind": "smell"}, "of the kind 'smell', unknown to this version; update Clapboard"),
        ({"format": 2}, "newer version"),
        ({"method": "magic"}, r"its method magic is unknown .*there is cues, samplernn"),
        ({"method": "samplernn"}, "its files are not those of the method samplernn: encoder, samples"),
        ({"scene": "scene-256"}, "its scene scene-256 is unknown"),
        ({"margin_frames": -1}, "margin_frames are not a whole number from 0 on"),
        ({"margin_frames": True}, "margin_frames are not a whole number from 0 on"),
        ({"materials": ["none", "wood"]}, "its materials are not none, wood, metal"),
        ({"onset_threshold": 1.0}, "onset_threshold is not between 0 and 1"),
        ({"texture": None}, "its texture and the file of that stage go together"),
        ({"texture": {"mean": [1.0]}}, "its texture does not hold features, guidance, mean, scale, steps"),
        ({"encoder": {"kind": "frame"}}, "its encoder does not hold"),
        ({"zero_ms": "late"}, "zero_ms is not a number"),
        ({"files": {"picture": {"name": "../p.onnx", "sha256": ""}}}, "has no plain name"),
        ({"files": {}}, "its files are not those of the method cues"),
        ({"view": "mouth-64"}, "holds view, unknown to this version"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(tmp_path: Path, values: dict[str, Any], what: str) -> None:
    """Protects users of others' models: one line names the file and what is wrong."""
    path = changed(tmp_path, **values)
    with pytest.raises(ModelError, match=what) as error:
        FoleySpec.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("mean", [0.0] * 79, "its texture's mean is not 80 numbers"),
        ("mean", ["x"] * 80, "its texture's mean is not 80 numbers"),
        ("scale", [0.0] * 80, "its texture's scale is not above 0"),
        ("steps", 0, "features and steps are not whole"),
        ("guidance", -1.0, "guidance is not a number from 0 on"),
    ],
)
def test_a_texture_that_makes_no_sense_is_refused(tmp_path: Path, key: str, value: Any, what: str) -> None:
    """Protects the flow from dividing by nothing, or from bands that are not there."""
    path = write_tiny_foley(tmp_path, stages=ALL)
    values = json.loads(path.read_text())
    values["texture"][key] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=what):
        FoleySpec.read(path)


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("kind", "smell", "its encoder is of the kind smell; there is frame, seq, flow"),
        ("inputs", ["images", "flow"], "its encoder of the kind frame does not take images"),
        ("output", "", "its encoder's output has no name"),
        ("features", 0, "its encoder's features are not a whole number"),
        ("generator", 3, "its encoder's generator is no table"),
    ],
)
def test_an_encoder_that_makes_no_sense_is_refused(tmp_path: Path, key: str, value: Any, what: str) -> None:
    """Protects the SampleRNN from a conditioning of another shape."""
    path = write_tiny_samplernn(tmp_path)
    values = json.loads(path.read_text())
    values["encoder"][key] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=what):
        FoleySpec.read(path)


def test_cues_are_where_the_picture_changes(tiny: Path) -> None:
    """Protects the grid: what begins in frame n is in the rows 4 n to 4 n + 4, and logits become probabilities."""
    cues = FoleyModel(tiny).cues(appearing(30, (7, 20)))
    assert len(cues) == rows_in(30) == 120
    assert np.flatnonzero(cues.onset > 0.5).tolist() == [28, 80]
    assert cues.onset[0] == pytest.approx(1 / (1 + np.exp(6.0)), rel=1e-4)
    np.testing.assert_allclose(cues.materials.sum(1), 1, atol=1e-5)
    assert MATERIALS[int(cues.materials[28].argmax())] == "wood"
    assert cues.share(BLOWS)[28] > 10 * cues.share(TEXTURES)[28]
    assert cues.energy[28] > cues.energy[29]


def test_long_shots_are_the_same_piece_by_piece(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects long files: the pieces that are run at once join without a seam."""
    images = appearing(40, (3, 9, 10, 19, 20, 21, 39))
    whole = FoleyModel(tiny).cues(images)
    monkeypatch.setattr(foley_session, "BATCH_FRAMES", 10)
    pieces = FoleyModel(tiny).cues(images)
    for name in ("onset", "energy", "materials", "mel"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), atol=1e-5)


def test_one_picture_is_enough(tiny: Path) -> None:
    """Protects shots of a single frame: the margin is repeated, and nothing moves in it."""
    cues = FoleyModel(tiny).cues(appearing(1, ()))
    assert len(cues) == 4
    assert cues.onset.max() < 0.01


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 64, 64), np.uint8),
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((3, 64, 64), np.float32),
        np.zeros((3, 64, 64, 3), np.uint8),
    ],
)
def test_other_pictures_are_refused(tiny: Path, images: Any) -> None:
    """Protects callers: pictures of another scene end in one line that names it."""
    with pytest.raises(UsageError, match=r"takes one or more pictures, \(T, 64, 64\) uint8 \(the scene scene-64\)"):
        FoleyModel(tiny).cues(images)


def test_stages_that_may_be_missing(tiny: Path, tmp_path: Path) -> None:
    """Protects models without textures or a vocoder: they say so by None, and the others run."""
    bare = FoleyModel(write_tiny_foley(tmp_path))
    assert bare.velocity is bare.vocoder is None
    model, mel = FoleyModel(tiny), np.ones((5, 80), np.float32)
    assert model.velocity is not None
    assert model.vocoder is not None
    cues = np.full((5, FEATURES), 3.0, np.float32)
    np.testing.assert_allclose(model.velocity(mel, 0.5, cues), np.full((5, 80), 4.0))
    real, imag = model.vocoder(mel)
    np.testing.assert_allclose(real, mel)
    np.testing.assert_allclose(imag, -mel)
    with pytest.raises(UsageError, match="has no encoder: its method is cues"):
        model.encode(appearing(3, ()))


@pytest.mark.parametrize("kind", ["frame", "flow", "seq"])
def test_encoders_of_all_kinds(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects the conditioning of a SampleRNN: a row a frame, or one for all, in pieces as at once."""
    model, images = FoleyModel(write_tiny_samplernn(tmp_path, kind)), appearing(25, (4, 12))
    flow = np.zeros((24, 2, 8, 8), np.float32)
    flow[6, 0] = 2.0
    coded = model.encode(images, flow) if kind == "flow" else model.encode(images)
    assert coded.shape == ((1, 3) if kind == "seq" else (25, 3))
    if kind != "seq":
        assert np.flatnonzero(coded[:, 0] > 1).tolist() == [4, 12]
    if kind == "flow":
        assert coded[6, 1] == pytest.approx(2.0)
    monkeypatch.setattr(foley_session, "BATCH_FRAMES", 10)
    again = model.encode(images, flow) if kind == "flow" else model.encode(images)
    np.testing.assert_allclose(again, coded, atol=1e-4)
    np.testing.assert_array_equal(model.samples["embedding"], [[0, 1, 2], [3, 4, 5]])
    assert model.spec.encoder is not None
    assert model.spec.encoder.generator == {"dim": 3}
    with pytest.raises(UsageError, match="takes images"):
        model.encode(images, None if kind == "flow" else flow)
    with pytest.raises(UsageError, match="gives no cues: its method is samplernn"):
        model.cues(images)


def test_flow_of_another_shape_is_refused(tmp_path: Path) -> None:
    """Protects the flow encoder: one vector field for each picture."""
    model = FoleyModel(write_tiny_samplernn(tmp_path, "flow"))
    with pytest.raises(UsageError, match=r"the flow is \(4, 2, h, w\) float32, not \(5, 2, 8, 8\)"):
        model.encode(appearing(5, ()), np.zeros((5, 2, 8, 8), np.float32))


def test_files_that_are_not_those_described_are_refused(tmp_path: Path) -> None:
    """Protects against half-copied models: missing, altered, and not what the stage should be."""
    path = write_tiny_foley(tmp_path / "a", stages=ALL)
    (tmp_path / "a" / "tiny-foley.vocoder.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        FoleyModel(path)
    (tmp_path / "a" / "tiny-foley.vocoder.onnx").unlink()
    with pytest.raises(ModelError, match="are missing"):
        FoleyModel(path)
    path = write_tiny_samplernn(tmp_path / "b")
    weights = tmp_path / "b" / "tiny-rnn.safetensors"
    values = json.loads(path.read_text())
    weights.write_bytes(b"nothing")
    from tiny_foley import entry

    values["files"]["samples"] = entry(weights)
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"tiny-rnn\.safetensors of tiny-rnn cannot be used: it is no safetensors"):
        FoleyModel(path)


def test_graphs_of_another_shape_are_refused(tmp_path: Path) -> None:
    """Protects against networks that do not belong to their description: told when they are loaded or first run."""
    swapped = vocoder_graph(tmp_path / "v.onnx")
    with pytest.raises(ModelError, match=r"v.onnx of tiny-foley .* it takes mel and gives real, imag, not images and"):
        FoleyModel(changed(tmp_path, files={"picture": swapped}, texture=None))
    fewer = picture_graph(tmp_path / "p.onnx", bands=40)
    with pytest.raises(ModelError, match=r"gives mel as \['rows', 40\], not \(None, 80\)"):
        FoleyModel(changed(tmp_path, files={"picture": fewer}, texture=None))
    texture = json.loads(write_tiny_foley(tmp_path, stages=ALL).read_text())["texture"]
    files = {"picture": picture_graph(tmp_path / "p.onnx"), "texture": texture_graph(tmp_path / "t.onnx")}
    with pytest.raises(ModelError, match=r"takes cues as .*, not \(None, 9\)"):
        FoleyModel(changed(tmp_path, files=files, texture={**texture, "features": 9}))
    other = picture_graph(tmp_path / "p.onnx", rows_in_frame=5)
    model = FoleyModel(changed(tmp_path, files={"picture": other}, texture=None))
    with pytest.raises(ModelError, match=r"of 3 frames it makes \(15,\)"):
        model.cues(appearing(3, ()))


def test_verify_runs_all_stages(tiny: Path, tmp_path: Path) -> None:
    """Protects clapboard models verify: whole models pass, and rows that need more than the margin are found."""
    verify(FoleyModel(tiny))
    for kind in ("frame", "flow", "seq"):
        verify(FoleyModel(write_tiny_samplernn(tmp_path / kind, kind)))

    class Forgetful(FoleyModel):
        """Its cues depend on where in the shot they are."""

        def cues(self, images: Any) -> Cues:
            found = super().cues(images)
            return Cues(found.onset, found.energy, found.materials, found.mel + np.float32(len(images)))

    with pytest.raises(ModelError, match=r"tiny-foley.picture.onnx .* depends on what lies outside"):
        verify(Forgetful(tiny))


def test_cues_of_other_shapes_are_refused() -> None:
    """Protects all that go on from cues."""
    rows = np.zeros(8, np.float32)
    with pytest.raises(UsageError, match=r"the cues' materials is \(8, 11\) float32, not \(8, 3\)"):
        Cues(rows, rows, np.zeros((8, 3), np.float32), np.zeros((8, 80), np.float32))
    whole = Cues(rows, rows, np.zeros((8, 11), np.float32), np.arange(640, dtype=np.float32).reshape(8, 80))
    part = whole.part(2, 5)
    assert len(part) == 3
    assert part.mel[0, 0] == 160


def test_the_grid_of_rows_and_samples() -> None:
    """Protects the clock: frame n is amid its four rows, and a row's middle is 80 samples into it."""
    assert rows_of(3.0, 3.0) == pytest.approx(1.5)
    assert rows_of(3.0 - 0.015, 3.0) == pytest.approx(0.0)
    np.testing.assert_allclose(times_of(rows_of(np.array([2.5, 3.3]), 2.0), 2.0), [2.5, 3.3])
    assert samples_of(np.array([0.0, 1.5])).tolist() == [80, 320]
    assert SAMPLES_PER_FRAME == 640
    assert MARGIN == 1
