"""How many times faster than real time a model's networks run on one thread: picture and sound, each and together.

    python benchmarks/inference.py [MODEL ...] [--seconds 20] [--repeats 5]

MODEL is a bundled name or the ``.json`` of a model; the first one is what the others are compared with, so that a model
in 8 bits stands beside the same in float32. CPU seconds of this process, the least of the repeats, which take turns: a
busy machine slows all of them alike. Pictures are noise, sound is noise through the model's own features, whose cost is
shown beside; finding faces and decoding are not part of it, see ``speed.py``.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from clapboard.models.session import SyncModel, load_model
from clapboard.timebase import PICTURE_HZ, SAMPLE_RATE_HZ
from clapboard.values import Crops, Features

PARTS = ("picture", "sound", "features")


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def parts_of(model: SyncModel, seconds: float) -> dict[str, Callable[[], object]]:
    """What is timed: each takes a whole clip of so many seconds."""
    rng = np.random.default_rng(0)
    shape, _ = model.input_of("picture")
    frames = round(seconds * PICTURE_HZ)
    crops = Crops(0, rng.integers(0, 256, (frames, *shape), dtype=np.uint8), np.arange(frames) / PICTURE_HZ)
    samples = rng.normal(0, 0.1, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)

    def features() -> np.ndarray:
        bands = model.kind.bands(samples)
        return model.kind.finish(Features(bands, np.ones(len(bands), bool), 0.0))

    rows = features()
    valid = np.ones(len(rows), bool)
    return {
        "picture": lambda: model.embed_picture(crops),
        "sound": lambda: model.embed_sound(rows, valid, 0.0),
        "features": features,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["clapboard-s"], metavar="MODEL")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the clip")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    loaded = {name: load_model(name, threads=1) for name in chosen.models}
    work = {name: parts_of(model, chosen.seconds) for name, model in loaded.items()}
    least = {name: dict.fromkeys(PARTS, np.inf) for name in work}
    for _ in range(chosen.repeats):
        for name, parts in work.items():
            for part, run in parts.items():
                least[name][part] = min(least[name][part], cpu_s(run) / chosen.seconds)
    first = sum(least[chosen.models[0]][part] for part in ("picture", "sound"))
    print(f"clip of {chosen.seconds:g} s, one thread, least of {chosen.repeats}; CPU ms for one second of video\n")
    print("| model | picture | sound | both networks: times real time | against the first | features of the sound |")
    print("|---|---|---|---|---|---|")
    for name, found in least.items():
        both = found["picture"] + found["sound"]
        in_ms = {part: f"{1000 * cost:.2f}" for part, cost in found.items()}
        print(
            f"| {loaded[name].spec.name} | {in_ms['picture']} | {in_ms['sound']} | {1 / both:.0f} "
            f"| {first / both:.2f} x | {in_ms['features']} |"
        )


if __name__ == "__main__":
    main()
