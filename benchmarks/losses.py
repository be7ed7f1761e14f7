"""The multi-way loss against the pairwise ones: the same network, clips, batches and steps, several seeds.

    python benchmarks/losses.py RECIPE --data DATASET... -o FOLDER [--offsets CSV] [--seeds 3] [--steps N] [--frames N]

Judged on the people that the recipe holds out: among all positions of sound around a chunk, is the nearest one within a
frame of the right one? With one seed all losses see the same batches. Runs go on where they were.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from clapboard.training.judge import Judge
from clapboard.training.loop import fit
from clapboard.training.recipe import Recipe
from clapboard.training.run import Place
from clapboard.training.work import load_clips

CHOSEN = {
    "within-clip": {},
    "info-nce": {},
    "contrastive": {
        "margin": 1.0
    },  # the paper's 20 is for vectors of any length; those of unit length are 2 apart at most
    "cosine-bce": {"half": True},
}


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--offsets", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--frames", type=int, default=256)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    base = Recipe.read(chosen.recipe, {"steps": str(chosen.steps), "batch.frames": str(chosen.frames)})
    clips = load_clips(base, chosen.data, chosen.offsets)
    found: dict[str, list[float]] = {}
    chance = float("nan")
    for seed in range(chosen.seeds):
        for loss, options in CHOSEN.items():
            recipe = dataclasses.replace(base, seed=seed, loss=loss, loss_options=options)
            loop = fit(recipe, clips, chosen.out / f"{loss}-{seed}", place=Place(), say=lambda line: None)
            plain = dataclasses.replace(recipe, loss="within-clip", loss_options={})
            score = Judge(loop.held, loop.run.net, plain, loop.kind)(loop.run)
            found.setdefault(loss, []).append(score.accuracy)
            chance = score.chance
            print(f"seed {seed} {loss}: {score.accuracy:.1%} within a frame (chance {chance:.1%})", flush=True)
    print(f"\n{chosen.steps} steps of {chosen.frames} frames, {chosen.seeds} seeds; chance {chance:.1%}")
    for loss, values in sorted(found.items(), key=lambda item: -np.mean(item[1])):
        spread = f"{min(values):.1%} to {max(values):.1%}"
        print(f"{loss:12} {np.mean(values):6.1%}   {spread}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
