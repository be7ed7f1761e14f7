"""What the parts of ``clapboard foley --variant fast`` cost, in CPU seconds of one thread, and its memory.

    python benchmarks/foley_speed.py [--model foley-fast] [--minutes 1 10]

The parts are run on a rendered clip of a minute (dense, dry, part ``test``) that lies in memory; each is run once to
warm up, and the least of three runs counts. The whole is `clapboard.foley` on files of that clip, written again and
again, in a process of its own each; it decodes, ranks three candidates and encodes.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SECONDS = 60.0
RUNS = 3


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    work()
    found = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def parts(model_name: str) -> None:
    """Print what each part costs."""
    from clapboard.anysound import Sight, matched, opened
    from clapboard.dubbing.makers import CueMaker
    from clapboard.models.foley_session import load_foley
    from clapboard.synthesis.bank import modal_bank
    from clapboard.synthesis.griffin_lim import griffin_lim
    from clapboard.synthesis.laying import lay
    from clapboard.testing import render_events
    from clapboard.values import Audio, Crops

    clip = render_events(1, seconds=SECONDS, part="test", dry=True)
    model, ears, bank = load_foley(model_name), opened(), modal_bank()
    cues = model.cues(clip.images)
    sight = Sight(ears)

    def fast() -> None:
        maker = CueMaker(model, bank, griffin_lim, model.velocity, candidates=1, seed=0)
        for begin in range(0, len(clip.images), 16):
            maker.push(clip.images[begin : begin + 16])
        maker.end_shot(0)
        maker.takes()[0].finished(len(clip.samples))

    def look() -> None:
        sight.__init__(ears)  # type: ignore[misc]
        for begin in range(0, len(clip.images), 16):
            some = slice(begin, begin + 16)
            sight.push(Crops(0, clip.images[some], clip.time_s[some]))

    def compare() -> None:
        matched(None, sight, [Audio(clip.samples, 16_000, 0.0)], ears)  # type: ignore[arg-type]

    print(f"{model_name}, a minute of pictures, times real time on one thread:")
    for words, work in (
        ("the network of the picture", lambda: model.cues(clip.images)),
        ("picking, search in the bank and laying", lambda: lay(bank, cues)),
        ("both, in windows, as the command does", fast),
        ("Griffin-Lim of the whole log-mel, for comparison", lambda: griffin_lim(cues.mel)),
        ("ranking: the any-sound model sees the picture", look),
        ("ranking: one candidate", compare),
    ):
        print(f"  {SECONDS / cpu_s(work):8.0f}  {words}")
    print(f"  {cpu_s(modal_bank.__wrapped__):8.2f}  s for the bank made in code, once")


def write(path: Path, minutes: int) -> None:
    """A silent file of so many minutes."""
    from clapboard.media.write import write_clip
    from clapboard.testing import render_events

    images = render_events(1, seconds=SECONDS, part="test", dry=True).images

    def frames() -> Iterator[Any]:
        for _ in range(minutes):
            yield from images

    write_clip(path, frames(), 25)


def whole(path: Path, model_name: str) -> tuple[float, float, int]:
    """CPU seconds and peak MB of `clapboard.foley` on a file, and how many blows it has."""
    import clapboard

    began = time.process_time()
    report = clapboard.foley(path, path.with_suffix(".out.mkv"), model=model_name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.process_time() - began, peak, len(report.onsets_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="foley-fast")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10])
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"  # NumPy, which is not imported yet, reads it
    parts(options.model)
    print("whole files, 64 px, three candidates ranked:")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            path = Path(folder) / f"{minutes}.mp4"
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                pool.submit(write, path, minutes).result()
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                spent_s, peak_mb, blows = pool.submit(whole, path, options.model).result()
            rate = 60 * minutes / spent_s
            print(f"  {minutes:3d} min, {blows} blows: {rate:.0f} times real time, peak {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
