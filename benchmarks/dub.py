"""Where a made sound lies in the written file, against where it was laid.

    python benchmarks/dub.py FILE [FILE ...] [--to mp4 --to mkv]

Under each file, whose own sound is left out, knocks are laid 1.37 s apart on its clock; then the written file is
decoded and each knock is looked for by correlation, on the clock of its first picture. Printed is the largest distance
between found and laid, ms, whether all pictures came through, and by how much the decoded sound is longer than the
picture.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from clapboard.errors import ClapboardError
from clapboard.media.dub import dub, span_of
from clapboard.media.probe import probe
from clapboard.media.read import read
from clapboard.timebase import SAMPLE_RATE_HZ
from clapboard.values import Audio, Frame

APART_S, FIRST_S = 1.37, 0.1
LENGTH = 320
"""Samples of a knock."""
SEARCH_S = 0.1
"""A knock is looked for this far to either side."""


def knock() -> np.ndarray:
    """A tone of 1.5 kHz that decays within 4 ms, (LENGTH,)."""
    clock = np.arange(LENGTH) / SAMPLE_RATE_HZ
    return (0.7 * np.exp(-clock / 0.004) * np.sin(2 * np.pi * 1500 * clock)).astype(np.float32)


def decoded(path: Path) -> tuple[list[float], np.ndarray, float]:
    """Times of the pictures, s; the sound, and the time of its first sample, s."""
    frames, sounds = [], []
    clip = probe(path)
    for value in read(clip, audio=clip.audio is not None):
        if isinstance(value, Frame):
            frames.append(value.time_s)
        elif isinstance(value, Audio):
            sounds.append(value)
    if not sounds:
        return frames, np.zeros(0, np.float32), 0.0
    start_s = min(sound.start_s for sound in sounds)
    track = np.zeros(round((max(sound.end_s for sound in sounds) - start_s) * SAMPLE_RATE_HZ) + 1, np.float32)
    for sound in sounds:
        at = round((sound.start_s - start_s) * SAMPLE_RATE_HZ)
        track[at : at + len(sound.samples)] = sound.samples
    return frames, track, start_s


def measure(source: Path, out: Path) -> str:
    """One line on one file."""
    span = span_of(probe(source))
    length_s = span.end_s - span.start_s
    times = np.arange(FIRST_S, length_s - FIRST_S, APART_S)
    samples = np.zeros(round(length_s * SAMPLE_RATE_HZ) + LENGTH, np.float32)
    places = np.round(times * SAMPLE_RATE_HZ).astype(int)
    for place in places:
        samples[place : place + LENGTH] = knock()
    dub(source, out, samples, SAMPLE_RATE_HZ, start_s=span.start_s, replace=True)
    was, now = decoded(source)[0], decoded(out)
    frames, track, start_s = now
    off_ms = []
    for place in places:
        wanted = place / SAMPLE_RATE_HZ + frames[0] - start_s
        low = max(0, round((wanted - SEARCH_S) * SAMPLE_RATE_HZ))
        part = track[low : low + round(2 * SEARCH_S * SAMPLE_RATE_HZ) + LENGTH]
        off_ms.append(1000 * ((low + int(np.argmax(np.correlate(part, knock(), "valid")))) / SAMPLE_RATE_HZ - wanted))
    worst = f"{max(map(abs, off_ms)):.2f} ms of {len(off_ms)}" if off_ms else "too short for a knock"
    longer_ms = 1000 * (start_s + len(track) / SAMPLE_RATE_HZ - frames[0] - length_s)
    return f"off by at most {worst}; pictures {len(frames)} of {len(was)}; sound {longer_ms:+.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description="Where a made sound lies in the written file.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--to", action="append", help="ending of the container; mp4 and mkv by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for source in given.files:
            for ending in given.to or ["mp4", "mkv"]:
                out = Path(folder) / f"out.{ending}"
                try:
                    print(f"{source.name} -> {ending}: {measure(source, out)}", flush=True)
                except ClapboardError as error:
                    print(f"{source.name} -> {ending}: refused: {error}", flush=True)
                out.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
