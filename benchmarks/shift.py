"""The property: delay the sound of a file by d, and the answer moves by -d.

    python benchmarks/shift.py [--clips FILE...] [--step-ms 200]

Every clip is delayed from -800 to +800 ms, by timestamps and in the samples, into mp4 and into mkv, and each file goes
through ``clapboard.check``. Without ``--clips`` talking faces are rendered at 25, 29.97 and 24 fps. Printed is the
largest departure from -d, against the same clip written the same way with d = 0.
"""

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

import clapboard
from clapboard.media.write import bake, shift
from clapboard.models.session import load_model
from clapboard.testing import make_clip

WAYS = {"timestamps": shift, "samples": bake}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs="+")
    parser.add_argument("--step-ms", type=int, default=200)
    chosen = parser.parse_args()
    model = load_model()
    delays_ms = range(-800, 801, chosen.step_ms)
    with tempfile.TemporaryDirectory() as name:
        folder, clips = Path(name), chosen.clips
        if not clips:
            clips = [folder / f"{rate.replace('/', '_')}.mp4" for rate in ("25", "30000/1001", "24")]
            for seed, path in enumerate(clips):
                make_clip(path, seed=seed + 20, duration_s=8.0, rate=Fraction(path.stem.replace("_", "/")))
        print("| clip | container | by | answer at d = 0 | largest departure from -d | undecided |")
        print("|---|---|---|---|---|---|")
        worst_ms = 0.0
        for path in clips:
            for suffix in (".mp4", ".mkv"):
                for way, move in WAYS.items():
                    found = {}
                    for delay_ms in (0, *(d for d in delays_ms if d)):
                        target = folder / f"moved{suffix}"
                        move(path, target, delay_ms / 1000, overwrite=True)
                        found[delay_ms] = clapboard.check(target, model=model, max_offset_ms=1500).offset
                    still_ms = found[0].offset_ms
                    departures = [abs(o.offset_ms - still_ms + d) for d, o in found.items()]
                    undecided = sum(not o.trusted for o in found.values())
                    worst_ms = float(np.max([worst_ms, *departures]))  # NaN, nothing measured, has to show
                    print(
                        f"| {path.name} | {suffix[1:]} | {way} | {still_ms:+.1f} ms | {np.max(departures):.1f} ms "
                        f"| {undecided} of {len(found)} |",
                        flush=True,
                    )
        print(f"\nlargest departure: {worst_ms:.1f} ms")


if __name__ == "__main__":
    main()
