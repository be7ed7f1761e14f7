"""One run: network, optimiser, running average and step, for one process or several, saved and restored whole.

A run that was stopped and restored ends with the weights of one that was not: batches, dropout and every other chance
depend on the recipe's seed and the number of the step alone.
"""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from clapboard.errors import UsageError
from clapboard.files import write_text
from clapboard.training.augment import apply_look
from clapboard.training.losses import LOSSES, check_options
from clapboard.training.nets import build
from clapboard.training.nets.base import TwoStream
from clapboard.training.recipe import Optimiser, Recipe
from clapboard.training.sampling import Drawn

OF_COSINES = ("within-clip", "info-nce")
"""Losses that take vectors of unit length."""
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
"""What recipes call the types that convolutions are computed in."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs: its ``rank`` among ``world`` processes, and its device."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0


@contextmanager
def processes(device: str) -> Iterator[Place]:
    """The place of this process; those that ``torchrun`` started are joined (gloo on CPUs, nccl on GPUs)."""
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if world == 1:
        yield Place(0, 1, device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Place(rank, world, device)
    finally:
        distributed.destroy_process_group()


def pick_device(asked: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes the GPU where there is one.

    Raises
    ------
    UsageError : a GPU is asked for where there is none
    """
    there = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if there else "cpu"
    if asked.startswith("cuda") and not there:
        raise UsageError("no GPU that torch can use; give --device cpu")
    if asked not in ("cpu", "cuda"):
        raise UsageError(f"the device must be auto, cpu or cuda, not {asked}")
    return asked


def warm_cosine(rule: Optimiser, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to 0; by steps, so that a busy machine changes nothing."""
    warm = rule.warm_up * steps
    if step < warm:
        return rule.learning_rate * (step + 1) / warm
    return float(rule.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - warm) / max(steps - warm, 1))))


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of a step of a recipe, see `warm_cosine`."""
    return warm_cosine(recipe.optimiser, step, recipe.steps)


def forget_lines(path: Path, step: int) -> None:
    """Take out of curves what a run that goes on after a step writes again, and a last line that was cut."""
    if not path.exists():
        return
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    if whole:
        kept = [line for line in whole[1:] if int(line.split(",")[0]) <= step]
        write_text(whole[0] + "".join(kept), path, overwrite=True)
    else:  # whoever writes the next line writes a head first
        path.unlink()


def put_tensors(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors, by a temporary name."""
    part = path.with_suffix(".part")
    torch.save(dict(state), part)
    part.replace(path)


def neighbours(recipe: Recipe, step: int) -> int:
    """Close positions left out of the candidates at this step: coarse to fine."""
    return next((count for until, count in recipe.curriculum if step < until * recipe.steps), 0)


class Run:
    """See the module.

    Raises
    ------
    UsageError : the recipe names an unknown network or loss, or options that these do not have
    """

    def __init__(self, recipe: Recipe, place: Place) -> None:
        check_options(recipe.loss, recipe.loss_options)
        torch.manual_seed(recipe.seed)
        self.recipe, self.place, self.step = recipe, place, 0
        self.net: TwoStream = build(recipe.network, recipe.network_options).to(place.device)
        if recipe.loss in OF_COSINES and not self.net.inputs.unit:
            raise UsageError(
                f"recipe: {recipe.loss} compares cosines; set network_options.unit = true for {recipe.network}"
            )
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs leave it out
        self.average = copy.deepcopy(self.net).eval()
        self._shared: nn.Module = DistributedDataParallel(self.net) if place.world > 1 else self.net
        self._optimiser = self._make_optimiser()
        self._scaler = torch.amp.GradScaler(place.device.split(":")[0], enabled=recipe.precision == "fp16")

    def _make_optimiser(self) -> torch.optim.Optimizer:
        rule = self.recipe.optimiser
        if rule.name == "sgd":
            return torch.optim.SGD(
                self.net.parameters(), rule.learning_rate, momentum=rule.momentum, weight_decay=rule.weight_decay
            )
        return torch.optim.AdamW(self.net.parameters(), rule.learning_rate, weight_decay=rule.weight_decay)

    def loss(self, batch: Drawn, net: nn.Module, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of a batch, and the embeddings that it comes from (B, W, D) and (B, W + 2 extra, D)."""
        device = self.place.device
        images = apply_look(batch.images.to(device), batch.look, self.net.inputs.input_px)
        kind = PRECISIONS[self.recipe.precision]
        with torch.autocast(device.split(":")[0], dtype=kind, enabled=kind is not torch.float32):
            picture, sound, scale = net(images, batch.rows.to(device))
        value = LOSSES[self.recipe.loss](
            picture.float(),
            sound.float(),
            scale.float(),
            extra=self.recipe.batch.extra,
            anchors=batch.anchors.to(device),
            real=batch.real.to(device),
            neighbours=neighbours(self.recipe, step),
            generator=torch.Generator(device).manual_seed(batch.look.seed),
            **self.recipe.loss_options,
        )
        return value, picture, sound

    def learn(self, batch: Drawn) -> float:
        """One step; returns the loss of this process's batch."""
        # Dropout of step n is the same in a resumed run, and differs between processes.
        torch.manual_seed((self.recipe.seed * 1_000_003 + self.step) * 1009 + self.place.rank)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        self.net.train()
        value, _, _ = self.loss(batch, self._shared, self.step)
        self._optimiser.zero_grad()
        self._scaler.scale(value).backward()  # type: ignore[no-untyped-call]
        if self.recipe.optimiser.clip_norm:
            self._scaler.unscale_(self._optimiser)
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.optimiser.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._update_average()
        self.step += 1
        return float(value.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and batch statistics; the first step is taken whole."""
        keep = self.recipe.optimiser.average if self.step else 0.0
        for mine, new in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over weights before the first step.

        Raises
        ------
        UsageError : they are of another network
        """
        try:
            for net in (self.net, self.average):
                net.load_state_dict(weights)
        except RuntimeError as error:
            first = " ".join(str(error).split())[:200]
            raise UsageError(f"the weights to begin from do not fit {self.recipe.network} ({first})") from None

    def _parts(self) -> Mapping[str, Any]:
        return {"net": self.net, "average": self.average, "optimiser": self._optimiser, "scaler": self._scaler}

    def save(self, path: Path, **more: Any) -> None:
        """Write everything, by a temporary name; ``more`` comes back from `restore`."""
        parts = {name: thing.state_dict() for name, thing in self._parts().items()}
        put_tensors({"step": self.step, "more": more, **parts}, path)

    def restore(self, path: Path) -> dict[str, Any]:
        """Go back to a saved state; returns what `save` was given beside it.

        Raises
        ------
        UsageError : the file is not a checkpoint of this recipe
        """
        try:
            # By way of the CPU: each part copies what belongs on a GPU, and AdamW's counts stay here, as in a new run.
            state = torch.load(path, weights_only=True, map_location="cpu")
            for name, thing in self._parts().items():
                thing.load_state_dict(state[name])
            self.step = state["step"]
            return dict(state["more"])
        except Exception as error:  # torch raises whatever the damage leads to
            raise UsageError(f"{path} is not a checkpoint of this recipe ({error}); remove it to begin again") from None
