"""Rendered talking faces as training clips, found and cropped by the same stages as real ones.

``python -m clapboard.training.rendered -o FOLDER [--clips 120] [--seconds 6] [--processes 2]``

Seeds start at `FIRST_SEED`; those below are for tests and the demo, so that nothing shown there was learned from.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.training.prepare import as_stored, store
from clapboard.values import Crops, Frame

FIRST_SEED = 100_000


def render_clip(seed: int, seconds: float) -> dict[str, np.ndarray] | None:
    """One rendered clip in the form of `clapboard.training.prepare.extract`; None where no face is found in it."""
    from clapboard.testing import Actor, Speaker, render, speak, voice
    from clapboard.testing.articulation import LEAD_S
    from clapboard.vision.crop import longest_track
    from clapboard.vision.mouths import MouthFinder

    rng = np.random.default_rng(seed)
    speaker = Speaker.from_seed(seed)
    articulation = speak(seed, seconds, speaker=speaker)
    face_px = float(rng.uniform(70, 170))
    actor = Actor(articulation, speaker, face_px, x=float(rng.uniform(0.35, 0.65)), motion=float(rng.uniform(0, 1)))
    times_s = np.arange(round(seconds * PICTURE_HZ)) / PICTURE_HZ
    finder, crops = MouthFinder(), list[Crops]()
    pictures = render([actor], times_s, width_px=400, height_px=300, seed=seed)
    for grid, (time_s, image) in enumerate(zip(times_s, pictures, strict=True)):
        thumbnail = np.repeat(image[::8, ::8, None], 3, 2)
        crops += finder.push(grid, Frame(float(time_s), image, thumbnail))
    crops += finder.close()
    if not crops:
        return None
    samples = voice(articulation, speaker)[round(LEAD_S * SAMPLE_RATE_HZ) :][: round(seconds * SAMPLE_RATE_HZ)]
    return as_stored(longest_track(crops), samples, 0.0)


def _one(seed: int, seconds: float, target: Path) -> bool:
    """Render one clip into a file; whether a face was found."""
    if target.exists():
        return True
    found = render_clip(seed, seconds)
    if found is None:
        return False
    store(found, target)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Render talking faces for training.")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST_SEED, FIRST_SEED + chosen.clips)
    targets = [chosen.out / f"rendered_{seed}.npz" for seed in seeds]
    with ProcessPoolExecutor(chosen.processes) as pool:
        found = list(pool.map(_one, seeds, [chosen.seconds] * len(seeds), targets))
    index = [
        {"file": t.name, "clip": t.name, "corpus": "rendered", "speaker": str(seed)}
        for seed, t, good in zip(seeds, targets, found, strict=True)
        if good
    ]
    (chosen.out / "rendered.json").write_text(json.dumps({"clips": index, "dropped": {}}, indent=1))
    print(f"{len(index)} of {len(seeds)} clips", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
