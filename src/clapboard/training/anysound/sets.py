"""Scenes of several data sets, and a batch drawn from all of them."""

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from clapboard.errors import UsageError
from clapboard.training.anysound.clips import Chunks, Pairs, Scene, load_scenes, split_by_group
from clapboard.training.anysound.controls import Control, control_scenes

Batch = TypeVar("Batch", Chunks, Pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """Scenes by the name of their data set, and how often a clip is drawn from each."""

    scenes: Mapping[str, Sequence[Scene]]
    shares: Mapping[str, float]

    def digest(self) -> str:
        """What the scenes are, in their order, which decides what is drawn: their sets, ids and pictures."""
        found = hashlib.sha256()
        for name, scenes in self.scenes.items():
            for scene in scenes:
                seen = zlib.crc32(scene.images.tobytes())
                found.update(f"{name} {scene.id} {len(scene.images)} {seen}\n".encode())
        return found.hexdigest()

    def counts(self, rng: np.random.Generator, clips: int) -> dict[str, int]:
        """How many of so many clips come from each set; those of which none is drawn are left out."""
        names = list(self.scenes)
        drawn = rng.multinomial(clips, [self.shares[name] for name in names]).tolist()
        return {name: count for name, count in zip(names, drawn, strict=True) if count}

    def draw(self, rng: np.random.Generator, clips: int, cut: Callable[[Sequence[Scene], int], Batch]) -> Batch:
        """One batch of clips, from each set what `counts` says, cut by ``cut(scenes, count)``."""
        return joined([cut(self.scenes[name], count) for name, count in self.counts(rng, clips).items()])


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches one after the other; the number of the scene is counted in its own set."""
    first = batches[0]
    values: dict[str, Any] = {}
    for field in fields(first):
        parts = [getattr(batch, field.name) for batch in batches]
        if isinstance(parts[0], np.ndarray):
            values[field.name] = np.concatenate(parts)
        else:
            values[field.name] = sum(parts, ()) if isinstance(parts[0], tuple) else parts[0]
    return type(first)(**values)


def load_sets(
    data: Sequence[Path],
    shares: Mapping[str, float],
    held_out_share: float,
    control: Control | Literal[""] = "",
    only_held_out: Sequence[str] = (),
) -> tuple[Sets, dict[str, list[Scene]]]:
    """Data sets to learn from, made into a control where one is named, and the recordings that are held out of each.

    Raises
    ------
    MediaError : a data set cannot be read
    UsageError : two folders have one name, a share names none of them, or one holds no scene
    """
    names = [folder.resolve().name for folder in data]
    if len(set(names)) < len(names):
        raise UsageError(f"data sets are told apart by the names of their folders, and two are equal: {names}")
    unknown = sorted({*shares, *only_held_out} - set(names))
    if unknown:
        raise UsageError(f"the recipe names the data set {', '.join(unknown)}; the data are {', '.join(names)}")
    learn, held = dict[str, list[Scene]](), dict[str, list[Scene]]()
    for name, folder in zip(names, data, strict=True):
        scenes = load_scenes(folder)
        if name in only_held_out:
            held[name] = scenes
            continue
        learn[name], held[name] = split_by_group(scenes, held_out_share)
        if not learn[name]:
            raise UsageError(f"{folder}: holds no scene to learn from; prepare longer clips")
        if control:
            learn[name] = control_scenes(control, learn[name])
    weights = {name: float(shares.get(name, 0.0 if shares else len(learn[name]))) for name in learn}
    total = sum(weights.values())
    if not total > 0:
        raise UsageError("no data set is learned from: none has a share in batch.sets, or all only calibrate")
    return Sets(learn, {name: weight / total for name, weight in weights.items()}), held
