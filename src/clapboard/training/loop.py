"""From a recipe and data sets to a trained, exported model: the loop, its checkpoints and its curves.

In the folder of a run lie ``recipe.toml`` (in full), ``held_out.json`` (what is not learned from),
``curves.csv``, ``last.pt`` (to go on from), ``best.pt`` (where held-out people decide), ``weights.pt`` (the result) and
``model/`` (the result for `clapboard check --model`).
"""

import csv
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed

from clapboard.dataset.align import Aligned
from clapboard.errors import UsageError
from clapboard.sound.kinds import KINDS
from clapboard.training.judge import Judge, Score
from clapboard.training.recipe import Recipe
from clapboard.training.run import Place, Run, forget_lines, learning_rate, put_tensors
from clapboard.training.sampling import Batches, held_out, stream
from clapboard.training.tables import keep_recipe
from clapboard.values import Hook

SAY_EVERY = 50
"""Steps between two lines of progress."""
CURVES = ("step", "loss", "learning_rate", "scale", "frames_per_s", "cpu_s", "held_out_loss", "held_out_accuracy")


HELD_OUT = "held_out.json"
"""What a run holds out, by `name_of`."""


def name_of(clip: Aligned) -> str:
    """What a clip is called in that list: who speaks in it may be called otherwise another time."""
    return f"{clip.corpus}/{clip.file}"


def kept_held_out(folder: Path) -> set[str] | None:
    """What the run in a folder holds out, by `name_of`; None where it has not begun."""
    path = folder / HELD_OUT
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path}: is no list of what was held out ({error}); give another folder") from None


@dataclass(slots=True)
class _Best:
    """The best check so far, and how many worse ones came after it."""

    accuracy: float = -1.0
    step: int = 0
    worse: int = 0


class Loop:
    """Trains a recipe on clips; see `fit`."""

    def __init__(
        self,
        recipe: Recipe,
        clips: Sequence[Aligned],
        folder: Path,
        place: Place,
        say: Callable[[str], None],
        *,
        hook: Hook | None = None,
    ) -> None:
        self._recipe, self._folder, self._place = recipe, folder, place
        self._say = say if place.first else lambda line: None
        self._hook = hook if place.first else None
        self.run = Run(recipe, place)
        self.learn, self.held = held_out(clips, recipe)
        self.kind = kind = KINDS[self.run.net.inputs.sound]
        self._source = Batches(self.learn, self.run.net.inputs, recipe, kind, recipe.augmentation)
        self._judge = Judge(self.held, self.run.net, recipe, kind) if self.held and place.first else None
        self._best = _Best()
        self._losses: list[float] = []
        self._clips = _digest(clips)
        self._keep_held_out()

    def _keep_held_out(self) -> None:
        """Write down what is held out, or see that nothing of that is learned from, should the data have changed.

        A share of the speakers is drawn from those that there are: with other data these are others.
        """
        kept = kept_held_out(self._folder)
        if kept is None:
            if self._place.first:
                names = sorted({name_of(clip) for clip in self.held})
                (self._folder / HELD_OUT).write_text(json.dumps(names, indent=0), encoding="utf-8")
        elif kept & {name_of(clip) for clip in self.learn}:
            raise UsageError(
                f"{self._folder} held out people that it would learn from with these data; give the data it began with"
            )

    def __call__(self, workers: int = 0) -> None:
        """Run to the end, or to the early stop; a checkpoint at every check."""
        recipe, run, last = self._recipe, self.run, self._folder / "last.pt"
        minutes = sum(len(c.images) for c in self.learn) / 25 / 60
        self._say(f"{len(self.learn)} clips to learn from ({minutes:.1f} min), {len(self.held)} held out")
        if not self.held:
            self._say("nobody is held out: the model will have no probability and never decide; see held_out.share")
        stopped = False
        if last.exists():
            more = run.restore(last)
            if more.get("clips", self._clips) != self._clips:
                raise UsageError(f"{self._folder} was begun with other clips or offsets; give those, or another -o")
            self._best, stopped = _Best(*more["best"]), bool(more["stopped"])
            self._say(f"going on from step {run.step}")
        if self._place.first:
            forget_lines(self._folder / "curves.csv", run.step)
        world = self._place.world
        numbers = range(run.step * world + self._place.rank, recipe.steps * world, world)
        began_s, begun_cpu_s = time.monotonic(), time.process_time()
        if stopped:
            return
        for batch in stream(self._source, numbers, workers):
            self._losses.append(run.learn(batch))
            if self._hook:
                self._hook("training", run.step, recipe.steps)
            done = run.step == recipe.steps
            score = None
            if run.step % recipe.held_out.every == 0 or done:
                score = self._check()
                stopped = self._stop()
            if run.step % SAY_EVERY == 0 or score or done:
                seconds = time.monotonic() - began_s
                self._record(seconds, time.process_time() - begun_cpu_s, score)
                began_s = time.monotonic()
            if run.step % recipe.held_out.every == 0 or done:
                if self._place.first:
                    run.save(
                        last,
                        best=(self._best.accuracy, self._best.step, self._best.worse),
                        stopped=stopped,
                        clips=self._clips,
                    )
                if stopped:
                    self._say(f"no better since step {self._best.step}: stopped")
                    break

    def _check(self) -> Score | None:
        """Judge the average on held-out people; keep it where it is the best so far."""
        if self._judge is None:
            return None
        score, best = self._judge(self.run), self._best
        if score.accuracy > best.accuracy:
            self._best = _Best(score.accuracy, self.run.step, 0)
            if self._recipe.held_out.patience:
                put_tensors(self.run.average.state_dict(), self._folder / "best.pt")
        else:
            best.worse += 1
        return score

    def _stop(self) -> bool:
        """Whether patience is at its end; all processes hear what the first one decides."""
        patience = self._recipe.held_out.patience
        over = bool(patience) and self._best.worse >= patience
        if self._place.world == 1:
            return over
        told = torch.tensor([float(over)], device=self._place.device)
        distributed.broadcast(told, 0)
        return bool(told.item())

    def _record(self, seconds: float, cpu_s: float, score: Score | None) -> None:
        """One line on the terminal and one in the curves."""
        losses, self._losses = self._losses, []
        if not self._place.first:
            return
        run, count = self.run, len(losses)
        rate = count * self._recipe.batch.frames * self._place.world / max(seconds, 1e-9)
        loss, scale = float(np.mean(losses)), float(run.net.scale().detach())
        left_min = (self._recipe.steps - run.step) * seconds / max(count, 1) / 60
        self._say(
            f"step {run.step} of {self._recipe.steps}: loss {loss:.3f}, {rate:.0f} frames/s, {left_min:.0f} min left"
            + (f"; {score.in_words()}" if score else "")
        )
        path = self._folder / "curves.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(CURVES)
            held = (f"{score.loss:.5f}", f"{score.accuracy:.5f}") if score else ("", "")
            writer.writerow(
                (run.step, f"{loss:.5f}", f"{learning_rate(self._recipe, max(run.step - 1, 0)):.6g}", f"{scale:.3f}",
                 f"{rate:.0f}", f"{cpu_s:.1f}", *held)
            )  # fmt: skip


def _digest(clips: Sequence[Aligned]) -> str:
    """Which clips these are, and where their sound was put."""
    lines = sorted(f"{name_of(clip)} {len(clip.images)} {clip.offset_ms:.1f}" for clip in clips)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def fit(
    recipe: Recipe,
    clips: Sequence[Aligned],
    folder: Path,
    *,
    place: Place,
    workers: int = 0,
    begin_from: Mapping[str, Tensor] | None = None,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Loop:
    """Train a recipe, or go on with a run that was stopped; the result lies in ``folder/weights.pt``.

    Parameters
    ----------
    clips : of the network's view and kind of sound, as `clapboard.dataset.align.load` gives them
    folder : of the run; made where it is missing
    workers : processes that draw batches ahead; 0 draws in between
    hook : called as ``hook("training", step, steps)``, in the first process only
    begin_from : weights that a new run takes over, to go on with other clips or another recipe

    Raises
    ------
    UsageError : the recipe does not fit the data, or the folder holds another run
    """
    if place.first:
        keep_recipe(recipe, folder)
    loop = Loop(recipe, clips, folder, place, say, hook=hook)
    if begin_from is not None:
        loop.run.begin_from(begin_from)
    loop(workers)
    if place.first:
        best = folder / "best.pt"
        chosen = (
            torch.load(best, weights_only=True, map_location=place.device)
            if recipe.held_out.patience and best.exists()
            else loop.run.average.state_dict()
        )
        loop.run.average.load_state_dict(chosen)
        put_tensors(chosen, folder / "weights.pt")
    return loop
