"""How exactly pieces are cut out of files: what was cut is decoded again and compared with its source.

``python benchmarks/cut.py FOLDER [--clips N]`` takes files below a folder in an order by chance, cuts 1.5 s
out of each from an odd time on, and tells how far the pictures and the sound are from where they belong.
"""

import argparse
import random
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clapboard.dataset.sources import places
from clapboard.errors import MediaError
from clapboard.media.cut import cut
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import Audio, Frame

START_S, END_S = 1.0137, 2.5137
SEARCH_SAMPLES = 160
"""How far the sound may be off to be found: 10 ms both ways."""
EDGE_SAMPLES = 400
QUIET = 1e-3


def decoded(path: Path, until_s: float) -> tuple[list[float], NDArray[np.float32]]:
    """Times of the pictures, s, and the sound from 0 s on, 16 kHz, until a time."""
    times_s: list[float] = []
    sound = np.zeros(round(until_s * SAMPLE_RATE_HZ) + SAMPLE_RATE_HZ, np.float32)
    for value in read(probe(path), until_s=until_s):
        if isinstance(value, Frame):
            times_s.append(value.time_s)
        else:
            assert isinstance(value, Audio)
            at = round(value.start_s * SAMPLE_RATE_HZ)
            if 0 <= at < len(sound):
                sound[at : at + len(value.samples)] = value.samples[: len(sound) - at]
    return times_s, sound


def off_ms(path: Path, out: Path) -> tuple[float, float | None] | None:
    """How far the worst picture and the sound of a piece are off, ms; None where the file is too short.

    The sound is None where there is hardly any.
    """
    clip = probe(path)
    if clip.video is None or clip.audio is None or (clip.duration_s or 0) < END_S + 0.1:
        return None
    cut(clip, out, START_S, END_S, overwrite=True)
    (source_s, source), (piece_s, piece) = decoded(path, END_S), decoded(out, END_S - START_S)
    wanted_s = [time_s - START_S for time_s in source_s if time_s > START_S]
    if any(time_s <= START_S for time_s in source_s):
        wanted_s = [0.0, *wanted_s]
    if len(wanted_s) != len(piece_s):
        return float("inf"), None
    picture_ms = 1000 * max(abs(a - b) for a, b in zip(wanted_s, piece_s, strict=True))
    first, count = round(START_S * SAMPLE_RATE_HZ), round((END_S - START_S) * SAMPLE_RATE_HZ) - 2 * EDGE_SAMPLES
    true = source[first + EDGE_SAMPLES :][:count]
    if np.abs(true).max() < QUIET:
        return picture_ms, None
    lags = range(-SEARCH_SAMPLES, SEARCH_SAMPLES + 1)
    match = [float(np.dot(true, piece[EDGE_SAMPLES + lag :][:count])) for lag in lags]
    return picture_ms, abs(lags[int(np.argmax(match))]) * 1000 / SAMPLE_RATE_HZ


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description="How exactly pieces are cut out of files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=20)
    chosen = parser.parse_args()
    found = sorted(place.path for place in places([chosen.folder]))
    random.Random(0).shuffle(found)
    pictures, sounds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for path in islice(found, chosen.clips):
            try:
                off = off_ms(path, Path(folder, "piece.mp4"))
            except MediaError as error:
                print(error)
                continue
            if off is None:
                continue
            pictures.append(off[0])
            if off[1] is not None:
                sounds.append(off[1])
            if off[0] > 1 or (off[1] or 0) > 0.5:
                print(f"{path.name}: pictures {off[0]:.2f} ms, sound {off[1]} ms off")
    print(f"{len(pictures)} files: pictures at most {max(pictures):.3f} ms off, sound of {len(sounds)} at most "
          f"{max(sounds):.4f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
