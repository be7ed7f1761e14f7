"""Learning a vocoder: what is made of rows, losses, that it learns and goes on, the graph, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")

from clapboard.cli import main  # noqa: E402
from clapboard.errors import UsageError  # noqa: E402
from clapboard.runtime import onnx_runtime  # noqa: E402
from clapboard.synthesis.mel import log_mel  # noqa: E402
from clapboard.synthesis.stft import framed  # noqa: E402
from clapboard.synthesis.vocoder import AFTER_ROWS, BEFORE_ROWS, PIECE_ROWS, NetworkVocoder, istft  # noqa: E402
from clapboard.training import task_loop  # noqa: E402
from clapboard.training.foley.vocoder import Pieces, VocoderRecipe, VocoderTask  # noqa: E402
from clapboard.training.foley.vocoder_export import export_vocoder  # noqa: E402
from clapboard.training.foley.vocoder_losses import log_mel_of, stft_losses, wave_of  # noqa: E402
from clapboard.training.foley.vocoder_sets import load_waves  # noqa: E402
from clapboard.training.foley.vocoder_work import train_vocoder  # noqa: E402
from clapboard.training.nets.istft_vocoder import BINS, NOISE_ROWS, IstftVocoder  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402

pytestmark = pytest.mark.train
TINY = {"width": 16, "blocks": 2}
RECIPE = VocoderRecipe(3, network_options=TINY, batch=Pieces(pieces=2, rows=32), precision="fp32")


def waves(count: int = 3, rows: int = 120) -> np.ndarray:
    """Damped tones in a little noise, (count, 160 rows) float32."""
    rng = np.random.default_rng(0)
    time_s = np.arange(160 * rows) / 16_000
    made = [
        0.2 * np.exp(-(time_s % 0.3) / 0.05) * np.sin(2 * np.pi * hz * time_s) for hz in rng.uniform(200, 2e3, count)
    ]
    return (np.stack(made) + 0.001 * rng.standard_normal((count, 160 * rows))).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of rendered events."""
    folder = tmp_path_factory.mktemp("vocoder") / "blows"
    assert render(["-o", str(folder), "--clips", "3", "--seconds", "3", "--dry", "--processes", "1"]) == 0
    return folder


def test_the_wave_of_a_true_spectrum_is_the_wave() -> None:
    """Protects the grid of the loss: what is compared is the same stretch of both waves, as numpy makes it."""
    samples = waves(1)[0]
    spectrum = np.fft.rfft(framed(samples), axis=1)
    real, imag = spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32)
    made = wave_of(torch.from_numpy(real)[None], torch.from_numpy(imag)[None])[0].numpy()
    np.testing.assert_allclose(made, samples[240 : 240 + len(made)], atol=1e-6)
    np.testing.assert_allclose(made, istft(real, imag)[240 : 240 + len(made)], atol=1e-6)


def test_the_log_mel_of_the_loss_is_that_of_the_world() -> None:
    """Protects training from learning another input than it gets later."""
    samples = waves(1)[0]
    found = log_mel_of(torch.from_numpy(samples[80:-80])[None])[0].numpy()
    # the first window within the wave begins at sample 80, where that of row 2 begins
    np.testing.assert_allclose(found, log_mel(samples)[2:-2], atol=1e-3)


def test_losses_are_zero_for_the_same_and_grow() -> None:
    """Protects the sign of learning: nothing is nearer than the wave itself, and a delay is heard by phases alone."""
    true = torch.from_numpy(waves())
    same = [float(value) for value in stft_losses(true, true)]
    assert same == pytest.approx([0, 0, 0], abs=1e-3)
    late = torch.roll(true, 8, dims=1)
    noisy = true + 0.05 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    moved, changed = stft_losses(late, true), stft_losses(noisy, true)
    assert float(moved[2]) > 0.2
    assert float(moved[0]) < 0.5 * float(moved[2])
    assert all(float(value) > 0.1 for value in changed)


def test_an_untrained_network_has_the_right_level() -> None:
    """Protects the start: magnitudes drawn over the bins from the log-mel, within a few dB whatever the level."""
    torch.manual_seed(0)
    net = IstftVocoder(**TINY)
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    for level in (0.01, 0.1):
        mel = log_mel_of(level * noise)
        with torch.no_grad():
            real, imag = net(mel)
        power = (real**2 + imag**2).mean()
        assert 10 * np.log10(float(power) / (240 * level**2)) == pytest.approx(0, abs=3)
        assert real.shape == (1, mel.shape[1], BINS)


def test_a_row_sees_no_further_than_said() -> None:
    """Protects pieces of long files: the size in the box looks no further, and pieces are whole turns of its noise."""
    torch.manual_seed(0)
    net = IstftVocoder().eval()
    assert net.reach_rows <= min(BEFORE_ROWS, AFTER_ROWS)
    assert PIECE_ROWS % NOISE_ROWS == BEFORE_ROWS % NOISE_ROWS == 0
    mel = torch.randn(1, 90, 80) - 8
    other = mel.clone()
    other[:, 60:] += 1
    with torch.no_grad():
        a, b = net(mel)[0], net(other)[0]
    differs = (a != b).any(-1)[0]
    assert int(differs.int().argmax()) == 60 - net.reach_rows


def test_a_stopped_run_goes_on_where_it_was(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects a stopped run: 6 steps at once, and 2 that were kept and 4 more, end with the same weights."""
    recipe = replace(RECIPE, steps=6)
    lines: list[str] = []
    whole = train_vocoder(recipe, [data], tmp_path / "whole", device="cpu", say=lines.append)
    assert whole.name == "vocoder.onnx"
    assert any("held out of blows" in line for line in lines)

    def stop(step: str, done: float, total: float | None) -> None:
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(task_loop, "SAVE_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        train_vocoder(recipe, [data], tmp_path / "cut", device="cpu", hook=stop, say=lines.append)
    train_vocoder(recipe, [data], tmp_path / "cut", device="cpu", say=lines.append)
    one, two = (torch.load(tmp_path / run / "weights.pt", weights_only=True) for run in ("whole", "cut"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_it_learns() -> None:
    """Protects the loss and the network: forty steps on one sound bring it down by a tenth and more."""
    recipe = replace(RECIPE, steps=40)
    sound = [(wave * 32767).astype(np.int16) for wave in waves()]
    task = VocoderTask(recipe, {"tones": sound})
    rule = torch.optim.AdamW(task.net.parameters(), 5e-3)
    found = []
    for step in range(40):
        value, right = task.loss(task.net, np.random.default_rng(step), step / 40, "cpu")
        rule.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        rule.step()
        found.append(float(value.detach()))
        assert 0 <= right <= 1
    assert np.mean(found[-5:]) < 0.9 * np.mean(found[:3])


def test_the_graph_gives_what_torch_gives(tmp_path: Path) -> None:
    """Protects the export: any number of rows, and the whole way to a wave."""
    torch.manual_seed(0)
    net = IstftVocoder(**TINY).eval()
    path = export_vocoder(net, tmp_path)
    session = onnx_runtime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    mel = log_mel(waves(1)[0])
    made = NetworkVocoder(lambda rows: tuple(session.run(["real", "imag"], {"mel": rows})))(mel)
    with torch.no_grad():
        real, imag = (one[0].numpy() for one in net(torch.from_numpy(mel)[None]))
    np.testing.assert_allclose(made, istft(real, imag), atol=1e-4)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["vocoder.about.json", "vocoder.onnx"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("steps=0", "steps must"),
        ("batch.rows=200", "batch.rows"),
        ("network_options.blocks=2.5", "whole numbers"),
        ("network_options.depth=2", "depth"),
        ("terms.mel=-1", "weight in terms"),
        ("optimiser.name='sgd'", "adamw"),
        ("batch.sets={other=1}", "data set other"),
    ],
)
def test_recipes_that_cannot_be_run_are_told_in_one_line(
    change: str, says: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, what is wrong, and nothing is begun."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('task = "vocoder"\nsteps = 2\n', encoding="utf-8")
    assert main(["train", str(recipe), "--data", str(data), "-o", str(tmp_path / "run"), "--set", change, "-q"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run" / "last.pt").exists()


def test_the_last_recordings_are_held_out(data: Path) -> None:
    """Protects the figures of a run: what is judged was not learned from."""
    learn, held = load_waves([data], {}, 0.34)
    assert (len(learn["blows"]), len(held["blows"])) == (2, 1)
    assert not any(np.array_equal(held["blows"][0], wave) for wave in learn["blows"])
    with pytest.raises(UsageError, match="two are equal"):
        load_waves([data, data])


def test_the_recipe_in_the_box_can_be_run() -> None:
    """Protects recipes/foley-vocoder.toml, and that a recipe written in full reads back equal."""
    path = Path(__file__).parents[2] / "recipes" / "foley-vocoder.toml"
    recipe = VocoderRecipe.read(path)
    assert recipe.terms.tones > 0
    net = IstftVocoder(**recipe.network_options)
    assert sum(weight.numel() for weight in net.parameters()) < 1.1e6


def test_a_steady_log_mel_gives_noise_that_does_not_repeat() -> None:
    """Protects rain and engines from a buzz at the rate of rows: the noise is no more like itself a row later."""
    net = IstftVocoder(width=8, blocks=1).eval()
    with torch.no_grad():
        net.head.weight.zero_()
        net.head.bias[:BINS] = -10  # noise alone
        real, imag = (one[0].numpy() for one in net(torch.full((1, 600, 80), -6.0)))
    made = istft(real, imag)[480:-480]
    for rows in (1, 2, 100):
        lag = 160 * rows
        assert abs(np.dot(made[lag:], made[:-lag])) < 0.03 * np.dot(made, made)
    turn = 160 * NOISE_ROWS
    np.testing.assert_allclose(made[turn : turn + 1600], made[:1600], atol=1e-5)
    assert log_mel(made)[5:-5].mean() == pytest.approx(-6, abs=0.4)
