"""The work of the command `refine`: networks that each leave a part out measure it, and offsets are written."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from clapboard.dataset.align import Aligned, read_offsets, write_offsets
from clapboard.errors import UsageError
from clapboard.models.session import SyncModel, load_model
from clapboard.training.embedder import TorchEmbedder
from clapboard.training.folds import folds
from clapboard.training.loop import fit
from clapboard.training.recipe import HeldOut, Recipe
from clapboard.training.refine import (
    DROP_ABOVE,
    FARTHEST_MS,
    REACH_S,
    Decisions,
    Measured,
    decide,
    describe,
    measure,
)
from clapboard.training.run import Place, pick_device
from clapboard.training.tables import task_of
from clapboard.training.work import load_clips
from clapboard.values import Hook
from clapboard.vision.views import VIEWS


def measure_in_folds(
    recipe: Recipe,
    clips: Sequence[Aligned],
    folder: Path,
    *,
    count: int = 2,
    reach_s: float = REACH_S,
    device: str = "cpu",
    workers: int = 0,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> Measured:
    """Train one network a fold, in ``folder/fold-1`` and so on, each without its part of the clips, which it measures.

    Raises
    ------
    UsageError : fewer than two folds, or a folder holds another run
    """
    if count < 2:
        raise UsageError(
            f"clips can be measured by networks that did not learn from them in 2 folds or more, not {count}"
        )
    which = folds(clips, count, recipe.seed)
    parts, order = list[Measured](), list[int]()
    for number in range(count):
        mine = [i for i, fold in enumerate(which) if fold == number]
        files = tuple(sorted({clips[i].file for i in mine}))
        say(f"fold {number + 1} of {count}: {len(mine)} clips are left out and measured")
        told = _within(f"fold {number + 1} of {count}", hook)
        left_out = HeldOut(clips=files, every=recipe.held_out.every)
        one = dataclasses.replace(recipe, held_out=left_out, seed=recipe.seed + number)
        loop = fit(
            one, clips, folder / f"fold-{number + 1}", place=Place(device=device), workers=workers, say=say, hook=told
        )
        parts.append(measure(TorchEmbedder(loop.run.average), [clips[i] for i in mine], reach_s, recipe.seed, told))
        order += mine
    return Measured.joined(parts, np.array(order))


def _within(part: str, hook: Hook | None) -> Hook | None:
    """The hook for a part of the work, whose steps bear its name."""
    if hook is None:
        return None
    return lambda step, done, total: hook(f"{part}, {step}", done, total)


def refine(
    recipe: Path | Recipe,
    data: Sequence[Path],
    folder: Path,
    *,
    offsets: Path | None = None,
    model: str | None = None,
    count: int = 2,
    rule: Literal["offset", "paper"] = "offset",
    zero: Literal["corpus", "model"] = "corpus",
    reach_ms: float = 1000 * REACH_S,
    drop_above: float = DROP_ABOVE,
    farthest_ms: float = FARTHEST_MS,
    changes: Mapping[str, str] | None = None,
    device: str = "auto",
    workers: int = 0,
    threads: int = 1,
    say: Callable[[str], None] = print,
    hook: Hook | None = None,
) -> tuple[Path, Decisions]:
    """Measure every clip of some data sets and write what becomes of it, for ``clapboard train --offsets``.

    Parameters
    ----------
    recipe, data, offsets, changes, device, workers, threads : as for `clapboard.training.work.train`
    folder : for the networks of the folds, and ``offsets.csv``: file, offset_ms, usable (yes or drop), moved_ms, score
        and reason. What ``offsets`` says of clips that are not measured now, since it drops them, stays as it is
    model : bundled name or JSON of a model that measures all clips instead; it should not have learned from them
    count : number of folds
    rule, zero, drop_above, farthest_ms : see `clapboard.training.refine.decide`
    hook : called as ``hook(step, done, total)`` while it works

    Returns
    -------
    the table, and what it says

    Raises
    ------
    UsageError : an argument makes no sense, or the output is there already
    MediaError : data cannot be read, or the table not be written
    """
    torch.set_num_threads(threads)
    out = folder / "offsets.csv"
    if out.exists():
        raise UsageError(f"{out} is there already; give another folder with -o")
    if isinstance(recipe, Path) and (task := task_of(recipe)):
        raise UsageError(f"refine is for lips; {recipe} is a recipe of {task}; give one of lips")
    chosen = Recipe.read(recipe, changes or {}) if isinstance(recipe, Path) else recipe
    clips = load_clips(chosen, data, offsets)
    if model is not None:
        found = measure(_fitting(model, clips, threads), clips, reach_ms / 1000, chosen.seed, hook)
    else:
        found = measure_in_folds(
            chosen, clips, folder, count=count, reach_s=reach_ms / 1000,
            device=pick_device(device), workers=workers, say=say, hook=hook,
        )  # fmt: skip
    made = decide(found, clips, rule=rule, zero=zero, drop_above=drop_above, farthest_ms=farthest_ms)
    say(describe(clips, made))
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*rows_of(clips, made), *_kept_rows(clips, read_offsets(offsets) if offsets else {})]
    write_offsets(out, rows, ("moved_ms", "score", "reason"))
    return out, made


def _fitting(model: str, clips: Sequence[Aligned], threads: int) -> SyncModel:
    """The model, if it hears and sees the clips as the recipe's network does."""
    found = load_model(model, threads=threads)
    spec = found.spec
    takes = (VIEWS[spec.view].px, VIEWS[spec.view].colour, spec.sound, spec.window_frames, spec.window_rows)
    for clip in clips[:1]:
        given = (clip.images.shape[1], clip.images.ndim == 4, clip.kind, clip.window_frames, clip.window_rows)
        if takes != given:
            raise UsageError(
                f"{spec.name} takes {spec.view} and {spec.sound} in windows of {spec.window_frames} frames, which the "
                "recipe's network does not; give the recipe of a network that takes the same"
            )
    return found


def _kept_rows(clips: Sequence[Aligned], earlier: Mapping[str, float]) -> list[tuple[str | float, ...]]:
    """Rows of an earlier table for what is not measured now."""
    measured = {name for c in clips for name in (c.file, c.id)}
    return [
        (name, 0.0, "drop", 0.0, float("nan"), "dropped before")
        if np.isnan(offset_ms)
        else (name, offset_ms, "yes", 0.0, float("nan"), "not measured")
        for name, offset_ms in earlier.items()
        if name not in measured
    ]


def rows_of(clips: Sequence[Aligned], made: Decisions) -> list[tuple[str | float, ...]]:
    """Rows of the table of offsets; a file with several tracks is named by its tracks' ids."""
    seen = Counter(c.file for c in clips)
    rows: list[tuple[str | float, ...]] = []
    for clip, moved, score, why in zip(clips, made.moved_ms, made.score, made.reasons, strict=True):
        name = clip.id if seen[clip.file] > 1 else clip.file
        rows.append((name, clip.offset_ms + float(moved), "drop" if why else "yes", float(moved), float(score), why))
    return rows
