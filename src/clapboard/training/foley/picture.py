"""Learning of the picture network: from silent frames to onsets, energy, materials and log-mel of every 10 ms."""

import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapboard.errors import UsageError
from clapboard.metrics.onset_match import f1, match
from clapboard.synthesis.picking import peaks
from clapboard.training.foley.exporting import export_picture
from clapboard.training.foley.picture_pieces import Batch, Pieces
from clapboard.training.foley.picture_recipe import PictureRecipe, Weights
from clapboard.training.foley.sets import Take, digest, load_takes, split_last
from clapboard.training.nets.foley_picture import (
    ENERGY_SPREAD,
    MARGIN_FRAMES,
    MEL_SPREAD,
    FoleyPicture,
    Told,
)
from clapboard.training.run import pick_device
from clapboard.training.task_loop import Loop
from clapboard.values import F32, Hook

NAME = "foley-picture"
"""What a trained model is called; it is in the folder ``model`` of the run."""
WITHIN_ROWS = 5.0
"""An onset is found when it is told within so many rows, 50 ms."""
THRESHOLDS = np.round(np.arange(0.1, 0.96, 0.025), 3)
"""Thresholds of onsets that are tried."""


class PictureTask:
    """What `clapboard.training.task_loop.Loop` learns.

    Parameters
    ----------
    takes : what is learned from

    Raises
    ------
    UsageError : there is nothing to learn from, or the network does not know an option
    """

    net: nn.Module

    def __init__(self, recipe: PictureRecipe, takes: Sequence[Take]) -> None:
        self._recipe = recipe
        torch.manual_seed(recipe.seed)
        try:
            self.net = FoleyPicture(**recipe.network_options)
        except TypeError as error:
            raise UsageError(f"recipe: network_options do not fit the picture network ({error})") from None
        self._pieces = Pieces(takes, recipe.batch.sets, recipe.batch.frames, MARGIN_FRAMES)
        self._rarity = self._pieces.rarity(recipe.weights.none_row)

    def loss(self, net: nn.Module, rng: np.random.Generator, share: float, device: str) -> tuple[Tensor, float]:
        """See `clapboard.training.task_loop.Task`; right are the rows told as with or without an onset, evenly."""
        del share
        batch = self._pieces.draw(rng, self._recipe.batch.clips, self._recipe.looks)
        told = net(torch.from_numpy(batch.images).to(device))
        return loss_of(told, batch, self._recipe.weights, self._rarity, device)


def loss_of(told: Told, batch: Batch, weights: Weights, rarity: F32, device: str = "cpu") -> tuple[Tensor, float]:
    """Loss of what a network tells of a batch, (), and the part of the rows that is told right.

    ``rarity`` (M,) is what rows of each material weigh.
    """
    parts = (batch.onset, batch.energy, batch.materials, batch.mel, batch.heard, batch.told, batch.view, rarity)
    onset, energy, materials, mel, heard, known, view, rare = (torch.from_numpy(part).to(device) for part in parts)
    all_heard, all_known = heard.sum().clamp(min=1), known.sum().clamp(min=1)
    more = torch.tensor(weights.onset_row, device=device)
    blows = F.binary_cross_entropy_with_logits(told.onset, onset, reduction="none", pos_weight=more)
    made_of = F.cross_entropy(told.materials.flatten(0, 1), materials.flatten(), reduction="none").view_as(known)
    due = known * rare[materials]
    seen = F.binary_cross_entropy_with_logits(told.view, view[:, None].expand_as(told.view), reduction="none")
    whole = (view[:, 0] >= 0).float()
    value = (
        weights.onset * (blows * known).sum() / all_known
        + weights.materials * (made_of * due).sum() / due.sum().clamp(min=1)
        + weights.view * (seen.sum(2).mean(1) * whole).sum() / whole.sum().clamp(min=1)
        + weights.energy * ((told.energy - energy).abs() * heard).sum() / all_heard / ENERGY_SPREAD
        + weights.mel * ((told.mel - mel).abs().mean(2) * heard).sum() / all_heard / MEL_SPREAD
    )
    said, begins, never = told.onset.detach() > 0, (onset >= 0.5) & (known > 0), (onset == 0) & (known > 0)
    right = [float((said[rows] == yes).float().mean()) for rows, yes in ((begins, True), (never, False)) if rows.any()]
    return value, float(np.mean(right)) if right else 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """How well onsets of takes are told: the threshold, F1 within 50 ms, the same with the blows moved; how many."""

    threshold: float
    f1: float
    control: float
    blows: int


@torch.no_grad()
def curves(net: FoleyPicture, takes: Sequence[Take]) -> list[F32]:
    """Probability of onsets in the rows of each take, (R,), as the exported network would give it."""
    found = []
    for take in takes:
        padded = np.pad(np.asarray(take.images), ((MARGIN_FRAMES, MARGIN_FRAMES), (0, 0), (0, 0)), mode="edge")
        found.append(torch.sigmoid(net(torch.from_numpy(padded)[None]).onset[0]).numpy())
    return found


def judge(found: Sequence[F32], takes: Sequence[Take], thresholds: Sequence[float] = THRESHOLDS.tolist()) -> Judged:
    """The best of some thresholds for onsets, by F1 within 50 ms over all takes together.

    The control moves the true blows of a take by half of it, around its end.

    Raises
    ------
    UsageError : no blow is to be seen in the takes
    """
    every = [peaks(curve) for curve in found]
    true = [take.seen_rows() for take in takes]
    moved = [np.sort((rows + take.rows / 2) % take.rows) for rows, take in zip(true, takes, strict=True)]
    blows = sum(map(len, true))
    if not blows:
        raise UsageError("no blow is to be seen in the recordings held out, so no threshold can be chosen")
    tried = []
    for threshold in thresholds:
        told = [rows[heights >= threshold] for rows, heights in every]
        matches = [
            sum(len(match(a, b, WITHIN_ROWS)) for a, b in zip(those, told, strict=True)) for those in (true, moved)
        ]
        own, control = (f1(matched, blows, sum(map(len, told))) for matched in matches)
        tried.append(Judged(float(threshold), own, control, blows))
    highest = max(one.f1 for one in tried)
    best = [one for one in tried if one.f1 == highest]
    return best[len(best) // 2]  # of several equal ones the middle: others' pictures are told less surely


def train_picture(
    recipe: Path | PictureRecipe,
    data: Sequence[Path],
    run: Path,
    *,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    threads: int = 1,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Path:
    """Train; the threshold of onsets is chosen on the recordings held out, and the model is exported.

    Parameters
    ----------
    recipe : a TOML file, or a recipe
    data : data sets of scenes
    run : folder of the run; a run that was stopped goes on
    changes : values by dotted key that go before those of the file, as TOML writes them

    Returns
    -------
    path of the model's JSON, which has the stage of the picture alone

    Raises
    ------
    UsageError : the recipe, the data and the run's folder do not fit together
    MediaError : data cannot be read
    """
    torch.set_num_threads(threads)
    chosen = PictureRecipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    learn, held = split_last(load_takes(data), chosen.held_out_share)
    minutes = sum(len(take.images) for take in learn) / 25 / 60
    say(f"{len(learn)} shots to learn from ({minutes:.1f} min), {len(held)} held out")
    task = PictureTask(chosen, learn)
    net = cast(
        FoleyPicture, Loop(chosen, task, run, device=pick_device(device), say=say, hook=hook, clips=digest(learn))()
    )
    shots = dict(Counter(take.data for take in learn))
    about = {"learned_from": {"shots": shots, "minutes": round(minutes, 1)}, "recipe": tomllib.loads(chosen.toml())}
    told = [take for take in held if take.told]
    if not any(len(take.seen_rows()) for take in told):
        say("no blows are known in the recordings held out: the threshold of onsets stays 0.5")
        return export_picture(net, run / "model", NAME, about=about)
    judged = judge(curves(net, told), told)
    say(
        f"onsets of {len(told)} shots held out: F1 {judged.f1:.3f} within 50 ms at a probability of "
        f"{judged.threshold:g}, {judged.control:.3f} with the {judged.blows} blows moved"
    )
    held_out = {"shots": len(told), "blows": judged.blows, "f1_50_ms": judged.f1, "f1_moved": judged.control}
    return export_picture(
        net, run / "model", NAME, onset_threshold=judged.threshold, about={**about, "held_out": held_out}
    )
