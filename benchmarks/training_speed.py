"""Training speed in frames per second, beside the peak that matrix products alone reach in the same run.

    python benchmarks/training_speed.py [RECIPE] [--network NAME] [--loss NAME] [--device cpu] [--threads 1] [--steps 8]
                                        [--data DATASET ...] [--wall]

Without a recipe: the network's defaults and batches of 384 frames. Without data: clips of noise in memory, drawn and
augmented as any. What is timed takes turns, so that a busy machine slows all of it alike, and the median of the turns
counts: CPU seconds on a CPU (of all threads: what a step costs, whoever else is there), seconds of the clock on a GPU
or with --wall.

The work of a step is counted from the shapes of every convolution and matrix product, forward and backward, two
operations a multiply-add; nothing else is counted, so that the part of the peak is a lower bound of the use.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from clapboard.dataset.align import Aligned, align
from clapboard.sound.kinds import KINDS
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.training.nets import build
from clapboard.training.nets.base import Inputs
from clapboard.training.recipe import Recipe
from clapboard.training.run import Place, Run
from clapboard.training.sampling import Batches, Drawn
from clapboard.training.work import load_clips

SECONDS = 4.0
CLIPS = 12
SIDES = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices that show the peak."""
TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def noise(inputs: Inputs) -> list[Aligned]:
    """Clips of noise, as a data set would give them."""
    rng = np.random.default_rng(0)
    frames, colours = round(SECONDS * PICTURE_HZ), (3,) if inputs.channels == 3 else ()
    clips = []
    for n in range(CLIPS):
        images = rng.integers(0, 256, (frames, inputs.crop_px, inputs.crop_px, *colours), dtype=np.uint8)
        samples = rng.integers(-3000, 3000, round(SECONDS * SAMPLE_RATE_HZ), dtype=np.int16)
        clips.append(
            align(
                images, np.arange(frames) / PICTURE_HZ, samples, 0.0, 0.0, kind=inputs.sound,
                window_frames=inputs.window_frames, window_rows=inputs.window_rows,
                corpus="noise", speaker=str(n), file=str(n),
            )
        )  # fmt: skip
    return clips


def timed(device: str, clock: Callable[[], float], work: Callable[[], object]) -> float:
    """Seconds of one call; a GPU has finished what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = clock()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="?", metavar="RECIPE")
    parser.add_argument("--network", default="clapboard-s")
    parser.add_argument("--loss", default="within-clip")
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    parser.add_argument("--device", default="cpu", choices=list(SIDES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--wall", action="store_true", help="seconds of the clock, on a machine without other work")
    chosen = parser.parse_args()
    wall = chosen.wall or chosen.device == "cuda"
    clock = time.perf_counter if wall else time.process_time
    torch.set_num_threads(chosen.threads)
    device: str = chosen.device
    recipe = Recipe.read(chosen.recipe) if chosen.recipe else Recipe(1000, network=chosen.network, loss=chosen.loss)
    given = build(recipe.network, recipe.network_options).inputs
    clips = load_clips(recipe, chosen.data, None) if chosen.data else noise(given)
    run = Run(recipe, Place(device=device))
    source = Batches(clips, run.net.inputs, recipe, KINDS[given.sound], recipe.augmentation)
    ready = source[0]
    frames = ready.images.shape[0] * ready.images.shape[1]

    def learn_from(batch: Drawn) -> None:
        run.loss(batch, run.net, 0)[0].backward()

    with FlopCounterMode(display=False) as counter:
        learn_from(ready)
    work = counter.get_total_flops() / 1e9
    side = SIDES[device]
    one, other = (torch.randn(side, side, device=device).to(TYPES[recipe.precision]) for _ in range(2))
    number = iter(range(1, 1 << 30))
    parts: dict[str, tuple[Callable[[], object], float]] = {
        f"matrix product {side} x {side}": (lambda: one @ other, 2 * side**3 / 1e9),
        "network, loss and gradients": (lambda: learn_from(ready), work),
        "drawing a batch": (lambda: source[next(number)], 0.0),
        "whole step with its batch": (lambda: run.learn(source[next(number)]), work),
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(chosen.steps + 2):
        for name, (call, _) in parts.items():
            found = timed(device, clock, call)
            if turn >= 2:  # the first ones plan and allocate
                seconds[name].append(found)
    median = {name: float(np.median(found)) for name, found in seconds.items()}
    peak = parts[next(iter(parts))][1] / median[next(iter(parts))]
    weights = sum(p.numel() for p in run.net.parameters())
    place = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {chosen.threads} thread(s)"
    print(
        f"{recipe.network}, {weights / 1e6:.2f} M weights, {recipe.loss}, {recipe.precision}, {place}; "
        f"{frames} frames a step, {work:.1f} GFLOP; median of {chosen.steps}\n"
    )
    print(f"| what | {'clock' if wall else 'CPU'} ms | frames per s of it | GFLOP/s | of the peak |")
    print("|---|---|---|---|---|")
    for name, (_, gflop) in parts.items():
        speed = "" if "matrix" in name else f"{frames / median[name]:.0f}"
        rate = f"{gflop / median[name]:.0f}" if gflop else ""
        part = f"{gflop / median[name] / peak:.0%}" if gflop else ""
        print(f"| {name} | {1000 * median[name]:.1f} | {speed} | {rate} | {part} |")


if __name__ == "__main__":
    main()
