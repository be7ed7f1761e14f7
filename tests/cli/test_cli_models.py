"""``clapboard models`` through the real entry point: list, show, verify, and what they say of bad models."""

import json
import re
import sys
from pathlib import Path

import pytest

from clapboard.cli import main
from clapboard.models.session import load_model
from clapboard.models.store import names
from tiny_any import write_tiny_any
from tiny_foley import write_tiny_foley, write_tiny_samplernn
from tiny_models import SURE, write_tiny

Capture = pytest.CaptureFixture[str]


def test_list_names_the_bundled_model(capsys: Capture) -> None:
    """One line a model, with what a user chooses by."""
    assert main(["models", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    line = next(line for line in lines if line.startswith("clapboard-s"))
    assert head.split() == ["name", "size", "view", "sound", "licence", "calibrated", "where"]
    assert line.split() == ["clapboard-s", "4.4", "MB", "mouth-64", "log-mel-40", "Apache-2.0", "yes", "bundled"]


def test_list_finds_models_in_folders(tmp_path: Path, capsys: Capture) -> None:
    """Folders and files that are named are listed as well; JSON that belongs to no network is passed over."""
    write_tiny(tmp_path / "a", "face-96", "mel-80", name="mine", about={"licence": "CC0"})
    (tmp_path / "a" / "numbers.json").write_text("[1, 2]")
    one = write_tiny(tmp_path / "b", name="[red]other", calibration=SURE)
    assert main(["models", "list", "--json", str(tmp_path / "a"), str(one)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    mine, other = found[-2:]
    assert [(m["name"], m["bundled"]) for m in found[:-2]] == [(name, True) for name in names()]
    assert [(m["name"], m["bundled"]) for m in (mine, other)] == [("mine", False), ("[red]other", False)]
    assert (mine["view"], mine["sound"], mine["licence"]) == ("face-96", "mel-80", "CC0")
    assert other["licence"] is None
    assert mine["size_bytes"] == sum(p.stat().st_size for p in (tmp_path / "a").glob("*.onnx"))
    assert main(["models", "list", str(one)]) == 0
    assert "[red]other" in capsys.readouterr().out


def test_list_goes_on_behind_a_bad_model(tmp_path: Path, capsys: Capture) -> None:
    """What is no model is told on one line each, with the exit code of models; the rest is listed."""
    good, bad = write_tiny(tmp_path, name="good"), tmp_path / "bad.json"
    bad.write_text("{}")
    assert main(["models", "list", str(bad), str(tmp_path / "none"), str(good)]) == 5
    out, err = capsys.readouterr()
    assert "good" in out
    assert len(err.splitlines()) == 2
    assert str(bad) in err.splitlines()[0]


def test_show_says_everything(capsys: Capture) -> None:
    """Inputs, zero, SHA-256 of all, calibration and recipe, in words."""
    assert main(["models", "show", "clapboard-s"]) == 0
    out = capsys.readouterr().out
    spec = load_model().spec
    assert out.startswith("clapboard-s, bundled with Clapboard\n")
    for part in (
        "mouth-64: 64 x 64 px, gray; 5 frames, 0.2 s",
        "40 numbers every 10 ms; 20 rows, 0.215 s",
        "Apache-2.0",
    ):
        assert part in out
    for digest in (load_model().model.sha256, *(file["sha256"] for file in spec.files.values())):
        assert digest in out
    assert spec.calibration is not None
    assert all(term in out for term in spec.calibration.weights)
    assert "corpus_offsets_ms.GRID: 55" in out


def test_show_as_json_is_the_description(tmp_path: Path, capsys: Capture) -> None:
    """A program gets what the file holds, and where it lies."""
    path = write_tiny(tmp_path, "face-224", "mfcc-13", zero_ms=12.0)
    assert main(["models", "show", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    stored = json.loads(path.read_text())
    assert {key: found[key] for key in stored if key != "format"} == {k: v for k, v in stored.items() if k != "format"}
    assert (found["path"], found["bundled"], found["sha256"]) == (str(path), False, load_model(path).model.sha256)


def test_show_of_an_uncalibrated_model_says_what_that_means(tmp_path: Path, capsys: Capture) -> None:
    """Whoever wonders why nothing is decided finds it here."""
    assert main(["models", "show", str(write_tiny(tmp_path))]) == 0
    assert "calibration  none: it measures, but its answers are always undecided" in capsys.readouterr().out


def test_verify_runs_the_bundled_models(capsys: Capture) -> None:
    """Without names all that ship are verified."""
    assert main(["models", "verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": whole: SHA-256 right")[0] for line in lines] == list(names())
    assert main(["models", "verify", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [{"model": name, "whole": True, "error": None} for name in names()]


def test_models_that_make_sound_are_listed_shown_and_verified(tmp_path: Path, capsys: Capture) -> None:
    """The commands know the third kind: what it makes, by which stages, and what takes it."""
    path = write_tiny_foley(tmp_path, stages=("texture", "vocoder"), about={"licence": "CC0"}, onset_threshold=0.4)
    assert main(["models", "list", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[3:7] == ["scene-64", "made", "CC0", "-"]
    assert main(["models", "show", str(path)]) == 0
    out = capsys.readouterr().out
    for part in (
        "clapboard foley takes it",
        "1 frames, 0.04 s, before and after each",
        "peaks of their probability from 0.4 on",
        "6 steps, guidance 2",
        "added to every onset",
    ):
        assert part in out
    assert main(["models", "verify", str(path)]) == 0
    assert "whole: SHA-256 right, picture, texture, vocoder run (scene-64" in capsys.readouterr().out
    folder = tmp_path / "rnn"
    write_tiny_samplernn(folder)
    assert main(["models", "list", "--json", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["name"], found["kind"], found["method"]) == ("tiny-rnn", "foley", "samplernn")
    assert main(["models", "show", str(folder / "tiny-rnn.json")]) == 0
    assert "frame; 3 numbers" in capsys.readouterr().out
    (folder / "tiny-rnn.safetensors").write_bytes(b"nothing")
    assert main(["models", "verify", str(folder / "tiny-rnn.json")]) == 5


def test_models_for_any_sound_are_listed_shown_and_verified(tmp_path: Path, capsys: Capture) -> None:
    """The commands know both kinds, and say which one a model is and what takes it."""
    path = write_tiny_any(tmp_path, about={"licence": "CC0"})
    assert main(["models", "list", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[3:6] == ["scene-64", "log-mel-40", "CC0"]
    assert main(["models", "show", str(path)]) == 0
    out = capsys.readouterr().out
    for part in (
        "scene-64: 64 x 64 px, gray; 2 frames, 0.08 s",
        "attention to 4 x 4 places",
        "a model for any sound, not for lips; clapboard check --any-sound takes it",
        "log odds that a file can be told at all: -15, +1.5 deviation",
    ):
        assert part in out
    assert main(["models", "verify", str(path)]) == 0
    assert "both networks run (scene-64: 64 x 64 px, gray; log-mel-40)" in capsys.readouterr().out
    weights = tmp_path / "tiny-any.picture.onnx"
    weights.write_bytes(weights.read_bytes() + b"x")
    assert main(["models", "verify", str(path)]) == 5
    assert "SHA-256 differs" in capsys.readouterr().err


def test_verify_tells_what_is_wrong(tmp_path: Path, capsys: Capture) -> None:
    """Each model gets its answer; one that is not whole does not stop the others, and makes the exit code 5."""
    good, bad = write_tiny(tmp_path / "a"), write_tiny(tmp_path / "b")
    weights = tmp_path / "b" / "tiny.sound.onnx"
    weights.write_bytes(weights.read_bytes() + b"x")
    short = write_tiny(tmp_path / "c", window_frames=4)
    assert main(["models", "verify", str(bad), "nothing", str(short), str(good)]) == 5
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{good}: whole: SHA-256 right, both networks run (mouth-64: 64 x 64 px, gray; log-mel-40)"
    ]
    first, second, third = err.splitlines()
    assert "tiny.sound.onnx" in first
    assert "SHA-256 differs" in first
    assert second == f"clapboard: no model called nothing; bundled are {', '.join(names())}, or give a path to a .json"
    assert "tiny.picture.onnx" in third
    assert main(["models", "verify", "--json", str(bad)]) == 5
    found = json.loads(capsys.readouterr().out)
    assert found["whole"] is False
    assert "SHA-256 differs" in found["error"]


def test_every_key_is_documented(tmp_path: Path, capsys: Capture) -> None:
    """``docs/json.md`` names exactly the keys that there are."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    model, verified = page.split("\n## `clapboard models list")[1].split("`clapboard models verify")
    assert main(["models", "show", "--json", "clapboard-s"]) == 0
    assert main(["models", "show", "--json", str(write_tiny_any(tmp_path))]) == 0
    lips, any_sound = (set(json.loads(line)) for line in capsys.readouterr().out.splitlines())
    assert any_sound - lips == {"scene", "places"}
    inner = {"picture", "bias", "weights", "lips"}
    assert set(re.findall(r"`(\w+)`", model)) == lips | any_sound | inner
    assert main(["models", "verify", "--json"]) == 0
    assert set(re.findall(r"`(\w+)`", verified)) == set(json.loads(capsys.readouterr().out.splitlines()[0]))


@pytest.mark.parametrize("arguments", [[], ["shw"], ["show"], ["verify", "--nonsense"]])
def test_usage(arguments: list[str], capsys: Capture) -> None:
    """Exit code 2 and a word on stderr."""
    assert main(["models", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "clapboard" in err


@pytest.mark.parametrize("command", [["check"], ["fix"], ["models", "show"]])
def test_a_missing_model_is_one_line(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    """Exit code 5, before anything is read or written."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no film")
    given = ["nothing"] if command[0] == "models" else ["--model", "nothing", str(film)]
    assert main([*command, *given]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "no model called nothing; bundled are " in err
    assert list(tmp_path.iterdir()) == [film]


def test_importing_without_torch_says_what_it_needs(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects who scores generated video and never trains: torch is for converting the checkpoint only."""
    for name in [name for name in sys.modules if name.startswith("clapboard.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["models", "import", str(tmp_path / "syncnet_v2.model"), "-o", str(tmp_path / "m")]) == 5
    assert capsys.readouterr().err == (
        "clapboard: converting the checkpoint needs torch: pip install 'clapboard[train]'; "
        "the model that it becomes runs without\n"
    )
    assert list(tmp_path.iterdir()) == []
