"""Bundling: the parts that were learned one by one become one model, or are refused in one line."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.errors import ModelError, UsageError
from clapboard.models.foley_session import FoleyModel
from clapboard.training.foley.bundling import bundle
from clapboard.training.foley.bundling import main as bundling
from tiny_foley import texture_graph, vocoder_graph, write_tiny_foley, write_tiny_samplernn

pytestmark = pytest.mark.train


def parts(folder: Path) -> tuple[Path, Path, Path]:
    """The parts of a model as their trainings leave them: picture, texture, vocoder."""
    picture = write_tiny_foley(folder / "picture", onset_threshold=0.4, about={"recipe": {"steps": 3}})
    graph = texture_graph(folder / "texture.onnx")
    use = {"mean": [-6.0] * 80, "scale": [2.0] * 80, "features": 3, "steps": 4, "guidance": 1.5}
    (folder / "texture.json").write_text(json.dumps({"use": use, "file": graph, "about": {"minutes": 5}}))
    vocoder_graph(folder / "vocoder.onnx")
    (folder / "vocoder.about.json").write_text(json.dumps({"parity": {"vocoder": 1e-6}}))
    return picture, folder / "texture.json", folder / "vocoder.onnx"


def test_parts_become_one_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects bundling: all stages run, nothing that is said of the parts is lost, no model is replaced unasked."""
    picture, texture, vocoder = parts(tmp_path)
    words = [str(picture), "--texture", str(texture), "--vocoder", str(vocoder), "-o", str(tmp_path / "out")]
    assert bundling([*words, "--name", "whole", "--licence", "CC0"]) == 0
    assert "vocoder 0.00 MB" in capsys.readouterr().out
    model = FoleyModel(tmp_path / "out" / "whole.json")
    assert list(model.spec.files) == ["picture", "texture", "vocoder"]
    assert model.spec.onset_threshold == 0.4
    assert model.spec.texture is not None
    assert (model.spec.texture.steps, model.spec.texture.guidance) == (4, 1.5)
    assert model.spec.about["licence"] == "CC0"
    assert model.spec.about["picture"] == {"recipe": {"steps": 3}}
    assert model.spec.about["texture"] == {"minutes": 5}
    assert model.spec.about["vocoder"] == {"parity": {"vocoder": 1e-6}}
    assert bundling([*words, "--name", "whole"]) == 2
    assert "exists already; give --overwrite" in capsys.readouterr().err
    assert bundling([*words, "--name", "whole", "--overwrite"]) == 0
    alone = bundle(picture, tmp_path / "out", "alone")
    assert FoleyModel(alone).velocity is FoleyModel(alone).vocoder is None


def test_parts_that_are_none_are_refused(tmp_path: Path) -> None:
    """Protects bundled models: a missing, another or a broken part ends in one line, and leaves nothing behind."""
    picture, texture, vocoder = parts(tmp_path)
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="is of the method samplernn; give a model that has a picture stage"):
        bundle(write_tiny_samplernn(tmp_path / "rnn"), out, "m")
    with pytest.raises(ModelError, match="is no flow of textures"):
        bundle(picture, out, "m", texture=tmp_path / "none.json")
    (tmp_path / "texture.onnx").unlink()
    with pytest.raises(ModelError, match=r"texture\.onnx: is missing; train that part again"):
        bundle(picture, out, "m", texture=texture)
    vocoder.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="ONNX Runtime cannot load it"):
        bundle(picture, out, "m", vocoder=vocoder)
    graph = picture.parent / "tiny-foley.picture.onnx"
    graph.write_bytes(graph.read_bytes() + b" ")
    with pytest.raises(ModelError, match="is not that of"):
        bundle(picture, out, "m")
    assert not out.exists() or list(out.iterdir()) == []
