"""Drawn textures on rendered clips: do they go as the picture goes, and are they as lively as sound, not its mean.

    python benchmarks/textures.py DATASET MODEL.json [--clips N] [--steps 1 2 4 8] [--guidance G] [-o JSON]

DATASET is made by `python -m clapboard.training.rendered_textures --part test`; MODEL is a foley model with a texture
stage. A test of the mechanism, not of real recordings. Rows of blows count nowhere.

- follows: correlation of the loudness every 10 ms with the true sound's, mean over clips with its interval of 95 %;
  "other" is that of what is drawn for the next clip's picture
- lively: mean square of the fine structure (what changes faster than a quarter of a second) of rows in which a texture
  sounds, as part of the true sound's; 1 is as lively, 0 is a mean
- score: energy score of two draws in those rows, in natural-log power over 80 bands; least for the true law. For what
  is no draw it is the mean distance from the truth
- CPU ms: of the network of textures, for each second of sound, on one thread

"what the picture tells" is the picture network's log-mel as it is, without the flow.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clapboard.errors import ClapboardError, UsageError
from clapboard.files import write_text
from clapboard.metrics import bootstrap
from clapboard.metrics.textures import energy_score, follows, spread
from clapboard.models.foley_session import FoleyModel, load_foley
from clapboard.synthesis.cues import TEXTURES
from clapboard.synthesis.texture import bridged, draw
from clapboard.timebase import FEATURE_HZ
from clapboard.training.foley.sets import load_takes
from clapboard.training.foley.texture import Told, told_of
from clapboard.values import F32

DRAWS = 2


@dataclass(frozen=True)
class Clip:
    """A clip: what is told of it, its true log-mel without blows, and which texture it has ("" where it has two)."""

    told: Told
    true: F32
    kind: str


def load(folder: Path, model: FoleyModel, limit: int | None) -> list[Clip]:
    """Clips of a set, looked at by the model."""
    clips = []
    for take in load_takes([folder], limit=limit):
        told = told_of(take, model.cues(np.asarray(take.images)), model.spec.onset_threshold)
        names = [name for name, levels in zip(TEXTURES, take.activity.T, strict=True) if levels.any()]
        true = bridged(told.mel.astype(np.float32), ~told.usable)
        clips.append(Clip(told, true, names[0] if len(names) == 1 else ""))
    return clips


def measure(made: Sequence[Sequence[F32]], clips: Sequence[Clip]) -> dict[str, Any]:
    """All measures of what was made for some clips, one or more draws of each."""
    own, other, lively, score = [], [], [], []
    for number, (clip, drawn) in enumerate(zip(clips, made, strict=True)):
        rows = clip.told.usable
        theirs = made[(number + 1) % len(clips)][0]
        count = min(len(theirs), len(rows))
        own.append(follows(drawn[0][rows], clip.true[rows]))
        other.append(follows(theirs[:count][rows[:count]], clip.true[:count][rows[:count]]))
        if clip.told.sounding.any():
            there = clip.told.sounding
            lively.append([spread(drawn[0], there), spread(clip.true, there)])
            far = np.linalg.norm((drawn[0] - clip.true)[there], axis=1).mean()
            score.append(energy_score(drawn, clip.true, there) if len(drawn) > 1 else float(far))
    drawn_power, true_power = np.mean(lively, axis=0) if lively else (np.nan, np.nan)
    low, high = bootstrap.of_mean(np.array(own), bootstrap.resamples([str(n) for n in range(len(own))], 2000, 0))
    return {
        "follows": float(np.mean(own)),
        "interval": [low, high],
        "other": float(np.mean(other)),
        "lively": float(drawn_power / true_power),
        "score": float(np.mean(score)) if score else None,
        "clips": len(clips),
    }


def drawn(model: FoleyModel, clips: Sequence[Clip], steps: int, guidance: float) -> tuple[list[list[F32]], float]:
    """Draws of every clip, and the CPU ms of a second of sound."""
    use, velocity = model.spec.texture, model.velocity
    if use is None or velocity is None:
        raise UsageError(f"{model.spec.name} has no texture stage; give a model that has one")
    began = time.process_time()

    def of(clip: Clip, seed: int) -> F32:
        """One draw."""
        told = clip.told
        how = {"mean": use.mean, "scale": use.scale}
        return draw(velocity, told.cues, **how, steps=steps, guidance=guidance, seed=seed, blows=told.blows)

    made = [[of(clip, seed) for seed in range(DRAWS)] for clip in clips]
    cpu_s = time.process_time() - began
    return made, 1000 * cpu_s / DRAWS / (sum(len(clip.true) for clip in clips) / FEATURE_HZ)


def line(name: str, found: dict[str, Any], cpu_ms: float | None = None) -> str:
    """One row of the table."""
    low, high = found["interval"]
    cost = "" if cpu_ms is None else f"{cpu_ms:.1f}"
    score = "" if found["score"] is None else f"{found['score']:.2f}"
    return (
        f"| {name} | {found['follows']:.3f} ({low:.3f} to {high:.3f}) | {found['other']:.3f} | {found['lively']:.2f} | "
        f"{score} | {cost} |"
    )


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description="Judge drawn textures on rendered clips.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--guidance", type=float, help="another than the model's")
    parser.add_argument("-o", "--out", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        model = load_foley(chosen.model)
        use = model.spec.texture
        if use is None:
            raise UsageError(f"{chosen.model} has no texture stage; give a model that has one")
        guidance = use.guidance if chosen.guidance is None else chosen.guidance
        clips = load(chosen.dataset, model, chosen.clips)
        print("| log-mel | follows | other | lively | score | CPU ms |\n|---|---|---|---|---|---|")
        told = [[bridged(clip.told.cues.mel, ~clip.told.usable)] for clip in clips]
        found: dict[str, dict[str, Any]] = {"told": measure(told, clips)}
        print(line("what the picture tells", found["told"]))
        for steps in chosen.steps:
            made, cpu_ms = drawn(model, clips, steps, guidance)
            found[f"steps {steps}"] = {**measure(made, clips), "cpu_ms": cpu_ms}
            print(line(f"drawn, steps {steps}, guidance {guidance:g}", found[f"steps {steps}"], cpu_ms), flush=True)
            if steps == use.steps:
                for kind in TEXTURES:
                    some = [number for number, clip in enumerate(clips) if clip.kind == kind]
                    if some:
                        one = measure([made[number] for number in some], [clips[number] for number in some])
                        found[kind] = one
                        print(line(f"of these {kind}, {len(some)} clips", one))
        if chosen.out:
            write_text(json.dumps(found, indent=1) + "\n", chosen.out, overwrite=True)
    except ClapboardError as error:
        print(f"textures: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
