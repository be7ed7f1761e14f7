"""``clapboard models export`` and ``import`` through the real entry point."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clapboard.cli import main
from clapboard.dataset.store import Entry, Stored, Writer
from clapboard.models.session import load_model
from clapboard.models.spec import ModelSpec

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.training import from_pretrained  # noqa: E402
from clapboard.training.nets import build  # noqa: E402
from clapboard.training.recipe import Recipe  # noqa: E402

SMALL = {"width": 4, "sound_width": 4}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a finished run, as training leaves it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text(Recipe(1, network_options=SMALL).toml())
    torch.manual_seed(0)
    torch.save(build("clapboard-s", SMALL).state_dict(), folder / "weights.pt")
    return folder


def dataset(folder: Path, seconds: float = 2.0) -> Path:
    """Two clips of noise."""
    rng = np.random.default_rng(0)
    frames = round(25 * seconds)
    with Writer(folder, "mouth-64") as writer:
        for n in range(2):
            entry = Entry(
                id=str(n), file=f"{n}.mp4", corpus="noise", speaker=str(n), group=str(n), track=0, shard=0,
                start_s=0.0, end_s=seconds, frames=frames, face_px=100.0, speech_share=1.0,
            )  # fmt: skip
            images = rng.integers(0, 256, (frames, 64, 64), dtype=np.uint8)
            samples = rng.integers(-3000, 3000, round(16000 * seconds), dtype=np.int16)
            writer.add(entry, Stored(images, np.arange(frames) / 25, samples, 0.0))
            writer.finished()
    return folder


def test_a_run_becomes_a_model(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the way from training to checking: a model that loads, and the line that says how to use it."""
    out = tmp_path / "models"
    assert main(["models", "export", str(run), "-o", str(out), "--licence", "CC0-1.0", "--zero-ms", "-5"]) == 0
    spec = load_model(out / "clapboard-s.json").spec
    assert (spec.zero_ms, spec.about["licence"], spec.calibration) == (-5.0, "CC0-1.0", None)
    assert Recipe.read(run / "recipe.toml").toml() == spec.about["recipe"]
    said = capsys.readouterr().out
    assert f"clapboard check --model {out / 'clapboard-s.json'} FILE" in said
    assert "largest difference to torch" in said
    assert main(["models", "verify", str(out / "clapboard-s.json")]) == 0


def test_a_model_for_torch_and_in_eight_bits(run: Path, tmp_path: Path) -> None:
    """Protects the options: weights for other programs, and a second model in 8 bits."""
    data, out = dataset(tmp_path / "data"), tmp_path / "models"
    arguments = ["--name", "mine", "--with-torch", "--int8", str(data), "-q"]
    assert main(["models", "export", str(run), "-o", str(out), *arguments]) == 0
    net = from_pretrained(out / "mine.json")
    kept = torch.load(run / "weights.pt", weights_only=True)
    torch.testing.assert_close(net.state_dict()["lips.last.weight"], kept["lips.last.weight"])
    assert load_model(out / "mine-int8.json").spec.about["int8"]["clips"] == 2


def test_a_calibration_is_taken_over(run: Path, tmp_path: Path) -> None:
    """Protects answers: what training found of held-out people is used, unless another calibration is given."""
    found = {"bias": 0.5, "weights": {"gap": 1.5}}
    model = json.loads(_exported(run, run / "model", "model").read_text())
    (run / "model" / "model.json").write_text(json.dumps({**model, "calibration": found}))
    assert _bias(_exported(run, tmp_path / "one", "a")) == 0.5
    other = tmp_path / "calibration.json"
    other.write_text(json.dumps({"bias": -1, "weights": {"gap": 2}}))
    assert _bias(_exported(run, tmp_path / "two", "a", "--calibration", str(other))) == -1


def _exported(run: Path, folder: Path, name: str, *more: str) -> Path:
    assert main(["models", "export", str(run), "-o", str(folder), "--name", name, "-q", *more]) == 0
    return folder / f"{name}.json"


def _bias(path: Path) -> float:
    calibration = ModelSpec.read(path).calibration
    assert calibration is not None
    return calibration.bias


def test_nothing_is_replaced_unasked(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects models: a second export of the same name is refused, until it is allowed."""
    path = _exported(run, tmp_path / "models", "mine")
    before = path.read_bytes()
    call = ["models", "export", str(run), "-o", str(path.parent), "--name", "mine", "--zero-ms", "9", "-q"]
    assert main(call) == 2
    assert "exists already; give --overwrite" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main([*call, "--overwrite"]) == 0
    assert ModelSpec.read(path).zero_ms == 9


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda run: (run / "recipe.toml").unlink(), 2, "no folder of clapboard train"),
        (lambda run: (run / "weights.pt").unlink(), 5, "the run is not finished"),
        (lambda run: (run / "weights.pt").write_bytes(b"\x80nonsense"), 5, "is damaged"),
    ],
)
def test_what_is_no_finished_run_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, spoil, code: int, words: str
) -> None:
    """Protects users: exit code and one line, and no folder is left."""
    spoil(run)
    assert main(["models", "export", str(run), "-o", str(tmp_path / "models")]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"bias": 1}', '{"bias": 1, "weights": {"nonsense": 1}}'])
def test_what_is_no_calibration_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Protects users: a file that holds no calibration is told by its name."""
    path = tmp_path / "calibration.json"
    path.write_text(text)
    assert main(["models", "export", str(run), "-o", str(tmp_path / "m"), "--calibration", str(path)]) == 2
    assert "holds no calibration" in capsys.readouterr().err


def test_clips_for_eight_bits_have_to_be_long_enough(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects the order: data that do not fit are told in words."""
    data = dataset(tmp_path / "data", 0.8)
    assert main(["models", "export", str(run), "-o", str(tmp_path / "m"), "--int8", str(data)]) == 2
    assert "no clip has 24 frames" in capsys.readouterr().err


def test_another_checkpoint_is_one_line(tmp_path: Path) -> None:
    """Protects users of import, in a process of its own: a file of another network ends with exit code 5, one line."""
    path = tmp_path / "other.model"
    torch.save({"netcnnlip.0.weight": torch.zeros(3)}, path)
    call = [sys.executable, "-m", "clapboard", "models", "import", str(path), "-o", str(tmp_path / "m")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{path}: " in done.stderr
    assert "syncnet_v2.model" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_no_checkpoint_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the exit code: a path that leads nowhere is 2."""
    assert main(["models", "import", str(tmp_path / "none"), "-o", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err
