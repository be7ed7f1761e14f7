"""Blows where the picture moves most: what anyone would try first on real clips.

python benchmarks/foley_motion.py DATASET --manifest CSV    how the constants below were chosen, on part train alone
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.metrics import onset_match
from clapboard.sync.motion import motion_energy
from clapboard.timebase import PICTURE_HZ
from clapboard.values import F64
from foley_clips import Clip, Waves, blows_at

CELLS, BEST = 8, 8
"""The mean over so many of 8 x 8 cells that move most, each less the median of all: a moving camera counts little."""
STRONG = 0.7
"""A peak is at least this part of the 95th percentile of the motion ..."""
NEAR_FRAMES = 6
"""... and the greatest within so many frames."""
LATE_S = 0.16
"""It is heard so long after it moved most: a hand is fastest before it strikes, and sound takes 3 ms for a metre."""


def motion_onsets(
    images: NDArray[np.uint8],
    strong: float = STRONG,
    near_frames: int = NEAR_FRAMES,
    late_s: float = LATE_S,
) -> F64:
    """When something might sound, (E,) s from the first sample, from pictures (T, h, w)."""
    cells = motion_energy(images, CELLS)
    steady = np.sort(cells - np.median(cells, axis=1, keepdims=True), axis=1)
    curve = steady[:, -BEST:].mean(1)
    padded = np.pad(curve, near_frames, constant_values=-np.inf)
    greatest = np.lib.stride_tricks.sliding_window_view(padded, 2 * near_frames + 1).max(1)
    at = np.flatnonzero((curve >= greatest) & (curve >= strong * np.percentile(curve, 95)) & (curve > 0))
    at = at[np.diff(at, prepend=-2) > 1]
    # The middle between a frame and the next lies 20 ms after the frame, so a whole frame after its first sample.
    times = (at + 1) / PICTURE_HZ + late_s
    return times[(times >= 0) & (times < len(images) / PICTURE_HZ)]


def by_motion(clips: Sequence[Clip], seed: int = 0) -> Waves:
    """Blows of a body where the picture moves most."""
    rng = np.random.default_rng(seed)
    return {clip.id: blows_at(motion_onsets(clip.images), len(clip.wave), rng) for clip in clips}


def main() -> int:
    """See the module."""
    from foley_real import events_of_grade_a, load_real

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--manifest", type=Path, required=True)
    chosen = parser.parse_args()
    clips = events_of_grade_a(load_real([chosen.data], chosen.manifest))
    lengths = [clip.length_s for clip in clips]
    found = []
    for strong, near, late_s in itertools.product(
        (0.3, 0.5, 0.7, 0.9), (2, 4, 6), (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24)
    ):
        times = [motion_onsets(clip.images, strong, near, late_s) for clip in clips]
        result = onset_match.evaluate([c.true_s for c in clips], times, lengths, tolerance_s=0.1, number=1)
        found.append((result.above, result.f1, result.control, strong, near, late_s))
    print("| above | F1 100 ms | moved | strong | near frames | late s |\n|---|---|---|---|---|---|")
    for above, f1, control, strong, near, late_s in sorted(found, reverse=True)[:10]:
        print(f"| {above:.3f} | {f1:.3f} | {control:.3f} | {strong:g} | {near} | {late_s:g} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
