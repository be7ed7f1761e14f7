"""Training: shapes, the loss against worked values, exact alignment, exact resume, export."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.errors import UsageError  # noqa: E402
from clapboard.models.session import load_model  # noqa: E402
from clapboard.sound.features import normalise  # noqa: E402
from clapboard.sync.trust import terms  # noqa: E402
from clapboard.training import calibrate, export, loop  # noqa: E402
from clapboard.training.data import MARGIN_ROWS, Sampling, align, augment_mouths, augment_rows, batches, plain_mouths  # noqa: E402
from clapboard.training.evaluate import pieces  # noqa: E402
from clapboard.training.losses import within_clip  # noqa: E402
from clapboard.training.nets.clapboard_s import ClapboardS, Lips, Sound, centre_sampling  # noqa: E402
from clapboard.values import Crops, Features  # noqa: E402


def talk(seed: int, seconds: float = 2.4, early_ms: float = 0.0, start_s: float = 0.0):
    """A toy clip: the mouth's darkness and the sound's loudness follow one random curve, (images, times, samples)."""
    rng = np.random.default_rng(seed)
    fine = np.convolve(rng.standard_normal(round(seconds * 100) + 200), np.hanning(17), "same")
    time_s = start_s + np.arange(round(seconds * 25)) / 25
    opening = np.clip(0.5 + 0.25 * np.interp(time_s - start_s + 1, np.arange(len(fine)) / 100, fine), 0, 1)
    images = np.full((len(time_s), 64, 64), 150.0)
    images[:, 28:40, 20:44] -= 120 * opening[:, None, None]
    images += rng.normal(0, 2, images.shape)
    at = np.arange(round(seconds * 16000)) / 16000 + early_ms / 1000
    gain = np.exp(1.5 * np.interp(at + 1, np.arange(len(fine)) / 100, fine))
    samples = np.clip(0.02 * gain * rng.standard_normal(len(at)), -1, 1)
    return images.astype(np.uint8), time_s, np.round(samples * 32767).astype(np.int16)


def write_set(folder: Path, clips: int, part: str = "train") -> None:
    """A prepared set of toy clips on disk."""
    folder.mkdir(exist_ok=True)
    index = []
    for seed in range(clips):
        images, time_s, samples = talk(seed)
        np.savez(folder / f"{seed}.npz", images=images, time_s=time_s, samples=samples, start_s=np.array(0.0))
        index.append({"file": f"{seed}.mp4", "clip": f"{seed}.npz", "corpus": "toy", "speaker": str(seed % 3)})
    (folder / f"{part}.json").write_text(json.dumps({"clips": index, "dropped": {}}))


def test_shapes_of_every_stage() -> None:
    """Protects the receptive fields: 5 frames and 20 rows, 256 dimensions, unit length."""
    net = ClapboardS().eval()
    picture, sound, scale = net(torch.randn(2, 9, 48, 48), torch.randn(2, 36, 40))
    assert picture.shape == (2, 5, 256)
    assert sound.shape == (2, 5, 256)
    assert float(scale.detach()) == pytest.approx(10)
    torch.testing.assert_close(picture.norm(dim=-1), torch.ones(2, 5))
    assert sum(p.numel() for p in Lips().parameters()) == 744_424
    assert sum(p.numel() for p in Sound().parameters()) == 340_160


def test_dense_sound_is_the_strided_sound_at_every_row() -> None:
    """Protects 10 ms lags: dilations instead of strides give the same vectors at every fourth row."""
    sound, rows = Sound().eval(), torch.randn(1, 60, 40)
    torch.testing.assert_close(sound(rows, dense=True)[:, ::4], sound(rows), atol=1e-6, rtol=0)


def test_a_picture_window_sees_its_five_frames_and_no_other() -> None:
    """Protects causality and the clock: changing frame 6 changes windows 2 to 6 only."""
    lips, mouths = Lips().eval(), torch.randn(1, 12, 48, 48)
    other = mouths.clone()
    other[0, 6] += 1
    changed = (lips(mouths) - lips(other)).abs().amax(-1)[0] > 1e-6
    assert changed.nonzero().flatten().tolist() == [2, 3, 4, 5, 6]


def test_centre_sampling_takes_the_middle() -> None:
    """Protects the crop: a ramp over 64 px becomes the ramp over the middle 54."""
    seen = centre_sampling() @ torch.arange(64.0)
    assert float(seen[0]) == pytest.approx(5 + 0.5 * 54 / 48 - 0.5, abs=1e-4)
    assert float(seen[-1]) == pytest.approx(59 - 0.5 * 54 / 48 - 0.5, abs=1e-4)


def test_loss_against_a_worked_value() -> None:
    """Protects the loss: two windows, orthogonal vectors, scale ln 3, one extra position on each side.

    Towards the sound a right match has weight 3 against three others with 1: ln((3 + 3) / 3) = ln 2. Towards the
    picture it is 3 against one: ln(4 / 3). The mean of both is the loss.
    """
    picture = torch.eye(4)[None, :2]
    sound = torch.stack([torch.eye(4)[2], torch.eye(4)[0], torch.eye(4)[1], torch.eye(4)[3]])[None]
    loss = within_clip(
        picture,
        sound,
        torch.tensor(np.log(3.0)),
        extra=1,
        anchors=torch.ones(1, 2, dtype=torch.bool),
        real=torch.ones(1, 4, dtype=torch.bool),
    )
    assert float(loss) == pytest.approx((np.log(2) + np.log(4 / 3)) / 2, abs=1e-5)


def test_masked_positions_do_not_compete() -> None:
    """Protects masks: without sound, or too near, a position is no candidate; then only the right one is left."""
    picture, sound = torch.eye(4)[None, :2], torch.eye(4)[None]
    real = torch.tensor([[False, True, True, False]])
    anchors = torch.ones(1, 2, dtype=torch.bool)
    loss = within_clip(picture, sound, torch.tensor(5.0), extra=1, anchors=anchors, real=real, neighbours=1)
    assert float(loss) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("start_s", [0.0, 0.013, -0.4])
def test_alignment_is_exact_to_the_sample(start_s: float) -> None:
    """Protects the zero of training: rows of an aligned clip are those cut at the right sample by hand."""
    images, time_s, samples = talk(1, start_s=start_s)
    clip = align(images, time_s, samples, start_s, 0.0, corpus="toy", speaker="a", file="x")
    moved = align(images, time_s, samples[160:], start_s, 10.0, corpus="toy", speaker="a", file="x")
    first = MARGIN_ROWS + 8  # windows begin 0.2125 s before their middle is, 0.08 s after frame 0
    np.testing.assert_array_equal(clip.rows[first : first + 60], moved.rows[first : first + 60])
    assert not clip.valid[: MARGIN_ROWS - 3].any()
    assert clip.valid[MARGIN_ROWS + 5 : MARGIN_ROWS + 200].all()


@pytest.mark.parametrize("offset_ms", [0.0, 37.0, -55.0])
def test_a_click_lies_in_the_middle_of_its_window(offset_ms: float) -> None:
    """Protects the zero itself: a click at the middle of window i, moved by the offset, in the middle of its rows."""
    window, start_s = 20, 0.013
    time_s, samples = 1 + np.arange(60) / 25, np.zeros(72_000, np.int16)
    samples[round((time_s[window + 2] - offset_ms / 1000 - start_s) * 16000)] = 30_000
    images = np.zeros((60, 64, 64), np.uint8)
    clip = align(images, time_s, samples, start_s, offset_ms, corpus="toy", speaker="a", file="x")
    power = np.exp(clip.rows.astype(np.float64)).sum(1)
    power -= power.min()
    middle = float(power @ np.arange(len(power)) / power.sum())
    assert middle - MARGIN_ROWS - 4 * window == pytest.approx(9.5, abs=0.01)


def test_augmentation_keeps_time() -> None:
    """Protects the clock in training: no transform moves a frame or a row."""
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 256, (4, 1, 64, 64), dtype=np.uint8), 12, 1)
    images[:, 7] = 255 - images[:, 7]
    seen = augment_mouths(images, rng, 0.0)
    changes = (seen - seen[:, :1]).abs().mean((2, 3))
    assert changes.argmax(1).tolist() == [7] * 4
    assert (changes[:, 7] > 10 * changes[:, [1, 6, 8, 11]].amax(1)).all()
    rows = np.full((4, 50, 40), -12, np.float32)
    rows[:, 20] = 0
    loudest = augment_rows(rows, np.ones((4, 50), bool), rng).mean(2).argmax(1)
    assert loudest.tolist() == [20] * 4


def test_batch_n_depends_on_seed_and_n_alone(tmp_path: Path) -> None:
    """Protects exact resume: the third batch is the same whether or not the first two were drawn."""
    clips = [align(*talk(n), 0.0, 0.0, corpus="toy", speaker=str(n), file=str(n)) for n in range(4)]
    sampling = Sampling({"toy": 1.0}, {}, batch_frames=120, extra=10)
    torch.manual_seed(0)
    straight = batches(clips, sampling, 5)
    for _ in range(2):
        next(straight)
    one = next(straight)
    torch.manual_seed(1)
    other = next(batches(clips, sampling, 5, first=2))
    torch.testing.assert_close(one.rows, other.rows)
    torch.testing.assert_close(one.mouths, other.mouths)
    assert one.mouths.shape[1] - 4 == one.anchors.shape[1] == one.real.shape[1] - 20


RECIPE = """
steps = {steps}
batch_frames = 192
width = 8
sound_width = 8
seed = 3
average = 0.8
check_every = {check}
weights = {{"toy" = 1.0}}
held_out_speakers = ["2"]
"""


def train(folder: Path, name: str, *, steps: int = 6, check: int = 3, stop_after: int | None = None) -> Path:
    """Run the command; stop after some steps as an interrupted run would, keeping its checkpoint."""
    recipe = folder / f"{name}.toml"
    recipe.write_text(RECIPE.format(steps=steps, check=check))
    run = folder / name
    arguments = [str(recipe), "--data", str(folder / "data"), "--run", str(run), "--device", "cpu"]
    if stop_after is not None:
        learn, count = loop.Run.learn, 0

        def stopping(self, batch):
            nonlocal count
            count += 1
            if count > stop_after:
                raise KeyboardInterrupt
            return learn(self, batch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop.Run, "learn", stopping)
            with pytest.raises(KeyboardInterrupt):
                loop.main(arguments)
    else:
        assert loop.main(arguments) == 0
    return run


def test_a_resumed_run_equals_a_straight_one(tmp_path: Path) -> None:
    """Protects resume: weights after an interruption are those of a run that was never stopped."""
    write_set(tmp_path / "data", 6)
    straight = train(tmp_path, "straight")
    train(tmp_path, "broken", stop_after=4)
    resumed = train(tmp_path, "broken")
    one, other = (torch.load(run / "weights.pt", weights_only=True) for run in (straight, resumed))
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights, msg=name)


def test_a_toy_is_learned_exported_and_calibrated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects the whole way: loss falls well below chance, and the exported model finds the toy's offset of 0."""
    write_set(tmp_path / "data", 9)
    run = train(tmp_path, "run", steps=60, check=60)
    losses = [float(line.split()[3]) for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert losses[-1] < 3.6, "chance is the logarithm of 44 to 64 positions, about 4"
    weights = tmp_path / "weights"
    assert export.main([str(run), "-o", str(weights), "--name", "toy"]) == 0
    model = load_model(weights / "toy.json")
    images, time_s, samples = talk(2)
    clip = align(images, time_s, samples, 0.0, 0.0, corpus="toy", speaker="2", file="2.mp4")
    net = export.load_weights(run)
    with torch.no_grad():
        picture = net.lips(plain_mouths(images))[0].numpy()
        rows = normalise(Features(clip.rows, clip.valid, 0.0))
        sound = net.sound(torch.from_numpy(rows)[None], dense=True)[0].numpy()
    np.testing.assert_allclose(model.embed_picture(Crops(0, images, time_s)).values, picture, atol=1e-4)
    again = model.embed_sound(rows, clip.valid, 0.0).values
    real = np.isfinite(again).all(1)
    np.testing.assert_allclose(again[real], sound[real], atol=1e-4)
    found = pieces(net, [clip], (2.0,))
    assert len(found) == 1
    offsets = tmp_path / "offsets.csv"
    offsets.write_text("file,offset_ms,usable\n" + "".join(f"{n}.mp4,0,yes\n" for n in range(9)))
    out = tmp_path / "calibration.json"
    assert calibrate.main([str(run), "--data", str(tmp_path / "data"), "--offsets", str(offsets), "-o", str(out)]) == 0
    assert set(json.loads(out.read_text())["weights"]) == set(terms(found[0].offset))


def test_logistic_regression_recovers_a_known_curve() -> None:
    """Protects calibration: the fit returns the weights that made the data."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=20_000), np.ones(20_000)])
    y = (rng.random(20_000) < 1 / (1 + np.exp(-(2 * x[:, 0] - 1)))).astype(float)
    assert calibrate.fit(x, y, np.ones(len(y))) == pytest.approx([2, -1], abs=0.1)


def test_a_run_keeps_its_recipe(tmp_path: Path) -> None:
    """Protects resume: a run goes on with its own recipe, given by either name, and refuses another."""
    write_set(tmp_path / "data", 6)
    run = train(tmp_path, "run", steps=1, check=1)
    arguments = ["--data", str(tmp_path / "data"), "--run", str(run), "--device", "cpu"]
    assert loop.main([str(run / "recipe.toml"), *arguments]) == 0
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.format(steps=2, check=1))
    with pytest.raises(UsageError, match="another recipe"):
        loop.main([str(other), *arguments])
