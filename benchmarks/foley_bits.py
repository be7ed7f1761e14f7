"""Bits a sample that SampleRNN needs for the true sound, told its own picture and told another clip's.

    python benchmarks/foley_bits.py RUN... --data DATASET [--limit N] [-o FOLDER]

RUN are folders of finished runs of `recipes/foley-samplernn.toml`. Another clip's picture is that of the next clip in
the data set, the last one's the first's; the sound is never that of the part that was learned from. With ``-o`` the
likelihoods are written as NAME.json, as `benchmarks/foley.py --bits` takes them. Chance is 8 bits.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from clapboard.metrics.generation import bits
from clapboard.training.foley.samples_work import bits_of, network_of
from clapboard.training.foley.sets import load_takes


def main() -> int:
    parser = argparse.ArgumentParser(description="Bits a sample by the right picture and by another clip's.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="clips, the first ones")
    parser.add_argument("-o", "--out", type=Path, default=None)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    takes = load_takes([chosen.data], limit=chosen.limit)
    samples = np.array([len(take.wave) for take in takes])
    others = np.roll(np.arange(len(takes)), -1).tolist()
    print(f"{len(takes)} clips of {chosen.data.name}\n")
    print("| run | encoder | own picture | another's | gap [95 % over clips] | CPU s |\n|---|---|---|---|---|---|")
    for run in chosen.runs:
        net, began_s = network_of(run), time.process_time()
        nats = [-np.log(2) * samples * bits_of(net, takes, which) for which in (range(len(takes)), others)]
        found = bits(*nats, samples)
        low, high = found.interval
        print(
            f"| {run.name} | {net.encoder.kind} | {found.right:.3f} | {found.wrong:.3f} | "
            f"{found.gap:.3f} [{low:.3f}, {high:.3f}] | {time.process_time() - began_s:.0f} |",
            flush=True,
        )
        if chosen.out is not None:
            chosen.out.mkdir(parents=True, exist_ok=True)
            values = {"right": nats[0].tolist(), "wrong": nats[1].tolist(), "samples": samples.tolist()}
            (chosen.out / f"{run.name}.json").write_text(json.dumps(values) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
