"""How a network does on the people held out, while it trains: fixed chunks of their clips, unchanged.

The measure is multi-way: among all positions of sound around a chunk, is the nearest one within a frame of the right
one? Unlike a search over +-1 s it needs no long clips, so that corpora of single words can be held out too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from clapboard.dataset.align import Aligned
from clapboard.sound.kinds import SoundKind
from clapboard.training.nets.base import TwoStream
from clapboard.training.recipe import NO_CHANGE, Recipe
from clapboard.training.run import Run
from clapboard.training.sampling import Batches, Drawn

CHUNKS = 48
"""Batches that are judged: about 18,000 frames, a few seconds."""
SEED = 20160
"""Of the chunks: the same in all runs, so that runs can be compared."""


@dataclass(frozen=True, slots=True)
class Score:
    """Loss, share of windows whose nearest sound is within one frame of theirs, and what chance would give."""

    loss: float
    accuracy: float
    chance: float

    def in_words(self) -> str:
        """Return the line that is printed."""
        return f"held out: loss {self.loss:.3f}, within a frame {self.accuracy:.1%} (chance {self.chance:.1%})"


class Judge:
    """Measures the averaged network of a run on the people held out; the chunks are drawn once."""

    def __init__(self, clips: Sequence[Aligned], net: TwoStream, recipe: Recipe, kind: SoundKind) -> None:
        steady = replace(recipe, seed=SEED, batch=replace(recipe.batch, weights={}))
        source = Batches(clips, net.inputs, steady, kind, NO_CHANGE)
        self._batches: list[Drawn] = [source[n] for n in range(CHUNKS)]

    @torch.no_grad()
    def __call__(self, run: Run) -> Score:
        """Score of the run's average as it is now."""
        losses, right, chance = list[float](), list[np.ndarray](), list[np.ndarray]()
        extra = run.recipe.batch.extra
        for batch in self._batches:
            value, picture, sound = run.loss(batch, run.average, run.recipe.steps)
            apart = torch.cdist(picture.float(), sound.float())  # (B, W, W + 2 extra)
            apart = apart.masked_fill(~batch.real.to(apart.device)[:, None], torch.inf)
            windows = picture.shape[1]
            true = torch.arange(windows, device=apart.device)[None] + extra
            asks = batch.anchors & batch.real[:, extra : extra + windows]
            hit = ((apart.argmin(-1) - true).abs() <= 1).cpu()
            losses.append(float(value))
            right.append(hit[asks].numpy())
            chance.append((3 / batch.real.sum(-1, keepdim=True).clamp_min(3)).expand(-1, windows)[asks].numpy())
        found, by_chance = np.concatenate(right), np.concatenate(chance)
        nothing = not len(found)
        return Score(
            float(np.mean(losses)),
            float("nan") if nothing else float(found.mean()),
            float("nan") if nothing else float(by_chance.mean()),
        )
