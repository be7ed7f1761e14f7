"""Prepare clips for training: decode, find the mouth, keep its crops and the sound; one ``.npz`` a clip.

``python -m clapboard.training.prepare MANIFEST.csv -o FOLDER [--part train] [--processes 2]``

The crops and times are those of `clapboard.pipeline`, so training sees exactly what measuring will. A clip that is
there already is not made again; one bad clip never stops the rest.
"""

import argparse
import csv
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from clapboard.errors import ClapboardError
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import F32, Audio, Crops


def extract(path: Path) -> dict[str, np.ndarray]:
    """Longest face track of a clip and all its sound.

    Returns
    -------
    images (T, 64, 64) uint8, time_s (T,), samples (N,) int16 at 16 kHz with zeros in gaps, start_s () of the first one

    Raises
    ------
    ClapboardError : the clip cannot be read, or shows no face for five frames
    """
    from clapboard.media.probe import probe
    from clapboard.pipeline import mouths
    from clapboard.vision.crop import longest_track
    from clapboard.vision.mouths import MouthFinder

    sound = list[Audio]()
    crops = list(mouths(probe(path), MouthFinder(), sound.append))
    if not crops or not sound:
        raise ClapboardError(f"{path.name}: no {'face' if sound else 'sound'}")
    start_s = min(a.start_s for a in sound)
    samples = np.zeros(round((max(a.end_s for a in sound) - start_s) * SAMPLE_RATE_HZ) + 1, np.float32)
    for run in sound:
        place = round((run.start_s - start_s) * SAMPLE_RATE_HZ)
        samples[place : place + len(run.samples)] = run.samples
    return as_stored(longest_track(crops), samples, start_s)


def as_stored(crops: Crops, samples: F32, start_s: float) -> dict[str, np.ndarray]:
    """A clip in the form of `extract`: ``samples`` (N,) at 16 kHz, the first one at ``start_s``."""
    return {
        "images": crops.images,
        "time_s": crops.time_s,
        "samples": np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16),
        "start_s": np.array(start_s),
    }


def store(clip: dict[str, np.ndarray], target: Path) -> None:
    """Write a clip by a temporary name."""
    part = target.with_name(f".{target.name}.part{os.getpid()}.npz")
    np.savez(part, allow_pickle=False, **clip)
    part.replace(target)


def _one(path: Path, target: Path) -> str:
    """Prepare one clip; returns what went wrong, or nothing."""
    if target.exists():
        return ""
    try:
        store(extract(path), target)
    except ClapboardError as error:
        return str(error)
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Prepare clips for training.")
    parser.add_argument(
        "manifest", type=Path, help="CSV with the columns file, part, corpus, speaker; files relative to it"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the prepared clips")
    parser.add_argument("--part", default="train", help="which rows: the value of column part")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    with chosen.manifest.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == chosen.part]
    names = {row["file"]: row["file"].replace("/", "__") + ".npz" for row in rows}
    dropped: dict[str, str] = {}
    with ProcessPoolExecutor(chosen.processes) as pool:
        jobs = {
            pool.submit(_one, chosen.manifest.parent / file, chosen.out / name): file for file, name in names.items()
        }
        for done, job in enumerate(as_completed(jobs), 1):
            if job.result():
                dropped[jobs[job]] = job.result()
            if done % 50 == 0 or done == len(jobs):
                print(f"{done}/{len(jobs)} clips, {len(dropped)} dropped", file=sys.stderr, flush=True)
    index = [
        {"file": row["file"], "clip": names[row["file"]], "corpus": row["corpus"], "speaker": row["speaker"]}
        for row in rows
        if row["file"] not in dropped
    ]
    (chosen.out / f"{chosen.part}.json").write_text(json.dumps({"clips": index, "dropped": dropped}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
