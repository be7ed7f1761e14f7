"""Samples a second of SampleRNN: the layers themselves one sample at a time, and the fast way, in the same run.

    python benchmarks/samplernn_speed.py [--width 128] [--seconds 2] [--wide 1024] [--wide-seconds 0.1]
                                         [--fast MODEL] [--clip-seconds 8]

"naive" is `clapboard.training.nets.samplernn.generate`, eager torch on one thread; "fast" is
`clapboard.synthesis.samplernn`, numpy on one thread, for 1, 8 and 32 waves at once. Weights are random: the work does
not depend on them. With ``--fast`` the fast generator of `clapboard foley` makes the sound of one rendered clip in the
same run: the picture network and the blows laid, and the picture network and Griffin-Lim over all; decoding is not
included. CPU seconds of this process.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: one thread is what is measured

import numpy as np
import torch

from clapboard.synthesis.cues import SAMPLES_PER_FRAME
from clapboard.synthesis.samplernn import SampleRnn as Fast
from clapboard.training.foley.samples_export import plain_weights
from clapboard.training.nets.samplernn import SampleRnn, generate

HZ = 16_000
FEATURES = 64


def cpu_s(work: Callable[[], object], repeats: int = 3) -> float:
    """Least CPU seconds of some repeats."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def row(name: str, width: int, waves: int, seconds: float, *, used_s: float, base: float | None = None) -> float:
    """Print one line; returns CPU seconds per second of one wave."""
    each = used_s / (waves * seconds)
    times = "" if base is None else f"{base / each:.0f}"
    print(
        f"| {name} | {width or ''} | {waves} | {HZ / each:,.0f} | {each:.4f} | {1 / each:.2f} | {times} |", flush=True
    )
    return each


def main() -> int:
    parser = argparse.ArgumentParser(description="How fast SampleRNN draws, plainly and quickly.")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--wide", type=int, default=1024)
    parser.add_argument("--wide-seconds", type=float, default=0.12)
    parser.add_argument("--fast", default=None, metavar="MODEL")
    parser.add_argument("--clip-seconds", type=float, default=8.0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| way | width | waves | samples per CPU s | CPU s per s | times real time | times the naive wide one |")
    print("|---|---|---|---|---|---|---|")
    wide = SampleRnn(width=chosen.wide, embedding=256, conditioning=FEATURES).eval()
    frames = max(1, round(25 * chosen.wide_seconds))
    seen = torch.randn(1, frames * 40, FEATURES)
    used = cpu_s(lambda: generate(wide, 1, frames * 640, seen=seen), repeats=2)
    base = row("naive", chosen.wide, 1, frames / 25, used_s=used)
    quick = Fast(plain_weights(wide))
    told = np.random.default_rng(0).normal(size=(1, frames, FEATURES)).astype(np.float32)
    row("fast", chosen.wide, 1, frames / 25, used_s=cpu_s(lambda: quick.generate(told)), base=base)
    net = SampleRnn(width=chosen.width, conditioning=FEATURES).eval()
    frames = max(1, round(25 * chosen.seconds))
    seen = torch.randn(1, frames * 40, FEATURES)
    used = cpu_s(lambda: generate(net, 1, frames * 640, seen=seen), 2)
    row("naive", chosen.width, 1, frames / 25, used_s=used, base=base)
    narrow = Fast(plain_weights(net))
    for waves in (1, 8, 32):
        told = np.random.default_rng(0).normal(size=(waves, frames, FEATURES)).astype(np.float32)
        used = cpu_s(lambda told=told: narrow.generate(told))
        row("fast", chosen.width, waves, frames / 25, used_s=used, base=base)
    if chosen.fast is not None:
        generator(chosen.fast, chosen.clip_seconds, base)
    return 0


def generator(model: str, seconds: float, base: float) -> None:
    """The fast generator on one rendered clip: blows laid from the bank, and the whole log-mel by Griffin-Lim."""
    from clapboard.dubbing.makers import maker_of
    from clapboard.models.foley_session import load_foley
    from clapboard.synthesis.bank import modal_bank
    from clapboard.synthesis.griffin_lim import griffin_lim
    from clapboard.testing import render_events

    images = render_events(0, seconds=seconds, dry=True).images
    loaded, bank = load_foley(model), modal_bank()

    def blows() -> object:
        maker = maker_of(loaded, lambda: bank, vocoder="griffin-lim", candidates=1, seed=0)
        maker.push(images)
        maker.end_shot(0)
        return maker.takes()[0].wave(0, SAMPLES_PER_FRAME * len(images))

    row("foley, blows laid", 0, 1, len(images) / 25, used_s=cpu_s(blows), base=base)
    whole = cpu_s(lambda: griffin_lim(loaded.cues(images).mel))
    row("foley, all by Griffin-Lim", 0, 1, len(images) / 25, used_s=whole, base=base)


if __name__ == "__main__":
    sys.exit(main())
