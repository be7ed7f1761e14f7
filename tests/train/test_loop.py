"""The loop: a resumed run equals a straight one, two processes train one network, held-out people decide the end."""

import csv
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [train] extra: pip install clapboard[train]")
pytestmark = pytest.mark.train

from clapboard.dataset.align import Aligned  # noqa: E402
from clapboard.errors import UsageError  # noqa: E402
from clapboard.sound.kinds import KINDS  # noqa: E402
from clapboard.training.loop import fit  # noqa: E402
from clapboard.training.nets import build  # noqa: E402
from clapboard.training.recipe import Batch, HeldOut, Optimiser, Recipe  # noqa: E402
from clapboard.training.run import Place, Run, learning_rate, neighbours  # noqa: E402
from clapboard.training.sampling import Batches, held_out, stream  # noqa: E402
from clapboard.training.work import load_clips, train  # noqa: E402

SMALL = Recipe(
    steps=6,
    seed=3,
    network_options={"width": 8, "sound_width": 8},
    optimiser=Optimiser(average=0.8),
    batch=Batch(frames=192),
    held_out=HeldOut(speakers=("2",), every=3),
)
Clips = Callable[..., list[Aligned]]


def silent(line: str) -> None:
    """Nothing is printed."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Result of a run."""
    return dict(torch.load(folder / "weights.pt", weights_only=True))


def interrupted(recipe: Recipe, clips: list[Aligned], folder: Path, after: int) -> None:
    """Train and stop after some steps, as Ctrl-C would."""
    learn, count = Run.learn, 0

    def stopping(self: Run, batch: object) -> float:
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        return learn(self, batch)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "learn", stopping)
        with pytest.raises(KeyboardInterrupt):
            fit(recipe, clips, folder, place=Place(), say=silent)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_resumed_run_equals_a_straight_one(tmp_path: Path, toy_clips: Clips, optimiser: str) -> None:
    """Protects resume: weights after an interruption are, to the bit, those of a run that was never stopped."""
    recipe = dataclasses.replace(SMALL, optimiser=Optimiser(name=optimiser, learning_rate=1e-2, average=0.8))
    clips = toy_clips(6)
    fit(recipe, clips, tmp_path / "straight", place=Place(), say=silent)
    interrupted(recipe, clips, tmp_path / "broken", after=4)
    fit(recipe, clips, tmp_path / "broken", place=Place(), say=silent)
    one, other = weights(tmp_path / "straight"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_learns_and_writes_its_curves(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects the whole loop: people held out are recognised far above chance, and curves.csv says so."""
    recipe = dataclasses.replace(SMALL, steps=60, held_out=HeldOut(speakers=("2",), every=20))
    fit(recipe, toy_clips(9), tmp_path, place=Place(), say=silent)
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["20", "40", "50", "60"]
    checked = [float(row["held_out_accuracy"]) for row in rows if row["held_out_accuracy"]]
    assert checked[-1] > 0.12, "chance is 3 of about 60 positions"
    assert Recipe.read(tmp_path / "recipe.toml") == recipe


def test_early_stop_keeps_the_best(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects patience: without learning nothing gets better, so the run ends early and keeps its first check."""
    still = Optimiser(learning_rate=0.0, weight_decay=0.0, average=0.0)
    recipe = dataclasses.replace(
        SMALL, steps=50, optimiser=still, held_out=HeldOut(speakers=("2",), every=2, patience=2)
    )
    loop = fit(recipe, toy_clips(6), tmp_path, place=Place(), say=silent)
    assert loop.run.step < 50
    assert all(torch.equal(v, torch.load(tmp_path / "best.pt")[k]) for k, v in weights(tmp_path).items())
    again = fit(recipe, toy_clips(6), tmp_path, place=Place(), say=silent)
    assert again.run.step == loop.run.step, "a run that stopped early does not go on"


def test_batch_n_depends_on_seed_and_n_alone(toy_clips: Clips) -> None:
    """Protects exact resume: the third batch is the same alone, after two others, and from worker processes."""
    source = Batches(toy_clips(4), build("clapboard-s", {}).inputs, SMALL, KINDS["log-mel-40"], SMALL.augmentation)
    torch.manual_seed(0)
    straight = list(stream(source, range(3)))[2]
    torch.manual_seed(1)
    np.random.default_rng(5)
    for other in (source[2], next(stream(source, range(2, 3), workers=1))):
        for name in ("images", "rows", "anchors", "real"):
            torch.testing.assert_close(getattr(straight, name), getattr(other, name))
        torch.testing.assert_close(straight.look.matrix, other.look.matrix)
        assert straight.look.seed == other.look.seed


def test_held_out_people_are_not_learned_from(toy_clips: Clips) -> None:
    """Protects honest figures: by name and by share, and a name that is not there is refused."""
    clips = toy_clips(9)
    learn, held = held_out(clips, SMALL)
    assert {c.speaker for c in held} == {"2"}
    assert len(learn) + len(held) == 9
    learn, held = held_out(clips, dataclasses.replace(SMALL, held_out=HeldOut(share=0.34)))
    assert len({c.speaker for c in held}) == 1
    assert not {c.speaker for c in held} & {c.speaker for c in learn}
    with pytest.raises(UsageError, match="is held out but not in the data"):
        held_out(clips, dataclasses.replace(SMALL, held_out=HeldOut(speakers=("nobody",))))


def test_a_share_leaves_somebody_to_learn_from(toy_clips: Clips) -> None:
    """Protects held_out.share: one speaker is never held out whole, and of four or more two are: calibration needs
    somebody else's voice.
    """
    clips, most = toy_clips(9), dataclasses.replace(SMALL, held_out=HeldOut(share=0.9))
    alone = [dataclasses.replace(c, speaker="same") for c in clips]
    assert held_out(alone, most) == (alone, [])
    assert len({c.speaker for c in held_out(clips, most)[1]}) == 2
    five = [dataclasses.replace(c, speaker=str(n % 5)) for n, c in enumerate(clips)]
    few = dataclasses.replace(SMALL, held_out=HeldOut(share=0.1))
    assert len({c.speaker for c in held_out(five, few)[1]}) == 2


def test_who_was_held_out_is_never_learned_from(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects honest figures: a run whose data changed never learns from somebody that it held out."""
    recipe = dataclasses.replace(SMALL, steps=2, held_out=HeldOut(share=0.3, every=1))
    clips = toy_clips(6)
    fit(recipe, clips, tmp_path, place=Place(), say=silent)
    (tmp_path / "last.pt").unlink()  # begun again, with others
    fit(recipe, clips[:-1], tmp_path, place=Place(), say=silent)
    other = [dataclasses.replace(c, speaker=f"new {n}") for n, c in enumerate(clips)]
    with pytest.raises(UsageError, match="held out"):
        fit(recipe, other, tmp_path, place=Place(), say=silent)


def test_curves_hold_every_step_once(tmp_path: Path, toy_clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protects curves.csv: what a run did after its last checkpoint is done, and written, again."""
    monkeypatch.setattr("clapboard.training.loop.SAY_EVERY", 1)
    clips = toy_clips(6)
    interrupted(SMALL, clips, tmp_path, after=5)
    fit(SMALL, clips, tmp_path, place=Place(), say=silent)
    with (tmp_path / "curves.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4", "5", "6"]


def test_chunks_must_hold_windows(toy_clips: Clips) -> None:
    """Protects against a traceback: chunks that are shorter than the network's window are refused in words."""
    wide = dataclasses.replace(SMALL, network_options={"context_frames": 15}, batch=Batch(chunk=12))
    inputs = build("clapboard-s", {"context_frames": 15}).inputs
    with pytest.raises(UsageError, match=r"batch.chunk .* at least 16"):
        Batches(toy_clips(3), inputs, wide, KINDS["log-mel-40"], wide.augmentation)


def test_a_run_keeps_its_recipe(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects resume: a folder goes on with its own recipe and refuses another; so does a damaged checkpoint."""
    short, clips = dataclasses.replace(SMALL, steps=1), toy_clips(6)
    fit(short, clips, tmp_path, place=Place(), say=silent)
    with pytest.raises(UsageError, match="another recipe"):
        fit(dataclasses.replace(SMALL, steps=2), clips, tmp_path, place=Place(), say=silent)
    (tmp_path / "last.pt").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a checkpoint"):
        fit(short, clips, tmp_path, place=Place(), say=silent)


def test_a_run_can_begin_with_the_weights_of_another(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects --from: without learning the result is what it began with; weights of another network are refused."""
    clips = toy_clips(6)
    fit(SMALL, clips, tmp_path / "first", place=Place(), say=silent)
    first = weights(tmp_path / "first")
    still = Optimiser(learning_rate=0.0, weight_decay=0.0, average=0.999999)
    again = dataclasses.replace(SMALL, steps=1, optimiser=still)
    fit(again, clips, tmp_path / "again", place=Place(), begin_from=first, say=silent)
    second = weights(tmp_path / "again")
    learned = {name for name, _ in build("clapboard-s", SMALL.network_options).named_parameters()}
    assert all(torch.equal(first[name], second[name]) for name in learned)
    other = dataclasses.replace(SMALL, network_options={"width": 12, "sound_width": 8})
    with pytest.raises(UsageError, match="do not fit"):
        fit(other, clips, tmp_path / "other", place=Place(), begin_from=first, say=silent)


def test_a_run_goes_on_with_its_own_clips_only(tmp_path: Path, toy_clips: Clips) -> None:
    """Protects a finished model from being made again of other data: other clips or offsets are refused."""
    clips = toy_clips(6)
    fit(SMALL, clips, tmp_path, place=Place(), say=silent)
    fit(SMALL, clips, tmp_path, place=Place(), say=silent)
    moved = [dataclasses.replace(clip, offset_ms=40.0) for clip in clips]
    for others in (clips[:-1], moved):
        with pytest.raises(UsageError, match="other clips or offsets"):
            fit(SMALL, others, tmp_path, place=Place(), say=silent)


def test_offsets_that_name_no_clip_are_refused(tmp_path: Path, toy_dataset: Callable[..., Path]) -> None:
    """Protects against a table of another data set, by which nothing would be moved and nothing said."""
    table = tmp_path / "offsets.csv"
    table.write_text("file,offset_ms,usable\nelsewhere/0.mp4,40,yes\n")
    with pytest.raises(UsageError, match="names no clip of the data"):
        load_clips(SMALL, [toy_dataset(tmp_path / "data", 3)], table)


def test_the_schedule() -> None:
    """Protects the schedule: up over the first twentieth, down to zero, and coarse before fine."""
    recipe = Recipe(steps=100)
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert np.argmax(rates) in (4, 5)
    assert rates[0] == pytest.approx(recipe.optimiser.learning_rate / 5)
    assert rates[-1] < 1e-5
    assert [neighbours(recipe, step) for step in (0, 19, 20, 44, 45, 99)] == [3, 3, 1, 1, 0, 0]


def test_two_processes_train_one_network(tmp_path: Path, toy_dataset: Callable[..., Path]) -> None:
    """Protects torchrun: two processes on CPU (gloo) end with one model, which both have taught."""
    data, recipe = toy_dataset(tmp_path / "data", 6), tmp_path / "two.toml"
    recipe.write_text(dataclasses.replace(SMALL, steps=2, held_out=HeldOut(speakers=("2",), every=1)).toml())
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    work = ["-m", "clapboard", "train", str(recipe), "--data", str(data), "--out", str(tmp_path / "two")]
    done = subprocess.run(
        [*torchrun, *work, "--device", "cpu"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("clips to learn from") == 1, "one process speaks"
    train(recipe, [data], tmp_path / "alone", device="cpu", say=silent)
    one, other = weights(tmp_path / "two"), weights(tmp_path / "alone")
    assert any(not torch.equal(one[name], other[name]) for name in one), "the second process counts"
