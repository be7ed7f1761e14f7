"""Learning of SampleRNN: what streams play, that a run goes on, bits by the picture, and the files of a model."""

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra")


from clapboard.errors import UsageError  # noqa: E402
from clapboard.models.foley_session import load_foley  # noqa: E402
from clapboard.synthesis.cues import SAMPLES_PER_FRAME  # noqa: E402
from clapboard.synthesis.mu_law import SILENCE, compress, expand  # noqa: E402
from clapboard.synthesis.samplernn import SampleRnn  # noqa: E402
from clapboard.training.foley.samples import SampleRecipe, SampleTask  # noqa: E402
from clapboard.training.foley.samples_work import bits_of, encode, flows_of, train_samples  # noqa: E402
from clapboard.training.recipe import Optimiser  # noqa: E402
from clapboard.training.rendered_events import main as render  # noqa: E402
from clapboard.training.task_loop import Loop  # noqa: E402
from clapboard.vision.scene_flow import flow_of_scene  # noqa: E402

pytestmark = pytest.mark.train
FRAMES = 25
SMALL = SampleRecipe(
    steps=8, warm_up_steps=2, streams=4, width=16, embedding=8, features=6, encoder_width=4,
    held_out_share=0.0, precision="fp32", optimiser=Optimiser(learning_rate=1e-2, weight_decay=0.0, warm_up=0.0),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Toy:
    """A take whose picture is bright exactly while its sound is a loud tone."""

    images: np.ndarray
    wave: np.ndarray


def _toys(count: int, seed: int = 0) -> list[Toy]:
    rng, toys = np.random.default_rng(seed), []
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLES_PER_FRAME) / 16_000)
    for _ in range(count):
        on = rng.random(FRAMES) < 0.5
        images = np.full((FRAMES, 64, 64), 60, np.uint8)
        images[on, 20:40, 20:40] = 220
        toys.append(Toy(images, (on[:, None] * tone).reshape(-1).astype(np.float32)))
    return toys


def _task(recipe: SampleRecipe, toys: list[Toy]) -> SampleTask:
    flows = [flow_of_scene(toy.images) for toy in toys] if recipe.encoder == "flow" else None
    return SampleTask(recipe, toys, [np.zeros(1)] * len(toys), flows)


def test_mu_law_is_fine_where_it_is_quiet() -> None:
    """Protects the wave: a round trip errs by less than 2.2 % of a sample, silence comes back as silence."""
    samples = np.concatenate([np.linspace(-1, 1, 4001), [0.0, 1.5, -1.5]]).astype(np.float32)
    back = expand(compress(samples))
    inside = np.clip(samples, -1, 1)
    assert np.all(np.abs(back - inside) <= 0.022 * np.abs(inside) + 1.2e-4)
    assert back[samples == 0].tolist() == [0.0] * int((samples == 0).sum())
    assert np.all(np.diff(compress(samples[:4001]).astype(int)) >= 0)
    assert (compress(np.float32([0]))[0], compress(np.float32([-1]))[0], compress(np.float32([1]))[0]) == (
        SILENCE,
        0,
        255,
    )


def test_streams_play_every_clip_through_and_carry_their_state() -> None:
    """Protects stateful learning: a piece follows the one before with its state, and a new clip begins anew."""
    task = _task(replace(SMALL, warm_up_steps=0), _toys(3))
    rng, states, places = np.random.default_rng(0), [], []
    for _ in range(40):
        task.loss(task.net, rng, 0.0, "cpu")
        kept = task.carried()
        places.append([(clip, at) for clip, at, *_ in kept["streams"]])
        states.append(kept["state"]["coarse"])
        assert not kept["state"]["coarse"].requires_grad
    follows = begins = 0
    for before, after in itertools.pairwise(places):
        for (clip, at), (next_clip, next_at) in zip(before, after, strict=True):
            if next_at == 512:
                assert at + 512 > FRAMES * SAMPLES_PER_FRAME
                begins += 1
            else:
                assert (next_clip, next_at) == (clip, at + 512)
                follows += 1
    assert follows > 100
    assert begins >= 4
    assert not torch.equal(states[0], states[1])


@pytest.mark.parametrize("encoder", ["frame", "seq", "flow"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    tmp_path: Path, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protects long runs: the streams and their states are in the checkpoint, with the weights."""
    from clapboard.training import task_loop

    monkeypatch.setattr(task_loop, "SAVE_EVERY", 1)
    recipe, toys = replace(SMALL, encoder=encoder), _toys(3)
    whole = Loop(recipe, _task(recipe, toys), tmp_path / "whole", say=lambda _: None)()

    class StopError(Exception):
        pass

    def hook(step: str, done: float, total: float) -> None:
        if done == 6:
            raise StopError

    with pytest.raises(StopError):
        Loop(recipe, _task(recipe, toys), tmp_path / "cut", say=lambda _: None, hook=hook)()
    cut = Loop(recipe, _task(recipe, toys), tmp_path / "cut", say=lambda _: None)()
    for mine, other in zip(cut.state_dict().values(), whole.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)


def test_the_picture_is_learned_from(tmp_path: Path) -> None:
    """Protects conditioning: after a short run the true picture saves bits against another clip's."""
    recipe = replace(SMALL, steps=280, warm_up_steps=60, streams=8, piece=320, features=12, width=24)
    net = Loop(recipe, _task(recipe, _toys(8)), tmp_path, say=lambda _: None)()
    test = _toys(6, seed=9)
    right = bits_of(net, test, range(6))
    wrong = bits_of(net, test, [1, 2, 3, 4, 5, 0])
    assert right.shape == (6,)
    assert (right < wrong).all()  # by chance in one run of 64; a picture can save a bit or two of each 640 samples
    assert right.mean() < 0.1


@pytest.mark.parametrize("encoder", ["frame", "seq", "flow"])
def test_train_writes_a_model_that_runs_without_torch(tmp_path: Path, encoder: str) -> None:
    """Protects the whole way: rendered clips, a run, a model; what it encodes is what torch does."""
    data = tmp_path / "data"
    assert render(["-o", str(data), "--clips", "2", "--seconds", "1.2", "--dry", "--processes", "1"]) == 0
    said: list[str] = []
    path = train_samples(replace(SMALL, encoder=encoder), [data], tmp_path / "run", say=said.append)
    model = load_foley(path)
    assert model.spec.about["parity"]["encoder"] < 2e-5
    assert "2 shots" in said[0]
    from clapboard.training.foley.samples import Conditioned
    from clapboard.training.foley.sets import load_takes

    net = Conditioned(replace(SMALL, encoder=encoder)).eval()
    net.load_state_dict(torch.load(tmp_path / "run" / "weights.pt", weights_only=True))
    (take, _) = load_takes([data])
    flow = flow_of_scene(take.images) if encoder == "flow" else None
    told = model.encode(np.asarray(take.images), flow)
    expected = encode(net, take)
    np.testing.assert_allclose(told if encoder != "seq" else told[0], expected, atol=1e-2 if flow is not None else 1e-4)
    wave = SampleRnn(model.samples).generate(told if encoder == "seq" else told[None, :3], frames=3)
    assert wave.shape == (1, 3 * SAMPLES_PER_FRAME)
    assert json.loads(path.read_text())["encoder"]["kind"] == encoder


def test_a_run_is_exported_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protects `clapboard models export`: a finished run under its own name, one that is not told in a line."""
    from clapboard.cli import main

    run, out = tmp_path / "run", tmp_path / "out"
    Loop(SMALL, _task(SMALL, _toys(2)), run, say=lambda _: None)()
    assert main(["models", "export", str(run), "-o", str(out), "--licence", "CC0-1.0"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith(f"  clapboard foley --variant frame --model {out / 'foley-frame.json'}")
    assert load_foley(out / "foley-frame.json").spec.about["licence"] == "CC0-1.0"
    assert main(["models", "export", str(run), "-o", str(out)]) == 2
    assert main(["models", "export", str(run), "-o", str(out), "--zero-ms", "4"]) == 2
    (run / "weights.pt").unlink()
    assert main(["models", "export", str(run), "-o", str(out), "--name", "other"]) == 5
    assert "is not finished" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {
        "foley-frame.json", "foley-frame.encoder.onnx", "foley-frame.safetensors"
    }  # fmt: skip


def test_flow_is_kept_and_asked_for_again(tmp_path: Path) -> None:
    """Protects the flow's file: it is read again, and that of other shots is refused."""
    toys = _toys(2)
    first = flows_of(toys, tmp_path / "flows.npy")  # type: ignore[arg-type]
    again = flows_of(toys, tmp_path / "flows.npy")  # type: ignore[arg-type]
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape == (FRAMES - 1, 2, 32, 32)
    with pytest.raises(UsageError, match="other shots"):
        flows_of(toys[:1], tmp_path / "flows.npy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 0}, "steps"), ({"warm_up_steps": 8}, "warm_up_steps"), ({"piece": 500}, "piece"),
        ({"frame_sizes": (4, 12)}, "frame_sizes"), ({"streams": 1}, "streams"), ({"held_out_share": 1.0}, "held_out"),
    ],
)  # fmt: skip
def test_recipes_that_cannot_be_run_are_refused(change: dict[str, object], words: str) -> None:
    """Protects users: the value is named before anything is read."""
    with pytest.raises(UsageError, match=words):
        replace(SMALL, **change).check()
