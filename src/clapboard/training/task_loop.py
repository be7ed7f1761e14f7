"""The loop of all trainings but that of lips: steps, learning rate, running average, checkpoints, curves.

In the folder of a run lie ``recipe.toml`` (in full), ``curves.csv``, ``last.pt`` (to go on from) and ``weights.pt``
(the running average at the end). A run that was stopped and goes on ends with the weights of one that was not: batches
and dropout depend on the recipe's seed and the number of the step alone, and what a task carries from step to step is
kept with the weights.
"""

import copy
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from clapboard.errors import ModelError, UsageError
from clapboard.training.recipe import Optimiser
from clapboard.training.run import PRECISIONS, forget_lines, put_tensors, warm_cosine
from clapboard.training.tables import Written, keep_recipe
from clapboard.values import Hook

SAY_EVERY, SAVE_EVERY = 25, 100
"""Steps between two lines of progress, and between two checkpoints."""


class Course(Written, Protocol):
    """What the loop asks of a recipe."""

    @property
    def steps(self) -> int:
        """How many."""

    @property
    def seed(self) -> int:
        """Of all chance."""

    @property
    def precision(self) -> str:
        """A key of `clapboard.training.run.PRECISIONS`."""

    @property
    def optimiser(self) -> Optimiser:
        """AdamW's numbers."""


class Task(Protocol):
    """What is learned: a network, and the loss of a batch that a generator draws."""

    net: nn.Module

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """Loss of one batch, (), and the part of it that was right, 0 to 1; ``share`` of the run is done."""
        ...


@runtime_checkable
class Carrying(Protocol):
    """A task that carries something from step to step, as the states of truncated backpropagation."""

    def carried(self) -> dict[str, Any]:
        """What a checkpoint has to keep: tensors and plain values."""
        ...

    def carry(self, kept: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        ...


def load_finished(net: nn.Module, run: Path) -> None:
    """Give a network the weights of a run's end.

    Raises
    ------
    ModelError : the run is not finished, or its weights do not fit its recipe
    """
    try:
        net.load_state_dict(torch.load(run / "weights.pt", weights_only=True, map_location="cpu"))
    except FileNotFoundError:
        raise ModelError(f"{run}: is not finished (it has no weights.pt); give the training command again") from None
    except Exception as error:  # torch raises whatever the damage leads to
        first = " ".join(str(error).split())[:200]
        raise ModelError(f"{run / 'weights.pt'}: does not fit its recipe ({first}); train it again") from None


class Loop:
    """One run; see the module.

    Parameters
    ----------
    task : its network is moved to the device
    folder : of the run; made where it is missing
    say : takes lines of progress
    hook : called as ``hook("training", step, steps)``
    clips : digest of what is learned from, as `clapboard.training.anysound.sets.Sets.digest` gives it, so that a run
        goes on with its own data alone; not asked where it is empty, here or in a checkpoint

    Raises
    ------
    UsageError : the folder holds another run, or the loss is no longer a number
    MediaError : the recipe cannot be written into it
    """

    def __init__(
        self,
        recipe: Course,
        task: Task,
        folder: Path,
        *,
        device: str = "cpu",
        say: Callable[[str], None] = print,
        hook: Hook | None = None,
        clips: str = "",
    ) -> None:
        self._recipe, self._task, self._folder, self._device = recipe, task, folder, device
        self._say, self._hook, self._clips = say, hook, clips
        keep_recipe(recipe, folder)
        self.net = task.net.to(device)
        self.average = copy.deepcopy(self.net).eval()
        rule = recipe.optimiser
        self._optimiser = torch.optim.AdamW(self.net.parameters(), rule.learning_rate, weight_decay=rule.weight_decay)
        self.step = 0
        self._recent: list[tuple[float, float]] = []

    def __call__(self) -> nn.Module:
        """Run to the end; returns the running average, in `eval`, on the CPU."""
        last, done = self._folder / "last.pt", self._folder / "weights.pt"
        if last.exists():
            self._restore(last)
            self._say(f"going on from step {self.step}")
        forget_lines(self._folder / "curves.csv", self.step)
        began_cpu_s = time.process_time()
        while self.step < self._recipe.steps:
            self._recent.append(self._learn())
            if self._hook:
                self._hook("training", self.step, self._recipe.steps)
            if self.step % SAY_EVERY == 0 or self.step == self._recipe.steps:
                self._record(time.process_time() - began_cpu_s)
            if self.step % SAVE_EVERY == 0 or self.step == self._recipe.steps:
                self._save(last)
        put_tensors(self.average.state_dict(), done)
        return self.average.cpu().float().eval()

    def _learn(self) -> tuple[float, float]:
        """One step: its loss, and the part that was right."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)
        rng = np.random.default_rng((recipe.seed, self.step))
        for group in self._optimiser.param_groups:
            group["lr"] = warm_cosine(recipe.optimiser, self.step, recipe.steps)
        self.net.train()
        kind = PRECISIONS[recipe.precision]
        with torch.autocast(self._device.split(":")[0], dtype=kind, enabled=kind is not torch.float32):
            value, right = self._task.loss(self.net, rng, self.step / recipe.steps, self._device)
        loss = float(value.detach())
        self._require_number("loss", loss)
        self._optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        # An infinite bound changes nothing; what is asked of it is the norm.
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), recipe.optimiser.clip_norm or math.inf)
        self._require_number("gradient", float(norm))
        self._optimiser.step()
        self._update_average()
        self.step += 1
        return loss, right

    def _require_number(self, what: str, value: float) -> None:
        """Stop before a step that would spoil the weights and, later, the checkpoint."""
        if not math.isfinite(value):
            remedy = "lower optimiser.learning_rate or take precision fp32"
            raise UsageError(f"step {self.step + 1}: the {what} is not a number; {remedy}")

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and batch statistics; young averages forget faster."""
        keep = min(self._recipe.optimiser.average, (1 + self.step) / (10 + self.step))
        for mine, new in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)

    def _record(self, cpu_s: float) -> None:
        """One line on the terminal and one in the curves."""
        loss, right = np.mean(self._recent, axis=0).tolist()
        self._recent = []
        self._say(f"step {self.step} of {self._recipe.steps}: loss {loss:.3f}, {right:.1%} right, {cpu_s:.0f} CPU s")
        path = self._folder / "curves.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(("step", "loss", "right", "cpu_s"))
            writer.writerow((self.step, f"{loss:.5f}", f"{right:.5f}", f"{cpu_s:.1f}"))

    def _parts(self) -> dict[str, Any]:
        return {"net": self.net, "average": self.average, "optimiser": self._optimiser}

    def _save(self, path: Path) -> None:
        """Write everything that going on needs."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        more = {"carried": self._task.carried()} if isinstance(self._task, Carrying) else {}
        put_tensors({"step": self.step, "clips": self._clips, **parts, **more}, path)

    def _restore(self, path: Path) -> None:
        """Go back to a checkpoint.

        Raises
        ------
        UsageError : the file is not a checkpoint of this recipe, or the run was begun with other clips
        """
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            if isinstance(self._task, Carrying):
                self._task.carry(state["carried"])
            self.step, kept = int(state["step"]), str(state.get("clips", ""))
        except Exception as error:  # torch raises whatever the damage leads to
            raise UsageError(f"{path} is not a checkpoint of this recipe ({error}); remove it to begin again") from None
        if kept and self._clips and kept != self._clips:
            raise UsageError(f"{self._folder} was begun with other clips; give those, or another -o")
        self._clips = self._clips or kept
