"""Train clapboard-s: ``python -m clapboard.training.loop RECIPE.toml --data FOLDER --run FOLDER [--threads 1]``.

The recipe is copied into the run's folder; a run that stopped goes on from its last checkpoint, and ends where a
straight one would have: batch n depends on the seed and on n alone.
"""

import argparse
import copy
import shutil
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clapboard.errors import UsageError
from clapboard.training.data import Batch, Prepared, Sampling, batches, load, read_offsets
from clapboard.training.evaluate import pieces, table
from clapboard.training.losses import within_clip
from clapboard.training.nets.clapboard_s import ClapboardS


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what is learned; the fields are the keys of the TOML file."""

    steps: int
    weights: dict[str, float]
    chunk_frames: dict[str, int] = field(default_factory=dict)
    corpus_offsets_ms: dict[str, float] = field(default_factory=dict)
    held_out_speakers: tuple[str, ...] = ()
    held_out_clips: tuple[str, ...] = ()
    batch_frames: int = 384
    extra: int = 10
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: float = 0.05
    clip_norm: float = 2.0
    average: float = 0.995
    width: int = 24
    sound_width: int = 32
    dropout: float = 0.2
    augmentation: float = 1.0
    seed: int = 0
    check_every: int = 500

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Recipe from a TOML file; unknown keys raise a TypeError."""
        return cls(**tomllib.loads(path.read_text()))


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then half a cosine down to 0; by steps, so that a busy machine changes nothing."""
    warm = recipe.warm_up * recipe.steps
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return float(recipe.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - warm) / (recipe.steps - warm))))


def neighbours(recipe: Recipe, step: int) -> int:
    """Close positions left out of the candidates: 3 for the first fifth, 1 until 45 %, then none (coarse to fine)."""
    done = step / recipe.steps
    return 3 if done < 0.2 else 1 if done < 0.45 else 0


class Run:
    """One training run: network, its running average, optimiser and step; saved and restored whole."""

    def __init__(self, recipe: Recipe, device: str) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.net = ClapboardS(recipe.width, recipe.sound_width, recipe.dropout).to(device)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs leave it out
        self.average = copy.deepcopy(self.net).eval()
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )

    def learn(self, batch: Batch) -> float:
        """One step; returns the loss."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # dropout of step n is the same in a resumed run
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        self.net.train()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            picture, sound, scale = self.net(batch.mouths.to(self.device), batch.rows.to(self.device))
        loss = within_clip(
            picture,
            sound,
            scale,
            extra=self.recipe.extra,
            anchors=batch.anchors.to(self.device),
            real=batch.real.to(self.device),
            neighbours=neighbours(self.recipe, self.step),
        )
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self._update_average()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        """Exponential moving average of weights and batch statistics; the first step is taken whole."""
        keep = self.recipe.average if self.step else 0.0
        for mine, new in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(new, 1 - keep)
            else:
                mine.copy_(new)

    def save(self, path: Path) -> None:
        """Write everything, by a temporary name."""
        part = path.with_suffix(".part")
        state: dict[str, Any] = {"net": self.net, "average": self.average, "optimiser": self.optimiser}
        torch.save({"step": self.step, **{name: thing.state_dict() for name, thing in state.items()}}, part)
        part.replace(path)

    def restore(self, path: Path) -> None:
        """Go back to a saved state."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.step = state["step"]
        for name in ("net", "average", "optimiser"):
            getattr(self, name).load_state_dict(state[name])


def _keep_recipe(recipe: Path, kept: Path) -> None:
    """Copy the recipe into the run's folder, or refuse to go on with another one than the run began with.

    Raises
    ------
    UsageError : the run was begun with another recipe
    """
    if not kept.exists():
        shutil.copy(recipe, kept)
    elif Recipe.read(kept) != Recipe.read(recipe):
        raise UsageError(f"{kept.parent} was begun with another recipe; give another --run, or its own recipe.toml")


def split(clips: list[Prepared], recipe: Recipe) -> tuple[list[Prepared], list[Prepared]]:
    """Clips to learn from, and those of the speakers (or files) held out."""
    held = [c for c in clips if c.speaker in recipe.held_out_speakers or c.file in recipe.held_out_clips]
    return [c for c in clips if not any(c is h for h in held)], held


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Train clapboard-s.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder made by clapboard.training.prepare")
    parser.add_argument("--rendered", type=Path, help="folder made by clapboard.training.rendered")
    parser.add_argument("--offsets", type=Path, help="CSV of per-clip offsets (file, offset_ms, usable)")
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    recipe = Recipe.read(chosen.recipe)
    chosen.run.mkdir(parents=True, exist_ok=True)
    _keep_recipe(chosen.recipe, chosen.run / "recipe.toml")
    offsets = read_offsets(chosen.offsets) if chosen.offsets else {}
    clips = load(chosen.data, "train", offsets, recipe.corpus_offsets_ms)
    if chosen.rendered:
        clips += load(chosen.rendered, "rendered", {}, {})
    learn, held = split(clips, recipe)
    print(f"{len(learn)} clips to learn from, {len(held)} held out", flush=True)
    run, checkpoint = Run(recipe, chosen.device), chosen.run / "last.pt"
    if checkpoint.exists():
        run.restore(checkpoint)
    sampling = Sampling(recipe.weights, recipe.chunk_frames, recipe.batch_frames, recipe.extra)
    source = batches(learn, sampling, recipe.seed, run.step, recipe.augmentation)
    losses: list[float] = []
    began, cpu = time.monotonic(), time.process_time()
    while run.step < recipe.steps:
        losses.append(run.learn(next(source)))
        if run.step % 50 == 0:
            rate = 50 * recipe.batch_frames / (time.monotonic() - began)
            print(
                f"step {run.step} loss {np.mean(losses):.3f} scale {float(run.net.log_scale.detach().exp()):.1f} "
                f"{rate:.0f} frames/s, {time.process_time() - cpu:.0f} CPU s",
                flush=True,
            )
            losses, began = [], time.monotonic()
        if run.step % recipe.check_every == 0 or run.step == recipe.steps:
            run.save(checkpoint)
            if held:
                print("held out:", table(pieces(run.average, held)), flush=True)
            began = time.monotonic()
    torch.save(run.average.state_dict(), chosen.run / "weights.pt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
